#include <tgd/lm/cached.hpp>

#include <sqlite3.h>

#include <future>
#include <optional>
#include <string>
#include <vector>

#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/gated_model.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::Notice;
using tgd::ValueError;
using tgd::lm::Cache;
using tgd::lm::Cached;
using tgd::lm::CacheOptions;
using tgd::lm::OnFault;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::lm::Usage;

namespace {

const Usage paid{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 100, .completion_tokens = 10};

std::shared_ptr<Stub> paid_stub() {
  return Stub::answering_in_full([](const Request& request) {
    const std::string& question = request.messages.back().content;
    if (question == "fail") throw LMError(LMError::Kind::status, "no", 500);
    return Reply{.content = "It is " + question + " #" + std::to_string(request.sample),
                 .finish_reason = question == "long" ? "length" : "stop",
                 .model = "stub-1",
                 .usage = paid,
                 .alternatives = {"or not"}};
  });
}

Request asking(const std::string& text, std::uint64_t sample = 0) { return {.messages = {{"user", text}}, .sample = sample}; }

std::shared_ptr<Cache> cache_in(const std::filesystem::path& path) {
  return std::make_shared<Cache>(CacheOptions{.path = path});
}

struct Scene {
  tgd::test::TemporaryFolder folder;
  std::shared_ptr<Stub> endpoint = paid_stub();
  std::shared_ptr<Cache> cache = cache_in(folder.path() / "replies.db");
  Cached model{endpoint, cache};
};

void run_sql(const std::filesystem::path& file, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

}  // namespace

TEST_CASE("The same request is sent once", "[lm][cached][concurrent]") {
  Scene scene;
  const Outcome outcome = scene.model.try_chat_all({asking("blue")}).front();
  const Outcome hit = scene.model.try_chat_all({asking("blue")}).front();
  const Reply& first = outcome.value();
  const Reply& again = hit.value();
  CHECK(scene.endpoint->calls() == 1);
  CHECK(first.usage == paid);
  CHECK(outcome.receipt().source == tgd::lm::ReplySource::endpoint);
  CHECK_FALSE(outcome.receipt().original_usage);

  CHECK(again.content == first.content);
  CHECK(again.finish_reason == "stop");
  CHECK(again.model == "stub-1");
  CHECK(again.alternatives == first.alternatives);
  CHECK(again.usage == Usage{.calls = 1});
  CHECK(hit.receipt().source == tgd::lm::ReplySource::cache);
  CHECK(hit.receipt().original_usage == paid);

  CHECK(scene.cache->hits() == 1);
  CHECK(scene.cache->misses() == 1);
  CHECK(scene.cache->size() == 1);
  CHECK(scene.cache->bytes() > 0);
  CHECK(scene.model.usage() == Usage{.calls = 2, .attempts = 1, .reported = 1, .prompt_tokens = 100, .completion_tokens = 10});
}

TEST_CASE("A hit costs nothing", "[lm][cached]") {
  Scene scene;
  scene.model.chat(asking("blue"));
  CHECK(tgd::lm::call_cost({}, "some model", scene.model.try_chat_all({asking("blue")}).front()) == tgd::lm::Cost());
}

TEST_CASE("Another sample number asks for another answer", "[lm][cached]") {
  Scene scene;
  CHECK(scene.model.chat(asking("blue", 1)).content == "It is blue #1");
  CHECK(scene.model.chat(asking("blue", 2)).content == "It is blue #2");
  CHECK(scene.model.chat(asking("blue", 1)).content == "It is blue #1");
  CHECK(scene.endpoint->calls() == 2);
}

TEST_CASE("A reply that was of no use is not given again", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  const auto stub = paid_stub();
  const Request request{.messages = {{"user", "hot"}}};
  {
    Cached cached(stub, std::make_shared<Cache>(CacheOptions{.path = folder.path() / "replies.db"}));
    cached.chat(request);
    cached.chat({.messages = {{"user", "cold"}}});
    cached.reject(request);
    CHECK(stub->requests().size() == 2);
    cached.chat(request);  // at once, whatever the file holds by now
    CHECK(stub->requests().size() == 3);
    cached.chat(request);
    CHECK(stub->requests().size() == 3);
    cached.reject(request);
  }
  Cached later(stub, std::make_shared<Cache>(CacheOptions{.path = folder.path() / "replies.db"}));
  later.chat({.messages = {{"user", "cold"}}});
  CHECK(stub->requests().size() == 3);
  later.chat(request);
  CHECK(stub->requests().size() == 4);
}

TEST_CASE("Replies outlive the process's cache object", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  Cached(paid_stub(), cache_in(folder.path() / "replies.db")).chat(asking("blue"));
  const auto unused = paid_stub();
  CHECK(Cached(unused, cache_in(folder.path() / "replies.db")).chat(asking("blue")).content == "It is blue #0");
  CHECK(unused->calls() == 0);
}

TEST_CASE("Errors and replies that were cut off are not stored", "[lm][cached]") {
  Scene scene;
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_AS(scene.model.chat(asking("fail")), LMError);
    CHECK(scene.model.chat(asking("long")).finish_reason == "length");
  }
  CHECK(scene.endpoint->calls() == 4);
  CHECK(scene.cache->size() == 0);
}

