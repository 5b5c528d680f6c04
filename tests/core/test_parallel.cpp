#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "catch.hpp"
#include "core/parallel.hpp"

using tgd::detail::parallel_for;

TEST_CASE("A parallel loop visits every element once") {
  for (const std::size_t count : {0U, 1U, 7U, 100U, 1000U}) {
    for (const std::size_t least : {0U, 1U, 10U, 5000U}) {
      std::vector<int> visits(count);
      parallel_for(count, least, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) ++visits[i];
      });
      CHECK(std::all_of(visits.begin(), visits.end(), [](int times) { return times == 1; }));
    }
  }
}

TEST_CASE("A parallel loop within another comes to its end") {
  std::atomic<int> visits = 0;
  parallel_for(50, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      parallel_for(20, 1, [&](std::size_t from, std::size_t to) { visits += static_cast<int>(to - from); });
  });
  CHECK(visits == 1000);
}

TEST_CASE("An exception in a parallel loop comes to the caller when all parts are done", "[concurrent]") {
  std::atomic<int> visits = 0;
  const auto fails = [&](std::size_t begin, std::size_t end) {
    visits += static_cast<int>(end - begin);
    if (begin <= 5 && 5 < end) throw std::runtime_error("five");
  };
  CHECK_THROWS_WITH(parallel_for(100, 1, fails), "five");
  CHECK(visits == 100);
}
