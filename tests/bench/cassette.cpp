// Opening a cassette of 10,000 calls, each with a request of about 2 KB and a reply of about 400 bytes, and replaying it.

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <tgd/lm/recorded.hpp>

#include "bench/bench.hpp"
#include "lm/wrap/cassette.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace tgd;

constexpr int calls = 10'000;

std::string lines(int count, char letter) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::string(79, letter) + "\n";
  return text;
}

lm::Request question(int number) {
  return {.messages = {{"system", lines(20, 's')}, {"user", lines(5, 'u') + std::to_string(number)}},
          .args = {{"model", "gpt-4o-mini"}, {"temperature", 0}}};
}

std::vector<lm::detail::Exchange> exchanges() {
  std::vector<lm::detail::Exchange> all;
  for (int i = 0; i < calls; ++i) {
    lm::Reply reply{.content = lines(5, 'a'), .finish_reason = "stop", .model = "gpt-4o-mini"};
    reply.usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 500, .completion_tokens = 75};
    all.push_back({{.model = "gpt-4o-mini", .args = {{"temperature", 0}}, .messages = question(i).messages}, {{0, reply}}});
  }
  return all;
}

}  // namespace

int main() {
  const test::TemporaryFolder folder;
  std::string text;
  const double printing = bench::seconds([&] { text = lm::detail::print_cassette(exchanges()); });
  const auto file = folder.write("run.cassette", text);
  fmt::print("{:<52} {:>8.3f} s, {:.1f} MB\n", "making and printing 10,000 exchanges", printing,
             static_cast<double>(text.size()) / 1e6);

  std::shared_ptr<lm::Cassette> cassette;
  const double opening = bench::median_seconds(3, [&] {
    cassette = std::make_shared<lm::Cassette>(lm::CassetteOptions{.path = file, .mode = lm::CassetteMode::replay});
  });
  fmt::print("{:<52} {:>8.3f} s (limit 1)\n", "opening the cassette", opening);

  lm::Recorded model(cassette);
  std::vector<lm::Request> requests;
  for (int i = 0; i < calls; ++i) requests.push_back(question(i));
  const double replaying = bench::seconds([&] { model.chat_all(requests); });
  fmt::print("{:<52} {:>8.1f} us per call\n", "replaying", replaying / calls * 1e6);
  return cassette->replayed() == calls ? 0 : 1;
}
