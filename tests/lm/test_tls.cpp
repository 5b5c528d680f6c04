// Certificates: a server that is who it says it is, and some that are not. The server is the program openssl; without it these
// tests are skipped.
#include <tgd/lm/openai.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
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

namespace {

// Answers every request over TLS with one reply. Its certificate is its own authority and is for "localhost".
class TlsServer {
 public:
  explicit TlsServer(const std::string& openssl) {
    const std::string key = (folder_.path() / "key.pem").string();
    const ProcessResult made = run_process({openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                                            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate()});
    if (made.status != 0) throw std::runtime_error("openssl made no certificate: " + made.err);
    server_ = std::make_unique<RunningProgram>(std::vector<std::string>{
        openssl, "s_server", "-quiet", "-accept", "127.0.0.1:" + std::to_string(port_), "-cert", certificate(), "-key", key});
    if (!wait_for_port(port_)) throw std::runtime_error("openssl s_server did not start");
    answering_ = std::thread([this] { answer_all(); });
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer() {
    server_->end();
    answering_.join();
  }

  int port() const { return port_; }
  std::string certificate() const { return (folder_.path() / "certificate.pem").string(); }

 private:
  // The request's end is where its JSON ends: an object that nothing follows.
  void answer_all() {
    const std::string body = completion_body("over TLS");
    const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    std::string request;
    while (server_->read(request)) {
      if (request.find("\r\n\r\n") == std::string::npos || !request.ends_with("}")) continue;
      request.clear();
      server_->write(reply);
    }
  }

  TemporaryFolder folder_;
  int port_ = closed_port();
  std::unique_ptr<RunningProgram> server_;
  std::thread answering_;
};

std::unique_ptr<TlsServer> tls_server() {
  const auto openssl = find_program("openssl");
  if (openssl) return std::make_unique<TlsServer>(*openssl);
  WARN("skipped: the program openssl is not installed");
  return nullptr;
}

// The outcome of one call with the variable set.
tgd::lm::Outcome call(const std::string& url, const char* variable, const std::string& value) {
  setenv(variable, value.c_str(), 1);
  OpenAIOptions options = options_for(url);
  options.connect_timeout = std::chrono::seconds(20);
  OpenAI client(options);
  tgd::lm::Outcome outcome = client.try_chat_all({ask("x")}).front();
  unsetenv(variable);
  return outcome;
}

}  // namespace

TEST_CASE("A certificate has to be for the server's name and from a known authority", "[lm][tls]") {
  const auto server = tls_server();
  if (!server) return;
  const std::string port = std::to_string(server->port());
  const char* variable = GENERATE("CURL_CA_BUNDLE", "SSL_CERT_FILE");

  SECTION("one that is") {
    CHECK(call("https://localhost:" + port, variable, server->certificate()).value().content == "over TLS");
  }
  SECTION("for another name") {
    const tgd::lm::Outcome outcome = call("https://127.0.0.1:" + port, variable, server->certificate());
    const LMError error = error_of(outcome);
    CHECK(error.kind() == LMError::Kind::transport);
    CHECK_FALSE(error.retryable());
    CHECK(outcome.usage().attempts == 1);
    CHECK_THAT(error.what(), ContainsSubstring("127.0.0.1"));
  }
  SECTION("from an unknown authority") {
    const LMError error = error_of(call("https://localhost:" + port, "TGD_TEST_NO_SUCH_VARIABLE", ""));
    CHECK(error.kind() == LMError::Kind::transport);
    CHECK_FALSE(error.retryable());
    CHECK_THAT(error.what(), ContainsSubstring("certificate"));
  }
  SECTION("with a list of authorities that is not there") {
    const LMError error = error_of(call("https://localhost:" + port, variable, "/nonexistent/authorities.pem"));
    CHECK_FALSE(error.retryable());
    CHECK_THAT(error.what(), ContainsSubstring("/nonexistent/authorities.pem"));
  }
}

TEST_CASE("A server that does not speak TLS is an error, not an endless wait", "[lm][tls][concurrent]") {
  HttpServer plain(replies({says("x")}));
  OpenAIOptions options = options_for("https://127.0.0.1:" + std::to_string(plain.port()));
  options.max_retries = 0;
  options.connect_timeout = std::chrono::milliseconds(300);
  OpenAI client(options);
  const LMError error = error_of(client);
  CHECK(error.kind() == LMError::Kind::transport);
  // It waits for the end of a request that never comes, and versions of libcurl differ in what they call that.
  CHECK_THAT(error.what(), ContainsSubstring("SSL") || ContainsSubstring("timed out"));
}
