// Which names go with secrets, and that nothing of a secret is left wherever text is written, said or cut.
#include "net/secrets.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/recorded.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "lm/request_key.hpp"
#include "support/chat_calls.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::net::may_hold_secret;
using tgd::net::Secrets;
using tgd::test::ask;
using tgd::test::error_of;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;
using tgd::test::options_for;

namespace {

const std::string secret = "zq-xw/vk+jp.yg_hm~zqxwvkjpyghmzz";

/// Four bytes of it in a row; they stand in no word and in no port.
bool shows_part_of(const std::string& text) {
  for (std::size_t i = 0; i + 4 <= secret.size(); ++i) {
    if (text.find(secret.substr(i, 4)) != std::string::npos) return true;
  }
  return false;
}

std::string all_files(const std::filesystem::path& folder) {
  std::string bytes;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) bytes += tgd::detail::read_file(entry.path());
  return bytes;
}

}  // namespace

TEST_CASE("Names say by their words whether they go with a secret", "[lm][secrets]") {
  for (const char* name : {"Authorization", "Proxy-Authorization", "X-Api-Key", "api_key", "apikey", "x-goog-api-key",
                           "accessToken", "X-Sig", "sig", "X-Amz-Signature", "X-Amz-Security-Token", "Cookie", "code",
                           "client_secret", "Ocp-Apim-Subscription-Key", "X-Auth", "password", "X-JWT"}) {
    CAPTURE(name);
    CHECK(may_hold_secret(name));
  }
  for (const char* name : {"X-Keyword", "X-Author", "max_tokens", "country_code", "X-Design", "X-Region", "api-version",
                           "signal", "tokenizer", "User-Agent", "Content-Type", ""}) {
    CAPTURE(name);
    CHECK_FALSE(may_hold_secret(name));
  }
}

TEST_CASE("A secret is blanked in every form in which it may be quoted", "[lm][secrets]") {
  Secrets secrets;
  secrets.add("se\"cret/ä+0123");
  for (const char* form : {"se\"cret/ä+0123", "se%22cret%2F%C3%A4%2B0123", "se%22cret%2f%c3%a4%2b0123", "se\\\"cret/ä+0123",
                           "se\\\"cret\\/\\u00e4+0123", "c2UiY3JldC/DpCswMTIz", "c2UiY3JldC_DpCswMTIz"}) {
    CHECK(secrets.blank("<" + std::string(form) + ">") == "<***>");
  }
}

TEST_CASE("Secrets that contain or overlap each other leave nothing", "[lm][secrets]") {
  Secrets secrets;
  for (const char* value : {"abcdefgh", "abcdefgh-ijkl", "ijkl-mnopqrs"}) secrets.add(value);
  CHECK(secrets.blank("abcdefgh-ijkl") == "***");
  CHECK(secrets.blank("abcdefgh-ijkl-mnopqrs") == "***");
  CHECK(secrets.blank("abcdefgh abcdefgh") == "*** ***");
}

TEST_CASE("What stands for no key is no secret, and a short key is one where it stands alone", "[lm][secrets]") {
  Secrets secrets;
  for (const char* value : {"none", "EMPTY", "ollama", "", "x1"}) secrets.add(value);
  CHECK(secrets.empty());
  secrets.add("pa55");
  CHECK(secrets.blank("pa55, pa55word") == "***, pa55word");
}

TEST_CASE("Beginnings of a secret are blanked where a text may have been cut", "[lm][secrets]") {
  Secrets secrets;
  secrets.add(secret);
  for (std::size_t size = 4; size <= secret.size(); ++size)
    CHECK(secrets.blank_quoted("key: " + secret.substr(0, size)) == "key: ***");
  CHECK(secrets.blank_quoted(secret.substr(0, 12) + "... is wrong") == "***... is wrong");
  CHECK(secrets.blank(secret.substr(0, 12) + " is no key") == secret.substr(0, 12) + " is no key");
}

