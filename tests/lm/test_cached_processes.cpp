// One cache and several processes; processes that are killed, have no room on the disk, or may not write.

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <future>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/cached.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/child.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Notice;
using tgd::StateError;
using tgd::lm::Cache;
using tgd::lm::Cached;
using tgd::lm::CacheOptions;
using tgd::lm::OnFault;
using tgd::lm::Outcome;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::test::run_child;

namespace {

std::shared_ptr<Stub> long_winded() {
  return Stub::answering(
      [](const Request& request) { return "It is " + request.messages[0].content + std::string(2000, '.'); });
}

Request asking(int number) { return {.messages = {{"user", std::to_string(number)}}}; }

std::vector<Request> asking(int begin, int end) {
  std::vector<Request> requests;
  for (int i = begin; i < end; ++i) requests.push_back(asking(i));
  return requests;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

CacheOptions options_of_child(OnFault on_fault = OnFault::stop) {
  return {.path = variable("TGD_TEST_CACHE"), .on_fault = on_fault};
}

std::map<std::string, std::string> environment(const std::filesystem::path& cache, const std::string& begin = "0") {
  return {{"TGD_TEST_CACHE", cache.string()}, {"TGD_TEST_BEGIN", begin}};
}

std::string integrity(const std::filesystem::path& file) {
  sqlite3* database = nullptr;
  sqlite3_open(file.c_str(), &database);
  std::string verdict;
  sqlite3_exec(
      database, "PRAGMA integrity_check",
      [](void* text, int, char** values, char**) {
        static_cast<std::string*>(text)->append(values[0]);
        return 0;
      },
      &verdict, nullptr);
  sqlite3_close(database);
  return verdict;
}

/// How many of these requests the file answers.
std::int64_t hits(const std::filesystem::path& file, const std::vector<Request>& requests) {
  const auto cache = std::make_shared<Cache>(CacheOptions{.path = file});
  Cached(long_winded(), cache).chat_all(requests);
  return cache->hits();
}

void become_nobody() {
  constexpr uid_t nobody = 65534;
  if (geteuid() == 0) REQUIRE(setuid(nobody) == 0);
}

}  // namespace

// ---- What the children do --------------------------------------------------------------------------------------------

TEST_CASE("child: asks 150 times", "[.cache-fill][concurrent]") {
  const int begin = std::stoi(variable("TGD_TEST_BEGIN"));
  Cached(long_winded(), std::make_shared<Cache>(options_of_child())).chat_all(asking(begin, begin + 150));
}

TEST_CASE("child: is killed while replies are written", "[.cache-killed]") {
  const auto endpoint = long_winded();
  endpoint->shuffled(1, std::chrono::microseconds(500));
  Cached model(endpoint, std::make_shared<Cache>(options_of_child()));
  std::atomic<int> seen{0};
  for (int i = 0; i < 2000; ++i) {
    model.start(asking(i), [&seen, i](const Outcome&) {
      const std::string line = "seen " + std::to_string(i) + "\n";
      if (write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
      if (++seen == 200) raise(SIGKILL);
    });
  }
  std::this_thread::sleep_for(std::chrono::minutes(1));
}

TEST_CASE("child: has no room on the disk", "[.cache-full]") {
  const bool stop = variable("TGD_TEST_ON_FAULT") == "stop";
  std::vector<std::string> notices;
  CacheOptions options = options_of_child(stop ? OnFault::stop : OnFault::go_on);
  options.on_notice = [&](const Notice& notice) { notices.push_back(notice.text); };
  Cached model(long_winded(), std::make_shared<Cache>(options));
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{100'000, 100'000};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  if (stop) {
    CHECK_THROWS_WITH(model.chat_all(asking(0, 200)), ContainsSubstring("the reply came, but the cache"));
  } else {
    CHECK(model.chat_all(asking(0, 200)).size() == 200);
    CHECK(notices.size() == 1);
  }
}

TEST_CASE("child: may not write", "[.cache-read-only]") {
  become_nobody();
  CHECK_THROWS_AS(Cache(options_of_child()), tgd::ValueError);
  std::vector<std::string> notices;
  CacheOptions options = options_of_child(OnFault::go_on);
  options.on_notice = [&](const Notice& notice) { notices.push_back(notice.text); };
  const auto cache = std::make_shared<Cache>(options);
  CHECK(notices.size() == 1);
  CHECK(Cached(long_winded(), cache).chat_all(asking(0, 20)).size() == 20);
  CHECK(cache->hits() == std::stoi(variable("TGD_TEST_HITS")));
}

// ---- Tests -----------------------------------------------------------------------------------------------------------

TEST_CASE("Several processes share a cache", "[lm][cached][process]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.path() / "replies.db";
  std::vector<std::future<tgd::test::ProcessResult>> children;
  for (const char* begin : {"0", "100", "200"}) {
    children.push_back(std::async(std::launch::async, run_child, "[.cache-fill]", environment(file, begin)));
  }
  for (auto& child : children) {
    const tgd::test::ProcessResult result = child.get();
    INFO(result.out << result.err);
    CHECK(result.status == 0);
  }
  CHECK(Cache({.path = file}).size() == 350);
  CHECK(hits(file, asking(0, 350)) == 350);
  CHECK(integrity(file) == "ok");
}

TEST_CASE("A process that is killed while it writes has stored every reply that it has seen", "[lm][cached][process]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.path() / "replies.db";
  const auto result = run_child("[.cache-killed]", environment(file));
  INFO(result.out << result.err);
  REQUIRE(result.status == 128 + SIGKILL);
  std::vector<Request> seen;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("seen ")) seen.push_back(asking(std::stoi(line.substr(5))));
  }
  CHECK(seen.size() >= 200);
  CHECK(integrity(file) == "ok");
  CHECK(hits(file, seen) == static_cast<std::int64_t>(seen.size()));
}

TEST_CASE("A full disk stops the run or is reported, and the file stays whole", "[lm][cached][process]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.path() / "replies.db";
  auto variables = environment(file);
  variables["TGD_TEST_ON_FAULT"] = GENERATE("stop", "go on");
  const auto result = run_child("[.cache-full]", variables);
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  CHECK(integrity(file) == "ok");
  const std::int64_t stored = Cache({.path = file}).size();
  CHECK(stored < 200);
  CHECK(hits(file, asking(0, 200)) == stored);
}

TEST_CASE("A cache that may not be written is refused, or gives what it has", "[lm][cached][process]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.path() / "replies.db";
  Cached(long_winded(), std::make_shared<Cache>(CacheOptions{.path = file})).chat_all(asking(0, 10));
  auto variables = environment(file);
  SECTION("read-only file") {
    REQUIRE(chmod(file.c_str(), 0444) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
    variables["TGD_TEST_HITS"] = "10";
  }
  SECTION("read-only folder") {
    REQUIRE(chmod(file.c_str(), 0444) == 0);
    REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
    variables["TGD_TEST_HITS"] = "0";
  }
  const auto result = run_child("[.cache-read-only]", variables);
  INFO(result.out << result.err);
  CHECK(result.status == 0);
  REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  CHECK(integrity(file) == "ok");
}
