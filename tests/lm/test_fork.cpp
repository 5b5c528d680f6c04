// fork(): models of the parent say in the child what is the matter, models of the child work, and the child ends.
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/executor.hpp"
#include "core/file.hpp"
#include "support/chat_calls.hpp"
#include "support/temporary_folder.hpp"

using tgd::lm::ChatModelPtr;
using tgd::lm::OpenAI;
using tgd::test::ask;
using tgd::test::echo;

namespace {
const pid_t program = ::getpid();
}

// The leak checker asks this, where there is one: in a child the stacks of the parent's threads are gone, and what they held would
// seem lost.
extern "C" int __lsan_is_turned_off();
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() { return ::getpid() != program ? 1 : 0; }

namespace {

/// How a child ends that does this: its exit status, or 128 + the number of the signal that ended it; of SIGALRM when it hangs.
int ending_of_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    int code = 99;
    try {
      code = work();
    } catch (...) {
      code = 98;
    }
    std::exit(code);  // NOLINT(concurrency-mt-unsafe): with the destructors of everything static
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Whether a call ends at once with an error that says what to do.
bool is_refused(const ChatModelPtr& model) {
  const std::string message = model->try_chat_all({ask("x")}).front().error_message();
  return message.find("fork()") != std::string::npos && message.find("make one of its own") != std::string::npos;
}

}  // namespace

TEST_CASE("Models of the parent are refused in the child of a fork, and it ends", "[lm][fork]") {
  const tgd::test::TemporaryFolder folder;
  tgd::test::HttpServer server(tgd::test::replies({tgd::test::says("hello")}));
  const auto stub = echo();
  stub->latency(std::chrono::microseconds(10));
  const std::string what = GENERATE("an endpoint", "a stub", "a simulation", "a cache", "a cassette", "a ledger");
  CAPTURE(what);
  ChatModelPtr model = stub;
  if (what == "an endpoint") model = std::make_shared<OpenAI>(tgd::test::options_for(server.url()));
  if (what == "a simulation") {
    model = std::make_shared<tgd::lm::Simulated>(tgd::lm::SimulatedOptions{.latency = std::chrono::microseconds(10)});
  }
  const auto path = folder.path() / "file";
  if (what == "a cache") {
    model = std::make_shared<tgd::lm::Cached>(stub, std::make_shared<tgd::lm::Cache>(tgd::lm::CacheOptions{.path = path}));
  }
  if (what == "a cassette") {
    model = std::make_shared<tgd::lm::Recorded>(
        stub, std::make_shared<tgd::lm::Cassette>(tgd::lm::CassetteOptions{.path = path, .mode = tgd::lm::CassetteMode::record}));
  }
  if (what == "a ledger") {
    model = std::make_shared<tgd::lm::Observed>(stub, std::make_shared<tgd::lm::Ledger>(tgd::lm::LedgerOptions{.path = path}));
  }
  REQUIRE(model->try_chat_all({ask("first")}).front().ok());
  const int ending = ending_of_child([&] {
    const bool refused = is_refused(model);
    model.reset();
    return refused ? 7 : 8;
  });
  CHECK(ending == 7);
  // The child has taken nothing from the parent.
  CHECK(model->try_chat_all({ask("second")}).front().ok());
  model.reset();
  if (what == "a cassette") CHECK(tgd::lm::Cassette({.path = path, .mode = tgd::lm::CassetteMode::replay}).size() == 2);
}

TEST_CASE("A model that the child of a fork has made works", "[lm][fork]") {
  tgd::test::HttpServer server(tgd::test::replies({tgd::test::says("hello")}));
  OpenAI parent(tgd::test::options_for(server.url()));
  REQUIRE(parent.chat(ask("x")).content == "hello");
  std::promise<void> ran;
  tgd::detail::Executor::shared().post([&] { ran.set_value(); });
  ran.get_future().get();
  const int ending = ending_of_child([&] {
    OpenAI own(tgd::test::options_for(server.url()));
    const bool answers = own.chat(ask("x")).content == "hello";
    std::promise<void> ran_here;
    tgd::detail::Executor::shared().post([&] { ran_here.set_value(); });
    ran_here.get_future().get();
    return answers ? 7 : 8;
  });
  CHECK(ending == 7);
  CHECK(parent.chat(ask("x")).content == "hello");
}
