// Endpoints that are asked for more than they bear: nothing is lost, and little is sent in vain.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/openai.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Outcome;
using tgd::test::error_body;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;
using tgd::test::numbered;
using tgd::test::says;

namespace {

std::size_t lost(OpenAI& client, int count) {
  std::size_t failed = 0;
  for (const Outcome& outcome : client.try_chat_all(numbered(count))) failed += outcome.ok() ? 0 : 1;
  return failed;
}

/// Refusals in the forms that endpoints have for them, one after the other.
HttpResponse refusal(std::size_t number) {
  switch (number % 4) {
    case 0:
      return {.status = 429, .body = error_body("Rate limit exceeded", "requests")};
    case 1:
      return {.status = 503, .body = error_body("server is busy")};
    case 2:
      return {.status = 400, .body = error_body("The engine is overloaded", "overloaded_error")};
    default:
      return {.status = 200, .body = R"({"error":{"message":"too many requests","code":"429"}})"};
  }
}

}  // namespace

TEST_CASE("200 requests at 64 in flight lose none against an endpoint that bears 30 a second, with default options",
          "[lm][openai][busy][concurrent]") {
  std::mutex mutex;
  double tokens = 30;
  auto filled = std::chrono::steady_clock::now();
  const bool says_it_in_all_ways = GENERATE(false, true);
  HttpServer server([&](const HttpRequest& request) {
    const std::lock_guard lock(mutex);
    const auto now = std::chrono::steady_clock::now();
    tokens = std::min(30.0, tokens + 30 * std::chrono::duration<double>(now - filled).count());
    filled = now;
    if (tokens < 1) return refusal(says_it_in_all_ways ? request.number : 0);
    tokens -= 1;
    return says("x");
  });
  OpenAI client({.model = "m", .base_url = server.url(), .api_key = tgd::test::key});
  CHECK(lost(client, 200) == 0);
  CHECK(server.request_count() < 400);
  CHECK(client.usage().attempts == static_cast<std::int64_t>(server.request_count()));
}

TEST_CASE("80 requests lose none against an endpoint with a short queue", "[lm][openai][busy][concurrent]") {
  std::atomic<int> inside = 0;
  std::mutex one_at_a_time;
  HttpServer server([&](const HttpRequest&) {
    struct Leave {
      std::atomic<int>& inside;
      ~Leave() { --inside; }
    } leave{inside};
    if (++inside > 6) return HttpResponse{.status = 503, .body = error_body("server busy, please try again. queue full")};
    const std::lock_guard lock(one_at_a_time);
    std::this_thread::sleep_for(20ms);
    return says("x");
  });
  OpenAI client({.model = "m", .base_url = server.url(), .api_key = tgd::test::key});
  CHECK(lost(client, 80) == 0);
}

TEST_CASE("An endpoint that turns everybody away is given up after max_retries, one that answers others is not",
          "[lm][openai][busy][concurrent]") {
  OpenAIOptions options;
  SECTION("nobody is answered") {
    HttpServer server(tgd::test::replies({{.status = 503, .body = error_body("overloaded")}}));
    options = tgd::test::options_for(server.url());
    OpenAI client(options);
    tgd::test::error_of(client);
    CHECK(server.request_count() == 5);
  }
  SECTION("others are") {
    HttpServer server([](const HttpRequest& request) {
      const bool is_patient = request.body.find("patient") != std::string::npos && request.number < 7;
      return is_patient ? HttpResponse{.status = 503, .body = error_body("overloaded")} : says("x");
    });
    options = tgd::test::options_for(server.url());
    OpenAI client(options);
    CHECK(client.chat(tgd::test::ask("first")).content == "x");
    CHECK(client.chat(tgd::test::ask("patient")).content == "x");
  }
}

TEST_CASE("A wait that a busy endpoint names in its message holds back the other requests too",
          "[lm][openai][busy][concurrent]") {
  std::mutex mutex;
  std::vector<std::chrono::steady_clock::time_point> times;
  HttpServer server([&](const HttpRequest&) {
    const std::lock_guard lock(mutex);
    times.push_back(std::chrono::steady_clock::now());
    return times.size() == 1 ? HttpResponse{.status = 503, .body = error_body("loading; try again in 300ms")} : says("x");
  });
  OpenAIOptions options = tgd::test::options_for(server.url());
  options.max_in_flight = 1;
  OpenAI client(options);
  CHECK(lost(client, 3) == 0);
  REQUIRE(times.size() == 4);
  CHECK(times[1] - times[0] >= 300ms);
}

TEST_CASE("What waits to be sent, or to be sent again, is not sent once nothing more is to be",
          "[lm][openai][busy][concurrent]") {
  std::stop_source nothing_more;
  std::vector<tgd::lm::Request> requests = numbered(6);
  for (tgd::lm::Request& request : requests) request.options.stop_sending = nothing_more.get_token();
  std::vector<Outcome> outcomes;
  std::mutex mutex;
  std::size_t sent = 0;
  const auto ask_all = [&](OpenAI& client, const tgd::lm::ChatModel::Done& on_first) {
    std::vector<std::future<void>> ends;
    for (tgd::lm::Request& request : requests) {
      auto end = std::make_shared<std::promise<void>>();
      ends.push_back(end->get_future());
      client.start(std::move(request), [&, end, on_first](Outcome outcome) {
        if (on_first) on_first(outcome);
        {
          const std::lock_guard lock(mutex);
          outcomes.push_back(std::move(outcome));
        }
        end->set_value();
      });
    }
    for (std::future<void>& end : ends) end.get();
  };
  const auto cancelled = [&] {
    return std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
      return !outcome.ok() && tgd::test::error_of(outcome).kind() == LMError::Kind::cancelled;
    });
  };

  SECTION("because an endpoint turns everybody away: the others have not been asked") {
    HttpServer server(tgd::test::replies({{.status = 429, .body = error_body("Rate limit reached")}}));
    OpenAIOptions options = tgd::test::options_for(server.url());
    options.max_in_flight = 1;
    options.max_retries = 0;
    OpenAI client(options);
    ask_all(client, [&](const Outcome&) { nothing_more.request_stop(); });
    CHECK(server.request_count() == 1);
    CHECK(cancelled() == 5);
    sent = 1;
  }
  SECTION("what waits for its next attempt ends with what it met; it is no call that was cut off") {
    HttpServer server([&](const HttpRequest& request) {
      if (request.number == 5) nothing_more.request_stop();
      return HttpResponse{.status = 503, .headers = {{"Retry-After", "100"}}, .body = error_body("overloaded")};
    });
    OpenAIOptions options = tgd::test::options_for(server.url());
    OpenAI client(options);
    ask_all(client, {});
    CHECK(cancelled() == 0);
    for (const Outcome& outcome : outcomes) {
      CHECK(tgd::test::error_of(outcome).status() == 503);
      CHECK_THAT(outcome.error_message(), ContainsSubstring("overloaded"));
    }
    CHECK(server.request_count() == 6);
    sent = 6;
  }
  SECTION("what is on its way comes to its end") {
    HttpServer server([&](const HttpRequest&) {
      nothing_more.request_stop();
      return says("x");
    });
    OpenAIOptions options = tgd::test::options_for(server.url());
    options.max_in_flight = 1;
    OpenAI client(options);
    ask_all(client, {});
    CHECK(server.request_count() == 1);
    CHECK(cancelled() == 5);
    sent = 1;
  }
  std::size_t attempts = 0;
  for (const Outcome& outcome : outcomes) attempts += static_cast<std::size_t>(outcome.receipt().usage.attempts);
  CHECK(attempts == sent);
}
