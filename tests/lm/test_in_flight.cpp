#include "lm/wrap/in_flight.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using tgd::LMError;
using tgd::lm::CallOptions;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Usage;
using tgd::lm::detail::InFlight;

namespace {

struct Landings {
  std::vector<std::string> entries;

  InFlight::Landed landed(std::string who) {
    return [this, who = std::move(who)](const Outcome& outcome, bool is_first) {
      const std::string what = outcome.ok() ? outcome.value().content : outcome.error_message();
      entries.push_back(who + (is_first ? " first: " : ": ") + what + ", " + std::to_string(outcome.usage().prompt_tokens) +
                        " tokens");
    };
  }
};

Outcome yes() { return Reply{.content = "yes", .usage = {.calls = 1, .attempts = 1, .prompt_tokens = 7}}; }

}  // namespace

TEST_CASE("Equal requests travel as one, and the first one pays", "[lm][in_flight]") {
  InFlight flights;
  Landings log;
  const auto first = flights.join("k", {}, log.landed("a"), {});
  const auto second = flights.join("k", {}, log.landed("b"), {});
  const auto other = flights.join("other", {}, log.landed("c"), {});
  CHECK(first.is_first);
  CHECK_FALSE(second.is_first);
  CHECK(first.flight == second.flight);
  CHECK(other.is_first);
  InFlight::finish(first.flight, yes());
  CHECK(log.entries == std::vector<std::string>{"b: yes, 0 tokens", "a first: yes, 7 tokens"});
  CHECK(flights.join("k", {}, log.landed("d"), {}).is_first);
}

TEST_CASE("An error reaches all", "[lm][in_flight]") {
  InFlight flights;
  Landings log;
  const auto ticket = flights.join("k", {}, log.landed("a"), {});
  flights.join("k", {}, log.landed("b"), {});
  InFlight::finish(ticket.flight, Outcome(LMError(LMError::Kind::status, "no", 500), Usage{.calls = 1, .prompt_tokens = 3}));
  CHECK(log.entries == std::vector<std::string>{"b: no, 0 tokens", "a first: no, 3 tokens"});
}

TEST_CASE("Requests that are to be sent otherwise travel alone", "[lm][in_flight]") {
  InFlight flights;
  Landings log;
  flights.join("k", {}, log.landed("a"), {});
  CHECK(flights.join("k", {.timeout = std::chrono::milliseconds(1)}, log.landed("b"), {}).is_first);
  CHECK_FALSE(flights.join("k", {}, log.landed("c"), {}).is_first);
}

TEST_CASE("Who is stopped lands at once and leaves the others alone", "[lm][in_flight]") {
  InFlight flights;
  Landings log;
  std::stop_source a;
  std::stop_source b;
  const auto ticket = flights.join("k", {}, log.landed("a"), a.get_token());
  flights.join("k", {}, log.landed("b"), b.get_token());
  a.request_stop();
  CHECK(log.entries == std::vector<std::string>{"a: the call was cancelled, 0 tokens"});
  CHECK_FALSE(InFlight::stop_of(ticket.flight).stop_requested());

  SECTION("the reply then belongs to the next") {
    InFlight::finish(ticket.flight, yes());
    CHECK(log.entries.back() == "b first: yes, 7 tokens");
  }
  SECTION("the last one stops the flight, and learns what was used") {
    b.request_stop();
    CHECK(InFlight::stop_of(ticket.flight).stop_requested());
    CHECK(log.entries.size() == 1);
    CHECK(flights.join("k", {}, log.landed("c"), {}).is_first);
    InFlight::finish(ticket.flight,
                     Outcome(LMError(LMError::Kind::cancelled, "stopped"), Usage{.calls = 1, .prompt_tokens = 5}));
    CHECK(log.entries.back() == "b first: stopped, 5 tokens");
  }
}

TEST_CASE("A request that is stopped before it boards stops its flight", "[lm][in_flight]") {
  InFlight flights;
  Landings log;
  std::stop_source stopped;
  stopped.request_stop();
  const auto ticket = flights.join("k", {}, log.landed("a"), stopped.get_token());
  CHECK(InFlight::stop_of(ticket.flight).stop_requested());
  InFlight::finish(ticket.flight, yes());
  CHECK(log.entries.size() == 1);
}
