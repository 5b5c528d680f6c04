#include <algorithm>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/report.hpp"
#include "cli/report_run.hpp"
#include "cli/tickets.hpp"
#include "core/utf8.hpp"
#include "report/data.hpp"
#include "report/page.hpp"

using namespace tgd;
using namespace tgd::cli;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

using Files = std::map<std::string, std::string>;

OrderedJson data_of(const Files& files) {
  const test::TemporaryFolder folder;
  return report_data(read_run(test::write_run(folder, files)));
}

Files run_without(const std::string& file) {
  Files files = test::hand_made_run();
  files.erase(file);
  return files;
}

/// The text that stands for a number of the document; null for none.
OrderedJson text_of(const OrderedJson& data, const OrderedJson& number) {
  return number.is_null() || number < 0 ? OrderedJson(nullptr) : data["strings"].at(number.get<std::size_t>());
}

std::size_t count_of(const std::string& part, const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string complaint_about(const fs::path& folder) {
  try {
    read_run(folder);
    return "nothing";
  } catch (const TaskError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a report says what came out", "[cli][report]") {
  const OrderedJson data = data_of(test::hand_made_run());

  SECTION("of the run") {
    CHECK(data["name"] == "mails");
    CHECK(data["status"] == "failed");
    CHECK(data["error"] == "the endpoint went away");
    CHECK(data["simulated"] == false);
    CHECK(data["seconds"] == 61.5);
    CHECK(data["steps_done"] == 3);
    CHECK(data["best"] == 1);
    CHECK(data["started"] == 1795291007);
    CHECK(data["models"][1] == OrderedJson{{"role", "teacher"}, {"provider", "openai"}, {"model", "large"}});
    CHECK(data["notes"].empty());
    CHECK(data["metric"] == "accuracy (exact match)");
  }
  SECTION("for each part, with where the mean lies in 95 of 100 cases") {
    // Wilson's interval of 1 and of 2 in 4.
    const OrderedJson& part = data["parts"][0];
    CHECK(part["before_interval"][0].get<double>() == Approx(0.0456).margin(1e-4));
    CHECK(part["before_interval"][1].get<double>() == Approx(0.6994).margin(1e-4));
    CHECK(part["after_interval"][0].get<double>() == Approx(0.15).margin(1e-3));
    CHECK(part["after_interval"][1].get<double>() == Approx(0.85).margin(1e-3));
  }
  SECTION("for each part, with the chance that the gain is none") {
    REQUIRE(data["parts"].size() == 1);
    const OrderedJson& part = data["parts"][0];
    CHECK(part["name"] == "validation");
    CHECK(part["samples"] == 4);
    CHECK(part["before"] == 0.25);
    CHECK(part["after"] == 0.5);
    CHECK(part["better"] == 2);
    CHECK(part["worse"] == 1);
    // Two of three differences upwards: at least as far to one side in 8 of 8 ways.
    CHECK(part["p_value"] == 1.0);
  }
  SECTION("with a small chance where nearly all differences are gains") {
    Files files = test::hand_made_run();
    files["samples.jsonl"] =
        R"({"kind":"part","part":"validation","rows":[0,1,2,3,4,5],"inputs":["a","b","c","d","e","f"]}
{"kind":"scores","part":"validation","step":0,"predictions":["x","x","x","x","x","x"],"scores":[0,0,0,0,0,null]}
{"kind":"scores","part":"validation","step":1,"predictions":["x","x","x","x","x","x"],"scores":[1,1,1,1,1,1]}
)";
    // Five of five pairs the same way, on either side: 2 of 32 ways. The sixth is no pair.
    CHECK(data_of(files)["parts"][0]["p_value"].get<double>() == Approx(2.0 / 32));
  }
  SECTION("in money, of which an unknown part stays unknown") {
    const OrderedJson& usage = data["usage"];
    CHECK(usage["calls"] == 9);
    CHECK(usage["failed"] == 1);
    CHECK(usage["input"] == 700);
    CHECK(usage["cost"].is_null());
    CHECK(usage["known_cost"].get<double>() == Approx(0.005));
    CHECK(usage["unknown_calls"] == 2);
    CHECK(usage["unknown_models"] == OrderedJson::array({"large"}));
  }
}

TEST_CASE("a report has every step, validation and decision of the gate", "[cli][report]") {
  const OrderedJson data = data_of(test::hand_made_run());
  CHECK(data["steps"]["step"] == OrderedJson::array({1, 2, 3}));
  CHECK(data["steps"]["score"] == OrderedJson::array({0.5, 0.75, 0.5}));
  CHECK(data["validations"] == OrderedJson::array({{0, 0, 0.25, 4, 0, true}, {1, 1, 0.5, 4, 1, true}}));
  REQUIRE(data["gates"].size() == 2);
  CHECK(data["gates"][0] == OrderedJson::array({1, true, -1, 2, 0.5, 1.0, 0.25, 0.5, 0.25}));
  CHECK(data["gates"][1][1] == false);
  CHECK(text_of(data, data["gates"][1][2]) == "no better on the batch");
  CHECK(data["gates"][1][6].is_null());
}

TEST_CASE("a report has the values after each step, and what was not taken with its reasons", "[cli][report]") {
  const OrderedJson data = data_of(test::hand_made_run());
  CHECK(data["parameters"] == OrderedJson::array({{{"name", "prompt"}, {"role", "instructions"}}}));
  REQUIRE(data["versions"].size() == 4);
  const auto update = [&](std::size_t step) { return data["versions"][step]["of"][0]; };
  const auto value = [&](std::size_t step) { return text_of(data, update(step)["value"]); };

  CHECK(value(0) == "Sort the mail.");
  CHECK(update(0)["outcome"] == "first");
  CHECK(value(1) == "Sort the mail: yes or no.");
  CHECK(update(1)["edits"] == 4);
  CHECK(update(1)["proposal"].is_null());
  CHECK(text_of(data, update(1)["feedback"][0]) == "Say which answers there are.");
  CHECK(data["versions"][1]["seconds"] == 1.25);

  SECTION("a rejected proposal leaves the value as it was") {
    CHECK(value(2) == value(1));
    CHECK(update(2)["outcome"] == "rejected");
    CHECK(text_of(data, update(2)["proposal"]) == "Sort it.");
    CHECK(text_of(data, update(2)["reason"]) == "no better on the batch");
    CHECK(update(2)["problems"][0][0] == "cut_off");
    CHECK(text_of(data, update(2)["problems"][0][1]) == "the reply was cut off");
  }
  SECTION("so does a step without a usable reply") {
    CHECK(value(3) == value(1));
    CHECK(update(3)["outcome"] == "kept");
    CHECK(update(3)["problems"].size() == 2);
    CHECK(update(3)["problems"][0] == OrderedJson::array({"empty_value", -1}));
  }
  SECTION("without a record of the versions the first and the best are known from the result") {
    const OrderedJson poor = data_of(run_without("versions.jsonl"));
    REQUIRE(poor["versions"].size() == 2);
    CHECK(text_of(poor, poor["versions"][0]["of"][0]["value"]) == "Sort the mail.");
    CHECK(text_of(poor, poor["versions"][1]["of"][0]["value"]) == "Sort the mail: yes or no.");
    CHECK(poor["versions"][1]["step"] == 1);
  }
}

TEST_CASE("a report has every sample with what came out after each version", "[cli][report]") {
  const OrderedJson data = data_of(test::hand_made_run());
  REQUIRE(data["measured"].size() == 1);
  const OrderedJson& part = data["measured"][0];
  CHECK(part["part"] == "validation");
  CHECK(part["rows"] == OrderedJson::array({3, 7, 9, 12}));
  CHECK(text_of(data, part["inputs"][2]) == "Help!");
  CHECK(text_of(data, part["targets"][1]) == "no");
  REQUIRE(part["at"].size() == 2);
  CHECK(part["at"][1][0] == 1);
  CHECK(part["at"][1][1][2] == -1);
  CHECK(text_of(data, part["at"][1][1][3]) == "maybe");
  CHECK(part["at"][1][2] == OrderedJson::array({1, 1, 0, 0}));

  SECTION("with its place in the file, its raw reply, and what the evaluator said of it") {
    CHECK(part["file"] == "mails.csv");
    CHECK(part["lines"] == OrderedJson::array({5, 9, 11, 15}));
    CHECK(part["at"][0][3].empty());
    REQUIRE(part["at"][1][3].size() == 1);
    CHECK(text_of(data, part["at"][1][3]["12"]) == "Hm, let me think.\nmaybe");
    CHECK(text_of(data, part["at"][1][4]["12"]) == "expected no");
  }
  SECTION("and the samples that a step learned from") {
    const OrderedJson& batch = data["versions"][1]["batch"];
    REQUIRE(batch.size() == 5);
    CHECK(batch[0] == OrderedJson::array({1, 4}));
    CHECK(text_of(data, batch[1][1]) == "perhaps");
    CHECK(batch[2] == OrderedJson::array({1, 0}));
    CHECK(text_of(data, batch[3]["4"]) == "I think: perhaps");
    CHECK(text_of(data, batch[4]["4"]) == "\"perhaps\" is none of the labels");
    CHECK(data["versions"][2]["batch"].is_null());
  }
  SECTION("equal texts are written once") { CHECK(part["at"][0][1][0] == part["targets"][1]); }
  SECTION("lower scores are better where the task says so") {
    Files files = test::hand_made_run();
    files["task.json"] = R"({"name": "mails", "evaluator": {"type": "judge", "higher_is_better": false, "best_score": 0}})";
    const OrderedJson lower = data_of(files);
    CHECK(lower["parts"][0]["better"] == 1);
    CHECK(lower["parts"][0]["worse"] == 2);
    CHECK(lower["best_score"] == 0);
  }
}

TEST_CASE("a run keeps raw replies where the prediction is not all of one, and what the evaluator said", "[cli][report]") {
  const test::TemporaryFolder folder;
  const fs::path file = test::write_small_task(folder, 60);
  nlohmann::json task = nlohmann::json::parse(test::read_text(file));
  task["output"] = {{{"regex", "([a-z]+)\\s*\\W*$"}}};
  task["training"]["epochs"] = 1;
  const fs::path run = folder.path() / "run";
  const test::ProcessResult result = test::optimize(folder.write("words.json", task.dump()), run);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);

  const RunRecord record = read_run(run);
  REQUIRE(record.parts.size() == 3);
  for (const PartRecord& part : record.parts) {
    CHECK(part.file == "tickets.jsonl");
    REQUIRE(part.lines.size() == part.rows.size());
    for (std::size_t i = 0; i < part.rows.size(); ++i) CHECK(part.lines[i] == part.rows[i] + 1);
    for (const auto& [step, measurement] : part.at) {
      for (const auto& [row, reply] : measurement.replies) {
        const auto at = static_cast<std::size_t>(std::find(part.rows.begin(), part.rows.end(), row) - part.rows.begin());
        REQUIRE(at < part.rows.size());
        CHECK_THAT(reply, ContainsSubstring(*measurement.predictions[at]));
        CHECK(reply != *measurement.predictions[at]);
      }
      const auto wrong = std::count(measurement.scores.begin(), measurement.scores.end(), std::optional(0.0));
      CHECK(measurement.explanations.size() + measurement.problems.size() == static_cast<std::size_t>(wrong));
    }
  }
  const PartRecord& validation = record.parts[1];
  CHECK_FALSE(validation.at.at(0).replies.empty());
  CHECK_THAT(validation.at.at(0).explanations.begin()->second, ContainsSubstring("equal the expected text"));

  REQUIRE(record.versions.size() > 1);
  REQUIRE(record.versions[1].batch);
  CHECK(record.versions[1].batch->rows.size() == record.steps[0].metrics.samples);
}

