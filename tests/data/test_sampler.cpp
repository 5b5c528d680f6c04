#include <numeric>
#include <set>

#include <tgd/data/sampler.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using tgd::data::RandomSampler;
using tgd::data::Sampler;
using tgd::data::SequentialSampler;
using tgd::data::WeightedRandomSampler;
using Indices = std::vector<std::size_t>;

namespace {

const std::vector<double> uneven{0.1, 0.9, 0.4, 0.7, 3.0, 0.6};

/// How often each index below n comes first in `epochs` epochs.
std::vector<double> shares_of_first(Sampler& sampler, std::size_t n, int epochs) {
  std::vector<double> shares(n);
  for (int epoch = 0; epoch < epochs; ++epoch) shares[sampler.next_epoch().at(0)] += 1.0 / epochs;
  return shares;
}

}  // namespace

TEST_CASE("SequentialSampler visits everything in order", "[sampler]") {
  SequentialSampler sampler(4);
  CHECK(sampler.size() == 4);
  CHECK(sampler.next_epoch() == Indices{0, 1, 2, 3});
  CHECK(sampler.next_epoch() == Indices{0, 1, 2, 3});
  CHECK(SequentialSampler(0).next_epoch().empty());
}

TEST_CASE("RandomSampler shuffles as CPython's random.sample", "[sampler]") {
  RandomSampler sampler(10, 42);
  const Indices first = sampler.next_epoch();
  CHECK(first == Indices{1, 0, 4, 9, 6, 5, 8, 2, 3, 7});

  SECTION("a new order every epoch, each a permutation") {
    Indices second = sampler.next_epoch();
    CHECK(second != first);
    std::ranges::sort(second);
    CHECK(second == SequentialSampler(10).next_epoch());
  }
  SECTION("the same epochs in every run") {
    RandomSampler again(10, 42);
    CHECK(again.next_epoch() == first);
    CHECK(again.next_epoch() == sampler.next_epoch());
    CHECK(RandomSampler(10, 43).next_epoch() != first);
  }
  SECTION("an epoch of nothing") { CHECK(RandomSampler(0).next_epoch().empty()); }
}

TEST_CASE("WeightedRandomSampler with replacement draws as CPython's random.choices", "[sampler]") {
  WeightedRandomSampler sampler(uneven, 5, true, 7);
  CHECK(sampler.size() == 5);
  CHECK(sampler.next_epoch() == Indices{3, 1, 4, 1, 4});
  CHECK(sampler.next_epoch() == Indices{3, 1, 4, 1, 4});  // by chance; the third epoch differs
  CHECK(sampler.next_epoch() == Indices{1, 1, 4, 4, 1});
  CHECK(WeightedRandomSampler({1, 1}, 100).next_epoch().size() == 100);
}

TEST_CASE("WeightedRandomSampler without replacement", "[sampler]") {
  SECTION("draws no index twice and none of weight 0") {
    WeightedRandomSampler sampler({1, 0, 2, 0, 3, 4}, 4, false, 1);
    for (int epoch = 0; epoch < 50; ++epoch) {
      const Indices indices = sampler.next_epoch();
      REQUIRE(indices.size() == 4);
      REQUIRE(std::set(indices.begin(), indices.end()) == std::set<std::size_t>{0, 2, 4, 5});
    }
  }
  SECTION("honours the weights, also after the first draw") {
    WeightedRandomSampler sampler({6, 3, 1}, 2, false, 3);
    std::vector<double> second_after_0(3);
    double epochs_with_0_first = 0;
    for (int epoch = 0; epoch < 20000; ++epoch) {
      const Indices indices = sampler.next_epoch();
      if (indices[0] != 0) continue;
      ++epochs_with_0_first;
      second_after_0[indices[1]] += 1;
    }
    CHECK(epochs_with_0_first / 20000 == Approx(0.6).margin(0.015));
    CHECK(second_after_0[0] == 0);
    CHECK(second_after_0[1] / epochs_with_0_first == Approx(0.75).margin(0.015));
  }
  SECTION("its first draw has the chances of a draw with replacement") {
    WeightedRandomSampler sampler(uneven, 6, false, 5);
    const std::vector<double> shares = shares_of_first(sampler, uneven.size(), 20000);
    const double total = std::accumulate(uneven.begin(), uneven.end(), 0.0);
    for (std::size_t i = 0; i < uneven.size(); ++i) CHECK(shares[i] == Approx(uneven[i] / total).margin(0.015));
  }
  SECTION("repeats from run to run") {
    CHECK(WeightedRandomSampler(uneven, 6, false, 9).next_epoch() == WeightedRandomSampler(uneven, 6, false, 9).next_epoch());
  }
  SECTION("takes everything even when the weights differ by hundreds of orders of magnitude") {
    std::vector<double> weights;
    for (int exponent = -300; exponent <= 300; ++exponent) weights.push_back(std::pow(10.0, exponent));
    CHECK(WeightedRandomSampler(weights, weights.size(), false, 2).next_epoch().size() == weights.size());
  }
}

TEST_CASE("A sampler continues from its saved state", "[sampler]") {
  const auto continues = [](Sampler&& original, Sampler&& restored) {
    original.next_epoch();
    restored.load_state_dict(tgd::Json::parse(original.state_dict().dump()));
    return original.next_epoch() == restored.next_epoch() && original.next_epoch() == restored.next_epoch();
  };
  CHECK(continues(SequentialSampler(3), SequentialSampler(3)));
  CHECK(continues(RandomSampler(20, 1), RandomSampler(20, 2)));
  CHECK(continues(WeightedRandomSampler(uneven, 4, true, 1), WeightedRandomSampler(uneven, 4, true, 2)));
  CHECK(continues(WeightedRandomSampler(uneven, 4, false, 1), WeightedRandomSampler(uneven, 4, false, 2)));
  CHECK_THROWS_AS(RandomSampler(3).load_state_dict(SequentialSampler(3).state_dict()), tgd::ValueError);
}

TEST_CASE("WeightedRandomSampler refuses what it cannot draw", "[sampler]") {
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(WeightedRandomSampler({1, 0, 2}, 3, false),
                    ContainsSubstring("3 samples") && ContainsSubstring("only 2 of the 3 weights"));
  CHECK_THROWS_WITH(WeightedRandomSampler({1, -1}, 1), ContainsSubstring("weight 1 is -1"));
  CHECK_THROWS_AS(WeightedRandomSampler({0, 0}, 1), tgd::ValueError);
  CHECK_THROWS_AS(WeightedRandomSampler({}, 1), tgd::ValueError);
}
