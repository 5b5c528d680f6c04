#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// A cache with so many replies in it.
fs::path write_cache(const test::TemporaryFolder& folder, int replies) {
  const fs::path file = folder.path() / "replies.db";
  const auto cache = std::make_shared<lm::Cache>(lm::CacheOptions{.path = file});
  lm::Cached model(lm::Stub::answering([](const lm::Request&) { return "yes"; }), cache);
  for (int i = 0; i < replies; ++i) model.chat({{"user", std::to_string(i)}});
  return file;
}

nlohmann::json document(const test::ProcessResult& result) {
  INFO(result.err);
  REQUIRE(result.status == 0);
  return nlohmann::json::parse(result.out);
}

}  // namespace

TEST_CASE("a cache's file says how much is in it and can be pruned by number and by age", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string file = write_cache(folder, 12).string();
  CHECK(document(test::run_tgd({"cache", "stats", file, "--json"}))["replies"] == 12);
  CHECK_THAT(test::run_tgd({"cache", "stats", file}).out, ContainsSubstring("12 replies"));

  CHECK(document(test::run_tgd({"cache", "prune", file, "--older-than", "1d", "--json"}))["removed"] == 0);
  const nlohmann::json pruned = document(test::run_tgd({"cache", "prune", file, "--keep", "5", "--json"}));
  CHECK(pruned["removed"] == 7);
  CHECK(pruned["replies"] == 5);
  CHECK(document(test::run_tgd({"cache", "prune", file, "--keep", "0", "--json"}))["replies"] == 0);
}

TEST_CASE("what is no cache is refused and stays as it is", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string task = test::write_small_task(folder).string();
  const fs::path other = folder.write("notes.db", "These are notes, and no cache.");

  const test::ProcessResult missing = test::run_tgd({"cache", "stats", (folder.path() / "none.db").string()});
  CHECK(missing.status == 2);
  CHECK_THAT(missing.err, ContainsSubstring("there is no cache"));
  CHECK_FALSE(fs::exists(folder.path() / "none.db"));

  for (const char* command : {"stats", "prune"}) {
    std::vector<std::string> arguments{"cache", command, other.string()};
    if (arguments[1] == "prune") arguments.insert(arguments.end(), {"--keep", "0"});
    const test::ProcessResult foreign = test::run_tgd(arguments);
    CHECK(foreign.status == 2);
    CHECK_THAT(foreign.err, ContainsSubstring("notes.db"));
    CHECK(test::read_text(other) == "These are notes, and no cache.");
  }
  const test::ProcessResult without = test::run_tgd({"cache", "stats", task});
  CHECK(without.status == 2);
  CHECK_THAT(without.err, ContainsSubstring("has no cache"));
}

TEST_CASE("pruning needs one measure, and an age its unit", "[cli]") {
  const test::TemporaryFolder folder;
  const std::string file = write_cache(folder, 2).string();
  CHECK(test::run_tgd({"cache", "prune", file}).status == 2);
  CHECK(test::run_tgd({"cache", "prune", file, "--keep", "1", "--older-than", "1d"}).status == 2);
  CHECK(test::run_tgd({"cache", "prune", file, "--keep", "-1"}).status == 2);
  for (const char* age : {"30", "d", "30x", "-3d", "99999999999d", "3dd", ""}) {
    const test::ProcessResult result = test::run_tgd({"cache", "prune", file, "--older-than", age});
    INFO(age << result.err);
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("30d"));
  }
  CHECK(document(test::run_tgd({"cache", "stats", file, "--json"}))["replies"] == 2);
}
