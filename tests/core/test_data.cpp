#include <tgd/data.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include <cstdint>
#include <type_traits>

#include <tgd/variable.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::Json;
using tgd::TypeError;
using tgd::ValueError;

using Texts = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

static_assert(!std::is_constructible_v<Data, bool>);
static_assert(!std::is_constructible_v<Data, char>);

TEST_CASE("Data knows its kind, its size and whether it is a batch", "[core][data]") {
  struct Case {
    Data data;
    Data::Kind kind;
    bool is_batch;
    std::size_t size;
    std::string description;
  };
  const std::vector<Case> cases{
      {Data(), Data::Kind::text, false, 1, "text"},
      {Data("hello"), Data::Kind::text, false, 1, "text"},
      {Data(std::string_view("hello")), Data::Kind::text, false, 1, "text"},
      {Data(3), Data::Kind::integer, false, 1, "integer"},
      {Data(2.5F), Data::Kind::real, false, 1, "real"},
      {Data(Texts{"a"}), Data::Kind::text, true, 1, "a list of 1 text"},
      {Data(Texts{}), Data::Kind::text, true, 0, "a list of 0 texts"},
      {Data(std::vector<int>{1, 2, 3}), Data::Kind::integer, true, 3, "a list of 3 integers"},
      {Data(Reals{1, 2}), Data::Kind::real, true, 2, "a list of 2 reals"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.description);
    CHECK(c.data.kind() == c.kind);
    CHECK(c.data.is_text() == (c.kind == Data::Kind::text));
    CHECK(c.data.is_batch() == c.is_batch);
    CHECK(c.data.size() == c.size);
    CHECK(c.data.description() == c.description);
  }
}

TEST_CASE("Reading data as what it is not is a TypeError that names both", "[core][data]") {
  CHECK(Data("x").text() == "x");
  CHECK(Data(7).integer() == 7);
  CHECK(Data(7).real() == 7.0);
  CHECK(Data(0.5).real() == 0.5);
  CHECK(Data(Texts{"a"}).texts() == Texts{"a"});
  CHECK(Data(Integers{1}).integers() == Integers{1});
  CHECK(Data(Reals{1.5}).reals() == Reals{1.5});

  CHECK_THROWS_AS(Data(7).text(), TypeError);
  CHECK_THROWS_AS(Data(0.5).integer(), TypeError);
  CHECK_THROWS_AS(Data("7").real(), TypeError);
  CHECK_THROWS_AS(Data("7").texts(), TypeError);
  CHECK_THROWS_AS(Data(Texts{"7"}).text(), TypeError);
  CHECK_THROWS_AS(Data(Integers{7}).reals(), TypeError);
  CHECK_THROWS_AS(Data(Reals{7}).integers(), TypeError);
  CHECK_THROWS_WITH(Data(Texts{"a", "b"}).text(), ContainsSubstring("a list of 2 texts") && ContainsSubstring("a text"));
}

TEST_CASE("A list is homogeneous", "[core][data]") {
  CHECK(Data::list({"a", "b"}) == Data(Texts{"a", "b"}));
  CHECK(Data::list({1, 2}) == Data(Integers{1, 2}));
  SECTION("integers among reals become real") {
    CHECK(Data::list({1, 2.5}) == Data(Reals{1, 2.5}));
    CHECK(Data::list({0.5, 2}) == Data(Reals{0.5, 2}));
  }
  SECTION("no items are no texts") { CHECK(Data::list({}) == Data(Texts{})); }
  SECTION("texts and numbers do not mix") {
    CHECK_THROWS_AS(Data::list({"a", 1}), TypeError);
    CHECK_THROWS_AS(Data::list({1.5, "a"}), TypeError);
  }
  SECTION("lists do not nest") { CHECK_THROWS_AS(Data::list({Data(Texts{"a"})}), TypeError); }
}

TEST_CASE("Data comes from JSON texts, numbers and lists of these, and goes back", "[core][data]") {
  const std::vector<std::pair<std::string, Data>> cases{
      {R"("x")", "x"},
      {"3", 3},
      {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()},
      {"2.5", 2.5},
      {"[]", Texts{}},
      {R"(["a","b"])", Texts{"a", "b"}},
      {"[1,2]", Integers{1, 2}},
      {"[1.0,2.5]", Reals{1, 2.5}},
  };
  for (const auto& [json, data] : cases) {
    CAPTURE(json);
    CHECK(Data::from_json(Json::parse(json)) == data);
    CHECK(data.to_json().dump() == json);
  }
  CHECK(Data::from_json(Json::parse("[1, 2.5]")) == Data(Reals{1, 2.5}));
  CHECK(Data::from_json(Json::parse("18446744073709551615")) == Data(18446744073709551615.0));

  const std::string no_data = GENERATE("null", "true", "{}", "[null]", "[[1]]", R"(["a", 1])", R"([{"a": 1}])");
  CAPTURE(no_data);
  CHECK_THROWS_AS(Data::from_json(Json::parse(no_data)), TypeError);
}

TEST_CASE("Items of a batch are scalars; a scalar is its own item", "[core][data]") {
  const Data batch(Texts{"a", "b"});
  CHECK(batch.item(1) == Data("b"));
  CHECK(Data(Integers{5}).item(0) == Data(5));
  CHECK(Data(0.5).item(0) == Data(0.5));
  CHECK_THROWS_AS(batch.item(2), ValueError);
  CHECK_THROWS_AS(Data("x").item(1), ValueError);
  CHECK_THROWS_AS(Data(Texts{}).item(0), ValueError);
}

