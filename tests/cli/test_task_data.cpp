#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <tgd/data/dataset.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "task/data.hpp"
#include "task/parts.hpp"
#include "task/task.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Row {
  std::string text;
  std::string label;
  std::string group = {};
};

std::vector<Row> numbered(std::size_t count) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back({fmt::format("text {}", i), i % 2 == 0 ? "a" : "b"});
  return rows;
}

std::string lines_of_rows(const std::vector<Row>& rows) {
  std::string lines;
  for (const Row& row : rows)
    lines += nlohmann::json{{"text", row.text}, {"label", row.label}, {"group", row.group}}.dump() + "\n";
  return lines;
}

nlohmann::json task_of(nlohmann::json data) {
  return {{"data", std::move(data)},
          {"parameters", {{"instructions", {{"role", "instructions"}, {"value", "Say a or b."}}}}},
          {"messages", {{{"role", "system"}, {"content", "{instructions}"}}, {{"role", "user"}, {"content", "{text}"}}}},
          {"evaluator", {{"type", "exact_match"}}}};
}

cli::Task task_in(const test::TemporaryFolder& folder, const nlohmann::json& json) {
  const auto file = folder.write("task.json", json.dump(2));
  return cli::read_task(file);
}

cli::TaskData split(const test::TemporaryFolder& folder, const std::vector<Row>& rows, nlohmann::json more = {}) {
  folder.write("data.jsonl", lines_of_rows(rows));
  nlohmann::json data{{"file", "data.jsonl"},
                      {"inputs", {{"text", "text"}}},
                      {"target", "label"},
                      {"split", {{"train", 0.4}, {"validation", 0.3}, {"test", 0.3}, {"seed", 1}}}};
  data.update(more.is_null() ? nlohmann::json::object() : more);
  return cli::load_data(task_in(folder, task_of(data)).data);
}

std::set<std::string> texts_of(const cli::DataPart& part, const char* name = "text") {
  std::set<std::string> texts;
  for (std::size_t i = 0; i < part.size(); ++i) texts.insert(part[i].at(name).item_text());
  return texts;
}

bool shares_texts(const cli::DataPart& a, const cli::DataPart& b) {
  const auto texts = texts_of(b);
  for (const std::string& text : texts_of(a)) {
    if (texts.count(text) > 0) return true;
  }
  return false;
}

std::string all_notes(const cli::TaskData& data) { return fmt::format("{}", fmt::join(data.notes, "\n")); }

}  // namespace

TEST_CASE("samples with the same inputs stay in one part", "[cli][data]") {
  const test::TemporaryFolder folder;
  std::vector<Row> rows;
  for (int copy = 0; copy < 5; ++copy) {
    for (const Row& row : numbered(12)) rows.push_back(row);
  }
  rows.push_back({"text\u00A03", "b"});
  const cli::TaskData data = split(folder, rows);
  CHECK(data.size() == rows.size());
  CHECK_FALSE(shares_texts(data.train, data.test));
  CHECK_FALSE(shares_texts(data.train, data.validation));
  CHECK_FALSE(shares_texts(data.validation, data.test));
  CHECK(data.train.size() > data.test.size());
  CHECK_THAT(all_notes(data), ContainsSubstring("49 samples repeat the inputs of an earlier one (duplicates)"));
}

TEST_CASE("a split without repeated samples is what it always was", "[cli][data]") {
  const test::TemporaryFolder folder;
  const cli::TaskData data = split(folder, numbered(20));
  const auto label_of = [](const data::Record& record) { return record.at("label").item_text(); };
  const auto parts = data::stratified_split(data::JsonLinesFile(folder.path() / "data.jsonl"), label_of, {0.4, 0.3, 0.3}, 1);
  CHECK(data.train.rows() == parts[0].indices());
  CHECK(data.test.rows() == parts[2].indices());
  CHECK(data.notes.empty());
}

TEST_CASE("samples of one group stay in one part", "[cli][data]") {
  const test::TemporaryFolder folder;
  std::vector<Row> rows = numbered(40);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].group = fmt::format("customer {}", i / 4);
  const cli::TaskData data = split(folder, rows, {{"group_by", "group"}});
  std::map<std::string, std::set<const cli::DataPart*>> parts_of_group;
  for (const cli::DataPart* part : {&data.train, &data.validation, &data.test}) {
    for (const std::size_t row : part->rows()) parts_of_group[rows[row].group].insert(part);
  }
  for (const auto& [group, parts] : parts_of_group) CHECK(parts.size() == 1);
  CHECK(data.train.size() == 16);
  CHECK_FALSE(data.train[0].count("/group"));
}

