// The published schema and the parser say the same: every object's keys, every enumeration, every default. The tasks of
// task_forms.json together have every key, so that each can be compared at a place where it is valid.
#include <filesystem>
#include <functional>
#include <regex>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/embedded_schema.hpp"
#include "cli/task.hpp"
#include "cli/task_forms.hpp"
#include "cli/tickets.hpp"
#include "support/process.hpp"
#include "support/table.hpp"

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

bool has_type(const json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "string") return value.is_string();
  return type == "array" ? value.is_array() : value.is_object();
}

std::string problem(const json& node, const json& value, const std::string& at);

std::string problem_of_members(const json& node, const json& value, const std::string& at) {
  for (const json& key : node.value("required", json::array())) {
    if (!value.contains(key.get<std::string>())) return at + " lacks " + key.dump();
  }
  if (value.size() < node.value("minProperties", 0U) || value.size() > node.value("maxProperties", 1000U))
    return at + " has another size";
  const json known = node.value("properties", json::object());
  const json others = node.value("additionalProperties", json(true));
  for (const auto& member : value.items()) {
    const std::string below = at + "/" + member.key();
    if (known.contains(member.key())) {
      if (auto text = problem(known[member.key()], member.value(), below); !text.empty()) return text;
    } else if (others == json(false)) {
      return below + " is not known";
    } else if (others.is_object()) {
      if (auto text = problem(others, member.value(), below); !text.empty()) return text;
    }
  }
  return {};
}

std::string problem_of_scalar(const json& node, const json& value, const std::string& at) {
  if (value.is_string() && value.get<std::string>().size() < node.value("minLength", 0U)) return at + " is too short";
  if (value.is_string() && node.contains("pattern") &&
      !std::regex_search(value.get<std::string>(), std::regex(node["pattern"].get<std::string>())))
    return at + " is of another pattern";
  if (!value.is_number()) return {};
  const double number = value;
  const bool fits = number >= node.value("minimum", number) && number <= node.value("maximum", number) &&
                    number > node.value("exclusiveMinimum", number - 1) && number < node.value("exclusiveMaximum", number + 1);
  return fits ? std::string() : at + " is out of range";
}

/// What JSON Schema would complain about; as much of it as the schema uses.
std::string problem(const json& reference, const json& value, const std::string& at) {
  const json& node = resolved(reference);
  if (node.contains("const") && node["const"] != value) return at + " is another constant";
  if (node.contains("enum") && std::find(node["enum"].begin(), node["enum"].end(), value) == node["enum"].end())
    return at + " is none of the words";
  if (node.contains("type")) {
    const json types = node["type"].is_array() ? node["type"] : json::array({node["type"]});
    if (std::none_of(types.begin(), types.end(), [&](const json& type) { return has_type(value, type); }))
      return at + " has another type";
  }
  if (node.contains("oneOf")) {
    const auto fitting = std::count_if(node["oneOf"].begin(), node["oneOf"].end(),
                                       [&](const json& each) { return problem(each, value, at).empty(); });
    if (fitting != 1) return at + " fits " + std::to_string(fitting) + " alternatives";
  }
  if (value.is_array() && node.contains("items")) {
    if (value.size() < node.value("minItems", 0U)) return at + " has too few items";
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto text = problem(node["items"], value[i], at + "/" + std::to_string(i)); !text.empty()) return text;
    }
  }
  return value.is_object() ? problem_of_members(node, value, at) : problem_of_scalar(node, value, at);
}

using Visit = std::function<void(const json& node, const json& value, const std::string& pointer)>;

/// Visits what the schema says about each value of a task.
void walk(const json& reference, const json& value, const std::string& pointer, const Visit& visit) {
  const json& node = resolved(reference);
  visit(node, value, pointer);
  if (node.contains("oneOf")) {
    for (const json& each : node["oneOf"]) {
      const bool says_more = each.contains("$ref") || each.contains("type");
      if (says_more && problem(each, value, pointer).empty()) walk(each, value, pointer, visit);
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
  const std::regex quoted("\"([^\"]*)\"");
  Texts words;
  for (std::sregex_iterator word(list.begin(), list.end(), quoted); word != std::sregex_iterator(); ++word)
    words.insert((*word)[1]);
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
  CHECK(result.out == test::read_text(test::examples / "../src/cli/task.schema.json"));
  CHECK(result.out == cli::embedded_schema);
}

TEST_CASE("the schema accepts the shipped tasks, all forms of a task, and what they are resolved to", "[cli][schema]") {
  const test::TaskFolder folder;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test::examples)) {
    if (entry.path().filename() != "task.json") continue;
    INFO(entry.path());
    CHECK(problem(schema(), json::parse(test::read_text(entry.path()), nullptr, true, true), "").empty());
  }
  for (const json& form : test::table("cli/task_forms.json")) {
    INFO(form["name"]);
    CHECK(problem(schema(), form["task"], "") == "");
    CHECK(problem(schema(), json(cli::resolved_json(folder.parse(form["task"]))), "") == "");
  }
}

TEST_CASE("the schema refuses what the parser refuses", "[cli][schema]") {
  const json task = test::shipped_task();
  const auto refuses = [&](const char* pointer, const json& value) {
    json changed = task;
    changed[Pointer(pointer)] = value;
    return !problem(schema(), changed, "").empty();
  };
  CHECK(refuses("/optimiser", json::object()));
  CHECK(refuses("/stages", json::array()));
  CHECK(refuses("/training/epochs", 0));
  CHECK(refuses("/models/student", "gpt-4o"));
  CHECK(refuses("/models/student", {{"provider", "openai"}, {"model", "m"}, {"api_key", "a word"}}));
  CHECK(refuses("/evaluator/tolerance", 1));
  CHECK(refuses("/output", "lowercase"));
  CHECK(refuses("/training/gate", {{"confidence", 1}}));
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
