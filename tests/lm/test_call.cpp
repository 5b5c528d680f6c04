#include <tgd/lm/call.hpp>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "core/sha256.hpp"
#include "net/secrets.hpp"
#include "support/gated_model.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd::lm;
using tgd::Json;

namespace {

Request asking(const std::string& text) { return {.messages = {{"user", text}}, .args = {{"model", "gpt-4o-mini"}}}; }

/// What a test tells a model about itself.
class Described : public ChatModel {
 public:
  explicit Described(Json identity) : identity_(std::move(identity)) {}
  void start(Request request, Done done) override { done(Reply{.content = "heard: " + request.messages.at(0).content}); }
  std::string provider() const override { return "described"; }
  std::string class_type() const override { return "Described"; }
  Json identity() const override { return identity_; }
  std::vector<std::string> secrets() const override { return keys; }

  std::vector<std::string> keys = {};

 private:
  Json identity_;
};

/// A user's decorator that changes requests, as it was written before there were calls.
class Whispering : public Decorator {
 public:
  explicit Whispering(ChatModelPtr model) : Decorator(std::move(model)) {}
  void start(Request request, Done done) override {
    for (char& c : request.messages.at(0).content) c = static_cast<char>(std::tolower(c));
    inner().start(std::move(request), std::move(done));
  }
};

/// A user's decorator that looks at calls.
class Noting : public CallDecorator {
 public:
  explicit Noting(ChatModelPtr model) : CallDecorator(std::move(model)) {}
  void start_call(Call call, OnText on_text, Done done) override {
    models.insert(call.model());
    digests.insert(call.digest());
    streamed += on_text ? 1 : 0;
    inner().start_call(std::move(call), std::move(on_text), std::move(done));
  }

  std::set<std::string> models = {};
  std::set<std::string> digests = {};
  int streamed = 0;
};

struct Stack {
  tgd::test::TemporaryFolder folder;
  std::vector<CallRecord> records;
  std::shared_ptr<Stub> endpoint = Stub::answering_in_full([](const Request& request) {
    return Reply{.content = "It is " + request.messages[0].content,
                 .usage = {.reported = 1, .prompt_tokens = 1'000'000, .completion_tokens = 0}};
  });
  std::shared_ptr<Budget> budget =
      std::make_shared<Budget>(BudgetOptions{.limits = {.calls = 2}, .prices = PriceTable::empty().set("*", {.input = 1})});
  std::shared_ptr<Cache> cache = std::make_shared<Cache>(CacheOptions{.path = folder.path() / "replies.db"});
  std::shared_ptr<Cassette> cassette = std::make_shared<Cassette>(CassetteOptions{.path = folder.path() / "run.cassette"});
  std::shared_ptr<Ledger> ledger =
      std::make_shared<Ledger>(LedgerOptions{.prices = PriceTable::empty().set("*", {.input = 7}),
                                             .on_call = [this](const CallRecord& record) { records.push_back(record); }});

  ChatModelPtr usual() {
    ChatModelPtr model = std::make_shared<Budgeted>(endpoint, budget);
    model = std::make_shared<Cached>(model, cache);
    model = std::make_shared<Recorded>(model, cassette);
    return std::make_shared<Observed>(model, ledger);
  }
};

Outcome ask(ChatModel& model, Request request) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  return model.try_chat_all(std::move(one)).front();
}

}  // namespace

TEST_CASE("A call's digest is the key under which caches of earlier versions hold its reply", "[lm][call]") {
  const Described model(Json{{"provider", "openai"}, {"model", "gpt-4o"}, {"args", Json{{"temperature", 0.5}}}});
  Request request{.messages = {{"system", "Be short."}, {"user", "Hello"}}, .args = {{"seed", 1}}};
  request.sample = 2;
  request.options.query = {{"api-version", "2"}};
  request.options.headers = {{"X-Region", "north"}, {"X-Api-Key", "open sesame"}};
  CHECK(Call(request, model).digest() == "3cd8643218e85e252c5947131841ffe646bdd5a6f782a6691ec146679d0a751d");
}

