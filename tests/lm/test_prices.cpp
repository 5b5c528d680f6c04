#include <tgd/lm/prices.hpp>

#include <limits>
#include <map>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/table.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::lm::Cost;
using tgd::lm::Price;
using tgd::lm::PriceTable;
using tgd::lm::Usage;

namespace {

std::string loading_error(const std::string& text) {
  const tgd::test::TemporaryFolder folder;
  PriceTable prices;
  try {
    prices.load(folder.write("prices.json", text));
  } catch (const tgd::Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("Costs are exact sums that are readable", "[lm][prices]") {
  Cost sum;
  for (int i = 0; i < 10; ++i) sum += Cost::from_usd(0.1);
  CHECK(sum == Cost::from_usd(1));
  CHECK(sum.usd() == 1.0);
  CHECK(sum - Cost::from_usd(0.25) == Cost::from_usd(0.75));

  CHECK(Cost().text() == "$0.00");
  CHECK(Cost::from_usd(12.5).text() == "$12.50");
  CHECK(Cost::from_usd(0.0123).text() == "$0.0123");
  CHECK(Cost::from_usd(0.00000149).text() == "$0.000001");
  CHECK(Cost::from_pico_usd(1).text() == "<$0.000001");
  CHECK(Cost::from_usd(-3).text() == "-$3.00");
}

TEST_CASE("A cost that grows too large stays at the limit", "[lm][prices]") {
  const Cost most = Cost::from_pico_usd(std::numeric_limits<std::int64_t>::max());
  CHECK(most + Cost::from_usd(1) == most);
  CHECK(Cost::from_usd(100).times(1'000'000) == most);
  CHECK_THROWS_AS(Cost::from_usd(1e7), tgd::ValueError);
  CHECK_THROWS_AS(Cost::from_usd(std::numeric_limits<double>::quiet_NaN()), tgd::ValueError);
}

TEST_CASE("A price is found by name, by the name before a date, or by the longest prefix with a star", "[lm][prices]") {
  PriceTable prices = PriceTable::empty();
  std::map<double, std::string> names;
  double next = 1;
  for (const char* name : {"gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-mini", "openai/special", "llama*", "llama-3-70*"}) {
    names[next] = name;
    prices.set(name, {.input = next++, .output = 1});
  }
  for (const auto& row : tgd::test::table("lm/prices.json")) {
    INFO(row.dump());
    const auto price = prices.find(row["asked"].get<std::string>());
    CHECK((price ? nlohmann::json(names.at(price->input)) : nlohmann::json()) == row["found"]);
  }
}

TEST_CASE("A star alone is the price of every other model", "[lm][prices]") {
  PriceTable prices;
  prices.set("*", Price::free());
  CHECK(prices.find("anything")->is_free());
  CHECK_FALSE(prices.find("gpt-4o")->is_free());
}

TEST_CASE("Tokens cost what the table says, the cached ones apart", "[lm][prices]") {
  const PriceTable prices;
  const Usage usage{.prompt_tokens = 1000, .cached_prompt_tokens = 400, .completion_tokens = 100};
  SECTION("known model") {
    CHECK(prices.cost("gpt-4o-mini", usage) == Cost::from_usd((600 * 0.15 + 400 * 0.075 + 100 * 0.60) / 1e6));
  }
  SECTION("without a price for cached tokens they cost as others") {
    CHECK(prices.cost("o1-pro", usage) == Cost::from_usd((1000 * 150.0 + 100 * 600.0) / 1e6));
  }
  SECTION("more cached tokens than there are") {
    CHECK(prices.cost("gpt-4o", {.prompt_tokens = 10, .cached_prompt_tokens = 99}) == Cost::from_usd(10 * 1.25 / 1e6));
  }
  SECTION("an unknown model has no cost, which is not 0") { CHECK(prices.cost("somebody's model", usage) == std::nullopt); }
  SECTION("a free model costs 0") { CHECK(prices.cost("simulated", usage) == Cost()); }
}

TEST_CASE("Every built-in price is dated or free", "[lm][prices]") {
  const nlohmann::json document = tgd::test::table("../src/lm/money/prices.json");
  for (const auto& entry : document["models"]) {
    INFO(entry.dump());
    const auto price = PriceTable().find(entry["model"].get<std::string>());
    REQUIRE(price);
    CHECK(price->input == entry["input"].get<double>());
    CHECK(price->output == entry["output"].get<double>());
    CHECK((price->is_free() || !price->as_of.empty()));
  }
}

TEST_CASE("A file extends and overrides the table", "[lm][prices]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.write("prices.json", R"({"unit": "USD per 1M tokens", "models": [
    {"model": "gpt-4o", "input": 1, "output": 2, "as_of": "2026-01-31"},
    {"model": "mine*", "input": 0, "output": 0}]})");
  PriceTable prices;
  prices.load(file);
  CHECK(prices.find("gpt-4o") == Price{.input = 1, .output = 2, .as_of = "2026-01-31"});
  CHECK(prices.find("mine-7b")->is_free());
  CHECK(prices.find("gpt-4o-mini") == PriceTable().find("gpt-4o-mini"));
}

TEST_CASE("A price that cannot be is refused with the file, the model and what was expected", "[lm][prices]") {
  const auto with = [](const std::string& entry) { return loading_error(R"({"models": [)" + entry + "]}"); };
  CHECK_THAT(with(R"({"model": "a", "output": 2})"),
             ContainsSubstring("prices.json:1: /models/0: the member \"input\" is missing"));
  CHECK_THAT(with(R"({"model": "a", "input": "1", "output": 2})"),
             ContainsSubstring("/models/0/input: expected a number, but this is \"1\""));
  CHECK_THAT(with(R"({"model": "a", "input": -1, "output": 2})"), ContainsSubstring("from 0 to 1000000"));
  CHECK_THAT(with(R"({"model": "a", "input": 1, "output": 2, "as_of": "May"})"), ContainsSubstring("YYYY-MM-DD"));
  CHECK_THAT(with(R"({"model": "a", "input": 1, "output": 2, "cached": 1})"), ContainsSubstring("\"cached\" is unknown"));
  CHECK_THAT(with(R"({"input": 1, "output": 2})"), ContainsSubstring("needs the model's name"));
  CHECK_THAT(with(R"({"model": "a", "input": 1, "output": 2}, {"model": "a", "input": 1, "output": 2})"),
             ContainsSubstring("is there twice"));
  CHECK_THAT(loading_error(R"({"unit": "USD per 1k tokens", "models": []})"),
             ContainsSubstring("expected \"USD per 1M tokens\""));
  CHECK_THAT(loading_error("[]"), ContainsSubstring("expected an object"));
  CHECK_THAT(loading_error("{"), ContainsSubstring("prices.json:1:2: not valid JSON"));
  CHECK_THROWS_AS(PriceTable().load("/no/such/file"), tgd::ValueError);
}

TEST_CASE("A file that is refused changes nothing", "[lm][prices]") {
  const tgd::test::TemporaryFolder folder;
  const auto file =
      folder.write("prices.json", R"({"models": [{"model": "gpt-4o", "input": 1, "output": 2}, {"model": "b"}]})");
  PriceTable prices;
  CHECK_THROWS_AS(prices.load(file), tgd::ParseError);
  CHECK(prices.find("gpt-4o") == PriceTable().find("gpt-4o"));
}
