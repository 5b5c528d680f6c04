#include <tgd/lm/stub.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::lm::Usage;
using tgd::test::ask;
using tgd::test::numbered;

namespace {

std::string repeats(const Request& request) { return "re: " + request.messages.back().content; }

LMError error_of(Stub& stub, const std::string& text) {
  try {
    stub.chat(ask(text));
  } catch (const LMError& error) {
    return error;
  }
  FAIL("the stub answered");
  throw;
}

}  // namespace

TEST_CASE("A stub answers by the first rule that matches", "[lm][stub][concurrent]") {
  Stub stub;
  stub.when("invoice", "billing")
      .when("crash", "technical")
      .when([](const Request& request) { return request.messages.size() > 1; },
            [](const Request& request) { return Reply{.content = request.messages.front().content}; })
      .otherwise("other");

  CHECK(stub.chat({{"user", "my invoice shows a crash"}}).content == "billing");
  CHECK(stub.chat({{"user", "a crash"}}).content == "technical");
  CHECK(stub.chat({{"system", "be kind"}, {"user", "hello"}}).content == "be kind");
  CHECK(stub.chat({{"user", "hello"}}).content == "other");
}

TEST_CASE("A stub's rule looks at every message", "[lm][stub]") {
  Stub stub;
  stub.when("needle", "found");
  CHECK(stub.chat({{"system", "the needle"}, {"user", "hay"}}).content == "found");
}

TEST_CASE("A stub that has no answer says so and quotes the request", "[lm][stub]") {
  Stub stub;
  stub.when("invoice", "billing");
  const LMError error = error_of(stub, "the weather");
  CHECK(error.kind() == LMError::Kind::script);
  CHECK_FALSE(error.retryable());
  CHECK_THAT(error.what(), ContainsSubstring("1 rules") && ContainsSubstring("user: the weather"));
}

TEST_CASE("A scripted stub answers in the order of arrival and says when the script is exhausted", "[lm][stub]") {
  const auto stub = Stub::scripted({"first", "second"});
  CHECK(stub->chat(ask("a")).content == "first");
  CHECK(stub->chat(ask("b")).content == "second");
  const LMError error = error_of(*stub, "c");
  CHECK(error.kind() == LMError::Kind::script);
  CHECK_THAT(error.what(), ContainsSubstring("exhausted after 2 replies") && ContainsSubstring("user: c"));
}

TEST_CASE("A stub answers from a function", "[lm][stub]") {
  SECTION("with a text") { CHECK(Stub::answering(repeats)->chat(ask("x")).content == "re: x"); }
  SECTION("with a whole reply") {
    const auto stub = Stub::answering_in_full([](const Request&) {
      return Reply{.content = "cut o", .finish_reason = "length", .model = "m", .usage = {.completion_tokens = 2}};
    });
    const Reply reply = stub->chat(ask("x"));
    CHECK(reply.finish_reason == "length");
    CHECK(reply.model == "m");
    CHECK(reply.usage == Usage{.calls = 1, .attempts = 1, .completion_tokens = 2});
  }
  SECTION("that fails") {
    const auto stub =
        Stub::answering([](const Request&) -> std::string { throw LMError(LMError::Kind::status, "overloaded", 503, true); });
    const LMError error = error_of(*stub, "x");
    CHECK(error.status() == 503);
    CHECK(error.retryable());
  }
}

TEST_CASE("A stub keeps what it was asked", "[lm][stub]") {
  const auto stub = Stub::answering(repeats);
  Request request = ask("one");
  request.args = {{"temperature", 0.5}};
  request.info.purpose = "judge";
  stub->chat(request);
  stub->chat(ask("two"));

  REQUIRE(stub->calls() == 2);
  CHECK(stub->requests()[0].messages == request.messages);
  CHECK(stub->requests()[0].args == request.args);
  CHECK(stub->requests()[0].info.purpose == "judge");
  CHECK(stub->requests()[1].messages[0].content == "two");
  CHECK(stub->max_in_flight() == 1);

  stub->forget_requests();
  CHECK(stub->calls() == 0);
  CHECK(stub->usage().calls == 2);
}

TEST_CASE("A stub counts failed calls too, and usage of earlier runs can be added", "[lm][stub]") {
  const auto stub = Stub::scripted({"only"});
  stub->add_usage({.calls = 10, .prompt_tokens = 100});
  stub->chat(ask("a"));
  CHECK_THROWS_AS(stub->chat(ask("b")), LMError);
  CHECK(stub->usage() == Usage{.calls = 12, .attempts = 2, .prompt_tokens = 100});
}

TEST_CASE("chat_all keeps the order of the requests whatever the order of the replies", "[lm][stub]") {
  const std::uint64_t seed = GENERATE(range(0, 5));
  const auto stub = Stub::answering(repeats);
  stub->shuffled(seed);
  const std::vector<Reply> replies = stub->chat_all(numbered(50));
  REQUIRE(replies.size() == 50);
  for (std::size_t i = 0; i < replies.size(); ++i) REQUIRE(replies[i].content == "re: " + std::to_string(i));
}

