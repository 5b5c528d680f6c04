// Callbacks of users: none runs under a lock of tgd's, and one that throws leaves no call open.
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/append_file.hpp"
#include "support/chat_calls.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Notice;
using tgd::lm::Ledger;
using tgd::lm::LedgerOptions;
using tgd::lm::Observed;
using tgd::lm::OnFault;
using tgd::lm::Outcome;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::test::ask;
using tgd::test::echo;

TEST_CASE("A ledger's callback may ask the ledger", "[lm][callbacks]") {
  std::shared_ptr<Ledger> ledger;
  std::promise<std::int64_t> lost;
  ledger = std::make_shared<Ledger>(LedgerOptions{.path = "/dev/full",
                                                  .on_fault = OnFault::go_on,
                                                  .on_call = [&](const tgd::lm::CallRecord&) { ledger->totals(); },
                                                  .on_notice =
                                                      [&](const Notice&) {
                                                        ledger->flush();
                                                        lost.set_value(ledger->lost());
                                                      }});
  ledger->add({});
  CHECK(lost.get_future().get() == 1);
}

TEST_CASE("An answer of a stub may ask the stub", "[lm][callbacks][concurrent]") {
  const auto stub = std::make_shared<Stub>();
  stub->when([&](const Request& request) { return request.messages[0].content == "outer"; },
             [&](const Request&) { return tgd::lm::Reply{.content = "with " + stub->chat(ask("inner")).content}; });
  stub->otherwise("inner answer");
  stub->latency([&](std::size_t, const Request&) {
    static_cast<void>(stub->calls());
    return std::chrono::microseconds(1);
  });
  CHECK(stub->chat(ask("outer")).content == "with inner answer");
  CHECK(stub->calls() == 2);
}

TEST_CASE("Answers of a stub are made one at a time, in order of arrival", "[lm][callbacks][concurrent]") {
  int at_once = 0;
  int most = 0;
  const auto stub = Stub::answering([&](const Request&) {
    most = std::max(most, ++at_once);
    std::this_thread::yield();
    --at_once;
    return "x";
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) stub->chat(ask("x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(most == 1);
  CHECK(stub->calls() == 400);
}

TEST_CASE("A callback that throws ends its own call and leaves no other one open", "[lm][callbacks][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  SECTION("a ledger's") {
    const auto ledger = std::make_shared<Ledger>(
        LedgerOptions{.on_call = [](const tgd::lm::CallRecord&) { throw std::runtime_error("the callback failed"); }});
    Observed model(echo(), ledger);
    CHECK_THROWS_WITH(model.chat(ask("x")), "the callback failed");
  }
  SECTION("a stub's latency") {
    const auto stub = echo();
    stub->latency([](std::size_t, const Request&) -> std::chrono::microseconds { throw std::runtime_error("no latency"); });
    CHECK_THROWS_WITH(stub->chat(ask("x")), "no latency");
  }
  SECTION("one that waits for the same reply") {
    const auto stub = echo();
    stub->latency(std::chrono::milliseconds(20));
    tgd::lm::Cached model(stub, std::make_shared<tgd::lm::Cache>(tgd::lm::CacheOptions{.path = folder.path() / "cache.db"}));
    model.start(ask("x"), [](const Outcome&) { throw std::runtime_error("thrown away"); });
    std::future<Outcome> second = tgd::test::start(model, ask("x"));
    model.start(ask("x"), [](const Outcome&) { throw std::runtime_error("thrown away"); });
    std::future<Outcome> fourth = tgd::test::start(model, ask("x"));
    CHECK(second.get().ok());
    CHECK(fourth.get().ok());
    CHECK(model.chat(ask("y")).content == "re: y");
  }
  SECTION("a cassette's notice and its caller's") {
    const auto cassette = std::make_shared<tgd::lm::Cassette>(tgd::lm::CassetteOptions{
        .path = folder.path() / "run.cassette", .on_fault = OnFault::go_on, .on_notice = [](const Notice&) {
          throw std::runtime_error("thrown away");
        }});
    std::filesystem::create_symlink("/dev/full", folder.path() / "run.cassette");
    tgd::lm::Recorded model(echo(), cassette);
    model.start(ask("x"), [](const Outcome&) { throw std::runtime_error("thrown away"); });
    CHECK(model.chat(ask("y")).content == "re: y");
  }
}

TEST_CASE("A cassette that another process has locked holds up its own replies and nobody else",
          "[lm][callbacks][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  const auto path = folder.path() / "run.cassette";
  const auto stub = echo();
  stub->latency(std::chrono::microseconds(10));  // replies come from the stub's thread, which stands for the I/O thread
  tgd::lm::Recorded model(stub, std::make_shared<tgd::lm::Cassette>(tgd::lm::CassetteOptions{.path = path}));
  model.chat(ask("first"));

  const int other = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(other >= 0);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  std::future<Outcome> held = tgd::test::start(model, ask("held up"));
  CHECK(stub->chat(ask("not recorded")).content == "re: not recorded");
  CHECK(stub->chat(ask("nor this one")).content == "re: nor this one");
  CHECK(held.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);
  ::flock(other, LOCK_UN);
  ::close(other);
  CHECK(held.get().value().content == "re: held up");
}
