// Requests that are turned down without a reason that is known.
#include "lm/openai/rejections.hpp"

#include <atomic>
#include <string>
#include <vector>

#include <tgd/lm/openai.hpp>

#include "catch.hpp"
#include "support/chat_calls.hpp"

using tgd::LMError;
using tgd::lm::OpenAI;
using tgd::lm::Outcome;
using tgd::lm::detail::Rejections;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;

TEST_CASE("Who is at fault for what is turned down shows by what becomes of others like it", "[lm][openai][rejections]") {
  Rejections rejections;
  const auto begin = [&](int count, const std::string& like) {
    for (int i = 0; i < count; ++i) rejections.begin(like);
  };
  SECTION("one that was answered before, or is answered later, makes it the request's own") {
    begin(3, "a");
    const auto early = rejections.reject("a");
    CHECK_FALSE(early->is_known());
    rejections.expect_others("a");
    CHECK_FALSE(early->is_known());
    rejections.end("a", true);
    CHECK((early->is_known() && early->is_of_request));
    const auto late = rejections.reject("a");
    CHECK((late->is_known() && late->is_of_request));
  }
  SECTION("where all that are under way are turned down, it is the endpoint's") {
    begin(3, "a");
    const auto first = rejections.reject("a");
    const auto second = rejections.reject("a");
    rejections.end("a", false);  // an answer that is none
    rejections.expect_others("a");
    for (const auto& verdict : {first, second}) CHECK((verdict->is_known() && !verdict->is_of_request));
  }
  SECTION("answers to requests of another kind tell nothing") {
    begin(1, "a");
    begin(1, "b");
    const auto verdict = rejections.reject("a");
    rejections.end("b", true);
    rejections.expect_others("a");
    CHECK((verdict->is_known() && !verdict->is_of_request));
  }
  SECTION("so many in a row are the endpoint's, until one is answered") {
    begin(50, "a");
    rejections.end("a", true);
    for (int i = 1; i <= 32; ++i) CHECK(rejections.reject("a")->is_of_request);
    CHECK_FALSE(rejections.reject("a")->is_of_request);
    CHECK_FALSE(rejections.reject("a")->is_of_request);
    rejections.end("a", true);
    CHECK(rejections.reject("a")->is_of_request);
  }
}

TEST_CASE("A client tells one request that is turned down from an endpoint that turns down all",
          "[lm][openai][rejections][concurrent]") {
  const int status = GENERATE(400, 422);
  std::atomic<bool> is_down = false;
  HttpServer server([&](const HttpRequest& request) -> HttpResponse {
    const bool is_bad = is_down || request.body.find("\"3\"") != std::string::npos;
    return is_bad ? HttpResponse{.status = status, .body = tgd::test::error_body("Bad Request")} : tgd::test::says("x");
  });
  OpenAI client(tgd::test::options_for(server.url()));
  SECTION("one of several") {
    const std::vector<Outcome> outcomes = client.try_chat_all(tgd::test::numbered(6));
    for (std::size_t i = 0; i < outcomes.size(); ++i) CHECK(outcomes[i].ok() == (i != 3));
    const LMError error = tgd::test::error_of(outcomes[3]);
    CHECK(error.kind() == LMError::Kind::refused);
    CHECK(error.status() == status);
    CHECK_THAT(error.what(),
               Catch::Matchers::ContainsSubstring("Bad Request") && Catch::Matchers::ContainsSubstring("answers others"));
  }
  SECTION("all of several") {
    is_down = true;
    for (const Outcome& outcome : client.try_chat_all(tgd::test::numbered(6)))
      CHECK(tgd::test::error_of(outcome).kind() == LMError::Kind::status);
  }
  SECTION("of another purpose") {
    CHECK(client.chat(tgd::test::ask("x")).content == "x");
    tgd::lm::Request request = tgd::test::ask("3");
    request.info.purpose = "optimize";
    CHECK(tgd::test::error_of(client.try_chat_all({request}).front()).kind() == LMError::Kind::status);
  }
  CHECK(server.request_count() <= 6);  // none is asked again
}