TEST_CASE("chat_all of nothing is nothing", "[lm][stub]") { CHECK(Stub::answering(repeats)->chat_all({}).empty()); }

TEST_CASE("chat_all throws the error of the first failed request, try_chat_all returns all outcomes", "[lm][stub]") {
  const auto stub = Stub::answering([](const Request& request) -> std::string {
    if (request.messages[0].content >= "3") throw LMError(LMError::Kind::status, "no " + request.messages[0].content, 500);
    return repeats(request);
  });
  stub->shuffled(7);
  CHECK_THROWS_WITH(stub->chat_all(numbered(6)), "no 3");

  const std::vector<Outcome> outcomes = stub->try_chat_all(numbered(4));
  REQUIRE(outcomes.size() == 4);
  CHECK(outcomes[2].ok());
  CHECK(outcomes[2].error_message().empty());
  CHECK_FALSE(outcomes[3].ok());
  CHECK(outcomes[3].error_message() == "no 3");
}

TEST_CASE("A stub's latency is asked in order of arrival and lets requests overlap", "[lm][stub]") {
  const auto stub = Stub::answering(repeats);
  std::vector<std::string> order;
  stub->latency([&](std::size_t n, const Request& request) {
    order.push_back(std::to_string(n) + "=" + request.messages[0].content);
    return 50ms;
  });
  stub->chat_all(numbered(3));
  CHECK(order == std::vector<std::string>{"0=0", "1=1", "2=2"});
  CHECK(stub->max_in_flight() == 3);
}

TEST_CASE("A call to a stub can be cancelled", "[lm][stub]") {
  const auto stub = Stub::answering(repeats);
  stub->latency(1h);
  std::stop_source stop;
  Request request = ask("x");
  request.stop = stop.get_token();
  std::promise<Outcome> promise;

  SECTION("while it waits") {
    stub->start(request, [&](Outcome outcome) { promise.set_value(std::move(outcome)); });
    stop.request_stop();
  }
  SECTION("before it starts, and then it was never asked") {
    stop.request_stop();
    stub->start(request, [&](Outcome outcome) { promise.set_value(std::move(outcome)); });
    CHECK(stub->calls() == 0);
  }
  try {
    promise.get_future().get().value();
    FAIL("the call was not cancelled");
  } catch (const LMError& error) {
    CHECK(error.kind() == LMError::Kind::cancelled);
  }
}

TEST_CASE("Destroying a stub ends every call exactly once", "[lm][stub]") {
  std::vector<std::atomic<int>> ended(20);
  auto stub = Stub::answering(repeats);
  stub->latency([](std::size_t n, const Request&) { return n % 2 == 0 ? 0h : 1h; });
  for (std::atomic<int>& count : ended) stub->start(ask("x"), [&count](const Outcome&) { ++count; });
  stub.reset();
  for (const std::atomic<int>& count : ended) CHECK(count == 1);
}

TEST_CASE("A callback may drop the last reference to the stub", "[lm][stub]") {
  auto stub = Stub::answering(repeats);
  stub->latency(1ms);
  std::promise<void> dropped;
  Stub* raw = stub.get();
  raw->start(ask("x"), [&dropped, stub = std::move(stub)](const Outcome&) mutable {
    stub.reset();
    dropped.set_value();
  });
  dropped.get_future().wait();
}

TEST_CASE("A stub streams its reply word by word, whatever its latency", "[lm][stub]") {
  const std::string text = GENERATE("one  two\nthree ", "one", " one", "", "  ");
  auto stub = Stub::answering([&](const Request&) { return text; });
  if (GENERATE(true, false)) stub->latency(1ms);
  std::vector<std::string> pieces;
  CHECK(stub->chat_stream(ask("x"), [&](std::string_view piece) { pieces.emplace_back(piece); }).content == text);
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  CHECK(joined == text);
  if (text.starts_with("one  two")) CHECK(pieces == std::vector<std::string>{"one  ", "two\n", "three "});
}

TEST_CASE("What a reader of a stub throws ends the call, which has been counted", "[lm][stub]") {
  auto stub = Stub::answering(repeats);
  CHECK_THROWS_WITH(stub->chat_stream(ask("x"), [](std::string_view) { throw std::runtime_error("enough"); }), "enough");
  CHECK(stub->usage() == Usage{.calls = 1, .attempts = 1});
}

TEST_CASE("A failed call of a stub tells its usage", "[lm][stub]") {
  auto stub = Stub::scripted({});
  CHECK(stub->try_chat_all({ask("x")}).front().usage() == Usage{.calls = 1, .attempts = 1});
}