TEST_CASE("a report has the races and confirmations of a search", "[cli][report]") {
  const OrderedJson data = data_of(test::hand_made_run());
  REQUIRE(data["races"].size() == 1);
  CHECK(data["races"][0]["accepted"] == false);
  const OrderedJson& entries = data["races"][0]["entries"];
  REQUIRE(entries.size() == 2);
  CHECK(text_of(data, entries[0][0]) == "a list of labels");
  CHECK(entries[0][1] == 4);
  CHECK(entries[0][4] == true);
  CHECK(text_of(data, entries[1][3]) == "it is too long");
  CHECK(entries[1][4] == false);

  REQUIRE(data["searches"].size() == 2);
  const OrderedJson& step = data["searches"][0];
  CHECK(step["step"] == 3);
  REQUIRE(step["proposals"].size() == 2);
  CHECK(step["proposals"][0][3] == -1);
  CHECK(text_of(data, step["proposals"][1][3]) == "worse on the samples it was made from");
  CHECK(step["race"]["won"] == 9);
  CHECK(step["race"]["lost"] == 1);
  CHECK(step["race"]["evidence"] == 24.5);
  CHECK(data["searches"][1]["confirmation"]["p_value"] == 0.002);
  CHECK(data["searches"][1]["confirmation"]["after"] == 0.75);

  SECTION("also of a run of an earlier version, which wrote \"chance\"") {
    Files files = test::hand_made_run();
    const std::size_t at = files["metrics.jsonl"].find("\"p_value\":0.002");
    REQUIRE(at != std::string::npos);
    files["metrics.jsonl"].replace(at, 9, "\"chance\"");
    CHECK(data_of(files)["searches"][1]["confirmation"]["p_value"] == 0.002);
  }
}