TEST_CASE("A reply that is no UTF-8 is given but not stored", "[lm][cached]") {
  Scene scene;
  const auto odd = Stub::answering([](const Request&) { return std::string("\xff"); });
  CHECK(Cached(odd, scene.cache).chat(asking("odd")).content == "\xff");
  CHECK(scene.cache->size() == 0);
}

TEST_CASE("A hit is streamed in one piece, and a streamed reply is stored", "[lm][cached]") {
  Scene scene;
  std::vector<std::string> pieces;
  const auto on_text = [&](std::string_view piece) { pieces.emplace_back(piece); };
  scene.model.chat_stream(asking("blue"), on_text);
  scene.model.chat_stream(asking("blue"), on_text);
  CHECK(pieces == std::vector<std::string>{"It ", "is ", "blue ", "#0", "It is blue #0"});
  CHECK(scene.endpoint->calls() == 1);
  CHECK(scene.model.chat(asking("blue")).usage == Usage{.calls = 1});
}

TEST_CASE("Equal requests in flight are sent once", "[lm][cached]") {
  Scene scene;
  scene.endpoint->latency(std::chrono::milliseconds(5));
  std::vector<Request> requests(20, asking("blue"));
  requests.push_back(asking("blue", 1));
  const std::vector<Reply> replies = scene.model.chat_all(requests);
  CHECK(scene.endpoint->calls() == 2);
  int paying = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(replies[i].content == "It is blue #0");
    paying += replies[i].usage == paid ? 1 : 0;
  }
  CHECK(paying == 1);
  CHECK(replies[20].content == "It is blue #1");
  CHECK(scene.cache->hits() == 19);
  CHECK(scene.cache->misses() == 2);
}

TEST_CASE("A cancelled call leaves the equal ones alone", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  const auto gated = std::make_shared<tgd::test::GatedModel>();
  Cached model(gated, cache_in(folder.path() / "replies.db"));
  std::stop_source stop;
  Request first = asking("blue");
  first.stop = stop.get_token();
  std::optional<Outcome> ended;
  std::promise<std::string> content;
  model.start(first, [&](Outcome outcome) { ended = std::move(outcome); });
  model.start(asking("blue"), [&](Outcome outcome) { content.set_value(outcome.value().content); });
  stop.request_stop();
  REQUIRE(ended);
  CHECK(ended->error_message() == "the call was cancelled");
  gated->reply("blue", "yes");
  CHECK(content.get_future().get() == "yes");
  CHECK(gated->cancelled().empty());
}

TEST_CASE("A cancelled call that is alone stops what was sent", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  const auto gated = std::make_shared<tgd::test::GatedModel>();
  Cached model(gated, cache_in(folder.path() / "replies.db"));
  std::stop_source stop;
  Request request = asking("blue");
  request.stop = stop.get_token();
  std::optional<Outcome> ended;
  model.start(request, [&](Outcome outcome) { ended = std::move(outcome); });
  stop.request_stop();
  REQUIRE(ended);
  CHECK_FALSE(ended->ok());
  CHECK(gated->cancelled() == std::vector<std::string>{"blue"});
  CHECK_THROWS_AS(model.chat(request), LMError);
}

TEST_CASE("A cache can be pruned by number and by age, and cleared", "[lm][cached]") {
  Scene scene;
  for (int i = 0; i < 10; ++i) scene.model.chat(asking(std::to_string(i)));
  CHECK(scene.cache->prune(4) == 6);
  CHECK(scene.cache->size() == 4);
  scene.model.chat(asking("9"));
  CHECK(scene.endpoint->calls() == 10);
  scene.model.chat(asking("0"));
  CHECK(scene.endpoint->calls() == 11);

  CHECK(scene.cache->prune(std::chrono::system_clock::now() - std::chrono::hours(1)) == 0);
  CHECK(scene.cache->prune(std::chrono::system_clock::now() + std::chrono::hours(1)) == 5);
  scene.model.chat(asking("0"));
  scene.cache->clear();
  CHECK(scene.cache->size() == 0);
  CHECK_THROWS_AS(scene.cache->prune(-1), ValueError);
}

