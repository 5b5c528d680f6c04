// Every value in random_reference.json comes from CPython's random.

#include <cstdlib>
#include <fstream>
#include <numeric>

#include <nlohmann/json.hpp>

#include <tgd/error.hpp>
#include <tgd/random.hpp>

#include "catch.hpp"

namespace {

using nlohmann::json;
using tgd::Random;

const json& reference() {
  static const json table = [] {
    std::ifstream file(TGD_TEST_SOURCE_DIR "/core/random_reference.json");
    return json::parse(file);
  }();
  return table;
}

Random seeded(const json& row) { return Random(row["seed"].get<std::uint64_t>()); }

std::uint64_t whole(const json& text) { return std::stoull(text.get<std::string>()); }
double real(const json& hex) { return std::strtod(hex.get<std::string>().c_str(), nullptr); }

std::vector<std::size_t> range(std::size_t n) {
  std::vector<std::size_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

}  // namespace

TEST_CASE("Random gives the numbers of CPython's random", "[random]") {
  SECTION("getrandbits") {
    for (const json& row : reference()["getrandbits"]) {
      CAPTURE(row);
      Random random = seeded(row);
      for (const json& value : row["values"]) CHECK(random.getrandbits(row["bits"].get<unsigned>()) == whole(value));
    }
  }
  SECTION("after several refills of the state") {
    for (const json& row : reference()["word_2001"]) {
      CAPTURE(row);
      Random random = seeded(row);
      for (int i = 0; i < 2000; ++i) random.getrandbits(32);
      CHECK(random.getrandbits(32) == whole(row["value"]));
    }
  }
  SECTION("random") {
    for (const json& row : reference()["random"]) {
      CAPTURE(row);
      Random random = seeded(row);
      for (const json& value : row["values"]) CHECK(random.random() == real(value));
    }
  }
  SECTION("uniform") {
    for (const json& row : reference()["uniform"]) {
      CAPTURE(row);
      Random random = seeded(row);
      for (const json& value : row["values"]) CHECK(random.uniform(real(row["a"]), real(row["b"])) == real(value));
    }
  }
  SECTION("randbelow") {
    for (const json& row : reference()["randbelow"]) {
      CAPTURE(row);
      Random random = seeded(row);
      for (const json& value : row["values"]) CHECK(random.randbelow(whole(row["n"])) == whole(value));
    }
  }
  SECTION("shuffle") {
    for (const json& row : reference()["shuffle"]) {
      CAPTURE(row);
      std::vector<std::size_t> numbers = range(row["n"].get<std::size_t>());
      seeded(row).shuffle(numbers);
      CHECK(json(numbers) == row["values"]);
    }
  }
  SECTION("sample, from a pool and with a set") {
    for (const json& row : reference()["sample"]) {
      CAPTURE(row);
      CHECK(json(seeded(row).sample(row["n"].get<std::size_t>(), row["k"].get<std::size_t>())) == row["values"]);
    }
  }
  SECTION("choices") {
    for (const json& row : reference()["choices"]) {
      CAPTURE(row);
      const auto weights = row["weights"].get<std::vector<double>>();
      CHECK(json(seeded(row).choices(weights, row["k"].get<std::size_t>())) == row["values"]);
    }
  }
  SECTION("one generator through different calls") {
    const json& expected = reference()["mixed_2024"];
    Random random(2024);
    CHECK(random.getrandbits(40) == expected[0]);
    CHECK(random.random() == real(expected[1]));
    CHECK(json(random.sample(30, 4)) == expected[2]);
    CHECK(json(random.choices(std::vector<double>{1, 2, 3}, 4)) == expected[3]);
    std::vector<std::size_t> numbers = range(6);
    random.shuffle(numbers);
    CHECK(json(numbers) == expected[4]);
    CHECK(random.getrandbits(32) == expected[5]);
  }
}

TEST_CASE("A Random continues from its saved state", "[random]") {
  Random random(5);
  const int numbers_before = GENERATE(0, 1, 623, 624, 1000);
  for (int i = 0; i < numbers_before; ++i) random.getrandbits(32);
  // As a checkpoint has it, and as it is in memory, where counts may be numbers with a sign.
  tgd::Json state = tgd::Json::parse(random.state().dump());
  if (GENERATE(true, false)) {
    json edited = random.state().value();
    edited["index"] = static_cast<std::int64_t>(edited["index"].get<int>());
    state = tgd::Json(edited);
  }

  Random restored(99);
  restored.set_state(state);
  CHECK(restored == random);
  for (int i = 0; i < 700; ++i) REQUIRE(restored.getrandbits(32) == random.getrandbits(32));
}

TEST_CASE("A malformed state is refused and changes nothing", "[random]") {
  json state = Random(1).state().value();
  const std::string damage =
      GENERATE("no object", "generator", "no words", "few words", "index", "no digit", "kind");
  CAPTURE(damage);
  if (damage == "no object") state = json::array({1, 2});
  if (damage == "generator") state["generator"] = "pcg64";
  if (damage == "no words") state.erase("words");
  if (damage == "few words") state["words"] = state["words"].get<std::string>().substr(8);
  if (damage == "index") state["index"] = 625;
  if (damage == "no digit") state["words"] = std::string(8 * 624, 'g');
  if (damage == "kind") state["words"] = json::array({1, 2, 3});

  Random random(2);
  CHECK_THROWS_AS(random.set_state(tgd::Json(state)), tgd::ValueError);
  CHECK(random == Random(2));
}

TEST_CASE("Random refuses what it cannot draw from", "[random]") {
  using Catch::Matchers::ContainsSubstring;
  Random random(0);
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto choose = [&](const std::vector<double>& weights) { return random.choices(weights, 1); };

  CHECK_THROWS_AS(random.randbelow(0), tgd::ValueError);
  CHECK_THROWS_AS(random.getrandbits(65), tgd::ValueError);
  CHECK_THROWS_WITH(random.sample(3, 4), ContainsSubstring("sample of 4") && ContainsSubstring("population of 3"));
  CHECK_THROWS_WITH(choose({1, -0.5}), ContainsSubstring("weight 1 is -0.5"));
  CHECK_THROWS_WITH(choose({0, 0}), ContainsSubstring("2 weights add up to 0"));
  CHECK_THROWS_AS(choose({}), tgd::ValueError);
  CHECK_THROWS_AS(choose({nan}), tgd::ValueError);
  CHECK_THROWS_AS(choose({infinity}), tgd::ValueError);
  CHECK(random == Random(0));
}
