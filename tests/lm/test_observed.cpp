#include <tgd/lm/observed.hpp>

#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::BudgetError;
using tgd::LMError;
using tgd::Notice;
using tgd::StateError;
using tgd::lm::CallRecord;
using tgd::lm::Ledger;
using tgd::lm::LedgerOptions;
using tgd::lm::Observed;
using tgd::lm::OnFault;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;

namespace {

std::shared_ptr<Stub> stub() {
  return Stub::answering_in_full([](const Request& request) {
    const std::string& question = request.messages.back().content;
    if (question == "fail") throw LMError(LMError::Kind::status, "too many", 429, true);
    if (question == "expensive") throw BudgetError("0 calls are left");
    return Reply{.content = "It is " + question,
                 .finish_reason = "stop",
                 .model = "gpt-4o-mini-2024-07-18",
                 .usage = {.reported = 1, .prompt_tokens = 1000, .cached_prompt_tokens = 200, .completion_tokens = 10}};
  });
}

Request detailed_call(const std::string& text) {
  return {.messages = {{"user", text}},
          .args = {{"model", "gpt-4o-mini"}, {"temperature", 0.5}, {"api_key", "sesame"}},
          .info = {.purpose = "judge", .node = "Judge", .parameter = "prompt", .item = 3},
          .options = {.headers = {{"Authorization", "Bearer sesame"}}},
          .sample = 2};
}

struct Scene {
  explicit Scene(LedgerOptions options = {}) {
    if (options.path.empty()) options.path = folder.path() / "calls.jsonl";
    path = options.path;
    options.flush_after = std::chrono::milliseconds(1);
    options.on_notice = [this](const Notice& notice) {
      const std::lock_guard lock(mutex);
      notices.push_back(notice.text);
    };
    ledger = std::make_shared<Ledger>(std::move(options));
    model = std::make_shared<Observed>(stub(), ledger);
  }

  std::vector<nlohmann::json> lines() const {
    ledger->flush();
    std::vector<nlohmann::json> values;
    for (const tgd::Json& line : tgd::lm::read_ledger(path)) values.push_back(line.value());
    return values;
  }

  tgd::test::TemporaryFolder folder;
  std::filesystem::path path;
  std::mutex mutex;
  std::vector<std::string> notices;
  std::shared_ptr<Ledger> ledger;
  std::shared_ptr<Observed> model;
};

}  // namespace

TEST_CASE("Each call is a line of the ledger, under the names that OpenTelemetry gives", "[lm][observed][concurrent]") {
  const Scene scene;
  scene.model->chat(detailed_call("blue"));
  const auto lines = scene.lines();
  REQUIRE(lines.size() == 1);
  nlohmann::json line = lines[0];

  CHECK_THAT(line["timestamp"].get<std::string>(), Catch::Matchers::EndsWith("Z"));
  CHECK(line["timestamp"].get<std::string>().size() == std::string("2026-01-02T03:04:05.678Z").size());
  CHECK(line["tgd.latency_s"].get<double>() >= 0);
  CHECK(line["tgd.request.hash"].get<std::string>().size() == 64);
  for (const char* changing : {"timestamp", "tgd.latency_s", "tgd.request.hash"}) line.erase(changing);
  CHECK(line == nlohmann::json::parse(R"({
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "stub", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.temperature": 0.5, "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 200,
    "gen_ai.usage.reasoning.output_tokens": 0,
    "tgd.purpose": "judge", "tgd.node": "Judge", "tgd.parameter": "prompt", "tgd.item": 3, "tgd.sample": 2, "tgd.attempts": 1,
    "tgd.cost_usd": 0.000141, "tgd.outcome": "ok", "tgd.cached": false, "tgd.streamed": false})"));
}

TEST_CASE("A failed or refused call is a line too", "[lm][observed]") {
  const Scene scene;
  CHECK_THROWS_AS(scene.model->chat(detailed_call("fail")), LMError);
  CHECK_THROWS_AS(scene.model->chat(detailed_call("expensive")), BudgetError);
  const auto lines = scene.lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["tgd.outcome"] == "error");
  CHECK(lines[0]["error.type"] == "429");
  CHECK(lines[0]["error.message"] == "too many");
  CHECK_FALSE(lines[0].contains("gen_ai.usage.input_tokens"));
  CHECK(lines[1]["tgd.outcome"] == "refused");
  CHECK(lines[1]["error.type"] == "budget");
  CHECK(scene.ledger->totals().total().usage.calls == 1);
  CHECK(scene.ledger->totals().total().failed == 1);
}

TEST_CASE("Texts are written only when asked for, keys and headers never", "[lm][observed]") {
  const bool wanted = GENERATE(false, true);
  const Scene scene({.include_text = wanted});
  scene.model->chat(detailed_call("blue"));
  scene.ledger->flush();
  const std::string text = tgd::detail::read_file(scene.path);
  CHECK((text.find("It is blue") != std::string::npos) == wanted);
  CHECK(text.find("sesame") == std::string::npos);
  if (wanted) {
    CHECK(scene.lines()[0]["gen_ai.input.messages"][0] ==
          nlohmann::json::parse(R"({"role": "user", "parts": [{"type": "text", "content": "blue"}]})"));
  }
}

