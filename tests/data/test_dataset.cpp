#include <algorithm>
#include <map>
#include <numeric>

#include <tgd/data/dataset.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::data::InMemory;
using tgd::data::split;
using tgd::data::stratified_split;
using tgd::data::Subset;
using Indices = std::vector<std::size_t>;

namespace {

std::vector<int> numbers(int n) {
  std::vector<int> samples(static_cast<std::size_t>(n));
  std::iota(samples.begin(), samples.end(), 0);
  return samples;
}

template <class Parts>
Indices all_indices(const Parts& parts) {
  Indices all;
  for (const auto& part : parts) all.insert(all.end(), part.indices().begin(), part.indices().end());
  std::ranges::sort(all);
  return all;
}

Indices first_n(std::size_t n) {
  Indices all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

}  // namespace

static_assert(tgd::data::Dataset<std::vector<int>>);
static_assert(tgd::data::Dataset<InMemory<std::string>>);
static_assert(tgd::data::Dataset<Subset<std::vector<int>>>);
static_assert(!tgd::data::Dataset<int>);

TEST_CASE("InMemory shares its samples between copies", "[dataset]") {
  const InMemory<std::string> samples{"a", "b"};
  const InMemory copy = samples;
  CHECK(copy.size() == 2);
  CHECK(&copy[1] == &samples[1]);
  CHECK_THROWS_WITH(samples[2], ContainsSubstring("index 2") && ContainsSubstring("2 samples"));
}

TEST_CASE("Subset selects samples in the order of its indices", "[dataset]") {
  const Subset subset(std::vector<std::string>{"a", "b", "c"}, {2, 0, 2});
  REQUIRE(subset.size() == 3);
  CHECK(subset[0] == "c");
  CHECK(subset[1] == "a");
  CHECK(subset[2] == "c");
  CHECK(subset.indices() == Indices{2, 0, 2});
  CHECK_THROWS_AS(subset[3], tgd::ValueError);
  CHECK_THROWS_WITH(Subset(numbers(3), {0, 3}), ContainsSubstring("index 3"));
}

TEST_CASE("split deals out every sample once", "[dataset]") {
  SECTION("by counts, in the order of CPython's shuffle") {
    const auto [train, validation, test] = split(numbers(200), {66, 66, 68}, 0);
    CHECK(train.size() == 66);
    CHECK(validation.size() == 66);
    CHECK(test.size() == 68);
    CHECK(train.indices()[0] == 131);
    CHECK(train[1] == 181);
    CHECK(validation.indices()[0] == 54);
    CHECK(test.indices()[0] == 31);
    CHECK(test.indices()[67] == 98);
    CHECK(all_indices(std::array{train, validation, test}) == first_n(200));
  }
  SECTION("by ratios, rounding the largest remainders up") {
    struct Case {
      int size;
      std::array<double, 3> ratios;
      std::array<std::size_t, 3> sizes;
    };
    const Case row = GENERATE(Case{10, {0.8, 0.1, 0.1}, {8, 1, 1}}, Case{100, {0.29, 0.71, 0.0}, {29, 71, 0}},
                              Case{5, {0.5, 0.5, 0.0}, {3, 2, 0}}, Case{10, {1.0 / 3, 1.0 / 3, 1.0 / 3}, {4, 3, 3}},
                              Case{0, {0.5, 0.3, 0.2}, {0, 0, 0}}, Case{1, {0.2, 0.3, 0.5}, {0, 0, 1}});
    CAPTURE(row.size, row.ratios);
    const auto parts = split(numbers(row.size), {row.ratios[0], row.ratios[1], row.ratios[2]});
    for (std::size_t i = 0; i < 3; ++i) CHECK(parts[i].size() == row.sizes[i]);
    CHECK(all_indices(parts).size() == static_cast<std::size_t>(row.size));
  }
  SECTION("the same for the same seed only") {
    const auto indices = [](std::uint64_t seed) { return split(numbers(50), {25, 25}, seed)[0].indices(); };
    CHECK(indices(3) == indices(3));
    CHECK(indices(3) != indices(4));
  }
  SECTION("parts share one copy of the dataset") {
    const auto [a, b] = split(std::vector<std::string>{"x", "y"}, {1, 1});
    const Subset again(a, {0});
    CHECK(&again[0] == &a[0]);
  }
}

TEST_CASE("stratified_split divides every label as the whole", "[dataset]") {
  // 60 of "a", 30 of "b", 9 of "c", 1 of "d"
  const auto label_of = [](int sample) -> std::string {
    return sample < 60 ? "a" : sample < 90 ? "b" : sample < 99 ? "c" : "d";
  };
  const auto parts = stratified_split(numbers(100), label_of, {0.5, 0.3, 0.2}, 1);
  CHECK(all_indices(parts) == first_n(100));

  const std::array<double, 3> ratios{0.5, 0.3, 0.2};
  const std::map<std::string, double> counts{{"a", 60}, {"b", 30}, {"c", 9}, {"d", 1}};
  for (std::size_t part = 0; part < parts.size(); ++part) {
    CHECK(static_cast<double>(parts[part].size()) == ratios[part] * 100);
    std::map<std::string, double> found;
    for (std::size_t i = 0; i < parts[part].size(); ++i) found[label_of(parts[part][i])] += 1;
    for (const auto& [label, count] : counts) {
      CAPTURE(part, label);
      CHECK(std::abs(found[label] - count * ratios[part]) <= 1.0);
    }
  }
  SECTION("the labels are mixed within a part") {
    const Indices& indices = parts[0].indices();
    CHECK_FALSE(std::ranges::is_sorted(indices, {}, [&](std::size_t i) { return label_of(static_cast<int>(i)); }));
  }
  SECTION("the same for the same seed only") {
    CHECK(stratified_split(numbers(100), label_of, {50, 50}, 2)[0].indices() ==
          stratified_split(numbers(100), label_of, {50, 50}, 2)[0].indices());
    CHECK(stratified_split(numbers(100), label_of, {50, 50}, 2)[0].indices() !=
          stratified_split(numbers(100), label_of, {50, 50}, 3)[0].indices());
  }
}

TEST_CASE("Parts that do not add up to the dataset are refused", "[dataset]") {
  CHECK_THROWS_WITH(split(numbers(10), {5, 4}), ContainsSubstring("[5, 4] add up to 9") && ContainsSubstring("10 samples"));
  CHECK_THROWS_WITH(split(numbers(10), {11, -1}), ContainsSubstring("a part of -1 samples"));
  CHECK_THROWS_WITH(split(numbers(10), {0.5, 0.4}), ContainsSubstring("0.9") && ContainsSubstring("add up to 1"));
  CHECK_THROWS_AS(split(numbers(10), {1.5, -0.5}), tgd::ValueError);
  CHECK_THROWS_AS(split(numbers(10), {std::numeric_limits<double>::quiet_NaN(), 1.0}), tgd::ValueError);
}