TEST_CASE("Packed credentials are secret in parts", "[lm][secrets]") {
  Secrets secrets;
  secrets.add_named({{"Authorization", "Basic dXNlcjpwYXNzd29yZC0xMjM="}, {"Cookie", "a=session-1234; b=session-5678"}});
  CHECK(secrets.blank("password-123, session-1234, session-5678, dXNlcjpwYXNzd29yZC0xMjM=") == "***, ***, ***, ***");
}

TEST_CASE("No byte of the key is in an error, wherever its message is cut", "[lm][secrets][concurrent]") {
  std::size_t padding = 0;
  int shape = 0;
  HttpServer server([&](const HttpRequest& request) {
    const std::string text = std::string(padding, 'x') + " wrong: " + request.headers.at("authorization").substr(7) + " end";
    switch (shape) {
      case 0:
        return HttpResponse{.status = 401, .body = tgd::test::error_body(text)};
      case 1:
        return HttpResponse{.status = 400, .body = text};
      case 2:
        return HttpResponse{.status = 200, .body = text};
      case 3:
        return HttpResponse{.status = 200, .body = "{\"choices\": [{\"message\": {\"refusal\": \"" + text + "\"}}]}"};
      case 4:
        return HttpResponse{.status = 302, .headers = {{"Location", "http://h/" + text}}, .body = ""};
      default: {
        const std::string body = "{\"choices\": [{\"message\": {\"content\": \"" + text + "\"}}]}";
        return HttpResponse{.body = body,
                            .framing = HttpResponse::Framing::end_of_stream,
                            .cut_after = 50 + padding + static_cast<std::size_t>(shape)};
      }
    }
  });
  OpenAIOptions options = options_for(server.url());
  options.api_key = secret;
  options.max_retries = 0;
  OpenAI client(options);
  for (shape = 0; shape < 30; ++shape) {
    for (padding = 130; padding < 205; padding += 5) {
      CAPTURE(shape, padding);
      const std::string message = error_of(client).what();
      CAPTURE(message);
      CHECK_FALSE(shows_part_of(message));
    }
  }
}

TEST_CASE("Errors of streams are blanked before they are cut", "[lm][secrets][concurrent]") {
  const bool is_json = GENERATE(true, false);
  std::size_t padding = 0;
  HttpServer server([&](const HttpRequest& request) {
    const std::string text = std::string(padding, 'x') + request.headers.at("authorization").substr(7);
    return HttpResponse{.headers = {{"Content-Type", "text/event-stream"}},
                        .body = tgd::test::event(is_json ? tgd::test::error_body(text) : "{" + text)};
  });
  OpenAIOptions options = options_for(server.url());
  options.api_key = secret;
  options.max_retries = 0;
  OpenAI client(options);
  for (padding = 150; padding < 205; padding += 5) {
    CAPTURE(padding);
    std::string message;
    try {
      client.chat_stream(ask("x"), [](std::string_view) {});
    } catch (const tgd::Error& error) {
      message = error.what();
    }
    CHECK_THAT(message, ContainsSubstring("xxx"));
    CHECK_FALSE(shows_part_of(message));
  }
}

TEST_CASE("Credentials in a base URL are as secret as a key", "[lm][secrets][concurrent]") {
  HttpServer server([](const HttpRequest& request) {
    return HttpResponse{.status = 400, .body = request.headers.at("authorization") + " at " + request.target};
  });
  std::string url = server.url();
  url.insert(url.find("://") + 3, "somebody:open-sesame-42@");
  OpenAIOptions options = options_for(url + "/v1?token=open-sesame-43&version=2");
  options.api_key.clear();
  OpenAI client(options);
  const std::string message = error_of(client).what();
  CHECK_THAT(message, ContainsSubstring("Basic *** at /v1/chat/completions?token=***&version=2"));
  CHECK_THAT(client.identity().dump(), ContainsSubstring(R"("version":"2")") && !ContainsSubstring("sesame"));
}

