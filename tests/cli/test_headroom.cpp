// `tgd check --headroom`: what a run may gain, before it is paid for.
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

nlohmann::json model_at(const test::ChatServer& server) {
  return {{"provider", "openai"}, {"model", "small"}, {"base_url", server.url()}};
}

nlohmann::json headroom_of(const test::TemporaryFolder& folder, const nlohmann::json& task) {
  const fs::path file = folder.write("task.json", task.dump(2));
  const test::ProcessResult result = test::run_tgd({"check", file.string(), "--headroom", "--json"});
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  const nlohmann::json document = nlohmann::json::parse(result.out);
  REQUIRE(document.contains("headroom"));
  return document["headroom"];
}

nlohmann::json small_task(const test::TemporaryFolder& folder) {
  return nlohmann::json::parse(test::read_text(test::write_small_task(folder)));
}

}  // namespace

TEST_CASE("headroom names what was tried on the same samples, with about 60 calls", "[cli]") {
  const test::TemporaryFolder folder;
  const nlohmann::json found = headroom_of(folder, small_task(folder));
  CHECK(found["calls"].get<int>() >= 40);
  CHECK(found["calls"].get<int>() <= 70);
  std::vector<std::string> names;
  for (const nlohmann::json& version : found["versions"]) {
    names.push_back(version["name"]);
    CHECK(std::lround(version["score"].get<double>() * found["samples"].get<double>()) == version["solved"].get<int>());
    CHECK(version["interval"][0].get<double>() <= version["score"].get<double>());
    CHECK(version["interval"][1].get<double>() >= version["score"].get<double>());
  }
  REQUIRE(names.size() >= 4);
  CHECK(names[0] == "the start prompt");
  CHECK(names[1] == "the start prompt, asked again");
  CHECK(names.back() == "the teacher's new value");
  CHECK(found["versions"][0]["solved"] == found["versions"][1]["solved"]);
  CHECK(found["changed_by_themselves"] == 0);
  CHECK(found["verdict"].size() == 2);
}

TEST_CASE("headroom tells why a run would gain little", "[cli]") {
  const test::TemporaryFolder folder;
  nlohmann::json task = small_task(folder);
  lm::Simulated simulated;

  SECTION("the start prompt is right already") {
    std::string lines;
    for (int i = 0; i < 40; ++i)
      lines += nlohmann::json{{"text", "Ticket " + std::to_string(i)}, {"label", "billing"}}.dump() + "\n";
    folder.write("tickets.jsonl", lines);
    const test::ChatServer student(lm::Stub::answering([](const lm::Request&) { return "billing"; }));
    task["models"] = {{"student", model_at(student)}};
    const nlohmann::json found = headroom_of(folder, task);
    CHECK(found["solved_by_all"] == found["samples"]);
    CHECK_THAT(found["verdict"][0].get<std::string>(), ContainsSubstring("little to gain"));
    CHECK_THAT(found["teacher"]["reason"].get<std::string>(), ContainsSubstring("are solved"));
  }
  SECTION("the teacher writes nothing that can be used") {
    const test::ChatServer teacher(lm::Stub::answering([](const lm::Request&) { return "I cannot help with that."; }));
    task["models"]["teacher"] = model_at(teacher);
    const nlohmann::json found = headroom_of(folder, task);
    CHECK(found["teacher"]["tried"] == false);
    CHECK_THAT(found["verdict"][1].get<std::string>(),
               ContainsSubstring("no value that could be used") && ContainsSubstring("stronger"));
  }
  SECTION("scores change by themselves") {
    std::mutex mutex;
    std::map<std::string, int> asked;
    const test::ChatServer student(lm::Stub::answering_in_full([&](const lm::Request& request) {
      lm::Reply reply = simulated.chat(request);
      const std::lock_guard lock(mutex);
      if (++asked[request.messages.back().content] % 2 == 0) reply.content = "no idea";
      return reply;
    }));
    task["models"] = {{"student", model_at(student)}, {"teacher", {{"provider", "simulated"}}}};
    const nlohmann::json found = headroom_of(folder, task);
    CHECK(found["changed_by_themselves"].get<int>() > 0);
    CHECK_THAT(found["verdict"][1].get<std::string>(), ContainsSubstring("by itself"));
  }
  SECTION("nothing solves any sample") {
    const test::ChatServer student(lm::Stub::answering([](const lm::Request&) { return "no idea"; }));
    task["models"] = {{"student", model_at(student)}, {"teacher", {{"provider", "simulated"}}}};
    const nlohmann::json found = headroom_of(folder, task);
    CHECK(found["solved_by_none"] == found["samples"]);
    CHECK_THAT(found["verdict"][0].get<std::string>(), ContainsSubstring("doubtful"));
  }
}

TEST_CASE("headroom needs calls, and a budget that ends is no failure of the check", "[cli]") {
  const test::TemporaryFolder folder;
  fs::path file = test::write_small_task(folder);
  CHECK(test::run_tgd({"check", file.string(), "--headroom", "--no-calls"}).status == 2);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["budget"] = {{"calls", 30}};
  file = folder.write("task.json", task.dump(2));
  const test::ProcessResult result = test::run_tgd({"check", file.string(), "--headroom"});
  INFO(result.out << result.err);
  CHECK_THAT(result.out, ContainsSubstring("the headroom could not be found"));
}
