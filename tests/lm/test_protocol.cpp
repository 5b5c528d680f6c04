// The protocol without a network. Most cases are in replies.json.
#include "lm/openai/protocol.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "lm/error_kinds.hpp"
#include "support/chat_calls.hpp"
#include "support/table.hpp"

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using tgd::Json;
using tgd::LMError;
using tgd::lm::Message;
using tgd::lm::Reply;
using tgd::lm::Usage;
using tgd::lm::detail::parse_reply;
using tgd::lm::detail::ParsedReply;
using tgd::lm::detail::request_body;
using tgd::lm::detail::status_error;
using tgd::test::kind_named;
using tgd::test::without_estimates;
using Kind = LMError::Kind;

namespace {

// Parses a copy of exactly the body's size, so that the sanitizer sees any read beyond its end.
ParsedReply parse(const std::string& body, bool delimited = true) {
  const auto exact = std::make_unique<char[]>(body.size());
  std::copy(body.begin(), body.end(), exact.get());
  return parse_reply({exact.get(), body.size()}, delimited);
}

void check_reply(const json& row, const Reply& reply) {
  CHECK(reply.content == row.at("content").get<std::string>());
  if (row.contains("finish_reason")) CHECK(reply.finish_reason == row["finish_reason"].get<std::string>());
  if (row.contains("model")) CHECK(reply.model == row["model"].get<std::string>());
  CHECK(reply.alternatives == row.value("alternatives", std::vector<std::string>()));
}

void check_error(const json& row, const LMError& error) {
  CHECK(error.kind() == kind_named(row.at("error")));
  CHECK(error.retryable() == row.at("retryable").get<bool>());
  CHECK(error.status() == row.value("status", 0));
  for (const json& part : row.at("says")) CHECK_THAT(error.what(), ContainsSubstring(part.get<std::string>()));
}

}  // namespace

TEST_CASE("Replies are read as replies.json says", "[lm][protocol]") {
  for (const json& row : tgd::test::table("lm/replies.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const json& body = row.at("body");
      const ParsedReply parsed = parse(body.is_string() ? body.get<std::string>() : body.dump(), row.value("delimited", true));
      if (row.contains("usage")) CHECK(without_estimates(parsed.usage) == Usage::from_json(row["usage"]));
      CHECK(parsed.absurd_usage == row.value("absurd", ""));
      if (row.contains("content")) {
        REQUIRE(std::holds_alternative<Reply>(parsed.result));
        check_reply(row, std::get<Reply>(parsed.result));
      } else {
        REQUIRE(std::holds_alternative<LMError>(parsed.result));
        check_error(row, std::get<LMError>(parsed.result));
      }
    }
  }
}

TEST_CASE("A wrong type in any field is survived, and does no harm where the field does not matter", "[lm][protocol]") {
  const json table = tgd::test::table("lm/wrong_types.json");
  const auto with = [&](const json& pointer, const json& value) {
    json body = table.at("completion");
    body[json::json_pointer(pointer.get<std::string>())] = value;
    return parse(body.dump());
  };
  for (const json& value : table.at("wrong")) {
    for (const json& pointer : table.at("harmless")) {
      CAPTURE(pointer, value);
      const ParsedReply parsed = with(pointer, value);
      REQUIRE(std::holds_alternative<Reply>(parsed.result));
      // Where the number of the first choice is wrong, the second may go before it.
      if (pointer != "/choices/0/index" && pointer != "/choices/1/index") CHECK(std::get<Reply>(parsed.result).content == "x");
    }
    for (const json& pointer : table.at("fatal")) {
      // A text is right as the content, and a list of parts may hold one.
      if (pointer == "/choices/0/message/content" && (value == "text" || value == json{"text"})) continue;
      CAPTURE(pointer, value);
      CHECK(std::holds_alternative<LMError>(with(pointer, value).result));
    }
  }
}

TEST_CASE("A reply that stops anywhere is an error, never a reply", "[lm][protocol]") {
  const std::string body =
      R"({"model":"m","choices":[{"message":{"content":"a \ud83d\ude00 \\ ä"}}],"usage":{"prompt_tokens":1}})";
  REQUIRE(std::holds_alternative<Reply>(parse(body).result));
  for (std::size_t size = 0; size < body.size(); ++size) {
    CAPTURE(size);
    REQUIRE(std::holds_alternative<LMError>(parse(body.substr(0, size)).result));
  }
}

