#include <tgd/lm/usage.hpp>

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using tgd::Json;
using tgd::lm::Usage;
using tgd::lm::UsageMeter;

namespace {

const Usage one_to_seven{1, 2, 3, 4, 5, 6, 7};

}  // namespace

TEST_CASE("Usage adds up figure by figure", "[lm][usage]") {
  Usage sum = one_to_seven;
  sum += one_to_seven;
  CHECK(sum == Usage{2, 4, 6, 8, 10, 12, 14});
}

TEST_CASE("Usage survives a round trip through JSON", "[lm][usage]") {
  CHECK(Usage::from_json(one_to_seven.to_json()) == one_to_seven);
  CHECK(one_to_seven.to_json().dump() == R"({"calls":1,"attempts":2,"reported":3,"prompt_tokens":4,)"
                                         R"("cached_prompt_tokens":5,"completion_tokens":6,"reasoning_tokens":7})");
}

TEST_CASE("Usage takes missing figures as 0 and ignores unknown ones", "[lm][usage]") {
  CHECK(Usage::from_json(Json{}) == Usage{});
  CHECK(Usage::from_json(Json{{"calls", 3}, {"audio_tokens", "many"}}) == Usage{.calls = 3});
}

TEST_CASE("Usage says which figure is not a whole number", "[lm][usage]") {
  CHECK_THROWS_WITH(Usage::from_json(Json{{"calls", "three"}}),
                    R"(usage: "calls" must be a whole number from 0 up, but is "three")");
  CHECK_THROWS_AS(Usage::from_json(Json{{"prompt_tokens", 1.5}}), tgd::ValueError);
  CHECK_THROWS_AS(Usage::from_json(Json{{"prompt_tokens", -1}}), tgd::ValueError);
  CHECK_THROWS_AS(Usage::from_json(Json::array({1})), tgd::ValueError);
}

TEST_CASE("Usage stays at the ends of its range", "[lm][usage]") {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  Usage sum{.calls = 1, .prompt_tokens = most - 1, .completion_tokens = most};
  sum += Usage{.calls = 1, .prompt_tokens = 5, .completion_tokens = most};
  CHECK(sum == Usage{.calls = 2, .prompt_tokens = most, .completion_tokens = most});
  sum -= Usage{.calls = 5, .prompt_tokens = most};
  CHECK(sum == Usage{.calls = -3, .prompt_tokens = 0, .completion_tokens = most});
  CHECK(Usage::from_json(Json{{"prompt_tokens", std::numeric_limits<std::uint64_t>::max()}}).prompt_tokens == most);
}

TEST_CASE("A usage meter can be fed from many threads", "[lm][usage][concurrent]") {
  UsageMeter meter;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&meter] {
      for (int i = 0; i < 250; ++i) meter.add({.calls = 1, .prompt_tokens = 10});
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(meter.total() == Usage{.calls = 1000, .prompt_tokens = 10'000});
}
