#include "task/document_edit.hpp"

#include <optional>

#include <fmt/format.h>

#include "core/file.hpp"
#include "core/json_text.hpp"
#include "core/text_file.hpp"
#include "task/json_tokens.hpp"
#include "task/parts.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

struct MemberPlace {
  std::size_t key = 0;
  std::size_t begin = 0;  // of the value
  std::size_t end = 0;
};

struct RootMembers {
  std::optional<MemberPlace> wanted = {};
  std::optional<MemberPlace> first = {};
  std::optional<MemberPlace> last = {};
  std::size_t open = 0;  // behind the bracket
};

/// The end of the value that begins with `token`.
std::size_t end_of_value(JsonTokens& tokens, JsonToken token) {
  std::size_t depth = 0;
  for (;; token = tokens.next()) {
    if (token.is('{') || token.is('[')) ++depth;
    if (token.is('}') || token.is(']')) --depth;
    if (depth == 0 || token.kind == JsonToken::Kind::end) return token.end();
  }
}

RootMembers find_members(std::string_view document, const std::string& key) {
  JsonTokens tokens(document);
  RootMembers members{.open = tokens.next().end()};
  for (JsonToken token = tokens.next(); token.kind == JsonToken::Kind::text || token.is(','); token = tokens.next()) {
    if (token.is(',')) continue;
    MemberPlace place{.key = token.begin};
    const bool is_wanted = OrderedJson::parse(token.text).get<std::string>() == key;
    tokens.next();  // the colon
    const JsonToken value = tokens.next();
    place.begin = value.begin;
    place.end = end_of_value(tokens, value);
    if (is_wanted) members.wanted = place;
    if (!members.first) members.first = place;
    members.last = place;
  }
  return members;
}

/// What stands between the line's beginning and `at`, line break included; nothing when that is no blank.
std::string break_before(std::string_view document, std::size_t at) {
  const std::size_t line_feed = document.substr(0, at).rfind('\n');
  if (line_feed == document.npos) return " ";
  const std::string_view blank = document.substr(line_feed, at - line_feed);
  if (blank.find_first_not_of(" \t\n") != blank.npos) return " ";
  const bool has_carriage_return = line_feed > 0 && document[line_feed - 1] == '\r';
  return (has_carriage_return ? "\r" : "") + std::string(blank);
}

/// Behind the comment that stands on the line behind `at`: it is about what stands before it.
std::size_t end_of_remark(std::string_view document, std::size_t at) {
  const std::size_t next = document.find_first_not_of(" \t", at);
  if (next == document.npos || !document.substr(next).starts_with("//")) return at;
  const std::size_t end = document.find_first_of("\r\n", next);
  return end == document.npos ? document.size() : end;
}

/// A model that another one stands in for is not named.
OrderedJson shortest(OrderedJson models) {
  const auto drop = [&models](const char* name, const char* other) {
    if (models.contains(name) && models[name] == models[other]) models.erase(name);
  };
  drop("judge", models.contains("teacher") ? "teacher" : "student");
  drop("teacher", "student");
  for (auto& model : models) {
    if (model.size() == 2 && model.value("provider", "") == "openai" && model.contains("model"))
      model = "openai/" + model["model"].get<std::string>();
  }
  return models;
}

}  // namespace

std::string with_member(std::string_view document, const std::string& key, const OrderedJson& value) {
  const RootMembers members = find_members(document, key);
  const std::string text = detail::json_text(value);
  std::string result(document);
  if (members.wanted) return result.replace(members.wanted->begin, members.wanted->end - members.wanted->begin, text);
  const std::string member = detail::json_text(OrderedJson(key)) + ": " + text;
  if (!members.last) return result.insert(members.open, member);
  result.insert(end_of_remark(document, members.last->end), break_before(document, members.first->key) + member);
  return result.insert(members.last->end, ",");
}

bool differs_in_models(const Task& task) {
  const Task written = parse_task(TaskDocument(task.file, task.json.dump()), task.file);
  return shortest(written_models(written.models)) != shortest(written_models(task.models));
}

void save_models(const std::filesystem::path& file, const Task& task) {
  try {
    std::string text = detail::read_file(file);
    const detail::MarkedEncoding encoding = detail::marked_encoding(text);
    std::string mark;
    if (!encoding.name.empty()) {
      text = detail::read_text_file(file);
    } else {
      mark = text.substr(0, encoding.mark_size);
      text.erase(0, encoding.mark_size);
    }
    text = with_member(text, "models", shortest(written_models(task.models)));
    const Task written = parse_task(TaskDocument(file, text), file);
    if (shortest(written_models(written.models)) != shortest(written_models(task.models)))
      throw TaskError(fmt::format("the models cannot be written into {} as they are", file.string()));
    detail::write_output(file, mark + text);
  } catch (const ValueError& error) {
    throw TaskError(error.what());
  }
}

}  // namespace tgd::cli
