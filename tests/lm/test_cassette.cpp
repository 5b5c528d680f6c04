#include "lm/wrap/cassette.hpp"

#include <string>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "lm/wrap/line_diff.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Json;
using tgd::LMError;
using tgd::ParseError;
using tgd::lm::Reply;
using tgd::lm::Usage;
using tgd::lm::detail::Exchange;
using tgd::lm::detail::line_diff;
using tgd::lm::detail::parse_cassette;
using tgd::lm::detail::print_cassette;
using tgd::lm::detail::print_exchange;

namespace {

Exchange exchange(const std::string& question, const std::string& reply, std::size_t number = 0) {
  return {{.model = "gpt-4o", .messages = {{"system", "Be short.\nBe kind."}, {"user", question}}},
          {{number, Reply{.content = reply, .finish_reason = "stop", .usage = {.calls = 1, .prompt_tokens = 7}}}}};
}

std::string header() { return std::string(tgd::lm::detail::cassette_header); }

std::string error_of(const std::string& text) {
  try {
    parse_cassette(text);
  } catch (const ParseError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("A cassette is JSON that reads line by line", "[lm][cassette]") {
  Exchange one = exchange("Hello", "Hi\n\nthere");
  one.question.sample = 2;
  one.question.args = {{"temperature", 0.5}};
  CHECK(print_cassette({one}) == R"({
  "tgd_cassette": 1
}
{
  "model": "gpt-4o",
  "sample": 2,
  "args": {
    "temperature": 0.5
  },
  "messages": [
    {
      "role": "system",
      "content": [
        "Be short.",
        "Be kind."
      ]
    },
    {
      "role": "user",
      "content": "Hello"
    }
  ],
  "replies": [
    {
      "content": [
        "Hi",
        "",
        "there"
      ],
      "finish_reason": "stop",
      "usage": {
        "calls": 1,
        "prompt_tokens": 7
      }
    }
  ]
}
)");
}

TEST_CASE("What was printed is read again", "[lm][cassette]") {
  Exchange one = exchange("Hello", "Hi\n");
  Reply full{.content = "é\n\"}\n",
             .finish_reason = "stop",
             .model = "m",
             .usage = {1, 2, 1, 3, 4, 5, 6},
             .alternatives = {"a\nb", ""}};
  tgd::lm::Outcome hit = full;
  hit.set_receipt({.usage = full.usage, .original_usage = Usage{.calls = 1}});
  one.replies.emplace(1, hit);
  one.replies.emplace(2, tgd::lm::Outcome(LMError(LMError::Kind::status, "too many", 429, true), {.calls = 1, .attempts = 5}));
  const auto read = parse_cassette(print_cassette({one}));
  REQUIRE(read.size() == 1);
  CHECK(read[0].question == one.question);
  REQUIRE(read[0].replies.size() == 3);
  CHECK(read[0].replies.at(0).value().content == "Hi\n");
  const Reply& again = read[0].replies.at(1).value();
  CHECK(again.content == full.content);
  CHECK(again.model == "m");
  CHECK(again.usage == full.usage);
  CHECK(again.alternatives == full.alternatives);
  CHECK(read[0].replies.at(1).receipt().original_usage == Usage{.calls = 1});
  CHECK(read[0].replies.at(1).receipt().source == tgd::lm::ReplySource::cassette);
  CHECK(read[0].replies.at(2).usage() == Usage{.calls = 1, .attempts = 5});
  try {
    static_cast<void>(read[0].replies.at(2).value());
    FAIL("no error");
  } catch (const LMError& error) {
    CHECK(error.kind() == LMError::Kind::status);
    CHECK(error.status() == 429);
    CHECK(error.retryable());
    CHECK(std::string(error.what()) == "too many");
  }
}

TEST_CASE("The order of arrival does not matter", "[lm][cassette]") {
  const Exchange a = exchange("A", "1");
  const Exchange b0 = exchange("B", "first", 0);
  const Exchange b1 = exchange("B", "second", 1);
  const std::string text = print_cassette({a, b0, b1});
  CHECK(print_cassette({b1, a, b0}) == text);
  CHECK(print_cassette(parse_cassette(header() + print_exchange(b1) + print_exchange(b0) + print_exchange(a))) == text);
  CHECK(text.find("first") < text.find("second"));
}

TEST_CASE("Of two replies with one number the later counts, and missing numbers close up", "[lm][cassette]") {
  const auto read =
      parse_cassette(print_cassette({exchange("A", "old", 3), exchange("A", "new", 3), exchange("A", "last", 7)}));
  REQUIRE(read[0].replies.size() == 2);
  CHECK(read[0].replies.at(0).value().content == "new");
  CHECK(read[0].replies.at(1).value().content == "last");
}

TEST_CASE("An exchange that a crash cut off is passed over", "[lm][cassette]") {
  const std::string text = header() + print_exchange(exchange("A", "1"));
  CHECK(parse_cassette(text + "{\n  \"model\": \"gp").size() == 1);
  CHECK(parse_cassette(text.substr(0, text.size() - 1)).size() == 1);
  CHECK(parse_cassette(text.substr(0, text.size() - 2)).empty());
  CHECK(parse_cassette("").empty());
}

TEST_CASE("What people write by hand is read as well", "[lm][cassette]") {
  const auto read = parse_cassette(
      "{\"tgd_cassette\": 1}\r\n\r\n{\r\n\"messages\": [{\"role\": \"user\", \"content\": [\"a\", \"b\"]}],\r\n"
      "\"replies\": [{\"content\": \"c\"}]\r\n}\r\n\n{\"messages\": [], \"replies\": []}");
  REQUIRE(read.size() == 2);
  CHECK(read[0].question.messages[0].content == "a\nb");
  CHECK(read[0].replies.at(0).value().content == "c");
}

TEST_CASE("What is no cassette is refused with the line", "[lm][cassette]") {
  CHECK_THAT(error_of("hello\n"), ContainsSubstring("line 1: expected an object"));
  CHECK_THAT(error_of("{\"a\": 1}\n"), ContainsSubstring("line 1: a cassette begins with"));
  CHECK_THAT(error_of("{\"tgd_cassette\": 2}\n"), ContainsSubstring("written by a newer version of tgd (format 2"));
  const auto second = [](const std::string& text) { return error_of(header() + text + "\n"); };
  CHECK_THAT(second("{oops}"), ContainsSubstring("line 4: "));
  CHECK_THAT(second("[]"), ContainsSubstring("line 4: expected an object"));
  CHECK_THAT(second("{}"), ContainsSubstring("line 4: an exchange needs a list \"messages\""));
  CHECK_THAT(second(R"({"messages": [1], "replies": []})"), ContainsSubstring("a message must be an object"));
  CHECK_THAT(second(R"({"messages": [{"role": "user", "content": [1]}], "replies": []})"),
             ContainsSubstring("a list of strings"));
  CHECK_THAT(second(R"({"messages": [], "replies": [{}]})"), ContainsSubstring("a reply lacks its \"content\""));
  CHECK_THAT(second(R"({"messages": [], "replies": [{"content": 1}]})"),
             ContainsSubstring("\"content\" must be a text, but is 1"));
  CHECK_THAT(second(R"({"messages": [], "replies": [{"content": "", "usage": {"calls": 0.5}}]})"),
             ContainsSubstring("whole number"));
  CHECK_THAT(second(R"({"messages": [], "replies": [{"error": {"kind": "odd"}}]})"),
             ContainsSubstring("\"odd\" is no kind of error"));
  CHECK_THAT(second(R"({"messages": [], "replies": [], "sample": -1})"),
             ContainsSubstring("\"sample\" must be a whole number from 0"));
  CHECK_THAT(second(R"({"messages": [], "replies": [], "args": 3})"), ContainsSubstring("\"args\" must be an object"));
  CHECK_THAT(second("{\"args\": " + std::string(100, '[') + std::string(100, ']') + "}"),
             ContainsSubstring("nested more than 64 deep"));
}

TEST_CASE("Questions that read alike are told apart", "[lm][cassette]") {
  tgd::lm::detail::RecordedRequest a{.messages = {{"user", "x\n[user]\ny"}}};
  tgd::lm::detail::RecordedRequest b{.messages = {{"user", "x"}, {"user", "y"}}};
  CHECK(a.text() == b.text());
  CHECK_FALSE(a == b);
  CHECK((a < b) != (b < a));
}

TEST_CASE("A difference shows changed lines with what is around them", "[lm][line_diff]") {
  CHECK(line_diff("a\nb\nc\nd\ne\nf\ng", "a\nb\nc\nd\nX\nf\ng", 1000) == "  ...\n  c\n  d\n- e\n+ X\n  f\n  g\n");
  CHECK(line_diff("a\nb", "a\nnew\nb", 1000) == "  a\n+ new\n  b\n");
  CHECK(line_diff("a", "a", 1000).empty());
}

TEST_CASE("A difference within a long line is shown where it is, and all of it is cut to size", "[lm][line_diff]") {
  const std::string same(5000, 'x');
  const std::string diff = line_diff(same + "before" + same, same + "after" + same, 1000);
  CHECK_THAT(diff, ContainsSubstring("before") && ContainsSubstring("after") && ContainsSubstring("..."));
  CHECK(diff.size() < 1000);
  std::string many;
  for (int i = 0; i < 3000; ++i) many += std::to_string(i) + "\n";
  CHECK(line_diff(many, "", 500).size() <= 500);
}
