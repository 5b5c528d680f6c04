#include "core/number_text.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

using tgd::Data;
using tgd::detail::DecimalMark;
using tgd::detail::last_number;
using tgd::detail::number_text;
using tgd::detail::unit_of_amount;

TEST_CASE("An amount is a number with its unit; a code or a text with a number in it is none", "[core][numbers]") {
  const std::vector<std::pair<std::string, std::optional<std::string>>> rows = {{"1,200", ""},
                                                                                {"$1,200", "$"},
                                                                                {"12 %", "%"},
                                                                                {"3.5 kg", "kg"},
                                                                                {" -5 ", ""},
                                                                                {"1 1/2", ""},
                                                                                {"99 €", "$"},
                                                                                {"120万", ""},
                                                                                {"2.5 million", ""},
                                                                                {"0.5", ""},
                                                                                {"0", ""},
                                                                                {"007", std::nullopt},
                                                                                {"010", std::nullopt},
                                                                                {"+49", std::nullopt},
                                                                                {"", std::nullopt},
                                                                                {"12 or 13", std::nullopt},
                                                                                {"Room 12", std::nullopt},
                                                                                {"1.2.3", std::nullopt},
                                                                                {"10:30", std::nullopt},
                                                                                {"2nd", std::nullopt},
                                                                                {"12 bottles of good wine", std::nullopt},
                                                                                {"B12", std::nullopt}};
  for (const auto& [text, unit] : rows) {
    CAPTURE(text);
    CHECK(unit_of_amount(text) == unit);
  }
}

TEST_CASE("A number is written so that it is read back", "[core][numbers]") {
  for (const Data& number :
       {Data(1200), Data(-3), Data(1200.5), Data(0.125), Data(1.125), Data(6.02e23), Data(-1e-7), Data(3.0)}) {
    for (const DecimalMark mark : {DecimalMark::point, DecimalMark::comma}) {
      const std::string text = number_text(number, mark);
      CAPTURE(text);
      const auto read = last_number(text, mark);
      REQUIRE(read);
      CHECK(is_same_number(*read, number));
    }
  }
  CHECK(number_text(Data(3.0)) == "3");
  CHECK(number_text(Data(1.5), DecimalMark::comma) == "1,5");
}
