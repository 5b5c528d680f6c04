#include <tgd/lm/cost_meter.hpp>

#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::Cost;
using tgd::lm::CostMeter;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Usage;

namespace {

const Usage hundred{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 100, .completion_tokens = 10};

Outcome reply(const Usage& usage, const std::string& model = "") {
  return Reply{.content = "yes", .model = model, .usage = usage};
}
Outcome failure(const Usage& usage) { return Outcome(LMError(LMError::Kind::status, "no", 500), usage); }

Cost mini(int prompt, int completion) { return Cost::from_usd((prompt * 0.15 + completion * 0.60) / 1e6); }

}  // namespace

TEST_CASE("The meter keeps usage and cost of each model, failed calls included", "[lm][cost]") {
  CostMeter meter;
  CHECK(meter.add("gpt-4o-mini", reply(hundred)) == mini(100, 10));
  CHECK(meter.add("gpt-4o-mini", failure({.calls = 1, .attempts = 3, .reported = 1, .prompt_tokens = 50})) == mini(50, 0));
  CHECK(meter.add("simulated", reply(hundred)) == Cost());

  const auto report = meter.report();
  CHECK(report.models.at("gpt-4o-mini").usage ==
        Usage{.calls = 2, .attempts = 4, .reported = 2, .prompt_tokens = 150, .completion_tokens = 10});
  CHECK(report.models.at("gpt-4o-mini").failed == 1);
  CHECK(report.models.at("gpt-4o-mini").cost == mini(150, 10));
  CHECK(report.total().usage.calls == 3);
  CHECK(report.cost() == mini(150, 10));
  CHECK(report.unknown_models().empty());
}

TEST_CASE("An unknown cost is shown as such and never as 0", "[lm][cost]") {
  CostMeter meter;
  meter.add("gpt-4o-mini", reply(hundred));
  SECTION("no price") {
    CHECK(meter.add("mystery", reply(hundred)) == std::nullopt);
    CHECK(meter.report().unknown_models() == std::vector<std::string>{"mystery"});
    CHECK_THAT(meter.report().text(), ContainsSubstring("no price known for: mystery"));
  }
  SECTION("no token figures") {
    CHECK(meter.add("gpt-4o-mini", reply({.calls = 1, .attempts = 1})) == std::nullopt);
    CHECK(meter.report().unknown_models().empty());
  }
  const auto report = meter.report();
  CHECK(report.cost() == std::nullopt);
  CHECK(report.total().unknown_calls == 1);
  CHECK(report.total().cost == mini(100, 10));
  CHECK(report.to_json().value()["total"]["cost_usd"].is_null());
  CHECK_THAT(report.text(), ContainsSubstring("unknown"));
}

TEST_CASE("What sent nothing costs nothing, whatever the model", "[lm][cost]") {
  CostMeter meter;
  SECTION("a cache hit") {
    Outcome hit = reply({});
    hit.set_receipt({.usage = {.calls = 1}, .original_usage = hundred});
    CHECK(meter.add("mystery", hit) == Cost());
  }
  SECTION("cancelled in the queue") {
    CHECK(meter.add("mystery", Outcome(LMError(LMError::Kind::cancelled, "stop"), {.calls = 1})) == Cost());
  }
  CHECK(meter.report().cost() == Cost());
}

TEST_CASE("A refused call is no call", "[lm][cost]") {
  CostMeter meter;
  CHECK(meter.add("mystery", Outcome(tgd::BudgetError("no room"))) == Cost());
  CHECK(meter.report().models.empty());
}

TEST_CASE("What a call cost is decided once, by the first who knows a price", "[lm][cost]") {
  const auto prices = [](double input) { return tgd::lm::PriceTable::empty().set("m", {.input = input}); };
  Outcome call = reply({.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 1'000'000});
  tgd::lm::settle_cost(call, tgd::lm::PriceTable::empty(), "m");
  CHECK_FALSE(call.receipt().cost);
  tgd::lm::settle_cost(call, prices(2), "m");
  tgd::lm::settle_cost(call, prices(3), "m");
  CHECK(call.receipt().cost == Cost::from_usd(2));
  CHECK(CostMeter(prices(5)).add("m", call) == Cost::from_usd(2));
}

TEST_CASE("A name without a price is priced by the name in the reply", "[lm][cost]") {
  CostMeter meter;
  CHECK(meter.add("my-alias", reply(hundred, "gpt-4o-mini-2024-07-18")) == mini(100, 10));
  CHECK(meter.report().unknown_models().empty());
}

TEST_CASE("Sums from many threads are exact", "[lm][cost][concurrent]") {
  CostMeter meter;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&meter] {
      for (int i = 0; i < 250; ++i)
        meter.add("gpt-4o-mini", reply({.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = i}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(meter.report().cost() == mini(4 * 249 * 125, 0));
  CHECK(meter.report().total().usage.calls == 1000);
}

TEST_CASE("The report is a table for people and JSON for programs", "[lm][cost]") {
  CostMeter meter;
  meter.add("gpt-4o-mini", reply(hundred));
  meter.add("mystery", failure({.calls = 1, .attempts = 2}));
  const auto report = meter.report();
  CHECK(report.text() ==
        "model          calls attempts  failed    tokens in  of them hit   tokens out  cost\n"
        "gpt-4o-mini        1        1       0          100            0           10  $0.000021\n"
        "mystery            1        2       1            0            0            0  unknown\n"
        "total              2        3       1          100            0           10  $0.000021 + unknown\n"
        "no price known for: mystery\n");
  const nlohmann::json json = report.to_json().value();
  CHECK(json["models"]["gpt-4o-mini"]["cost_usd"] == 0.000021);
  CHECK(json["models"]["mystery"]["cost_usd"].is_null());
  CHECK(json["unknown_models"] == nlohmann::json::array({"mystery"}));
}
