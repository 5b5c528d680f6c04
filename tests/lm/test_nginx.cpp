// The client against a server that was not written here: nginx. Skipped where it is not installed.
#include <tgd/lm/openai.hpp>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/chat_calls.hpp"
#include "support/process.hpp"
#include "support/program.hpp"
#include "support/temporary_folder.hpp"

using namespace tgd::test;
using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::lm::OpenAI;
using tgd::lm::OpenAIOptions;
using tgd::lm::Request;

namespace {

// What the places of this server are good for is told by the tests that use them.
constexpr const char* configuration = R"(
daemon off;
master_process off;
worker_processes 1;
pid @folder@/pid;
error_log @folder@/error.log;
events { worker_connections 512; }
http {
  access_log @folder@/access.log combined;
  log_format seen '$server_protocol $connection $status $sent_http_content_encoding';
  access_log @folder@/seen.log seen;
  client_body_temp_path @folder@/body;
  proxy_temp_path @folder@/proxy;
  fastcgi_temp_path @folder@/fastcgi;
  uwsgi_temp_path @folder@/uwsgi;
  scgi_temp_path @folder@/scgi;
  limit_req_zone $binary_remote_addr zone=few:1m rate=100r/s;
  keepalive_requests 100000;
  server {
    listen 127.0.0.1:@short_port@ ssl http2;
    keepalive_requests 10;
    ssl_certificate @folder@/certificate.pem;
    ssl_certificate_key @folder@/key.pem;
    default_type application/json;
    location /direct/ { return 200 '@completion@'; }
  }
  server {
    listen 127.0.0.1:@port@;
    listen 127.0.0.1:@tls_port@ ssl http2;
    ssl_certificate @folder@/certificate.pem;
    ssl_certificate_key @folder@/key.pem;
    default_type application/json;
    root @folder@;
    location = /long.json { internal; gzip on; gzip_types application/json; }
    location = /events.txt { internal; default_type text/plain; }
    location /zipped/ { return 405; error_page 405 =200 /long.json; }
    location /direct/ { return 200 '@completion@'; }
    location /events/ { return 405; error_page 405 =200 /events.txt; }
    location /chunked/ { proxy_pass http://127.0.0.1:@backend@/; proxy_http_version 1.0; proxy_buffering off; }
    location /limited/ { limit_req zone=few burst=5 nodelay; limit_req_status 429; proxy_pass http://127.0.0.1:@backend@/; }
  }
}
)";

std::string with(std::string text, const std::string& name, const std::string& value) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size())) {
    text.replace(at, name.size(), value);
  }
  return text;
}

