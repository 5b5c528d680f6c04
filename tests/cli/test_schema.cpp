// The published schema and the parser say the same: every object's keys, every enumeration, every default. The tasks of
// task_forms.json together have every key, so that each can be compared at a place where it is valid.
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "catch.hpp"
#include "cli/task_forms.hpp"
#include "cli/tickets.hpp"
#include "support/damage.hpp"
#include "support/process.hpp"
#include "support/table.hpp"
#include "task/embedded_schema.hpp"
#include "task/task.hpp"

using namespace tgd;
using nlohmann::json;
using Pointer = json::json_pointer;
using Texts = std::set<std::string>;

namespace {

const json& schema() {
  static const json parsed = json::parse(cli::embedded_schema);
  return parsed;
}

const json& resolved(const json& node) {
  if (node.contains("$ref")) return resolved(schema().at(Pointer(node["$ref"].get<std::string>().substr(1))));
  return node.contains("allOf") ? resolved(node["allOf"][0]) : node;
}

/// Says what JSON Schema complains about, by valijson.
class Validator {
 public:
  /// Of a part of the schema, which may name others.
  explicit Validator(const json& node)
      : document_{{"$schema", schema().at("$schema")}, {"definitions", schema().at("definitions")}, {"allOf", {node}}} {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(document_), compiled_);
  }

  /// Empty when there is nothing to complain about.
  std::string problem(const json& value) {
    valijson::ValidationResults results;
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    if (validator.validate(compiled_, valijson::adapters::NlohmannJsonAdapter(value), &results)) return {};
    valijson::ValidationResults::Error error;
    std::string text = "no reason";
    while (results.popError(error)) text = fmt::format("{}: {}", fmt::join(error.context, ""), error.description);
    return text;
  }

 private:
  json document_;
  valijson::Schema compiled_;
};

std::string problem(const json& node, const json& value) {
  static std::map<const json*, Validator> validators;
  return validators.try_emplace(&node, node).first->second.problem(value);
}

std::string problem(const json& task) {
  static Validator validator(schema());
  return validator.problem(task);
}

using Visit = std::function<void(const json& node, const json& value, const std::string& pointer)>;

/// Visits what the schema says about each value of a task.
void walk(const json& reference, const json& value, const std::string& pointer, const Visit& visit) {
  const json& node = resolved(reference);
  visit(node, value, pointer);
  if (node.contains("oneOf")) {
    for (const json& each : node["oneOf"]) {
      const bool says_more = each.contains("$ref") || each.contains("type");
      if (says_more && problem(each, value).empty()) walk(each, value, pointer, visit);
    }
  }
  if (value.is_array() && node.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) walk(node["items"], value[i], pointer + "/" + std::to_string(i), visit);
  }
  if (!value.is_object()) return;
  for (const auto& member : value.items()) {
    const std::string below = pointer + "/" + member.key();
    if (node.contains("properties") && node["properties"].contains(member.key())) {
      walk(node["properties"][member.key()], member.value(), below, visit);
    } else if (node.contains("additionalProperties") && node["additionalProperties"].is_object()) {
      walk(node["additionalProperties"], member.value(), below, visit);
    }
  }
}

/// Visits every part of the schema itself.
void walk_schema(const json& node, const std::function<void(const json&)>& visit) {
  if (node.is_object()) visit(node);
  if (node.is_structured()) {
    for (const json& below : node) walk_schema(below, visit);
  }
}

Texts keys_of(const json& object) {
  Texts keys;
  for (const auto& member : object.items()) keys.insert(member.key());
  return keys;
}

Texts texts_of(const json& list) {
  Texts texts;
  for (const json& each : list) texts.insert(each.get<std::string>());
  return texts;
}

/// The quoted words behind `mark` and before any example in braces.
Texts words_behind(const std::string& text, const std::string& mark) {
  const std::size_t begin = text.find(mark);
  if (begin == std::string::npos) return {};
  const std::string list = text.substr(begin + mark.size(), text.find('{', begin) - begin - mark.size());
  Texts words;
  for (std::size_t open = list.find('"'); open != std::string::npos; open = list.find('"', open)) {
    const std::size_t close = list.find('"', open + 1);
    if (close == std::string::npos) break;
    words.insert(list.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return words;
}

std::string complaint_about(const test::TaskFolder& folder, const json& task) {
  try {
    folder.parse(task);
    return {};
  } catch (const cli::TaskError& error) {
    return error.what();
  }
}

bool is_closed(const json& node) {
  return node.contains("properties") && node.value("additionalProperties", json()) == json(false);
}

/// The member that tells the alternatives of a oneOf apart, and its values; empty when there is none.
std::pair<std::string, Texts> discriminator(const json& node) {
  std::pair<std::string, Texts> found;
  for (const json& each : node.value("oneOf", json::array())) {
    const json& alternative = resolved(each);
    for (const char* key : {"type", "provider"}) {
      if (!alternative.contains("properties") || !alternative["properties"].contains(key)) continue;
      found.first = key;
      found.second.insert(alternative["properties"][key]["const"].get<std::string>());
    }
  }
  return found;
}

}  // namespace

TEST_CASE("tgd schema prints the schema as it is in the sources", "[cli][schema]") {
  const test::ProcessResult result = test::run_process({TGD_PROGRAM, "schema"});
  CHECK(result.status == 0);
  CHECK(result.out == test::read_text(test::examples / "../src/task/task.schema.json"));
  CHECK(result.out == cli::embedded_schema);
}

TEST_CASE("the schema accepts the shipped tasks, all forms of a task, and what they are resolved to", "[cli][schema]") {
  const test::TaskFolder folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::examples)) {
    if (entry.path().filename() != "task.json") continue;
    INFO(entry.path());
    CHECK(problem(json::parse(test::read_text(entry.path()), nullptr, true, true)) == "");
  }
  for (const json& form : test::table("cli/task_forms.json")) {
    INFO(form["name"]);
    CHECK(problem(form["task"]) == "");
    CHECK(problem(json(cli::resolved_json(folder.parse(form["task"])))) == "");
  }
}