TEST_CASE("SHA-256 is computed once a request through all that stands before an endpoint", "[lm][call][concurrent]") {
  Stack stack;
  const ChatModelPtr model = stack.usual();
  const auto digests_for = [](auto&& work) {
    const std::uint64_t before = tgd::detail::sha256_count();
    work();
    return tgd::detail::sha256_count() - before;
  };
  CHECK(digests_for([&] { model->chat(asking("blue")); }) == 1);
  CHECK(digests_for([&] { model->chat(asking("blue")); }) == 1);
  CHECK(digests_for([&] { model->chat_stream(asking("red"), [](std::string_view) {}); }) == 1);
  CHECK(digests_for([&] { CHECK_THROWS_AS(model->chat(asking("green")), tgd::BudgetError); }) == 1);
  CHECK(digests_for([&] { model->chat_all({asking("red"), asking("red"), asking("blue")}); }) == 3);
}

TEST_CASE("The receipt says who gave the reply and what it cost, the same to all", "[lm][call][concurrent]") {
  Stack stack;
  const ChatModelPtr model = stack.usual();
  const Usage million{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 1'000'000};

  const Receipt asked = ask(*model, asking("blue")).receipt();
  CHECK(asked.source == ReplySource::endpoint);
  CHECK(asked.usage == million);
  CHECK(asked.cost == Cost::from_usd(1));  // the budget's price, since that was first
  CHECK(asked.sent());
  CHECK(asked.end == ReplyEnd::whole);
  CHECK(asked.seconds.count() > 0);
  CHECK(stack.budget->spent().cost == Cost::from_usd(1));
  CHECK(stack.ledger->totals().cost() == Cost::from_usd(1));
  CHECK(stack.records.at(0).receipt.cost == Cost::from_usd(1));

  const Receipt hit = ask(*model, asking("blue")).receipt();
  CHECK(hit.source == ReplySource::cache);
  CHECK(hit.usage == Usage{.calls = 1});
  CHECK(hit.original_usage == million);
  CHECK(hit.cost == Cost());
  CHECK_FALSE(hit.sent());

  ask(*model, asking("red"));
  const Receipt refused = ask(*model, asking("green")).receipt();
  CHECK(refused.refused);
  CHECK_FALSE(refused.sent());
  CHECK(refused.cost == Cost());
  CHECK_FALSE(refused.end);
  CHECK(stack.ledger->totals().total().usage.calls == 3);
  CHECK(stack.records.at(3).ending == CallRecord::Status::refused);

  SECTION("and a recording gives the figures of what it recorded") {
    stack.cassette->save();
    const auto replay =
        std::make_shared<Cassette>(CassetteOptions{.path = stack.folder.path() / "run.cassette", .mode = CassetteMode::replay});
    Recorded recorded(replay);
    const Receipt first = ask(recorded, asking("blue")).receipt();
    CHECK(first.source == ReplySource::cassette);
    CHECK(first.usage == million);
    CHECK(first.sent());
    const Receipt again = ask(recorded, asking("blue")).receipt();
    CHECK(again.original_usage == million);
    CHECK_FALSE(again.sent());
    CHECK_FALSE(ask(recorded, asking("never asked")).receipt().sent());
  }
}

TEST_CASE("Equal calls at the same time: one pays, and the others' receipts say so", "[lm][call]") {
  const tgd::test::TemporaryFolder folder;
  const auto gate = std::make_shared<tgd::test::GatedModel>();
  Cached model(gate, std::make_shared<Cache>(CacheOptions{.path = folder.path() / "replies.db"}));
  std::vector<Receipt> receipts(2);
  std::atomic<int> ended = 0;
  for (Receipt& receipt : receipts) {
    model.start(asking("blue"), [&](const Outcome& outcome) {
      receipt = outcome.receipt();
      ++ended;
    });
  }
  gate->reply("blue", "yes");
  while (ended < 2) std::this_thread::yield();
  CHECK(receipts[0].source == ReplySource::endpoint);
  CHECK(receipts[0].sent());
  CHECK(receipts[1].source == ReplySource::flight);
  CHECK_FALSE(receipts[1].sent());
}