class Nginx {
 public:
  Nginx(const std::string& nginx, const std::string& openssl, int backend) {
    folder_.write("long.json", completion_body(std::string(100'000, 'z')));
    folder_.write("events.txt", event(R"({"choices":[{"index":0,"delta":{"content":"streamed"},"finish_reason":"stop"}]})"));
    make_certificate(openssl);
    std::string text = with(configuration, "@folder@", folder_.path().string());
    text = with(text, "@port@", std::to_string(port_));
    text = with(text, "@tls_port@", std::to_string(tls_port_));
    text = with(text, "@short_port@", std::to_string(short_port_));
    text = with(text, "@backend@", std::to_string(backend));
    text = with(text, "@completion@", completion_body("direct"));
    const std::string file = folder_.write("nginx.conf", text).string();
    server_ = std::make_unique<RunningProgram>(std::vector<std::string>{nginx, "-p", folder_.path().string(), "-c", file});
    if (!wait_for_port(port_)) throw std::runtime_error("nginx did not start: " + read("error.log"));
  }

  std::string url(const std::string& place) const { return "http://127.0.0.1:" + std::to_string(port_) + place; }
  std::string tls_url(const std::string& place) const { return "https://localhost:" + std::to_string(tls_port_) + place; }
  /// Where each connection ends, with a GOAWAY, after ten requests.
  std::string short_url(const std::string& place) const { return "https://localhost:" + std::to_string(short_port_) + place; }
  std::string certificate() const { return (folder_.path() / "certificate.pem").string(); }

  /// Lines of "protocol connection status encoding of the answer"; the server is told to end first.
  std::vector<std::string> seen() {
    server_->end();
    std::istringstream text(read("seen.log"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::string read(const std::string& name) const {
    std::ifstream file(folder_.path() / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void make_certificate(const std::string& openssl) const {
    const ProcessResult made =
        run_process({openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                     "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                     (folder_.path() / "key.pem").string(), "-out", certificate()});
    if (made.status != 0) throw std::runtime_error("openssl made no certificate: " + made.err);
  }

  TemporaryFolder folder_;
  int port_ = closed_port();
  int tls_port_ = closed_port();
  int short_port_ = closed_port();
  std::unique_ptr<RunningProgram> server_;
};

std::unique_ptr<Nginx> start_nginx(int backend) {
  const auto nginx = find_program("nginx");
  const auto openssl = find_program("openssl");
  if (nginx && openssl) return std::make_unique<Nginx>(*nginx, *openssl, backend);
  WARN("skipped: the programs nginx and openssl are not both installed");
  return nullptr;
}

std::size_t distinct_connections(const std::vector<std::string>& seen) {
  std::set<std::string> connections;
  for (const std::string& line : seen) {
    std::istringstream words(line);
    std::string protocol;
    std::string connection;
    words >> protocol >> connection;
    connections.insert(connection);
  }
  return connections.size();
}

}  // namespace

TEST_CASE("nginx: completions, plain, compressed, chunked and as text/plain events", "[lm][nginx][concurrent]") {
  ChatServer backend(echo());
  const auto nginx = start_nginx(backend.http().port());
  if (!nginx) return;
  SECTION("a canned completion") {
    OpenAI client(options_for(nginx->url("/direct/v1")));
    CHECK(client.chat(ask("x")).content == "direct");
  }
  SECTION("compressed") {
    {
      OpenAI client(options_for(nginx->url("/zipped/v1")));
      CHECK(client.chat(ask("x")).content == std::string(100'000, 'z'));
    }
    const std::vector<std::string> seen = nginx->seen();
    REQUIRE(seen.size() == 1);
    CHECK_THAT(seen[0], ContainsSubstring("gzip"));
  }
  SECTION("compressed, and too long only when it is unpacked") {
    OpenAIOptions options = options_for(nginx->url("/zipped/v1"));
    options.max_reply_bytes = 50'000;
    OpenAI client(options);
    CHECK_THAT(error_of(client).what(), ContainsSubstring("longer than 50000 bytes"));
  }
  SECTION("passed on from a server of HTTP/1.0, whose end is where its connection ends") {
    OpenAI client(options_for(nginx->url("/chunked/v1")));
    std::string text;
    CHECK(client.chat(ask("y")).content == "re: y");
    CHECK(client.chat_stream(ask("a b"), [&](std::string_view piece) { text += piece; }).content == "re: a b");
    CHECK(text == "re: a b");
  }
  SECTION("events that call themselves plain text") {
    OpenAI client(options_for(nginx->url("/events/v1")));
    std::string text;
    client.chat_stream(ask("x"), [&](std::string_view piece) { text += piece; });
    CHECK(text == "streamed");
  }
}

TEST_CASE("nginx: connections are kept", "[lm][nginx]") {
  ChatServer backend(echo());
  const auto nginx = start_nginx(backend.http().port());
  if (!nginx) return;
  {
    OpenAIOptions options = options_for(nginx->url("/direct/v1"));
    options.max_in_flight = 8;
    OpenAI client(options);
    client.chat_all(numbered(200));
  }
  const std::vector<std::string> seen = nginx->seen();
  CHECK(seen.size() == 200);
  CHECK(distinct_connections(seen) <= 8);
}

TEST_CASE("nginx: a limited rate is found and every request answered", "[lm][nginx]") {
  ChatServer backend(echo());
  const auto nginx = start_nginx(backend.http().port());
  if (!nginx) return;
  OpenAIOptions options = options_for(nginx->url("/limited/v1"));
  options.max_retries = 100;
  options.retry_base = std::chrono::milliseconds(20);
  options.retry_cap = std::chrono::milliseconds(200);
  OpenAI client(options);
  CHECK(client.chat_all(numbered(60)).size() == 60);
  CHECK(client.usage().attempts > 60);
}

TEST_CASE("nginx: HTTP/2 over TLS carries many requests on few connections", "[lm][nginx]") {
  ChatServer backend(echo());
  const auto nginx = start_nginx(backend.http().port());
  if (!nginx) return;
  setenv("CURL_CA_BUNDLE", nginx->certificate().c_str(), 1);
  {
    OpenAI client(options_for(nginx->tls_url("/direct/v1")));
    for (const tgd::lm::Reply& reply : client.chat_all(numbered(300))) CHECK(reply.content == "direct");
    OpenAI streaming(options_for(nginx->tls_url("/events/v1")));
    CHECK(streaming.chat_stream(ask("x"), [](std::string_view) {}).content == "streamed");
  }
  unsetenv("CURL_CA_BUNDLE");
  const std::vector<std::string> seen = nginx->seen();
  CHECK(seen.size() == 301);
  CHECK(distinct_connections(seen) <= 4);
  for (const std::string& line : seen) CHECK(line.starts_with("HTTP/2.0 "));
}

TEST_CASE("nginx: requests that HTTP/2 connections end before are no attempts, and none is lost", "[lm][nginx]") {
  ChatServer backend(echo());
  const auto nginx = start_nginx(backend.http().port());
  if (!nginx) return;
  setenv("CURL_CA_BUNDLE", nginx->certificate().c_str(), 1);
  std::int64_t attempts = 0;
  {
    OpenAIOptions options = options_for(nginx->short_url("/direct/v1"));
    options.max_retries = 100;
    OpenAI client(options);
    for (const tgd::lm::Reply& reply : client.chat_all(numbered(300))) CHECK(reply.content == "direct");
    attempts = client.usage().attempts;
  }
  unsetenv("CURL_CA_BUNDLE");
  CHECK(attempts == static_cast<std::int64_t>(nginx->seen().size()));
}
