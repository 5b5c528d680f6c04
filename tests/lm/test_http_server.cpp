// The test server itself: what other tests rely on when they use it.
#include "support/http_server.hpp"

#include <string>

#include <curl/curl.h>

#include "catch.hpp"

using namespace tgd::test;

namespace {

struct Answer {
  CURLcode code = CURLE_OK;
  long status = 0;
  std::string body = {};
};

size_t append(char* data, size_t size, size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

// A plain blocking client with keep-alive, independent of the library's own.
class Client {
 public:
  Client() : handle_(curl_easy_init()) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { curl_easy_cleanup(handle_); }

  Answer post(const std::string& url, const std::string& body) {
    Answer answer;
    curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &answer.body);
    answer.code = curl_easy_perform(handle_);
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

 private:
  CURL* handle_;
};

}  // namespace

TEST_CASE("The test server answers, records and keeps connections alive", "[support][concurrent]") {
  HttpServer server([](const HttpRequest& request) { return HttpResponse{.status = 201, .body = "<" + request.body + ">"}; });
  Client client;
  CHECK(client.post(server.url() + "/a?b=c", "one").body == "<one>");
  CHECK(client.post(server.url() + "/d", "").status == 201);
  CHECK(server.connections() == 1);
  REQUIRE(server.requests().size() == 2);
  const HttpRequest first = server.requests()[0];
  CHECK(first.method == "POST");
  CHECK(first.target == "/a?b=c");
  CHECK(first.body == "one");
  CHECK(first.headers.at("content-length") == "3");
  CHECK(server.requests()[1].number == 1);
  CHECK(server.max_concurrent() == 1);
}

TEST_CASE("The test server frames bodies in every way of HTTP/1.1", "[support]") {
  using Framing = HttpResponse::Framing;
  const Framing framing = GENERATE(Framing::length, Framing::chunked, Framing::end_of_stream);
  HttpServer server([&](const HttpRequest&) { return HttpResponse{.body = std::string(1000, 'x'), .framing = framing}; });
  Client client;
  const Answer answer = client.post(server.url(), "");
  CHECK(answer.code == CURLE_OK);
  CHECK(answer.body == std::string(1000, 'x'));
}

TEST_CASE("The test server breaks replies as asked", "[support]") {
  HttpResponse response;
  CURLcode expected = CURLE_OK;
  SECTION("cut off in the middle of the body") {
    response = {.body = "0123456789", .cut_after = 5};
    expected = CURLE_PARTIAL_FILE;
  }
  SECTION("cut off in the middle of a chunked body") {
    response = {.body = "0123456789", .framing = HttpResponse::Framing::chunked, .cut_after = 8};
    expected = CURLE_PARTIAL_FILE;
  }
  SECTION("hung up") {
    response = hang_up();
    expected = CURLE_GOT_NOTHING;
  }
  SECTION("garbage") {
    response = {.raw = "\x01\x02 garbage\r\n\r\n"};
    expected = CURLE_UNSUPPORTED_PROTOCOL;
  }
  HttpServer server([&](const HttpRequest&) { return response; });
  Client client;
  CHECK(client.post(server.url(), "").code == expected);
}

TEST_CASE("The test server turns a throwing handler into a 500", "[support]") {
  HttpServer server([](const HttpRequest&) -> HttpResponse { throw std::runtime_error("oops"); });
  Client client;
  const Answer answer = client.post(server.url(), "");
  CHECK(answer.status == 500);
  CHECK(answer.body == "oops");
}

TEST_CASE("Nothing listens on a closed port", "[support]") {
  Client client;
  CHECK(client.post("http://127.0.0.1:" + std::to_string(closed_port()), "").code == CURLE_COULDNT_CONNECT);
}