TEST_CASE("Mistakes in URLs, headers and queries are shown without values", "[lm][secrets]") {
  const auto message_of = [](OpenAIOptions options) {
    try {
      OpenAI client(std::move(options));
    } catch (const tgd::ValueError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string url = "http://127.0.0.1:1/v1";
  for (const std::string& message :
       {message_of({.model = "m", .base_url = "ftp://user:" + secret + "@host/v1"}),
        message_of({.model = "m", .base_url = "host/v1?key=" + secret}),
        message_of({.model = "m", .base_url = url, .headers = {{"Authorization: Bearer " + secret, ""}}}),
        message_of({.model = "m", .base_url = url, .query = {{"", secret}}})}) {
    CHECK_FALSE(message.empty());
    CHECK_FALSE(shows_part_of(message));
  }
}

TEST_CASE("Cache, cassette and ledger agree on what is secret, and hold none", "[lm][secrets]") {
  const std::string name = GENERATE("X-Api-Key", "X-Sig");
  const bool in_query = GENERATE(false, true);
  const tgd::test::TemporaryFolder folder;
  const auto telling = Stub::answering([](const Request& request) {
    const auto& options = request.options;
    return "you sent " + (options.headers.empty() ? options.query : options.headers).front().second;
  });
  const auto asking = [&](const std::string& value) {
    Request request = ask("what did I send?");
    (in_query ? request.options.query : request.options.headers) = {{name, value}};
    return request;
  };
  {
    const auto cache = std::make_shared<tgd::lm::Cache>(tgd::lm::CacheOptions{.path = folder.path() / "cache.db"});
    const auto cached = std::make_shared<tgd::lm::Cached>(telling, cache);
    tgd::lm::Observed observed(cached, std::make_shared<tgd::lm::Ledger>(tgd::lm::LedgerOptions{
                                           .path = folder.path() / "calls.jsonl", .include_text = true}));
    CHECK(observed.chat(asking("signature-one-1111")).content == "you sent signature-one-1111");
    CHECK(observed.chat(asking("signature-two-2222")).content == "you sent ***");
    CHECK(cache->hits() == 1);
    tgd::lm::Recorded recorded(
        telling, std::make_shared<tgd::lm::Cassette>(tgd::lm::CassetteOptions{.path = folder.path() / "run.cassette"}));
    recorded.chat(asking("signature-one-1111"));
  }
  const std::string files = all_files(folder.path());
  CHECK_THAT(files, ContainsSubstring("you sent ***") && !ContainsSubstring("signature-"));
}

TEST_CASE("A model's own key is in no file, even when its endpoint echoes it", "[lm][secrets][concurrent]") {
  HttpServer server([](const HttpRequest& request) {
    const std::string text = "you sent " + request.headers.at("authorization").substr(7);
    if (request.number % 2 == 1) return HttpResponse{.status = 400, .body = tgd::test::error_body(text)};
    return tgd::test::says(text);
  });
  OpenAIOptions options = options_for(server.url());
  options.api_key = secret;
  const auto model = std::make_shared<OpenAI>(options);
  const tgd::test::TemporaryFolder folder;
  {
    const auto recorded = std::make_shared<tgd::lm::Recorded>(
        model, std::make_shared<tgd::lm::Cassette>(tgd::lm::CassetteOptions{.path = folder.path() / "run.cassette"}));
    const auto cached = std::make_shared<tgd::lm::Cached>(
        recorded, std::make_shared<tgd::lm::Cache>(tgd::lm::CacheOptions{.path = folder.path() / "cache.db"}));
    tgd::lm::Observed observed(cached, std::make_shared<tgd::lm::Ledger>(tgd::lm::LedgerOptions{
                                           .path = folder.path() / "calls.jsonl", .include_text = true}));
    CHECK(observed.chat(ask("echo")).content == "you sent " + secret);
    CHECK_THROWS_AS(observed.chat(ask("fail")), tgd::LMError);
  }
  CHECK_FALSE(shows_part_of(all_files(folder.path())));
}
