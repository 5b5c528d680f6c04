// "data" and "parameters" of a task.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/file.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "task/data_file.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

fs::path data_file(const TaskValue& value) {
  const fs::path file = value.path();
  try {
    data_format(file);
  } catch (const ValueError& error) {
    value.fail(error.what());
  }
  return existing_file(value);
}

void describe_file(Members& in, const std::string& key, fs::path& file) {
  in.member(
      key, [&](const TaskValue& at) { file = data_file(at); }, [&] { return written_path(file); });
}

constexpr Members::Example inputs_example = R"({"ticket": "text"}, a placeholder and its field of the data)";

void read_inputs(const TaskValue& value, DataSpec& data) {
  for (const auto& [name, source] : value.members()) {
    expect_identifier(source, name);
    data.inputs.emplace_back(name, source.nonempty_text());
  }
  if (data.inputs.empty()) value.fail(fmt::format("no inputs; write for example {}", inputs_example));
}

OrderedJson written_inputs(const DataSpec& data) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, source] : data.inputs) json[name] = source;
  return json;
}

void describe_limit(Members& in, DataSpec& data) {
  in.count("train", data.train_limit, {.least = 1});
  in.count("validation", data.validation_limit, {.least = 1});
  in.count("test", data.test_limit, {.least = 1});
}

void read_limit(const TaskValue& value, DataSpec& data) {
  if (value.json().is_object()) return read_object(value, data, describe_limit);
  const auto limit = static_cast<std::size_t>(value.count({.least = 1}));
  data.train_limit = data.validation_limit = data.test_limit = limit;
}

std::string read_encoding(const TaskValue& value) {
  std::string name = value.nonempty_text();
  if (!detail::is_encoding(name))
    value.fail(
        fmt::format("the encoding \"{}\" is not known; expected what iconv knows, such as \"UTF-16\", \"ISO-8859-1\", "
                    "\"WINDOWS-1252\" or \"SHIFT_JIS\"",
                    detail::excerpt(name, 60)));
  return name;
}

void read_columns(const TaskValue& value, DataSpec& data) {
  for (const TaskValue& name : value.items()) data.columns.push_back(name.nonempty_text());
  if (data.columns.empty()) value.fail("no names; write one for each column, such as [\"text\", \"label\"]");
}

void describe_split(Members& in, DataSpec& data) {
  const RealRange share{.least = 0, .most = 1};
  in.real("train", data.train, share, "0.4");
  in.real("validation", data.validation, share, "0.25");
  in.real("test", data.test, share, "0.35");
  in.count("seed", data.seed);
  in.flag("stratify", data.stratify);
}

void read_split(const TaskValue& value, DataSpec& data) {
  read_object(value, data, describe_split);
  const double sum = data.train + data.validation + data.test;
  if (std::abs(sum - 1) > 1e-6)
    value.fail(fmt::format("train, validation and test add up to {:.6g}; expected shares that add up to 1", sum));
}

/// With a file for each part all three have to be there, and nothing is left to split.
void check_part_files(const DataSpec& data) {
  const TaskValue& place = data.place;
  if (const auto split = place.find("split"))
    split->fail("each part has a file of its own, so there is nothing to split; leave \"split\" out, or name one \"file\"");
  for (const char* part : {"train", "validation", "test"}) place.at(part, fmt::format("\"{}.jsonl\"", part));
}

void describe_parameter(Members& in, ParameterSpec& parameter) {
  in.text("role", parameter.role, R"("instructions of a classifier")");
  in.text("value", parameter.value);
  const auto read_file = [&](const TaskValue& at) {
    const fs::path file = existing_file(at);
    try {
      parameter.value = detail::trim(detail::read_text_file(file));
    } catch (const Error& error) {
      at.fail(error.what());
    }
    if (parameter.value.empty()) at.fail("the file is empty");
  };
  in.member("file", read_file, [] { return OrderedJson(); });
  in.text("instructions", parameter.instructions);
  in.texts("frozen", parameter.frozen);
  in.texts("requires", parameter.required);
}

void check_frozen(const TaskValue& value, const ParameterSpec& parameter) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < parameter.frozen.size(); ++i) {
    const std::string& part = parameter.frozen[i];
    at = parameter.value.find(part, at);
    if (at == std::string::npos) {
      value.at("frozen", "")
          .items()[i]
          .fail(fmt::format("the value does not have \"{}\"{}; frozen parts are copied from the value, in its order",
                            detail::excerpt(part, 60), i == 0 ? "" : " behind the part before"));
    }
    at += part.size();
  }
}