TEST_CASE("A streamed call is observed as well", "[lm][observed]") {
  const Scene scene;
  std::string streamed;
  scene.model->chat_stream(detailed_call("blue"), [&](std::string_view piece) { streamed += piece; });
  CHECK(streamed == "It is blue");
  CHECK(scene.lines()[0]["tgd.streamed"] == true);
}

TEST_CASE("The callback sees each call, and several models share a ledger's totals", "[lm][observed]") {
  std::vector<CallRecord> records;
  const auto ledger =
      std::make_shared<Ledger>(LedgerOptions{.on_call = [&](const CallRecord& record) { records.push_back(record); }});
  Observed first(stub(), ledger);
  Observed second(stub(), ledger);
  first.chat(detailed_call("blue"));
  second.chat(detailed_call("blue"));
  REQUIRE(records.size() == 2);
  CHECK(records[0].info.purpose == "judge");
  CHECK(records[0].request_hash == records[1].request_hash);
  CHECK(records[0].receipt.cost == tgd::lm::Cost::from_usd(0.000141));
  CHECK(ledger->totals().models.at("gpt-4o-mini").usage.calls == 2);
}

TEST_CASE("A ledger goes on where an earlier run ended, even in the middle of a line", "[lm][observed]") {
  Scene scene;
  scene.model->chat(detailed_call("blue"));
  scene.ledger->flush();
  const std::string whole = tgd::detail::read_file(scene.path);
  scene.folder.write("calls.jsonl", whole + whole.substr(0, 50));
  CHECK(tgd::lm::read_ledger(scene.path).size() == 1);

  const auto again = std::make_shared<Ledger>(LedgerOptions{.path = scene.path});
  Observed(stub(), again).chat(detailed_call("red"));
  again->flush();
  CHECK(tgd::lm::read_ledger(scene.path).size() == 2);
}

TEST_CASE("Calls from many threads make as many whole lines", "[lm][observed]") {
  const Scene scene;
  std::vector<Request> requests(300, detailed_call("blue"));
  scene.model->chat_all(requests);
  CHECK(scene.lines().size() == 300);
  CHECK(scene.ledger->totals().cost() == tgd::lm::Cost::from_usd(0.000141).times(300));
}

TEST_CASE("A full disk stops further calls or is reported, as configured", "[lm][observed]") {
  SECTION("stop") {
    Scene scene({.path = "/dev/full"});
    CHECK(scene.model->chat(detailed_call("blue")).content == "It is blue");
    CHECK_THROWS_WITH(scene.ledger->flush(), ContainsSubstring("No space left on device"));
    CHECK_THROWS_WITH(scene.model->chat(detailed_call("red")),
                      ContainsSubstring("the call was not sent, because the ledger cannot be written: cannot write /dev/full"));
    scene.model.reset();
    scene.ledger.reset();
    REQUIRE(scene.notices.size() == 1);
    CHECK_THAT(scene.notices[0], ContainsSubstring("lacks its last 1 call"));
  }
  SECTION("go on") {
    Scene scene({.path = "/dev/full", .on_fault = OnFault::go_on});
    scene.model->chat(detailed_call("blue"));
    CHECK_THROWS_AS(scene.ledger->flush(), StateError);
    CHECK(scene.model->chat(detailed_call("red")).content == "It is red");
    CHECK_THROWS_AS(scene.ledger->flush(), StateError);
    CHECK(scene.ledger->lost() == 2);
    CHECK(scene.notices.size() == 1);
  }
}

TEST_CASE("A ledger that cannot be opened is an error or a notice, as configured", "[lm][observed]") {
  const tgd::test::TemporaryFolder folder;
  const auto foreign = folder.write("notes.txt", "not a ledger");
  CHECK_THROWS_WITH(Ledger({.path = foreign}), ContainsSubstring("notes.txt holds something else"));
  CHECK_THROWS_WITH(Ledger({.path = folder.path() / "none" / "calls.jsonl"}), ContainsSubstring("No such file or directory"));
  Scene scene({.path = foreign, .on_fault = OnFault::go_on});
  CHECK(scene.model->chat(detailed_call("blue")).content == "It is blue");
  REQUIRE(scene.notices.size() == 1);
  CHECK(tgd::detail::read_file(foreign) == "not a ledger");
}

TEST_CASE("A ledger refuses a time to wait that is none", "[lm][observed]") {
  for (const auto wait : {std::chrono::milliseconds(-1), std::chrono::milliseconds::max()})
    CHECK_THROWS_WITH(Ledger(LedgerOptions{.flush_after = wait}), ContainsSubstring("LedgerOptions::flush_after must be"));
}

TEST_CASE("A line of the ledger hides nothing of what it holds", "[lm][observed]") {
  tgd::lm::CallRecord record;
  record.error_type = "status";
  record.error_message = "turned \u202E around \u009B[2J";
  const std::string line = to_json_line(record);
  CHECK_THAT(line, ContainsSubstring("turned \\u202e around \\u009b[2J") && !ContainsSubstring("\u202E"));
  CHECK(tgd::Json::parse(line).get_text("error.message") == record.error_message);
}

TEST_CASE("Observed needs a model and a ledger", "[lm][observed]") {
  CHECK_THROWS_AS(Observed(nullptr, std::make_shared<Ledger>(LedgerOptions{})), tgd::ValueError);
  CHECK_THROWS_AS(Observed(stub(), nullptr), tgd::ValueError);
}