TEST_CASE("the schema refuses those of the mistakes that are of form", "[cli][schema]") {
  for (const json& mistake : test::table("cli/task_mistakes.json")) {
    INFO(mistake["name"]);
    if (!mistake.contains("patch")) continue;
    const json task = mistake.contains("in") ? json(test::task_form(mistake["in"])) : test::shipped_task();
    const json changed = task.patch(mistake["patch"]);
    INFO(problem(changed));
    CHECK(problem(changed).empty() == !mistake.value("is_of_form", false));
  }
}

TEST_CASE("the schema accepts whatever the parser accepts, however a task is changed", "[cli][schema]") {
  const test::TaskFolder folder;
  std::size_t accepted = 0;
  for (const json& form : test::table("cli/task_forms.json")) {
    for (const test::Damage& damage : test::damaged_values(form["task"].dump(), 1)) {
      if (damage.what.ends_with("18446744073709551615")) continue;  // valijson takes it for a negative one
      const json changed = json::parse(damage.content);
      if (!complaint_about(folder, changed).empty()) continue;
      ++accepted;
      if (const std::string complaint = problem(changed); !complaint.empty())
        FAIL_CHECK(form["name"] << ": " << damage.what << ": " << complaint);
    }
  }
  CHECK(accepted > 0);
}

TEST_CASE("the parser and the schema know the same keys of every object", "[cli][schema]") {
  const test::TaskFolder folder;
  std::set<const json*> visited;
  Texts used;
  for (const json& form : test::table("cli/task_forms.json")) {
    walk(schema(), form["task"], "", [&](const json& node, const json& value, const std::string& pointer) {
      if (!is_closed(node)) return;
      for (const std::string& key : keys_of(value)) used.insert(std::to_string(reinterpret_cast<std::uintptr_t>(&node)) + key);
      if (!visited.insert(&node).second) return;
      json task = form["task"];
      task[Pointer(pointer)]["zzzz"] = 1;
      const std::string complaint = complaint_about(folder, task);
      INFO(form["name"] << " " << pointer << "\n" << complaint);
      CHECK(words_behind(complaint, "unknown key \"zzzz\"; known here: ") == keys_of(node["properties"]));
    });
  }
  walk_schema(schema(), [&](const json& node) {
    if (!is_closed(node)) return;
    INFO("not in any task of task_forms.json: " << node.dump());
    CHECK(visited.count(&node) == 1);
    for (const std::string& key : keys_of(node["properties"])) {
      INFO(key);
      CHECK(used.count(std::to_string(reinterpret_cast<std::uintptr_t>(&node)) + key) == 1);
    }
  });
}

TEST_CASE("the parser and the schema know the same words of every enumeration", "[cli][schema]") {
  const test::TaskFolder folder;
  std::set<const json*> visited;
  for (const json& form : test::table("cli/task_forms.json")) {
    walk(schema(), form["task"], "", [&](const json& node, const json&, const std::string& pointer) {
      const auto [key, words] = discriminator(node);
      const bool is_enum = node.contains("enum");
      if ((!is_enum && key.empty()) || (!key.empty() && !form["task"][Pointer(pointer)].is_object())) return;
      if (!visited.insert(&node).second) return;
      json task = form["task"];
      task[Pointer(is_enum ? pointer : pointer + "/" + key)] = "zzzz";
      const std::string complaint = complaint_about(folder, task);
      INFO(form["name"] << " " << pointer << "\n" << complaint);
      CHECK(words_behind(complaint, "\"zzzz\" is not known; ") == (is_enum ? texts_of(node["enum"]) : words));
    });
  }
  walk_schema(schema(), [&](const json& node) {
    if (!node.contains("enum") && discriminator(node).first.empty()) return;
    INFO(node.dump());
    CHECK(visited.count(&node) == 1);
  });
}

TEST_CASE("the schema's defaults are the parser's", "[cli][schema]") {
  const test::TaskFolder folder;
  json task = test::task_form("contained words, and nothing that has a default");
  task["evaluator"] = {{"type", "exact_match"}};
  std::size_t compared = 0;
  walk(schema(), json(cli::resolved_json(folder.parse(task))), "",
       [&](const json& node, const json& value, const std::string& pointer) {
         if (!node.contains("default")) return;
         INFO(pointer);
         CHECK(node["default"] == value);
         ++compared;
       });
  CHECK(compared >= 20);
}

TEST_CASE("the schema explains every key", "[cli][schema]") {
  walk_schema(schema(), [](const json& node) {
    if (!is_closed(node)) return;
    for (const auto& member : node["properties"].items()) {
      INFO(member.key());
      CHECK_FALSE((member.value().value("description", "") + resolved(member.value()).value("description", "")).empty());
    }
  });
}