TEST_CASE("Invalid UTF-8 in a reply becomes U+FFFD", "[lm][protocol]") {
  const ParsedReply parsed = parse(
      "{\"choices\":[{\"message\":{\"content\":\"a\xff"
      "b\xc3\"}}]}");
  REQUIRE(std::holds_alternative<Reply>(parsed.result));
  CHECK(std::get<Reply>(parsed.result).content ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
}

TEST_CASE("Deep nesting in a reply does no harm", "[lm][protocol]") {
  const std::size_t depth = 200'000;
  CHECK(std::holds_alternative<LMError>(parse(std::string(depth, '[')).result));
  CHECK(std::holds_alternative<LMError>(parse(std::string(depth, '[') + std::string(depth, ']')).result));
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  CHECK(std::holds_alternative<LMError>(parse(R"({"choices":[{"message":{"content":"x"}}],"extra":)" + deep + "}").result));
  CHECK(std::holds_alternative<LMError>(parse(R"({"choices":[)" + deep + "]}").result));
  CHECK(status_error(500, R"({"error":)" + deep + "}", "m").status() == 500);
}

TEST_CASE("A request's body holds the arguments as they are, and the messages", "[lm][protocol]") {
  const std::vector<Message> messages = {{"system", "s"}, {"user", "u"}};
  SECTION("with the client's model") {
    CHECK(request_body(messages, Json{{"temperature", 0.5}}, "m") ==
          R"({"temperature":0.5,"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]})");
  }
  SECTION("with the arguments' model") {
    CHECK(json::parse(request_body(messages, Json{{"model", "other"}}, "m"))["model"] == "other");
  }
  SECTION("without a model") { CHECK_FALSE(json::parse(request_body(messages, Json{}, "")).contains("model")); }
  SECTION("with whatever a vendor invents") {
    const Json args{{"response_format", Json{{"type", "json_object"}}}, {"x", nullptr}, {"stream", false}};
    const json body = json::parse(request_body(messages, args, "m"));
    CHECK(body["response_format"]["type"] == "json_object");
    CHECK(body["x"].is_null());
    CHECK(body["stream"] == false);
  }
  SECTION("always as valid UTF-8") {
    const std::string cut_euro = "10 \xE2\x82";
    CHECK(json::parse(request_body({{"user", cut_euro}}, Json{}, "m"))["messages"][0]["content"] == "10 \xEF\xBF\xBD");
  }
}

TEST_CASE("The message of an error body is quoted, whatever its shape", "[lm][protocol]") {
  const auto [body, expected] = GENERATE(table<std::string, std::string>({
      {R"({"error":{"message":"m1","type":"t"}})", "HTTP status 418: \"m1\""},
      {R"({"error":"m2"})", "HTTP status 418: \"m2\""},
      {R"({"message":"m3"})", "HTTP status 418: \"m3\""},
      {R"({"detail":"m4"})", "HTTP status 418: \"m4\""},
      {R"({"detail":[{"loc":["body"],"msg":"m5"}]})", "HTTP status 418: \"body: m5\""},
      {R"({"error":{"code":7}})", R"(HTTP status 418: "{"error":{"code":7}}")"},
      {R"({"other":1})", R"(HTTP status 418: "{"other":1}")"},
      {"<h1>I'm a\n  teapot</h1>", "HTTP status 418: \"I'm a teapot\""},
      {"", "HTTP status 418"},
      {"null", "HTTP status 418: \"null\""},
  }));
  const LMError error = status_error(418, body, "m");
  CHECK(std::string(error.what()) == expected);
  CHECK(error.kind() == Kind::status);
  CHECK(error.status() == 418);
  CHECK_FALSE(error.retryable());
}

TEST_CASE("A long error body is shortened at a character's end", "[lm][protocol]") {
  std::string umlauts;
  for (int i = 0; i < 5000; ++i) umlauts += "ä";
  const std::string message = status_error(500, umlauts, "m").what();
  CHECK(message.size() < 300);
  CHECK(message.ends_with("ä...\""));
}

TEST_CASE("Statuses come with advice", "[lm][protocol]") {
  CHECK_THAT(status_error(401, "", "m").what(), ContainsSubstring("OPENAI_API_KEY"));
  CHECK_THAT(status_error(404, "", "gpt-x").what(), ContainsSubstring("\"gpt-x\"") && ContainsSubstring("base_url"));
  CHECK_THAT(status_error(413, "", "m").what(), ContainsSubstring("too large"));
  CHECK_THAT(status_error(301, "", "m", "https://new.example/").what(),
             ContainsSubstring("https://new.example/") && ContainsSubstring("base_url"));
}

TEST_CASE("A quota that is used up is no rate limit", "[lm][protocol]") {
  CHECK(status_error(429, R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})", "m").retryable());
  CHECK_FALSE(status_error(429, R"({"error":{"message":"pay","code":"insufficient_quota"}})", "m").retryable());
  CHECK_FALSE(status_error(429, R"({"error":{"message":"pay","type":"insufficient_quota"}})", "m").retryable());
}