TEST_CASE("Clearing gives the space back to the disk", "[lm][cached]") {
  Scene scene;
  for (int i = 0; i < 50; ++i) scene.model.chat(asking(std::string(5000, 'x') + std::to_string(i)));
  const auto full = scene.cache->bytes();
  scene.cache->clear();
  CHECK(scene.cache->bytes() < full / 2);
}

TEST_CASE("A file that is no cache is refused and left as it is, or the run goes on without it", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  std::filesystem::path file;
  std::string reason;
  SECTION("not a database") {
    file = folder.write("thesis.txt", std::string(5000, 'x'));
    reason = "It is damaged or no cache";
  }
  SECTION("another program's database") {
    file = folder.path() / "other.db";
    run_sql(file, "CREATE TABLE replies (id); PRAGMA user_version = 1;");
    reason = "is a database of another program";
  }
  SECTION("a newer version's cache") {
    file = folder.path() / "replies.db";
    cache_in(file).reset();
    run_sql(file, "PRAGMA user_version = 2;");
    reason = "was written by a newer version of tgd (format 2, this one knows 1)";
  }
  SECTION("a folder that is not there") {
    file = folder.path() / "none" / "replies.db";
    reason = "cannot be opened: unable to open database file";
  }
  SECTION("no path") { reason = "CacheOptions::path is empty"; }
  const bool exists = !file.empty() && std::filesystem::exists(file);
  const std::string before = exists ? tgd::detail::read_file(file) : "";
  CHECK_THROWS_WITH(cache_in(file), ContainsSubstring(reason));

  std::vector<std::string> notices;
  const auto without = std::make_shared<Cache>(CacheOptions{
      .path = file, .on_fault = OnFault::go_on, .on_notice = [&](const Notice& notice) { notices.push_back(notice.text); }});
  const auto endpoint = paid_stub();
  Cached model(endpoint, without);
  for (int i = 0; i < 2; ++i) CHECK(model.chat(asking("blue")).content == "It is blue #0");
  CHECK(endpoint->calls() == 2);
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices[0], ContainsSubstring(reason));
  CHECK(without->size() == 0);
  if (exists) CHECK(tgd::detail::read_file(file) == before);
}

TEST_CASE("A file that is damaged while it is used stops calls or is reported once, as configured", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  const auto file = folder.path() / "replies.db";
  std::vector<std::string> notices;
  const bool stop = GENERATE(true, false);
  const auto cache = std::make_shared<Cache>(
      CacheOptions{.path = file, .on_fault = stop ? OnFault::stop : OnFault::go_on, .on_notice = [&](const Notice& notice) {
                     notices.push_back(notice.text);
                   }});
  const auto endpoint = paid_stub();
  Cached model(endpoint, cache);
  model.chat(asking("blue"));
  run_sql(file, "UPDATE replies SET reply = '{\"content\": 3}'");
  if (stop) {
    CHECK_THROWS_WITH(model.chat(asking("blue")),
                      ContainsSubstring("the call was not sent, because the cache") &&
                          ContainsSubstring("holds a damaged reply: \"content\" must be a text, but is 3"));
    CHECK(endpoint->calls() == 1);
  } else {
    for (int i = 0; i < 2; ++i) CHECK(model.chat(asking("blue")).content == "It is blue #0");
    CHECK(notices.size() == 1);
  }
}

TEST_CASE("A cache may end before its calls do", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  const auto gated = std::make_shared<tgd::test::GatedModel>();
  std::promise<std::string> content;
  {
    Cached model(gated, cache_in(folder.path() / "replies.db"));
    model.start(asking("blue"), [&](Outcome outcome) { content.set_value(outcome.value().content); });
  }
  gated->reply("blue", "yes");
  CHECK(content.get_future().get() == "yes");
}

TEST_CASE("A cache refuses a time to wait that is none, even where it goes on without a file", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  for (const auto wait : {std::chrono::milliseconds(-1), std::chrono::milliseconds::max(), std::chrono::milliseconds::min()}) {
    CHECK_THROWS_WITH(Cache({.path = folder.path() / "cache", .on_fault = OnFault::go_on, .busy_timeout = wait}),
                      ContainsSubstring("CacheOptions::busy_timeout must be"));
  }
  CHECK_NOTHROW(Cache({.path = folder.path() / "cache", .busy_timeout = std::chrono::hours(24 * 365)}));
}

TEST_CASE("Cached needs a model and a cache", "[lm][cached]") {
  const tgd::test::TemporaryFolder folder;
  CHECK_THROWS_AS(Cached(nullptr, cache_in(folder.path() / "replies.db")), ValueError);
  CHECK_THROWS_AS(Cached(paid_stub(), nullptr), ValueError);
}
