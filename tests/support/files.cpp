#include "support/files.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "catch.hpp"

namespace tgd::test {

namespace fs = std::filesystem;

fs::path path_of(const std::string& file) { return fs::path(TGD_TEST_SOURCE_DIR) / file; }

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

nlohmann::json read_json(const std::string& file) { return nlohmann::json::parse(read_text(path_of(file))); }

void check_golden(const std::string& file, const std::string& text) {
  const fs::path path = path_of(file);
  const char* update = std::getenv("TGD_UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") return write_text(path, text);
  INFO(file << "; TGD_UPDATE_GOLDEN=1 rewrites it");
  REQUIRE(fs::exists(path));
  CHECK(text == read_text(path));
}

TemporaryFolder::TemporaryFolder() {
  std::random_device random;
  do {
    path_ = fs::temp_directory_path() / ("tgd_test_" + std::to_string(random()));
  } while (!fs::create_directory(path_));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace tgd::test