TEST_CASE("a report says which samples had problems and what the best values lack", "[cli][report]") {
  Files files = test::hand_made_run();
  SECTION("each sample by its row, with its reason, and how often") {
    const OrderedJson data = data_of(files);
    REQUIRE(data["problems"].size() == 1);
    const OrderedJson& row = data["problems"][0];
    CHECK(row[0] == "validation");
    CHECK(row[1] == 9);
    CHECK(row[2] == "filtered");
    CHECK(text_of(data, row[3]) == "a content filter withheld the reply");
    CHECK(row[4] == true);
    CHECK(row[5] == 1);
    CHECK(row[6] == 2);
  }
  SECTION("a problem that comes again counts, another one of the same sample stands for itself") {
    const std::string problem = R"("problems":{"9":{"kind":"filtered","text":"a content filter withheld the reply"}})";
    const std::string others =
        R"("problems":{"9":{"kind":"filtered","text":"a content filter withheld the reply"},"12":{"kind":"cut","text":"it was cut","is_failure":false}})";
    files["samples.jsonl"] +=
        R"({"kind":"scores","part":"validation","step":2,"predictions":["a","b","","c"],"scores":[0,0,0,0],)" + others + "}\n" +
        R"({"kind":"scores","part":"validation","step":3,"predictions":["a","b","","c"],"scores":[0,0,0,0],)" + problem + "}\n";
    const OrderedJson data = data_of(files);
    REQUIRE(data["problems"].size() == 2);
    CHECK(data["problems"][0][5] == 3);
    CHECK(data["problems"][1][1] == 12);
    CHECK(data["problems"][1][4] == false);
  }
  SECTION("what a row or a kind cannot be is passed over with its line") {
    const std::string bad = GENERATE("\"x\":{\"kind\":\"cut\",\"text\":\"\"}", "\"9\":{\"kind\":\"odd\",\"text\":\"\"}");
    files["samples.jsonl"] +=
        R"({"kind":"scores","part":"validation","step":2,"predictions":["a","b","","c"],"scores":[0,0,0,0],"problems":{)" +
        bad + "}}\n";
    const OrderedJson data = data_of(files);
    CHECK(data["problems"].size() == 1);
    CHECK(data["notes"].size() == 1);
  }
  SECTION("the diagnosis in sentences, and its samples by their rows") {
    const OrderedJson data = data_of(files);
    CHECK(data["diagnosis"]["solved"] == 2);
    CHECK_THAT(text_of(data, data["diagnosis"]["text"]).get<std::string>(), ContainsSubstring("Every right answer"));
    CHECK(data["diagnosis"]["findings"] == OrderedJson::parse(R"([["filtered", 1.0, [9]], ["no_label", 1.0, [12]]])"));
  }
  SECTION("a run without either has neither") {
    files.erase("result.json");
    files.erase("samples.jsonl");
    const OrderedJson data = data_of(files);
    CHECK(data["problems"].empty());
    CHECK(data["diagnosis"].is_null());
  }
}