TEST_CASE("a file with too few different samples is split all the same, with a word about it", "[cli][data]") {
  const test::TemporaryFolder folder;
  const cli::TaskData data = split(folder, {{"x", "a"}, {"x", "a"}, {"x", "b"}, {"x", "b"}, {"y", "a"}, {"y", "b"}});
  CHECK(data.test.size() > 0);
  CHECK_THAT(all_notes(data), ContainsSubstring("equal samples stand in several parts, for there are only 2 different ones"));
  CHECK_THAT(all_notes(data),
             ContainsSubstring("another answer than an earlier one with the same inputs (\"a\" in line 1, \"b\" in line 3)"));
}

TEST_CASE("parts are limited by the task, by the command line, and where a test part is far too large", "[cli][data]") {
  const test::TemporaryFolder folder;
  const cli::TaskData data = split(folder, numbered(100), {{"limit", {{"train", 7}, {"test", 5}}}});
  CHECK(data.train.size() == 7);
  CHECK(data.validation.size() == 30);
  CHECK(data.test.size() == 5);
  CHECK_THAT(all_notes(data), ContainsSubstring("the train part is limited to 7 of its 40 samples"));
  CHECK(split(folder, numbered(100), {{"limit", 3}}).size() == 9);

  const nlohmann::json mostly_test{{"train", 0.05}, {"validation", 0.05}, {"test", 0.9}, {"seed", 1}};
  const cli::TaskData large = split(folder, numbered(6000), {{"split", mostly_test}});
  CHECK(large.test.size() == cli::most_tested);
  CHECK(large.train.size() == 300);
  CHECK_THAT(all_notes(large), ContainsSubstring("the test part is limited to 5000 of its 5400 samples; \"limit\""));
  CHECK(split(folder, numbered(6000), {{"split", mostly_test}, {"limit", {{"test", 5300}}}}).test.size() == 5300);

  const auto task = test::write_small_task(folder);
  const test::ProcessResult result = test::run_tgd({"check", task, "--no-calls", "--limit", "4"});
  CHECK_THAT(result.out, ContainsSubstring("12 samples: 4 train, 4 validation, 4 test"));
}

TEST_CASE("a test part of its own that repeats the training part is said to", "[cli][data]") {
  const test::TemporaryFolder folder;
  folder.write("train.jsonl", lines_of_rows(numbered(10)));
  folder.write("validation.jsonl", lines_of_rows({{"u", "a"}, {"v", "b"}}));
  folder.write("test.jsonl", lines_of_rows({{"text 1", "a"}, {"new", "b"}}));
  const cli::Task task = task_in(folder, task_of({{"train", "train.jsonl"},
                                                  {"validation", "validation.jsonl"},
                                                  {"test", "test.jsonl"},
                                                  {"inputs", {{"text", "text"}}},
                                                  {"target", "label"}}));
  const cli::TaskData data = cli::load_data(task.data);
  CHECK(data.train.size() == 10);
  CHECK(data.test[1].at("text").text() == "new");
  CHECK_THAT(all_notes(data), ContainsSubstring("1 of the 2 test samples stand in the training part, too"));
}

TEST_CASE("a field that no record has is a mistake of the task; one that some lack leaves these out", "[cli][data]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(split(folder, numbered(10), {{"target", "lable"}}),
                    ContainsSubstring("no field \"lable\"") && ContainsSubstring("did you mean \"label\""));
  std::vector<Row> rows = numbered(10);
  rows[0].label = "";
  rows[4].text = " \u00A0";
  rows[5] = {"", ""};
  const cli::TaskData data = split(folder, rows);
  CHECK(data.size() == 7);
  CHECK_THAT(all_notes(data),
             ContainsSubstring("3 rows of data.jsonl are left out: 1 with no answer, from line 1 on; 1 with nothing at "
                               "all (blank), from line 6 on; 1 with nothing to read, from line 5 on"));
}

TEST_CASE("doubled braces are said to stay in the prompt", "[cli]") {
  const test::TemporaryFolder folder;
  folder.write("data.jsonl", lines_of_rows(numbered(10)));
  nlohmann::json json = task_of({{"file", "data.jsonl"},
                                 {"inputs", {{"text", "text"}}},
                                 {"target", "label"},
                                 {"split", {{"train", 0.4}, {"validation", 0.3}, {"test", 0.3}}}});
  CHECK(cli::oddities_of(task_in(folder, json)).empty());
  json["messages"][1]["content"] = "Text: {{text}}";
  const auto oddities = cli::oddities_of(task_in(folder, json));
  REQUIRE(oddities.size() == 1);
  CHECK_THAT(oddities[0], ContainsSubstring("{{text}}") && ContainsSubstring("write {text}"));
  CHECK_THAT(test::run_tgd({"check", folder.path() / "task.json", "--no-calls"}).out, ContainsSubstring("warning: {{text}}"));
}
