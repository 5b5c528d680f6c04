#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/gated_model.hpp"
#include "task/interruptible.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

lm::Request asking(const std::string& text, std::stop_token stop = {}) {
  return {.messages = {{"user", text}}, .stop = std::move(stop)};
}

}  // namespace

TEST_CASE("no more calls are under way than may be, and all are answered", "[cli]") {
  const auto stub = lm::Stub::answering([](const lm::Request& request) { return request.messages[0].content; });
  stub->shuffled(7);
  cli::Interruptible model(stub, 3, {});
  std::vector<lm::Request> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(asking(std::to_string(i)));
  const std::vector<lm::Reply> replies = model.chat_all(requests);
  for (int i = 0; i < 50; ++i) CHECK(replies[static_cast<std::size_t>(i)].content == std::to_string(i));
  CHECK(stub->max_in_flight() <= 3);
}

TEST_CASE("calls that are answered at once do not pile up on the stack", "[cli]") {
  cli::Interruptible model(lm::Stub::answering([](const lm::Request&) { return "yes"; }), 1, {});
  CHECK(model.chat_all(std::vector<lm::Request>(20'000, asking("?"))).size() == 20'000);
}

TEST_CASE("a streamed call stays one on its way through the queue", "[cli]") {
  cli::Interruptible model(lm::Stub::answering([](const lm::Request&) { return "one piece at a time"; }), 1, {});
  std::vector<std::string> pieces;
  model.chat_stream(asking("?"), [&](std::string_view piece) { pieces.emplace_back(piece); });
  CHECK(pieces.size() == 5);
}

TEST_CASE("after a stop what waits is refused, and what is under way comes to its end whoever has lost interest", "[cli]") {
  const auto gate = std::make_shared<test::GatedModel>();
  std::stop_source stop;
  std::stop_source caller;
  cli::Interruptible model(gate, 1, stop.get_token());
  std::vector<std::string> ends;
  const auto note = [&](lm::Outcome outcome) {
    ends.push_back(outcome.ok() ? outcome.value().content : outcome.error_message());
  };
  model.start(asking("first", caller.get_token()), note);
  model.start(asking("second"), note);
  CHECK_FALSE(gate->was_asked("second"));

  stop.request_stop();
  REQUIRE(ends.size() == 1);
  CHECK_THAT(ends[0], ContainsSubstring("interrupted"));
  caller.request_stop();
  CHECK(gate->cancelled().empty());
  gate->reply("first", "paid for");
  REQUIRE(ends.size() == 2);
  CHECK(ends[1] == "paid for");

  model.start(asking("third"), note);
  REQUIRE(ends.size() == 3);
  CHECK_FALSE(gate->was_asked("third"));
}

TEST_CASE("before a stop a caller can cancel its call", "[cli]") {
  const auto gate = std::make_shared<test::GatedModel>();
  std::stop_source caller;
  cli::Interruptible model(gate, 1, {});
  bool ok = true;
  model.start(asking("first", caller.get_token()), [&](const lm::Outcome& outcome) { ok = outcome.ok(); });
  caller.request_stop();
  CHECK_FALSE(ok);
  CHECK(gate->cancelled() == std::vector<std::string>{"first"});
}