TEST_CASE("a report sums up the calls and picks out those that stand out", "[cli][report]") {
  const OrderedJson calls = data_of(test::hand_made_run())["calls"];
  CHECK(calls["groups"] == OrderedJson::array({{"large", "optimize", 1, 0, 0, 0, 0, 0.0, 1, 8.0, 8.0, 8.0},
                                               {"small", "forward", 3, 1, 0, 220, 15, 0.005, 0, 1.0, 2.5, 2.5}}));
  CHECK(calls["slowest"][0][1] == 8.0);
  CHECK(calls["slowest"][0][6].is_null());
  CHECK(calls["slowest"][0][11] == "prompt");
  CHECK(calls["slowest"][1][0] == 0.0);
  CHECK(calls["costliest"].size() == 2);
  CHECK(calls["costliest"][0][6] == 0.003);
  CHECK(calls["failures"] == 1);
  CHECK(calls["failed"][0][0] == 2.0);
  CHECK(calls["failed"][0][9] == "too many requests");
  CHECK(calls["errors"] == OrderedJson::array({{"429", 1}}));
  SECTION("over time, where a night's pause counts as a minute") {
    CHECK(calls["over_time"] == OrderedJson::array({{0.0, 1, 0, 120, 5, 0.003},
                                                    {1.5, 2, 0, 220, 15, 0.005},
                                                    {2.0, 3, 1, 220, 15, 0.005},
                                                    {62.0, 4, 1, 220, 15, 0.005}}));
  }
  SECTION("and without any has nothing to say") {
    const OrderedJson data = data_of(run_without("calls.jsonl"));
    CHECK(data["calls"].is_null());
    CHECK(data["usage"]["calls"] == 9);
    CHECK(data["started"].is_null());
  }
}

