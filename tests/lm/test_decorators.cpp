// The decorators on top of each other.

#include <string>
#include <vector>

#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd::lm;

namespace {

struct Stack {
  tgd::test::TemporaryFolder folder;
  std::shared_ptr<Stub> endpoint = Stub::answering_in_full([](const Request& request) {
    return Reply{.content = "It is " + request.messages[0].content,
                 .usage = {.reported = 1, .prompt_tokens = 100, .completion_tokens = 10}};
  });
  std::shared_ptr<Budget> budget = std::make_shared<Budget>(BudgetOptions{.limits = {.calls = 2, .usd = 1.0}});
  std::shared_ptr<Cache> cache = std::make_shared<Cache>(CacheOptions{.path = folder.path() / "replies.db"});
  std::shared_ptr<Cassette> cassette = std::make_shared<Cassette>(CassetteOptions{.path = folder.path() / "run.cassette"});
  std::shared_ptr<Ledger> ledger = std::make_shared<Ledger>(LedgerOptions{.path = folder.path() / "calls.jsonl"});
};

Request asking(const std::string& text) { return {.messages = {{"user", text}}, .args = {{"model", "gpt-4o-mini"}}}; }

}  // namespace

TEST_CASE("In the usual order a hit is given even when the budget is used up, and the ledger sees all",
          "[lm][decorators][concurrent]") {
  Stack stack;
  ChatModelPtr model = std::make_shared<Budgeted>(stack.endpoint, stack.budget);
  model = std::make_shared<Cached>(model, stack.cache);
  model = std::make_shared<Recorded>(model, stack.cassette);
  model = std::make_shared<Observed>(model, stack.ledger);
  model->chat(asking("blue"));
  model->chat(asking("red"));
  CHECK(model->chat(asking("blue")).content == "It is blue");
  CHECK_THROWS_AS(model->chat(asking("green")), tgd::BudgetError);

  CHECK(stack.budget->spent().calls == 2);
  CHECK(stack.cache->hits() == 1);
  CHECK(stack.cassette->recorded() == 3);
  CHECK(stack.ledger->totals().total().usage.calls == 3);
  CHECK(stack.ledger->totals().cost() == stack.budget->spent().cost);
  stack.ledger->flush();
  CHECK(read_ledger(stack.folder.path() / "calls.jsonl").size() == 4);
  CHECK(model->provider() == "stub");
  CHECK(model->class_type() == "Stub");
}

TEST_CASE("Any other order works as well", "[lm][decorators]") {
  Stack stack;
  ChatModelPtr model = std::make_shared<Observed>(stack.endpoint, stack.ledger);
  model = std::make_shared<Recorded>(model, stack.cassette);
  model = std::make_shared<Cached>(model, stack.cache);
  model = std::make_shared<Budgeted>(model, stack.budget);
  std::string streamed;
  model->chat_stream(asking("blue"), [&](std::string_view piece) { streamed += piece; });
  for (int i = 0; i < 3; ++i) CHECK(model->chat(asking("blue")).content == "It is blue");
  CHECK(streamed == "It is blue");
  CHECK(stack.endpoint->calls() == 1);
  CHECK(stack.budget->spent().calls == 1);
  CHECK(stack.ledger->totals().total().usage.calls == 1);
}

TEST_CASE("Many concurrent calls through all of them count exactly", "[lm][decorators]") {
  Stack stack;
  stack.endpoint->shuffled(3, std::chrono::microseconds(300));
  stack.budget = std::make_shared<Budget>(BudgetOptions{.limits = {.calls = 40}});
  ChatModelPtr model = std::make_shared<Budgeted>(stack.endpoint, stack.budget);
  model = std::make_shared<Cached>(model, stack.cache);
  model = std::make_shared<Recorded>(model, stack.cassette);
  model = std::make_shared<Observed>(model, stack.ledger);
  std::vector<Request> requests;
  for (int i = 0; i < 200; ++i) requests.push_back(asking(std::to_string(i % 40)));
  for (const Outcome& outcome : model->try_chat_all(requests)) CHECK(outcome.ok());
  CHECK(stack.budget->spent().calls == 40);
  CHECK(stack.cache->hits() == 160);
  CHECK(stack.cassette->recorded() == 200);
  CHECK(stack.ledger->totals().total().usage.calls == 200);
  CHECK(stack.ledger->totals().cost() == stack.budget->spent().cost);
}
