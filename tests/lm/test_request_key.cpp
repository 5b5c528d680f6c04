#include "lm/request_key.hpp"

#include <set>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"

using tgd::Json;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Request;
using tgd::lm::detail::RequestKeys;

namespace {

const RequestKeys keys(Json{{"provider", "openai"}, {"model", "gpt-4o"}, {"args", Json{{"temperature", 0.5}}}});

Request greeting(Json args = {}) { return {.messages = {{"system", "Be short."}, {"user", "Hello"}}, .args = std::move(args)}; }

std::string key_of(OpenAIOptions options) {
  options.api_key = options.api_key.empty() ? "none" : options.api_key;
  if (options.base_url.empty()) options.base_url = "http://localhost/v1";
  return RequestKeys(OpenAI(options).identity()).key(greeting());
}

}  // namespace

TEST_CASE("What cannot change the answer does not change the key", "[lm][request_key]") {
  const std::string key = keys.key(greeting());
  CHECK(key.size() == 64);
  Request request = greeting();
  SECTION("who asks") { request.info = {.purpose = "judge", .item = 3}; }
  SECTION("how long it may take") { request.options.timeout = std::chrono::milliseconds(5); }
  SECTION("a key in a header") { request.options.headers = {{"X-Api-Key", "sesame"}}; }
  SECTION("arguments that say what is the default anyhow") { request.args = {{"temperature", 0.5}, {"model", "gpt-4o"}}; }
  SECTION("how the reply is transported") { request.args = {{"stream", true}, {"stream_options", Json{}}}; }
  CHECK(keys.key(request) == key);
}

TEST_CASE("The order of arguments and the way a number is written do not matter", "[lm][request_key]") {
  CHECK(keys.key(greeting(Json::parse(R"({"seed": 1, "top_p": 1.0})"))) ==
        keys.key(greeting(Json::parse(R"({"top_p": 1, "seed": 1})"))));
}

TEST_CASE("The order within an argument matters, for a model answers in it", "[lm][request_key]") {
  const auto key_with = [](const std::string& args) { return keys.key(greeting(Json::parse(args))); };
  const std::string key = key_with(R"({"seed": 1, "response_format": {"properties": {"reasoning": {}, "answer": {}}}})");
  CHECK(key == key_with(R"({"response_format": {"properties": {"reasoning": {}, "answer": {}}}, "seed": 1})"));
  CHECK(key != key_with(R"({"seed": 1, "response_format": {"properties": {"answer": {}, "reasoning": {}}}})"));
  CHECK(key_with(R"({"tools": [{"b": 1, "a": 2}]})") != key_with(R"({"tools": [{"a": 2, "b": 1}]})"));

  const auto key_of_defaults = [](const std::string& args) { return key_of({.args = Json::parse(args)}); };
  CHECK(key_of_defaults(R"({"seed": 1, "x": {"b": 1, "a": 2}})") == key_of_defaults(R"({"x": {"b": 1, "a": 2}, "seed": 1})"));
  CHECK(key_of_defaults(R"({"x": {"b": 1, "a": 2}})") != key_of_defaults(R"({"x": {"a": 2, "b": 1}})"));
}

TEST_CASE("Everything that can change the answer changes the key", "[lm][request_key]") {
  std::set<std::string> seen{keys.key(greeting())};
  const auto is_new = [&seen](const Request& request) { return seen.insert(keys.key(request)).second; };
  Request request = greeting();
  CHECK(is_new(greeting({{"temperature", 0.6}})));
  CHECK(is_new(greeting({{"model", "gpt-4o-mini"}})));
  request.sample = 1;
  CHECK(is_new(request));
  request = greeting();
  request.options.query = {{"api-version", "2"}};
  CHECK(is_new(request));
  request = greeting();
  request.options.headers = {{"X-Region", "north"}};
  CHECK(is_new(request));
  request = greeting();
  request.messages[0].role = "developer";
  CHECK(is_new(request));
  CHECK(is_new({.messages = {{"system", "Be short.4:user"}, {"", "Hello"}}}));
  CHECK(is_new({.messages = {{"user", "Be short."}, {"system", "Hello"}}}));
  CHECK(is_new({.messages = {{"system", "Be short."}}}));
  CHECK(is_new({}));
}

TEST_CASE("Models are told apart by what determines their answers", "[lm][request_key][concurrent]") {
  std::set<std::string> seen;
  const auto is_new = [&seen](const std::string& key) { return seen.insert(key).second; };
  CHECK(is_new(key_of({.model = "a"})));
  CHECK(is_new(key_of({.model = "b"})));
  CHECK(is_new(key_of({.model = "a", .base_url = "http://elsewhere/v1"})));
  CHECK(is_new(key_of({.model = "a", .args = {{"temperature", 0}}})));
  CHECK(is_new(key_of({.model = "a", .headers = {{"X-Region", "north"}}})));
  CHECK_FALSE(is_new(key_of({.model = "a", .api_key = "another"})));
  CHECK_FALSE(is_new(key_of({.model = "a", .max_in_flight = 3, .headers = {{"Authorization", "Bearer x"}}})));
  CHECK(is_new(RequestKeys(tgd::lm::Simulated().identity()).key(greeting())));
  CHECK(is_new(RequestKeys(tgd::lm::Simulated({.seed = 1}).identity()).key(greeting())));
  CHECK(is_new(RequestKeys(tgd::lm::Stub().identity()).key(greeting())));
}

TEST_CASE("Arguments have one canonical form", "[lm][request_key]") {
  CHECK(tgd::lm::detail::canonical_args(Json::parse(R"({"b": [1.0, 0.5, "1.0"], "a": {"x": -0.0}, "stream": true})")).dump() ==
        R"({"a":{"x":0},"b":[1,0.5,"1.0"]})");
}