TEST_CASE("the report of a run without a result shows what there is", "[cli][report]") {
  const OrderedJson data = data_of(run_without("result.json"));
  CHECK(data["status"] == "unfinished");
  CHECK(data["best"] == 1);
  CHECK(data["steps_done"] == 3);
  CHECK(data["seconds"].is_null());
  CHECK(data["parts"][0]["before"] == 0.25);
  CHECK(data["parts"][0]["after"] == 0.5);
  CHECK(data["usage"]["calls"] == 4);
  CHECK(data["usage"]["cost"].is_null());
  CHECK(data["usage"]["unknown_models"] == OrderedJson::array({"large"}));
}

TEST_CASE("a report is read from files that a crash has cut off anywhere", "[cli][report]") {
  const Files whole = test::hand_made_run();
  const OrderedJson complete = data_of(whole);
  for (const auto& [name, text] : whole) {
    for (std::size_t size = 0; size < text.size(); size += 13) {
      CAPTURE(name, size);
      Files files = whole;
      files[name] = text.substr(0, size);
      OrderedJson data;
      REQUIRE_NOTHROW(data = data_of(files));
      CHECK(data["notes"].size() <= 1);
      // What stands in whole lines before the cut is there.
      const std::size_t lines =
          static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
      if (name == "versions.jsonl" && lines > 1) CHECK(data["versions"].size() >= lines);
      if (name == "calls.jsonl" && lines > 0) CHECK(data["calls"]["over_time"].size() >= lines);
      if (name == "samples.jsonl" && lines > 0) CHECK(data["measured"][0]["at"].size() >= lines - 1);
      if (name != "task.json") CHECK(data["name"] == complete["name"]);
    }
  }
}

