// A million rows of JSON Lines, one after the other, against nlohmann/json alone on the same file; and the memory that it takes.

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tgd/data/stream.hpp>
#include <tgd/data/stream_loader.hpp>

#include "bench/bench.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace tgd;

constexpr int rows = 1'000'000;
constexpr int runs = 3;

void write_rows(const std::filesystem::path& path) {
  std::ofstream file(path);
  for (int i = 0; i < rows; ++i) {
    file << fmt::format(
        "{{\"id\": {0}, \"question\": \"Question number {0} of a customer who writes about as much as customers do, with "
        "\\\"quotes\\\" "
        "and an \\u00e9.\", \"answer\": \"label {1}\", \"meta\": {{\"source\": \"mail\", \"score\": 0.{0}}}}}\n",
        i, i % 7);
  }
}

double parse_alone(const std::filesystem::path& path) {
  return bench::median_seconds(runs, [&] {
    std::ifstream file(path);
    std::size_t members = 0;
    for (std::string line; std::getline(file, line);) members += nlohmann::json::parse(line).size();
    if (members != 4U * rows) throw std::runtime_error("wrong rows");
  });
}

template <class Range>
double walk(const Range& range, std::size_t expected) {
  return bench::median_seconds(runs, [&] {
    std::size_t count = 0;
    for (auto&& item : range) {
      static_cast<void>(item);
      ++count;
    }
    if (count != expected) throw std::runtime_error("wrong rows");
  });
}

long peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

int main() {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "rows.jsonl";
  write_rows(path);
  fmt::print("{} rows, {} MB\n", rows, std::filesystem::file_size(path) >> 20U);

  const double alone = parse_alone(path);
  const auto report = [&](const char* what, double took) {
    fmt::print("{:<48} {:>6.2f} s {:>7.2f} us per row, ratio {:.2f}\n", what, took, took / rows * 1e6, took / alone);
  };
  report("nlohmann/json alone", alone);
  const data::JsonLinesStream stream(path, {"question", "answer"});
  const auto columns = stream.columns("question", "answer");
  report("JsonLinesStream, two fields", walk(stream, rows));
  report("JsonLinesStream, columns", walk(columns, rows));
  report("StreamLoader, batches of 32", walk(data::StreamLoader(columns, {.batch_size = 32}), rows / 32));
  fmt::print("peak memory {} MB\n", peak_megabytes());
}
