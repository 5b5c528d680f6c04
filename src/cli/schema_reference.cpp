#include "cli/schema_reference.hpp"

#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/text.hpp"
#include "task/document.hpp"
#include "task/embedded_schema.hpp"

namespace tgd::cli {

namespace {

/// Walks the schema in the order in which a reader meets its objects.
class SchemaReference {
 public:
  explicit SchemaReference(const OrderedJson& schema) : schema_(schema) {}

  std::string text() {
    add_section("The task", schema_);
    for (std::size_t i = 0; i < pending_.size(); ++i) add_section(pending_[i], schema_["definitions"][pending_[i]]);
    return text_;
  }

 private:
  static std::string title_of(const std::string& definition) {
    std::string title = definition;
    for (char& c : title) c = c == '_' ? ' ' : c;
    return title;
  }

  /// The definition that a value is of, which gets a section of its own.
  std::optional<std::string> reference_in(const OrderedJson& value) {
    if (value.contains("$ref")) {
      const std::string name = value["$ref"].get<std::string>().substr(std::string_view("#/definitions/").size());
      if (seen_.insert(name).second) pending_.push_back(name);
      return name;
    }
    if (value.contains("allOf")) return reference_in(value["allOf"][0]);
    return std::nullopt;
  }

  std::string link_to(const std::string& definition) const {
    std::string anchor = title_of(definition);
    for (char& c : anchor) c = c == ' ' ? '-' : c;
    return fmt::format("[{}](#{})", title_of(definition), anchor);
  }

  std::string type_of(const OrderedJson& value) {
    if (const auto reference = reference_in(value)) return link_to(*reference);
    for (const char* choice : {"oneOf", "anyOf"}) {
      if (!value.contains(choice)) continue;
      std::vector<std::string> types;
      for (const OrderedJson& one : value[choice]) types.push_back(type_of(one));
      return detail::join(types, " or ");
    }
    if (value.contains("enum")) {
      std::vector<std::string> words;
      for (const OrderedJson& word : value["enum"]) words.push_back("`" + word.dump() + "`");
      return detail::join(words, ", ");
    }
    if (value.contains("const")) return "`" + value["const"].dump() + "`";
    if (!value.contains("type")) return "any";
    if (value["type"].is_array()) {
      std::vector<std::string> types;
      for (const OrderedJson& type : value["type"]) types.push_back(word_for(type.get<std::string>()));
      return detail::join(types, " or ");
    }
    const std::string type = value["type"].get<std::string>();
    if (type == "array" && value.contains("items")) return "list of " + type_of(value["items"]);
    if (type == "object" && value.contains("additionalProperties") && value["additionalProperties"].is_object())
      return "by name: " + type_of(value["additionalProperties"]);
    return word_for(type) + range_of(value);
  }

  static std::string word_for(const std::string& type) {
    return type == "string"    ? "text"
           : type == "integer" ? "whole number"
           : type == "boolean" ? "true or false"
           : type == "array"   ? "list"
                               : type;
  }

  static std::string range_of(const OrderedJson& value) {
    const auto bound = [&](const char* key) { return value.contains(key) ? value[key].dump() : std::string(); };
    const std::string least = bound("minimum");
    const std::string above = bound("exclusiveMinimum");
    const std::string most = bound("maximum");
    if (!least.empty() && !most.empty()) return fmt::format(", {} to {}", least, most);
    if (!least.empty()) return fmt::format(", from {}", least);
    if (!above.empty()) return fmt::format(", above {}", above);
    return most.empty() ? "" : fmt::format(", up to {}", most);
  }

  static std::string cell(std::string text) {
    for (std::size_t at = text.find('|'); at != text.npos; at = text.find('|', at + 2)) text.insert(at, "\\");
    for (char& c : text) c = c == '\n' ? ' ' : c;
    return text;
  }

  std::string description_of(const OrderedJson& value) const {
    std::string text = value.value("description", "");
    if (text.empty() && value.contains("$ref")) {
      const std::string name = value["$ref"].get<std::string>().substr(std::string_view("#/definitions/").size());
      text = schema_["definitions"][name].value("description", "");
    }
    if (value.contains("default")) text += fmt::format("{}Default: `{}`.", text.empty() ? "" : " ", value["default"].dump());
    return text;
  }

  void add_section(const std::string& name, const OrderedJson& value) {
    text_ += fmt::format("## {}\n\n", title_of(name));
    if (value.contains("description")) text_ += value["description"].get<std::string>() + "\n\n";
    if (!value.contains("properties")) {
      text_ += "Is " + type_of(value) + ".\n\n";
      return;
    }
    std::set<std::string> required;
    if (value.contains("required")) {
      for (const OrderedJson& key : value["required"]) required.insert(key.get<std::string>());
    }
    text_ += "| key | value | meaning |\n|---|---|---|\n";
    for (const auto& [key, member] : value["properties"].items()) {
      text_ += fmt::format("| `{}`{} | {} | {} |\n", key, required.count(key) > 0 ? " (needed)" : "", cell(type_of(member)),
                           cell(description_of(member)));
    }
    text_ += "\n";
  }

  const OrderedJson& schema_;
  std::vector<std::string> pending_;
  std::set<std::string> seen_;
  std::string text_;
};

}  // namespace

std::string schema_reference() {
  const OrderedJson schema = OrderedJson::parse(embedded_schema);
  return "# Reference of task files\n\nMade from the schema by `tgd schema --markdown`.\n\n" + SchemaReference(schema).text();
}

}  // namespace tgd::cli