TEST_CASE("lines that are something else are passed over and counted", "[cli][report]") {
  for (const char* line :
       {"null", "[]", "42", "{}", R"({"kind":"step"})", R"({"kind":"step","epoch":-1,"step":1e300,"score":"x"})",
        R"({"kind":"scores","part":"validation","step":2,"predictions":["x"],"scores":[1]})",
        R"({"kind":"part","part":"x","rows":[1,2],"inputs":[]})", R"({"timestamp":7})"}) {
    CAPTURE(line);
    for (const char* file : {"metrics.jsonl", "versions.jsonl", "samples.jsonl", "calls.jsonl"}) {
      Files files = test::hand_made_run();
      files[file] += std::string(line) + "\n";
      const OrderedJson data = data_of(files);
      CHECK(data["versions"].size() == 4);
      CHECK(data["measured"][0]["at"].size() == 2);
      CHECK(data["calls"]["over_time"].size() == 4);
      for (const OrderedJson& note : data["notes"]) {
        CHECK_THAT(note.get<std::string>(), ContainsSubstring(file));
        CHECK_THAT(note.get<std::string>(), ContainsSubstring("1 line could not be read"));
      }
    }
  }
}

TEST_CASE("of a step that stands twice the last line counts", "[cli][report]") {
  Files files = test::hand_made_run();
  files["metrics.jsonl"] += R"({"kind":"step","epoch":2,"step":3,"score":0.875,"samples":2,"failed":0,"metrics":{}})"
                            "\n";
  files["samples.jsonl"] +=
      R"({"kind":"scores","part":"validation","step":1,"predictions":["yes","no","yes","no"],"scores":[1,1,1,1]})"
      "\n";
  const OrderedJson data = data_of(files);
  CHECK(data["steps"]["score"] == OrderedJson::array({0.5, 0.75, 0.875}));
  CHECK(data["measured"][0]["at"][1][2] == OrderedJson::array({1, 1, 1, 1}));
  CHECK(data["parts"][0]["better"] == 3);
}

