// Files of this floor that something has damaged.
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include <tgd/lm/cached.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/damage.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace tgd::lm;
using tgd::test::check_damages;
using tgd::test::damaged_bytes;
using tgd::test::damaged_lines;
using tgd::test::damaged_values;

const std::string reply =
    R"({"content":"yes","alternatives":["a","b"],"finish_reason":"stop","model":"m","usage":{"calls":1,"prompt_tokens":7}})";

/// The content of each row becomes `text`.
void put_into_rows(const std::filesystem::path& file, const std::string& text) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  sqlite3_stmt* update = nullptr;
  REQUIRE(sqlite3_prepare_v2(database, "UPDATE replies SET reply = ?1", -1, &update, nullptr) == SQLITE_OK);
  sqlite3_bind_text(update, 1, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  CHECK(sqlite3_step(update) == SQLITE_DONE);
  sqlite3_finalize(update);
  sqlite3_close(database);
}

}  // namespace

TEST_CASE("A damaged file of prices is refused by file and place", "[lm][damage]") {
  const tgd::test::TemporaryFolder folder;
  const std::string good = R"({"unit": "USD per 1M tokens", "models": [
    {"model": "m", "input": 1, "cached_input": 0.5, "output": 2, "as_of": "2026-01-31"}]})";
  const auto read = [&](const std::string& text) { PriceTable().load(folder.write("prices.json", text)); };
  check_damages(damaged_bytes(good), "prices.json", read);
  check_damages(damaged_values(good), "prices.json", read);
}

TEST_CASE("A damaged cassette is refused by file and line; an exchange that was cut off is none", "[lm][damage]") {
  const tgd::test::TemporaryFolder folder;
  const std::string good =
      "{\"tgd_cassette\":1}\n"
      R"({"model":"m","sample":1,"args":{"seed":7},"messages":[{"role":"user","content":["a","b"]}],"first":2,"replies":[)" +
      reply + R"(,{"error":{"kind":"status","message":"no","status":500,"retryable":true},"usage":{"calls":1}}]})" + "\n";
  const auto read = [&](const std::string& text) {
    Cassette({.path = folder.write("run.cassette", text), .mode = CassetteMode::replay});
  };
  check_damages(damaged_bytes(good), "run.cassette", read);
  check_damages(damaged_lines(good), "run.cassette, line ", read);
}

TEST_CASE("A damaged row of a cache is refused by file, not given as a reply", "[lm][damage]") {
  const tgd::test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "replies.db";
  const auto stub = Stub::answering([](const Request&) { return "yes"; });
  Cached(stub, std::make_shared<Cache>(CacheOptions{.path = file})).chat({{"user", "?"}});
  Cached cached(stub, std::make_shared<Cache>(CacheOptions{.path = file}));
  const auto read = [&](const std::string& text) {
    put_into_rows(file, text);
    cached.chat({{"user", "?"}});
  };
  read(reply);
  check_damages(damaged_values(reply), "replies.db", read);
  check_damages(damaged_bytes(reply, 20), "replies.db", read);
}

TEST_CASE("Any byte of a cache's file may be wrong: it answers, asks again, or names the file", "[lm][damage]") {
  const tgd::test::TemporaryFolder folder;
  const std::filesystem::path good = folder.path() / "good.db";
  const auto stub = Stub::answering([](const Request&) { return "yes"; });
  {
    Cached model(stub, std::make_shared<Cache>(CacheOptions{.path = good}));
    for (int i = 0; i < 20; ++i) model.chat({{"user", std::to_string(i)}});
  }
  const std::string bytes = tgd::detail::read_file(good);
  check_damages(damaged_bytes(bytes, 30), "replies.db", [&](const std::string& damaged) {
    for (const char* left : {"replies.db-wal", "replies.db-shm"}) std::filesystem::remove(folder.path() / left);
    const auto cache = std::make_shared<Cache>(CacheOptions{.path = folder.write("replies.db", damaged)});
    CHECK(Cached(stub, cache).chat({{"user", "3"}}).content == "yes");
    cache->size();
    cache->prune(5);
  });
}