TEST_CASE("An item's text is the text itself or the shortest form of the number", "[core][data]") {
  CHECK(Data("  x\n").item_text() == "  x\n");
  CHECK(Data("x").item_text(5) == "x");
  CHECK(Data(-12).item_text() == "-12");
  CHECK(Data(0.1).item_text() == "0.1");
  CHECK(Data(2.0).item_text() == "2");
  CHECK(Data(1e300).item_text() == "1e+300");
  CHECK(Data(Texts{"a", "b"}).item_text(1) == "b");
  CHECK(Data(Reals{0.5}).item_text(0) == "0.5");
  CHECK_THROWS_AS(Data(Texts{"a"}).item_text(1), ValueError);
}

TEST_CASE("Numbers can be read as reals whatever their kind", "[core][data]") {
  CHECK(Data(2).as_reals() == Reals{2});
  CHECK(Data(0.5).as_reals() == Reals{0.5});
  CHECK(Data(Integers{1, 2}).as_reals() == Reals{1, 2});
  CHECK_THROWS_AS(Data("2").as_reals(), TypeError);
  CHECK_THROWS_AS(Data(Texts{"2"}).as_reals(), TypeError);
}

TEST_CASE("Casts are elementwise", "[core][data]") {
  CHECK(Data(" 42 ").to<std::int64_t>() == Data(42));
  CHECK(Data("-0.5").to<double>() == Data(-0.5));
  CHECK(Data(2.9).to<std::int64_t>() == Data(2));
  CHECK(Data(-2.9).to<std::int64_t>() == Data(-2));
  CHECK(Data(3).to<double>() == Data(3.0));
  CHECK(Data(3).to<std::string>() == Data("3"));
  CHECK(Data(Texts{"1", "2"}).to<std::int64_t>() == Data(Integers{1, 2}));
  CHECK(Data(Integers{1, 2}).to<std::string>() == Data(Texts{"1", "2"}));
  CHECK(Data(Reals{1.5}).to<std::string>() == Data(Texts{"1.5"}));

  SECTION("and refuse what is no number, or none that fits") {
    const std::string text = GENERATE("", " ", "x", "1x", "1 2", "0x10", "1,5", "9223372036854775808", "2.5");
    CAPTURE(text);
    CHECK_THROWS_AS(Data(text).to<std::int64_t>(), ValueError);
    CHECK_THROWS_AS(Data(Texts{"1", text}).to<std::int64_t>(), ValueError);
  }
  SECTION("and refuse reals that are no whole number of 64 bits") {
    const double number = GENERATE(1e19, -1e19, std::numeric_limits<double>::infinity(), std::nan(""));
    CAPTURE(number);
    CHECK_THROWS_AS(Data(number).to<std::int64_t>(), ValueError);
  }
}

TEST_CASE("Data of different kinds or shapes is not equal", "[core][data]") {
  CHECK(Data(1) == Data(1));
  CHECK_FALSE(Data(1) == Data(1.0));
  CHECK_FALSE(Data("1") == Data(1));
  CHECK_FALSE(Data("a") == Data(Texts{"a"}));
}

TEST_CASE("A whole number above the range of integers becomes real") {
  CHECK(Data(std::uint64_t{1} << 62U).kind() == Data::Kind::integer);
  const Data big(~std::uint64_t{0});
  CHECK(big.kind() == Data::Kind::real);
  CHECK(big.real() == 18446744073709551615.0);
}

TEST_CASE("Numbers that JSON cannot hold are refused, not lost") {
  CHECK_THROWS_AS(Data(std::nan("")).to_json(), tgd::ValueError);
  CHECK_THROWS_AS(Data(std::vector<double>{1, std::numeric_limits<double>::infinity()}).to_json(), tgd::ValueError);
}

TEST_CASE("Numbers are the same when their values are, integers exactly") {
  constexpr std::int64_t large = 9007199254740993;  // no double has this value
  CHECK(is_same_number(Data(large), Data(large)));
  CHECK_FALSE(is_same_number(Data(large), Data(large - 1)));
  CHECK_FALSE(is_same_number(Data(large), Data(9007199254740992.0)));
  CHECK(is_same_number(Data(9007199254740992.0), Data(large - 1)));
  CHECK(is_same_number(Data(3), Data(3.0)));
  CHECK_FALSE(is_same_number(Data(3), Data(3.5)));
  CHECK_FALSE(is_same_number(Data(INT64_MAX), Data(9223372036854775808.0)));
  CHECK(is_same_number(Data(INT64_MIN), Data(-9223372036854775808.0)));
  CHECK_THROWS_AS(is_same_number(Data("3"), Data(3)), tgd::TypeError);
}

TEST_CASE("What is read from temporary data is a value") {
  STATIC_REQUIRE(std::is_same_v<decltype(Data("a").text()), std::string>);
  STATIC_REQUIRE(std::is_same_v<decltype(tgd::Variable("a").text()), std::string>);
  STATIC_REQUIRE(std::is_same_v<decltype(tgd::Variable("a").texts()), std::vector<std::string>>);
  STATIC_REQUIRE(std::is_same_v<decltype(tgd::Variable("a").data()), Data>);
  const tgd::Variable kept("a");
  STATIC_REQUIRE(std::is_same_v<decltype(kept.data()), const Data&>);
}
