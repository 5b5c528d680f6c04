// Base URLs and names of models: where a request goes.
#include "lm/openai/endpoint.hpp"

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/chat_model.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using tgd::lm::make_model;
using tgd::lm::detail::chat_endpoint;

TEST_CASE("Base URLs lead to the endpoint", "[lm][endpoint]") {
  const json cases = tgd::test::table("lm/base_urls.json").at("leads_to");
  for (const json& row : cases) {
    CAPTURE(row);
    CHECK(chat_endpoint(row[0].get<std::string>()).url == row[1].get<std::string>());
  }
}

TEST_CASE("What is secret in a URL is left out where it is written down, and the rest stays as it is", "[lm][endpoint]") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"http://host/v1", "http://host/v1"},
      {"https://Host:8000/a@b/v1/?x=1#y", "https://Host:8000/a@b/v1/?x=1#y"},
      {"http://ann:pass@host:1/v1", "http://host:1/v1"},
      {"http://token@host", "http://host"},
      {"http://a:b@c@host/v1?api-version=2&api_key=k&y", "http://host/v1?api-version=2&y"},
      {"http://host/v1?page=1&access%5Ftoken=k", "http://host/v1?page=1"},
      {"http://host?key=k", "http://host"}};
  for (const auto& [url, open] : cases) CHECK(tgd::lm::detail::url_without_secrets(url) == open);
}

TEST_CASE("What is no http URL is refused, and the error says what is expected", "[lm][endpoint]") {
  const json cases = tgd::test::table("lm/base_urls.json").at("refused");
  for (const std::string base_url : cases) {
    CAPTURE(base_url);
    CHECK_THROWS_AS(chat_endpoint(base_url), tgd::ValueError);
  }
  CHECK_THROWS_WITH(
      chat_endpoint("localhost:8080"),
      "base_url is \"localhost:8080\", but must be an http or https URL with a host, and a port where there is a colon "
      "behind it, such as https://api.openai.com/v1 or http://localhost:8000/v1");
}

TEST_CASE("An endpoint knows what was put into its path, who asks, and where its models are listed", "[lm][endpoint]") {
  CHECK(chat_endpoint("https://host/inference").added_version);
  CHECK_FALSE(chat_endpoint("https://host/v1").added_version);
  CHECK_FALSE(chat_endpoint("https://host/inference/chat/completions").added_version);
  CHECK(chat_endpoint("https://user:pw@host/v1").has_credentials);
  CHECK_FALSE(chat_endpoint("https://host/v1").has_credentials);
  CHECK(chat_endpoint("https://host/v1").models_url == "https://host/v1/models");
  CHECK(chat_endpoint("https://host/x/chat/completions?a=b").models_url == "https://host/x/models?a=b");
}

TEST_CASE("An endpoint is displayed without what may be secret", "[lm][endpoint]") {
  const auto endpoint = chat_endpoint("https://user:test-password@host/v1?key=test-key");
  CHECK(endpoint.url == "https://user:test-password@host/v1/chat/completions?key=test-key");
  CHECK(endpoint.display == "https://host/v1/chat/completions");
}

TEST_CASE("Models are made by the provider before the first slash", "[lm][make_model][concurrent]") {
  const auto model = make_model("openai/org/gpt-x", {{"temperature", 0}});
  CHECK(model->provider() == "openai");
  CHECK(model->class_type() == "OpenAI");
  CHECK(model->model_name() == "org/gpt-x");
  CHECK(make_model("openai", {{"model", "m"}})->model_name() == "m");
}

TEST_CASE("Names of models that cannot be made list what can", "[lm][make_model]") {
  CHECK_THROWS_AS(make_model("gpt-4o"), tgd::ValueError);
  CHECK_THROWS_WITH(make_model("nobody/gpt-4o"), ContainsSubstring("\"nobody/gpt-4o\"") && ContainsSubstring("\"openai\""));
  CHECK_THROWS_WITH(make_model(""), ContainsSubstring("provider/model"));
  CHECK_THROWS_WITH(make_model("openai/"), ContainsSubstring("openai/gpt-4o"));
}