thread_local fs::path start_of_paths;  // empty: none

}  // namespace

fs::path existing_file(const TaskValue& value) {
  fs::path file = value.path();
  if (fs::is_regular_file(file)) return file;
  std::vector<std::string> siblings;
  std::error_code no_folder;
  for (const auto& entry : fs::directory_iterator(file.parent_path().empty() ? "." : file.parent_path(), no_folder)) {
    if (entry.is_regular_file()) siblings.push_back(entry.path().filename().string());
  }
  std::sort(siblings.begin(), siblings.end());
  value.fail(fmt::format("there is no file {} (paths start at the task file's folder){}", file.string(),
                         did_you_mean(file.filename().string(), siblings)));
}

OrderedJson written_path(const fs::path& path) {
  if (path.empty()) return {};
  const fs::path absolute = fs::absolute(path).lexically_normal();
  if (start_of_paths.empty()) return absolute.string();
  std::error_code ignored;  // what cannot be said from there is said in full
  const fs::path relative = fs::weakly_canonical(absolute, ignored).lexically_relative(start_of_paths);
  return (relative.empty() ? absolute : relative).string();
}

WrittenPaths::WrittenPaths(const fs::path& folder) { start_of_paths = fs::weakly_canonical(fs::absolute(folder)); }
WrittenPaths::~WrittenPaths() { start_of_paths.clear(); }

void describe_data(Members& in, DataSpec& data) {
  describe_file(in, "file", data.file);
  describe_file(in, "train", data.train_file);
  describe_file(in, "validation", data.validation_file);
  describe_file(in, "test", data.test_file);
  in.member(
      "inputs", [&](const TaskValue& at) { read_inputs(at, data); }, [&] { return written_inputs(data); }, inputs_example);
  in.text("target", data.target);
  in.member(
      "split", [&](const TaskValue& at) { read_split(at, data); },
      [&] { return data.file.empty() ? OrderedJson() : written_object(data, describe_split); });
  in.text("group_by", data.group_by);
  in.member(
      "limit", [&](const TaskValue& at) { read_limit(at, data); },
      [&] {
        OrderedJson limit = written_object(data, describe_limit);
        return limit.empty() ? OrderedJson() : limit;
      });
  in.member(
      "encoding", [&](const TaskValue& at) { data.encoding = read_encoding(at); },
      [&] { return data.encoding.empty() ? OrderedJson() : OrderedJson(data.encoding); });
  in.member(
      "columns", [&](const TaskValue& at) { read_columns(at, data); },
      [&] { return data.columns.empty() ? OrderedJson() : OrderedJson(data.columns); });
}

void check_data(DataSpec& data) {
  const TaskValue& place = data.place;
  const bool has_parts = place.has("train") || place.has("validation") || place.has("test");
  if (place.has("file") && has_parts)
    place.fail("expected either \"file\", which is split, or \"train\", \"validation\" and \"test\", a file for each part");
  if (has_parts) {
    check_part_files(data);
  } else {
    place.at("file", "\"data.jsonl\"");
    place.at("split", R"({"train": 0.4, "validation": 0.25, "test": 0.35})");
  }
  if (const auto group = place.find("group_by"); group && has_parts)
    group->fail("each part has a file of its own, so there is nothing to split; leave this out");
  if (data.has_target()) return;
  const auto split = place.find("split");
  if (split && split->has("stratify") && data.stratify)
    split->at("stratify", "").fail("there is no \"target\" whose values could be spread evenly; leave this out");
  data.stratify = false;
}

std::vector<ParameterSpec> read_parameters(const TaskValue& value) {
  std::vector<ParameterSpec> parameters;
  for (const auto& [name, member] : value.members()) {
    expect_identifier(member, name);
    ParameterSpec parameter{.name = name, .role = {}, .value = {}};
    const char* choice = "expected either \"value\", the first text, or \"file\", where it stands";
    if (member.has("value") && member.has("file")) member.fail(choice);
    read_object(member, parameter, describe_parameter);
    if (parameter.value.empty()) member.fail(choice);
    check_frozen(member, parameter);
    parameters.push_back(std::move(parameter));
  }
  if (parameters.empty()) value.fail("no parameters: there is nothing to optimize");
  return parameters;
}

OrderedJson written_parameters(const std::vector<ParameterSpec>& parameters) {
  OrderedJson json = OrderedJson::object();
  for (const ParameterSpec& parameter : parameters) json[parameter.name] = written_object(parameter, describe_parameter);
  return json;
}

}  // namespace tgd::cli
