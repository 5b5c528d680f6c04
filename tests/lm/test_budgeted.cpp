#include <tgd/lm/budgeted.hpp>

#include <cmath>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/cached.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/lm/tokens.hpp>

#include "catch.hpp"
#include "support/gated_model.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::BudgetError;
using tgd::Json;
using tgd::LMError;
using tgd::lm::Budget;
using tgd::lm::Budgeted;
using tgd::lm::BudgetLimits;
using tgd::lm::BudgetOptions;
using tgd::lm::Cost;
using tgd::lm::Price;
using tgd::lm::PriceTable;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Spending;
using tgd::lm::Stub;

namespace {

/// Every reply has used 100 prompt and 10 completion tokens.
std::shared_ptr<Stub> stub() {
  return Stub::answering_in_full([](const Request& request) {
    if (request.messages[0].content == "fail") throw LMError(LMError::Kind::status, "no", 500);
    return Reply{.content = "yes", .usage = {.reported = 1, .prompt_tokens = 100, .completion_tokens = 10}};
  });
}

Request priced_call(const std::string& text = "Hello", const std::string& model = "gpt-4o-mini") {
  return {.messages = {{"user", text}}, .args = {{"model", model}, {"max_tokens", 20}}};
}

std::shared_ptr<Budget> budget(BudgetLimits limits) { return std::make_shared<Budget>(BudgetOptions{.limits = limits}); }

std::string refusal(tgd::lm::ChatModel& model, const Request& request) {
  try {
    model.chat(request);
  } catch (const BudgetError& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("Calls are sent while the budget lasts, and refused before they are sent then", "[lm][budgeted][concurrent]") {
  const auto endpoint = stub();
  Budgeted model(endpoint, budget({.calls = 2}));
  model.chat(priced_call());
  CHECK(model.budget()->remaining().calls == 1);
  model.chat(priced_call());
  CHECK(refusal(model, priced_call()) ==
        "the call was not sent: the budget has 0 calls left, and this call would need about 9 prompt tokens, 20 completion "
        "tokens "
        "and $0.000013");
  CHECK(endpoint->calls() == 2);
  CHECK(model.budget()->refused() == 1);
}

TEST_CASE("What was really used is what counts", "[lm][budgeted]") {
  Budgeted model(stub(), budget({.prompt_tokens = 150, .completion_tokens = 100, .usd = 1.0}));
  model.chat(priced_call());
  const Spending spent = model.budget()->spent();
  CHECK(spent.calls == 1);
  CHECK(spent.prompt_tokens == 100);
  CHECK(spent.completion_tokens == 10);
  CHECK(spent.cost == Cost::from_usd((100 * 0.15 + 10 * 0.60) / 1e6));
  CHECK(model.budget()->remaining().prompt_tokens == 50);
  CHECK(model.budget()->remaining().cost == Cost::from_usd(1) - spent.cost);
  CHECK(spent.text() == "1 call, 100 prompt tokens, 10 completion tokens, $0.000021");
}

TEST_CASE("Each kind of limit refuses", "[lm][budgeted]") {
  CHECK_THAT(refusal(*std::make_shared<Budgeted>(stub(), budget({.prompt_tokens = 8})), priced_call()),
             ContainsSubstring("has 8 prompt tokens left"));
  CHECK_THAT(refusal(*std::make_shared<Budgeted>(stub(), budget({.completion_tokens = 19})), priced_call()),
             ContainsSubstring("has 19 completion tokens left"));
  CHECK_THAT(refusal(*std::make_shared<Budgeted>(stub(), budget({.usd = 0.00001})), priced_call()),
             ContainsSubstring("has $0.00001 left"));
  CHECK_THAT(refusal(*std::make_shared<Budgeted>(stub(), budget({.seconds = 0})), priced_call()),
             ContainsSubstring("has 0.0 seconds left"));
}

TEST_CASE("A streamed call needs room as well", "[lm][budgeted]") {
  Budgeted model(stub(), budget({.calls = 1}));
  std::string streamed;
  const auto on_text = [&](std::string_view piece) { streamed += piece; };
  model.chat_stream(priced_call(), on_text);
  CHECK_THROWS_AS(model.chat_stream(priced_call(), on_text), BudgetError);
  CHECK(streamed == "yes");
}

TEST_CASE("A failed call counts as a call, with what the endpoint reported", "[lm][budgeted]") {
  Budgeted model(stub(), budget({.calls = 5, .prompt_tokens = 1000}));
  CHECK_THROWS_AS(model.chat(priced_call("fail")), LMError);
  CHECK(model.budget()->remaining().calls == 4);
  CHECK(model.budget()->remaining().prompt_tokens == 1000);
}

TEST_CASE("What sends nothing counts nothing", "[lm][budgeted]") {
  SECTION("a cache hit") {
    const tgd::test::TemporaryFolder folder;
    const auto cache = std::make_shared<tgd::lm::Cache>(tgd::lm::CacheOptions{.path = folder.path() / "replies.db"});
    Budgeted model(std::make_shared<tgd::lm::Cached>(stub(), cache), budget({.calls = 2}));
    for (int i = 0; i < 3; ++i) model.chat(priced_call());
    CHECK(model.budget()->remaining().calls == 1);
  }
  SECTION("a refused call") {
    Budgeted model(stub(), budget({.calls = 3, .prompt_tokens = 0}));
    refusal(model, priced_call());
    CHECK(model.budget()->spent().calls == 0);
    CHECK(model.budget()->remaining().calls == 3);
  }
}

TEST_CASE("A call that was cancelled on its way counts as it was estimated", "[lm][budgeted]") {
  const auto gated = std::make_shared<tgd::test::GatedModel>();
  Budgeted model(gated, budget({.calls = 2, .prompt_tokens = 20}));
  std::stop_source stop;
  Request request = priced_call("first");
  request.stop = stop.get_token();
  model.start(std::move(request), [](const tgd::lm::Outcome&) {});
  const std::optional<std::int64_t> reserved = model.budget()->remaining().prompt_tokens;
  stop.request_stop();
  CHECK(gated->cancelled().size() == 1);
  CHECK(model.budget()->remaining().calls == 1);
  CHECK(model.budget()->remaining().prompt_tokens == reserved);
  CHECK(model.budget()->spent().prompt_tokens == 20 - *reserved);
}

TEST_CASE("A reply without figures counts as it was estimated", "[lm][budgeted]") {
  Budgeted model(Stub::scripted({"yes"}), budget({.prompt_tokens = 100}));
  model.chat(priced_call());
  CHECK(model.budget()->spent().prompt_tokens == 9);
  CHECK(model.budget()->spent().completion_tokens == 20);
}

TEST_CASE("Where an endpoint gives no figures, the estimates of its replies use up the budget", "[lm][budgeted]") {
  const auto model = [] {
    return Stub::answering_in_full([](const Request&) {
      return Reply{.content = "yes", .usage = {.estimated_prompt_tokens = 30, .estimated_completion_tokens = 5}};
    });
  };
  SECTION("tokens") {
    Budgeted limited(model(), budget({.completion_tokens = 29}));
    limited.chat(priced_call());
    CHECK(limited.budget()->spent().prompt_tokens == 30);
    CHECK(limited.budget()->spent().completion_tokens == 5);
    limited.chat(priced_call());
    CHECK(refusal(limited, priced_call()) != "not refused");
  }
  SECTION("USD") {
    PriceTable prices;
    prices.set("gpt-4o-mini", Price{.input = 1, .output = 2});
    Budgeted limited(model(), std::make_shared<Budget>(BudgetOptions{.limits = {.usd = 1.0}, .prices = prices}));
    limited.chat(priced_call());
    CHECK(limited.budget()->spent().cost == Cost::from_usd(40e-6));
  }
}

TEST_CASE("Calls in flight hold what they reserved", "[lm][budgeted]") {
  const auto gated = std::make_shared<tgd::test::GatedModel>();
  Budgeted model(gated, budget({.calls = 2, .prompt_tokens = 20}));
  int ended = 0;
  model.start(priced_call("first"), [&](tgd::lm::Outcome) { ++ended; });
  model.start(priced_call("other"), [&](tgd::lm::Outcome) { ++ended; });
  CHECK(model.budget()->remaining().calls == 0);
  CHECK(model.budget()->remaining().prompt_tokens == 2);
  CHECK(model.budget()->spent().calls == 0);
  CHECK_THAT(refusal(model, priced_call()), ContainsSubstring("(besides 2 calls in flight)"));
  gated->reply("first", "yes");
  gated->reply("other", "yes");
  CHECK(ended == 2);
  CHECK(model.budget()->spent().calls == 2);
  CHECK(model.budget()->remaining().prompt_tokens == 2);
}

TEST_CASE("A call that fits when calls in flight come back for less waits for them, and is refused when they do not",
          "[lm][budgeted]") {
  /// Keeps its calls until they are let go, each with what it has used.
  struct Held : tgd::lm::ChatModel {
    void start(Request request, Done done) override { calls.emplace_back(request.messages[0].content, std::move(done)); }
    std::string provider() const override { return "held"; }
    std::string class_type() const override { return "Held"; }
    void release(std::int64_t completion_tokens) {
      const Done done = std::move(calls.front().second);
      calls.erase(calls.begin());
      done(Reply{.content = "yes", .usage = {.reported = 1, .prompt_tokens = 1, .completion_tokens = completion_tokens}});
    }
    std::vector<std::pair<std::string, Done>> calls;
  };
  using Texts = std::vector<std::string>;
  const auto held = std::make_shared<Held>();
  Texts ended;
  const auto start = [&](Budgeted& model, const std::string& text) {  // each reserves 20
    model.start(priced_call(text),
                [&ended, text](tgd::lm::Outcome outcome) { ended.push_back(text + (outcome.ok() ? "" : " refused")); });
  };
  SECTION("they come back for less") {
    Budgeted model(held, budget({.completion_tokens = 50}));
    for (const char* text : {"first", "other", "third", "fourth"}) start(model, text);
    CHECK(held->calls.size() == 2);
    CHECK(ended.empty());
    held->release(5);
    CHECK(ended == Texts{"first"});
    CHECK(held->calls.size() == 2);
    CHECK(held->calls.back().first == "third");
    held->release(5);
    CHECK(held->calls.size() == 2);
    held->release(5);
    held->release(5);
    CHECK(ended == Texts{"first", "other", "third", "fourth"});
    CHECK(model.budget()->refused() == 0);
    CHECK(model.budget()->spent().completion_tokens == 20);
  }
  SECTION("they come back for more") {
    Budgeted model(held, budget({.calls = 9, .completion_tokens = 30}));
    start(model, "a");
    start(model, "b");
    CHECK(ended.empty());
    held->release(25);
    CHECK(ended == Texts{"a", "b refused"});
    CHECK(model.budget()->refused() == 1);
  }
  SECTION("what no reservation stands in the way of is refused at once") {
    Budgeted model(held, budget({.completion_tokens = 10}));
    start(model, "too long");
    CHECK(ended == Texts{"too long refused"});
  }
}

TEST_CASE("Concurrent calls never exceed the number of calls", "[lm][budgeted]") {
  const auto endpoint = stub();
  endpoint->shuffled(7, std::chrono::microseconds(200));
  const auto shared = budget({.calls = 150});
  Budgeted first(endpoint, shared);
  Budgeted second(endpoint, shared);
  std::vector<std::thread> threads;
  for (tgd::lm::ChatModel* model : {&first, &second}) {
    threads.emplace_back([model] { model->try_chat_all(std::vector<Request>(100, priced_call())); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(endpoint->calls() == 150);
  CHECK(shared->spent().calls == 150);
  CHECK(shared->refused() == 50);
  CHECK(shared->spent().prompt_tokens == 15'000);
}

TEST_CASE("A limit in USD needs the model's price, and the error says how to give it", "[lm][budgeted]") {
  BudgetOptions options{.limits = {.usd = 1}};
  SECTION("without it") {
    Budgeted model(stub(), std::make_shared<Budget>(options));
    CHECK_THAT(refusal(model, priced_call("Hello", "mine")),
               ContainsSubstring("price of the model \"mine\" is not known. Give it in"));
    CHECK(model.budget()->spent().calls == 0);
  }
  SECTION("with it") {
    options.prices.set("mine", Price::free());
    Budgeted model(stub(), std::make_shared<Budget>(options));
    model.chat(priced_call("Hello", "mine"));
    CHECK(model.budget()->spent().cost == Cost());
  }
}

TEST_CASE("Without a limit in USD an unknown price is reported, not guessed", "[lm][budgeted]") {
  Budgeted model(stub(), budget({.calls = 10}));
  model.chat(priced_call("Hello", "mine"));
  CHECK(model.budget()->spent().unknown_models == std::vector<std::string>{"mine"});
  CHECK(model.budget()->spent().text() == "1 call, 100 prompt tokens, 10 completion tokens, unknown cost of mine");
}

TEST_CASE("A dry run says what requests would use and sends nothing", "[lm][budgeted]") {
  const auto endpoint = stub();
  Budgeted model(endpoint, budget({}));
  const std::vector<Request> requests{
      priced_call(), priced_call("Hello", "mine"), {.messages = {{"user", "Hello"}}, .args = {{"model", "mine"}}}};
  const Spending plan = model.estimate(requests);
  CHECK(plan.calls == 3);
  CHECK(plan.prompt_tokens == 27);
  CHECK(plan.completion_tokens == 20 + 20 + 500);
  CHECK(plan.cost == Cost::from_usd((9 * 0.15 + 20 * 0.60) / 1e6));
  CHECK(plan.unknown_models == std::vector<std::string>{"mine"});
  CHECK(endpoint->calls() == 0);
  CHECK(model.budget()->remaining().text() == "no limit");
}

TEST_CASE("The estimate of prompt tokens can be replaced", "[lm][budgeted]") {
  Budget exact({.estimate_prompt_tokens = [](const Request&) { return 7; }});
  CHECK(exact.estimate(*stub(), std::vector<Request>(2)).prompt_tokens == 14);
}

TEST_CASE("Tokens are estimated by characters", "[lm][tokens]") {
  CHECK(tgd::lm::estimate_tokens("") == 0);
  CHECK(tgd::lm::estimate_tokens("a") == 1);
  CHECK(tgd::lm::estimate_tokens("The quick brown fox.") == 5);
  CHECK(tgd::lm::estimate_tokens("日本語") == 3);
  CHECK(tgd::lm::estimate_prompt_tokens({.messages = {{"system", "Be short"}, {"user", "Hi"}}}) == 3 + 4 + 2 + 4 + 1);
  CHECK(tgd::lm::expected_completion_tokens({.args = {{"max_tokens", 7}, {"n", 3}}}, 500) == 21);
  CHECK(tgd::lm::expected_completion_tokens({.args = {{"max_tokens", 7}, {"max_completion_tokens", 9}}}, 500) == 9);
  CHECK(tgd::lm::expected_completion_tokens({.args = {{"max_tokens", "many"}}}, 500) == 500);
}

TEST_CASE("A budget that cannot be is refused", "[lm][budgeted]") {
  CHECK_THROWS_WITH(budget({.calls = -1}), "the budget's limit of calls is -1; it must not be negative");
  CHECK_THROWS_AS(budget({.usd = std::nan("")}), tgd::ValueError);
  CHECK_THROWS_AS(Budgeted(stub(), nullptr), tgd::ValueError);
  CHECK_THROWS_AS(Budgeted(nullptr, budget({})), tgd::ValueError);
}

TEST_CASE("Figures that no number holds are refused or saturate, and never lift a budget", "[lm][budgeted]") {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto args = [](Json limit, std::int64_t n) { return Json{{"max_tokens", std::move(limit)}, {"n", n}}; };
  for (const Json& huge :
       {args(most, 2), args(most, most), args(std::numeric_limits<std::uint64_t>::max(), 1), args(1e300, 3)}) {
    CAPTURE(huge.dump());
    CHECK(tgd::lm::expected_completion_tokens({.args = huge}, 500) == most);
    const auto stub = Stub::answering([](const Request&) { return "x"; });
    for (const BudgetLimits& limits : {BudgetLimits{.completion_tokens = 10}, BudgetLimits{.usd = 1}}) {
      PriceTable prices;
      prices.set("*", {.input = 1, .output = 1});
      Budgeted model(stub, std::make_shared<Budget>(BudgetOptions{.limits = limits, .prices = prices}));
      CHECK_THROWS_AS(model.chat(Request{.messages = {{"user", "x"}}, .args = huge}), tgd::BudgetError);
    }
    CHECK(stub->calls() == 0);
  }
}

TEST_CASE("Calls of absurd size in flight leave no room behind when they end", "[lm][budgeted]") {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto budget = std::make_shared<Budget>(BudgetOptions{.limits = {.completion_tokens = 10}});
  const auto greedy = Stub::answering_in_full([&](const Request&) {
    return Reply{.content = "x", .usage = {.reported = 1, .prompt_tokens = most, .completion_tokens = most}};
  });
  Budgeted model(greedy, budget);
  const Request request{.messages = {{"user", "x"}}, .args = {{"max_tokens", 5}}};
  model.chat(request);
  CHECK(budget->spent().completion_tokens == most);
  CHECK(budget->remaining().completion_tokens == 0);
  CHECK_THROWS_AS(model.chat(request), tgd::BudgetError);
  CHECK(greedy->calls() == 1);
}

TEST_CASE("No figures of a model make a call cheaper than nothing", "[lm][budgeted]") {
  const auto giving = Stub::answering_in_full([](const Request&) {
    return Reply{.content = "x", .usage = {.reported = 1, .prompt_tokens = -1'000'000, .completion_tokens = -5}};
  });
  PriceTable prices;
  prices.set("*", {.input = 1, .output = 1});
  const auto budget = std::make_shared<Budget>(BudgetOptions{.limits = {.calls = 5}, .prices = prices});
  Budgeted(giving, budget).chat({{"user", "x"}});
  CHECK(budget->spent().prompt_tokens == 0);
  CHECK(budget->spent().cost == tgd::lm::Cost());
}