TEST_CASE("A failed call that gave up part of a stream keeps its receipt", "[lm][call]") {
  Stack stack;
  const ChatModelPtr model = stack.usual();
  const auto throwing = [](std::string_view) { throw std::runtime_error("no more"); };
  Receipt receipt;
  for (int i = 0; i < 2; ++i) {
    model->start_stream(asking("blue"), throwing, [&](const Outcome& outcome) {
      CHECK(outcome.error_message() == "no more");
      receipt = outcome.receipt();
    });
    CHECK(receipt.cost == Cost::from_usd(1));
    CHECK_FALSE(receipt.end);
  }
}

TEST_CASE("A decorator that changes requests makes new calls of them", "[lm][call][concurrent]") {
  Stack stack;
  const auto below = std::make_shared<Noting>(std::make_shared<Cached>(stack.endpoint, stack.cache));
  Noting above(std::make_shared<Whispering>(below));
  CHECK(above.chat(asking("Blue")).content == "It is blue");
  CHECK(above.chat(asking("BLUE")).content == "It is blue");
  CHECK(stack.endpoint->calls() == 1);
  CHECK(above.digests.size() == 2);
  CHECK(below->digests.size() == 1);
  CHECK(above.models == std::set<std::string>{"gpt-4o-mini"});
}

TEST_CASE("A decorator that looks at calls sees plain and streamed ones alike", "[lm][call]") {
  Stack stack;
  Noting model(stack.endpoint);
  std::vector<std::string> pieces;
  model.chat(asking("blue"));
  model.chat_stream(asking("blue"), [&](std::string_view piece) { pieces.emplace_back(piece); });
  CHECK(pieces == std::vector<std::string>{"It ", "is ", "blue"});
  CHECK(model.streamed == 1);
  CHECK(model.digests.size() == 1);
}

TEST_CASE("One list of secrets serves all who write", "[lm][call][concurrent]") {
  Stack stack;
  const auto endpoint =
      std::make_shared<Described>(Json{{"provider", "x"}, {"args", Json{{"session_token", "of-the-defaults-1"}}}});
  endpoint->keys = {"of-the-model-0001"};
  ChatModelPtr model = std::make_shared<Cached>(endpoint, stack.cache);
  model = std::make_shared<Recorded>(model, stack.cassette);
  const auto path = stack.folder.path() / "calls.jsonl";
  const auto ledger = std::make_shared<Ledger>(LedgerOptions{.path = path, .include_text = true});
  model = std::make_shared<Observed>(model, ledger);
  const std::vector<std::string> secrets{"of-the-model-0001", "of-the-defaults-1", "of-the-args-00001", "of-a-header-00001",
                                         "of-the-query-0001"};
  Request request = asking("say");
  for (const std::string& secret : secrets) request.messages[0].content += " " + secret;
  request.args = request.args.with("extra", Json{{"api_key", "of-the-args-00001"}});
  request.options.headers = {{"X-Api-Key", "of-a-header-00001"}};
  request.options.query = {{"sig", "of-the-query-0001"}};
  const auto digest_secrets = Call(request, *endpoint).secrets()->values();
  CHECK(std::set<std::string>(digest_secrets.begin(), digest_secrets.end()) ==
        std::set<std::string>(secrets.begin(), secrets.end()));

  SECTION("as they are at first") {}
  SECTION("and when the model has renewed its keys") {
    endpoint->keys = {"of-another-model-2"};
    model->chat(asking("say"));
    endpoint->keys = {"of-the-model-0001"};
  }
  CHECK(model->chat(request).content == "heard: " + request.messages[0].content);
  ledger->flush();
  stack.cassette->save();
  for (const char* file : {"calls.jsonl", "run.cassette", "replies.db", "replies.db-wal"}) {
    const std::string written = tgd::detail::read_file(stack.folder.path() / file);
    CAPTURE(file);
    for (const std::string& secret : secrets) CHECK(written.find(secret) == std::string::npos);
  }
}