TEST_CASE("texts of a run cannot leave the script element that they are in", "[cli][report]") {
  const std::string hostile =
      "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> {{script}} \xE2\x80\xA8 \" ' \\ & \xFF\xFE";
  Files files = test::hand_made_run();
  OrderedJson result = OrderedJson::parse(files["result.json"]);
  for (const char* key : {"name", "error", "status", "ending"}) result[key] = hostile;
  result["parameters"]["prompt"]["role"] = hostile;
  files["result.json"] = result.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  // As it stands in the file, with bytes that are no UTF-8.
  files["samples.jsonl"] =
      "{\"kind\":\"part\",\"part\":\"</script>\",\"rows\":[1],\"targets\":[\"\xFF\"],\"inputs\":[\"</script>\xC3\"]}\n";

  const test::TemporaryFolder folder;
  const RunRecord record = read_run(test::write_run(folder, files));
  const std::string page = report_html(record);
  CHECK(count_of("<script", page) == 2);
  CHECK(count_of("</script", page) == 2);
  CHECK(count_of("<img", page) == 0);
  CHECK(count_of("<!--", page) == 0);
  CHECK(count_of("{{script}}", page) == count_of("{{script}}", script_json(report_data(record))));
  CHECK(tgd::detail::is_utf8(page));

  const std::string begin = "id=\"data\">";
  const std::size_t at = page.find(begin) + begin.size();
  const OrderedJson data = OrderedJson::parse(page.substr(at, page.find("</script>", at) - at));
  CHECK(data["name"] == result["name"].get<std::string>().substr(0, hostile.size() - 2) + "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(text_of(data, data["measured"][0]["inputs"][0]) == "</script>\xEF\xBF\xBD");
}

TEST_CASE("the report's page allows its own script and style and nothing else", "[cli][report]") {
  // The digest of the empty text, as every table of test vectors has it.
  CHECK(content_hash("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  CHECK(content_hash("abc") == "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");

  const test::TemporaryFolder folder;
  const std::string page = report_html(read_run(test::write_run(folder, test::hand_made_run())));
  const auto between = [&](const std::string& begin, const std::string& end) {
    const std::size_t at = page.rfind(begin) + begin.size();
    return page.substr(at, page.find(end, at) - at);
  };
  CHECK_THAT(page, ContainsSubstring("default-src 'none'; script-src '" + content_hash(between("<script>", "</script>")) +
                                     "'; style-src '" + content_hash(between("<style>", "</style>")) + "'"));
  for (const char* loading : {"src=", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML", "outerHTML", "insertAdjacent",
                              "document.write", "eval("}) {
    CAPTURE(loading);
    CHECK(page.find(loading) == std::string::npos);
  }
}

TEST_CASE("what is no run folder is named with the way to one", "[cli][report]") {
  const test::TemporaryFolder folder;
  folder.write("runs/notes.txt", "mine");
  const fs::path run = test::write_run(folder, test::hand_made_run(), "runs/mails-1");
  const fs::path empty = folder.path() / "empty";
  fs::create_directory(empty);

  CHECK_THAT(complaint_about(folder.path() / "none"), ContainsSubstring("does not exist"));
  CHECK_THAT(complaint_about(run / "task.json"), ContainsSubstring("is a file"));
  CHECK_THAT(complaint_about(empty),
             ContainsSubstring("has none of task.json, result.json") && ContainsSubstring("tgd optimize"));
  CHECK_THAT(complaint_about(folder.path() / "runs"), ContainsSubstring("did you mean " + run.string() + "?"));
}

TEST_CASE("tgd report writes the page into the run folder or elsewhere", "[cli][report]") {
  const test::TemporaryFolder folder;
  const fs::path run = test::write_run(folder, test::hand_made_run());
  const auto report = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {TGD_PROGRAM, "report"});
    return test::run_process(arguments, {.folder = folder.path()});
  };

  SECTION("by default as report.html") {
    const test::ProcessResult result = report({run.string()});
    CHECK(result.status == 0);
    CHECK_THAT(result.out, ContainsSubstring((run / "report.html").string()));
    CHECK(test::read_text(run / "report.html").starts_with("<!doctype html>"));
  }
  SECTION("as the file that -o names, for programs, too") {
    const test::ProcessResult result = report({run.string(), "-o", "page.html", "--json"});
    CHECK(result.status == 0);
    const OrderedJson document = OrderedJson::parse(result.out);
    CHECK(document["report"] == "page.html");
    CHECK(document["bytes"] == fs::file_size(folder.path() / "page.html"));
    CHECK(!fs::exists(run / "report.html"));
  }
  SECTION("mistakes have a status of their own, and nothing is written") {
    const test::ProcessResult result = report({folder.path().string(), "-o", "page.html"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("did you mean"));
    CHECK(!fs::exists(folder.path() / "page.html"));
    CHECK(report({run.string(), "-o", "no/such/folder/page.html"}).status == 1);
  }
}

TEST_CASE("a run of tgd optimize has a report", "[cli][report]") {
  const test::TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  REQUIRE(test::optimize(test::write_small_task(folder), run, {"--epochs", "1"}).status == 0);
  const OrderedJson data = report_data(read_run(run));
  CHECK(data["name"] == "tickets");
  CHECK(data["status"] == "ok");
  CHECK(data["simulated"] == true);
  CHECK(data["parts"].size() == 3);
  CHECK(data["steps"]["step"].size() == data["steps_done"]);
  CHECK(data["versions"].size() >= 2);
  CHECK(data["diagnosis"]["samples"] == data["parts"][0]["samples"]);
  CHECK(data["diagnosis"]["text"] >= 0);
  CHECK(data["notes"].empty());
}
