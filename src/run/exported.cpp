#include "run/exported.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tgd/autograd.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/version.hpp>

#include "core/json_position.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "core/visible.hpp"
#include "lm/openai/protocol.hpp"

namespace tgd::cli {

namespace {

// ---- The request ------------------------------------------------------------------------------------------------------

/// Those that ask a model: of what a command does there is no request.
std::vector<const StageSpec*> asking_stages(const Task& task) {
  std::vector<const StageSpec*> stages;
  for (const StageSpec& stage : task.stages) {
    if (stage.kind == StageSpec::Kind::model) stages.push_back(&stage);
  }
  return stages;
}

const StageSpec& stage_named(const Task& task, const std::string& name) {
  const std::vector<const StageSpec*> stages = asking_stages(task);
  if (stages.empty())
    throw TaskError("the task asks no model itself, its command does: there is no request to export; the prompt is, as text");
  if (name.empty() && stages.size() == 1) return *stages.front();
  std::vector<std::string> names;
  for (const StageSpec* stage : stages) {
    if (stage->name == name) return *stage;
    names.push_back(stage->name);
  }
  if (name.empty())
    throw TaskError(fmt::format("the task has several stages ({}); say which one with --stage", quoted_list(names)));
  throw TaskError(fmt::format("--stage: there is no stage \"{}\" that asks a model; there {} {}{}", name,
                              names.size() == 1 ? "is" : "are", quoted_list(names), did_you_mean(name, names)));
}

/// The task as if that stage were all of it: what stages before it give are inputs.
Task task_of_stage(const Task& task, const StageSpec& stage) {
  Task alone = task;
  for (const StageSpec& earlier : task.stages) {
    if (&earlier == &stage) break;
    alone.data.inputs.emplace_back(earlier.name, earlier.name);
  }
  alone.stages = {stage};
  return alone;
}

lm::Request request_of(const Task& alone, const NamedValues& values) {
  const auto stub = std::make_shared<lm::Stub>();
  stub->otherwise("a reply");
  NamedModels models{{"teacher", stub}, {"judge", stub}, {"student", stub}};
  for (const auto& model : alone.models) models[model.first] = stub;
  TaskAgent agent(alone, models, load_prompts(alone));
  agent.set_values(values);
  Batch batch;
  for (const auto& input : alone.data.inputs) batch.emplace(input.first, Variable(input_mark(input.first), input.first));
  const NoGradGuard no_grad;
  agent.run(batch).back().reply.wait();
  return stub->requests().back();
}

// ---- Texts with room for inputs -----------------------------------------------------------------------------------------

/// Hands over what a text is made of, in order: text, or an input's name.
void for_pieces(const ExportedRequest& request, std::string_view text,
                const std::function<void(std::string_view piece, const std::string* input)>& take) {
  while (!text.empty()) {
    std::size_t next = text.npos;
    const std::string* found = nullptr;
    for (const std::string& input : request.inputs) {
      const std::size_t at = text.find(input_mark(input));
      if (at < next) {
        next = at;
        found = &input;
      }
    }
    if (next > 0) take(text.substr(0, next), nullptr);
    if (found == nullptr) return;
    take({}, found);
    text.remove_prefix(next + input_mark(*found).size());
  }
}

std::string with_inputs(const ExportedRequest& request, std::string_view text,
                        const std::function<std::string(std::string_view)>& plain,
                        const std::function<std::string(const std::string&)>& input) {
  std::string result;
  for_pieces(request, text,
             [&](std::string_view piece, const std::string* name) { result += name ? input(*name) : plain(piece); });
  return result;
}

OrderedJson body_json(const ExportedRequest& request) {
  return detail::parse_json<OrderedJson>(request.body, "the request", 1);
}

/// A name that programs of both languages can have.
std::string identifier(const std::string& name) {
  std::string result;
  for (const char c : name) result += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result.front())) != 0) result.insert(0, "input_");
  // What means something to one of them, or to the programs themselves.
  static constexpr std::array reserved{
      "and",     "as",       "auto",   "body",   "break",  "case",    "char",     "class",  "const", "continue", "def",
      "default", "del",      "do",     "double", "else",   "enum",    "except",   "false",  "float", "for",      "from",
      "global",  "if",       "import", "in",     "int",    "is",      "json",     "lambda", "long",  "main",     "model",
      "new",     "not",      "or",     "os",     "pass",   "private", "public",   "raise",  "reply", "request",  "return",
      "short",   "std",      "str",    "struct", "switch", "sys",     "template", "tgd",    "this",  "throw",    "true",
      "try",     "typename", "union",  "urllib", "using",  "void",    "while",    "with",   "yield"};
  if (std::find(reserved.begin(), reserved.end(), result) != reserved.end()) result += "_";
  return result;
}

std::string parameters(const ExportedRequest& request, const char* before, const char* separator) {
  std::vector<std::string> names;
  for (const std::string& input : request.inputs) names.push_back(before + identifier(input));
  return detail::join(names, separator);
}

// ---- Endpoints ----------------------------------------------------------------------------------------------------------

void expect_endpoint(const ExportedRequest& request) {
  if (request.model.provider == "openai") return;
  throw TaskError(
      fmt::format("the model of this run is {}, which has no endpoint to send to; name one with --model (and --base-url)",
                  request.model.provider));
}

/// The URL with "${NAME}" where the task takes it from the environment.
struct ExportedUrl {
  std::string begin;  ///< as the task has it; may hold variables
  std::string end;    ///< what tgd puts behind it
};

ExportedUrl url_of(const ModelSpec& spec) {
  const lm::OpenAI model({.model = spec.model, .base_url = spec.base_url, .api_key = "none"});
  const std::string url = model.url();
  std::string begin = spec.base_url;
  while (begin.ends_with('/')) begin.pop_back();
  if (begin.empty() || spec.base_url_source.find("${") == std::string::npos || !url.starts_with(begin)) return {url, ""};
  return {spec.base_url_source, url.substr(begin.size())};
}

// ---- Python -------------------------------------------------------------------------------------------------------------

/// JSON's strings are Python's, too.
std::string python_string(std::string_view text) { return detail::visible_json(OrderedJson(text).dump()); }

std::string python_text(const ExportedRequest& request, const std::string& text) {
  std::vector<std::string> terms;
  for_pieces(request, text, [&](std::string_view piece, const std::string* input) {
    terms.push_back(input ? identifier(*input) : python_string(piece));
  });
  return terms.empty() ? "\"\"" : detail::join(terms, " + ");
}

std::string python_value(const ExportedRequest& request, const OrderedJson& value, std::size_t indent) {
  const std::string blanks(indent + 4, ' ');
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  if (value.is_string()) return python_text(request, value.get<std::string>());
  if (!value.is_structured()) return value.dump();
  std::string text(1, value.is_object() ? '{' : '[');
  for (const auto& [key, member] : value.items()) {
    text +=
        "\n" + blanks + (value.is_object() ? python_string(key) + ": " : "") + python_value(request, member, indent + 4) + ",";
  }
  if (!value.empty()) text += "\n" + std::string(indent, ' ');
  return text + (value.is_object() ? '}' : ']');
}

std::string python_url(const ModelSpec& spec) {
  const ExportedUrl url = url_of(spec);
  std::string text = url.end.empty() ? python_string(url.begin)
                                     : fmt::format("os.path.expandvars({}).rstrip(\"/\") + {}", python_string(url.begin),
                                                   python_string(url.end));
  if (spec.query.empty()) return text;
  std::vector<std::string> members;
  for (const NamedSetting& part : spec.query)
    members.push_back(fmt::format("{}: os.path.expandvars({})", python_string(part.name),
                                  python_string(part.source.empty() ? part.value : part.source)));
  return text + " + \"?\" + urllib.parse.urlencode({" + detail::join(members, ", ") + "})";
}

std::string python_headers(const ModelSpec& spec) {
  std::string text = "    headers = {\"Content-Type\": \"application/json\"}\n";
  const std::string key = spec.api_key_source.empty() ? "${OPENAI_API_KEY}" : spec.api_key_source;
  text += fmt::format(
      "    key = os.path.expandvars({})\n    if not key.startswith(\"$\"):\n        headers[\"Authorization\"] = \"Bearer \" + "
      "key\n",
      python_string(key));
  for (const auto* list : {&spec.headers, &spec.secret_headers}) {
    for (const NamedSetting& header : *list)
      text += fmt::format("    headers[{}] = os.path.expandvars({})\n", python_string(header.name),
                          python_string(header.source.empty() ? header.value : header.source));
  }
  return text;
}

/// What the programs do not do with a reply.
std::string output_comment(const ExportedRequest& request, const char* mark) {
  std::vector<std::string> steps;
  for (const OutputStep& step : request.output) {
    switch (step.kind) {
      case OutputStep::Kind::text:
        break;
      case OutputStep::Kind::lower_case:
        steps.emplace_back("makes it lower case");
        break;
      case OutputStep::Kind::number:
      case OutputStep::Kind::comma_number:
        steps.emplace_back("takes the last number");
        break;
      case OutputStep::Kind::fenced_json:
        steps.emplace_back("takes the JSON in it");
        break;
      case OutputStep::Kind::json_pointer:
        steps.push_back("takes the JSON's " + step.argument);
        break;
      case OutputStep::Kind::regex:
        steps.push_back("takes what matches " + step.argument);
        break;
    }
  }
  return steps.empty() ? "" : fmt::format("{} Of the reply, tgd {}.\n", mark, detail::visible(detail::join(steps, ", then ")));
}

// ---- C++ ----------------------------------------------------------------------------------------------------------------

/// Hidden characters by their bytes, so that what is read is what is compiled. Octal escapes end after three digits.
std::string cpp_string(std::string_view text) {
  std::string result = "\"";
  std::string lines(text);
  std::replace(lines.begin(), lines.end(), '\n', ' ');
  const bool hides_something = detail::visible_json(lines) != lines;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool is_trigraph = c == '?' && i > 0 && text[i - 1] == '?';  // would be another character, or a warning
    if (c == '"' || c == '\\' || is_trigraph) {
      result += std::string("\\") + c;
    } else if (c == '\n') {
      result += i + 1 < text.size() ? "\\n\"\n      \"" : "\\n";
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && hides_something)) {
      result += fmt::format("\\{:03o}", byte);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string cpp_text(const ExportedRequest& request, const std::string& text) {
  std::vector<std::string> terms;
  bool is_text = false;
  for_pieces(request, text, [&](std::string_view piece, const std::string* input) {
    // Two literals would be no sum.
    if (!terms.empty() || input) {
      terms.push_back(input ? identifier(*input) : cpp_string(piece));
    } else {
      terms.push_back(cpp_string(piece));
      is_text = true;
    }
  });
  if (terms.empty()) return "\"\"";
  if (terms.size() > 1 && is_text) terms.front() = "std::string(" + terms.front() + ")";
  return detail::join(terms, " + ");
}

std::string cpp_environment(const std::string& source) {
  // "${NAME}" and what stands around it.
  std::vector<std::string> terms;
  std::string_view rest = source;
  while (!rest.empty()) {
    const std::size_t at = rest.find("${");
    const std::size_t end = at == rest.npos ? rest.npos : rest.find('}', at);
    if (end == rest.npos) {
      terms.push_back("std::string(" + cpp_string(rest) + ")");
      break;
    }
    if (at > 0) terms.push_back("std::string(" + cpp_string(rest.substr(0, at)) + ")");
    terms.push_back("variable(" + cpp_string(rest.substr(at + 2, end - at - 2)) + ")");
    rest.remove_prefix(end + 1);
  }
  return terms.empty() ? "\"\"" : detail::join(terms, " + ");
}

std::string cpp_value(const std::string& value, const std::string& source) {
  return source.find("${") == std::string::npos ? cpp_string(value) : cpp_environment(source);
}

std::string cpp_pairs(const char* name, const std::vector<NamedSetting>& settings) {
  if (settings.empty()) return {};
  std::vector<std::string> pairs;
  for (const NamedSetting& setting : settings)
    pairs.push_back(fmt::format("{{{}, {}}}", cpp_string(setting.name), cpp_value(setting.value, setting.source)));
  return fmt::format("      .{} = {{{}}},\n", name, detail::join(pairs, ", "));
}

// ---- promptfoo ----------------------------------------------------------------------------------------------------------

/// Nunjucks would take braces of the prompt's own for its marks.
std::string nunjucks_text(std::string_view text) {
  const bool has_marks = text.find("{{") != text.npos || text.find("{%") != text.npos || text.find("{#") != text.npos;
  return has_marks ? "{% raw %}" + std::string(text) + "{% endraw %}" : std::string(text);
}

std::optional<OrderedJson> assertion_of(const EvaluatorSpec& evaluator, const std::string& target) {
  switch (evaluator.type) {
    case EvaluatorSpec::Type::exact_match:
      if (!evaluator.ignore_case) return OrderedJson{{"type", "equals"}, {"value", target}, {"transform", "output.trim()"}};
      return OrderedJson{{"type", "javascript"},
                         {"value", "output.trim().toLowerCase() === " + OrderedJson(target).dump() + ".toLowerCase()"}};
    case EvaluatorSpec::Type::contains:
      return OrderedJson{{"type", evaluator.ignore_case ? "icontains" : "contains"}, {"value", target}};
    case EvaluatorSpec::Type::number:
      return OrderedJson{
          {"type", "javascript"},
          {"value", fmt::format("Math.abs(Number((output.replace(/,/g, '').match(/-?\\d+(\\.\\d+)?/g) || []).pop()) - "
                                "Number({}.replace(/,/g, ''))) <= {}",
                                OrderedJson(target).dump(), evaluator.tolerance)}};
    case EvaluatorSpec::Type::json_fields:
      return OrderedJson{{"type", "is-json"}};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string input_mark(const std::string& name) {
  return "\xEE\x80\x80"
         "tgd input " +
         name + "\xEE\x80\x81";
}

ExportedRequest exported_request(const Task& task, const NamedValues& values, const std::string& stage) {
  const StageSpec& spec = stage_named(task, stage);
  const Task alone = task_of_stage(task, spec);
  const lm::Request sent = request_of(alone, values);
  ExportedRequest request{.task = task.name,
                          .stage = spec.name,
                          .inputs = {},
                          .body = {},
                          .model = task.models.at(spec.model),
                          .output = spec.output};
  request.body = lm::detail::request_body(sent.messages, request.model.args.merged(sent.args), request.model.model);
  if (!request.model.system_role.value_or(true)) request.body = lm::detail::folded_body(request.body).value_or(request.body);
  for (const auto& input : alone.data.inputs) {
    if (request.body.find(input_mark(input.first)) != std::string::npos) request.inputs.push_back(input.first);
  }
  return request;
}

std::string prompt_text(const NamedValues& values) {
  if (values.size() == 1) return values.front().second + "\n";
  std::string text;
  for (const auto& [name, value] : values) text += fmt::format("{}# {}\n\n{}\n", text.empty() ? "" : "\n", name, value);
  return text;
}

std::string openai_messages(const ExportedRequest& request) {
  const OrderedJson body = body_json(request);
  OrderedJson messages = OrderedJson::array();
  for (const OrderedJson& message : body["messages"]) {
    const std::string content = with_inputs(
        request, message["content"].get<std::string>(), [](std::string_view text) { return std::string(text); },
        [](const std::string& input) { return "{" + input + "}"; });
    messages.push_back({{"role", message["role"]}, {"content", content}});
  }
  return detail::json_text(messages, 2) + "\n";
}

std::string python_program(const ExportedRequest& request) {
  expect_endpoint(request);
  return fmt::format(R"(#!/usr/bin/env python3
"""The prompt of {0}, exported by tgd {1}. Posts the bytes that tgd posts.

    python3 THIS_FILE {2}
"""
import json
import os
import sys
import urllib.parse
import urllib.request

URL = {3}


def request({4}):
    body = {5}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


{6}def reply({4}):
{7}    post = urllib.request.Request(URL, request({4}), headers)
    with urllib.request.urlopen(post) as answer:
        return json.load(answer)["choices"][0]["message"]["content"].strip()


if __name__ == "__main__":
    print(reply(*sys.argv[1:]))
)",
                     detail::visible(request.task), version(), parameters(request, "", " "), python_url(request.model),
                     parameters(request, "", ", "), python_value(request, body_json(request), 4), output_comment(request, "#"),
                     python_headers(request.model));
}

std::string cpp_program(const ExportedRequest& request) {
  expect_endpoint(request);
  OrderedJson args = body_json(request);
  std::string messages;
  for (const OrderedJson& message : args["messages"])
    messages += fmt::format("      {{{}, {}}},\n", cpp_string(message["role"].get<std::string>()),
                            cpp_text(request, message["content"].get<std::string>()));
  const std::string model = args.value("model", request.model.model);
  args.erase("messages");
  args.erase("model");
  const ModelSpec& spec = request.model;
  std::string options = fmt::format("      .model = {},\n", cpp_string(model));
  if (!spec.base_url.empty()) options += fmt::format("      .base_url = {},\n", cpp_value(spec.base_url, spec.base_url_source));
  if (!spec.api_key_source.empty()) options += fmt::format("      .api_key = {},\n", cpp_environment(spec.api_key_source));
  if (!args.empty()) options += fmt::format("      .args = tgd::Json::parse({}),\n", cpp_string(args.dump()));
  options +=
      cpp_pairs("headers", spec.headers) + cpp_pairs("secret_headers", spec.secret_headers) + cpp_pairs("query", spec.query);
  std::string arguments;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) arguments += fmt::format(", argv[{}]", i + 1);
  const std::string environment =
      options.find("variable(") == std::string::npos ? "" : R"(std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

)";
  const std::string inputs = parameters(request, "const std::string& ", ", ");
  return fmt::format(R"(// The prompt of {0}, exported by tgd {1}. Posts the bytes that tgd posts.
//
//     c++ -std=c++20 THIS_FILE $(pkg-config --cflags --libs tgd) && ./a.out {2}
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include {11}

{3}{4}std::string reply(tgd::lm::ChatModel& model{5}{6}) {{
  return model.chat({{
{7}  }}).content;
}}

int main(int argc, char** argv) {{
  if (argc != {8}) {{
    std::cerr << "expected arguments: {2}\n";
    return 2;
  }}
  tgd::lm::OpenAI model(tgd::lm::OpenAIOptions{{
{9}  }});
  std::cout << reply(model{10}) << '\n';
  return 0;
}}
)",
                     detail::visible(request.task), version(), parameters(request, "", " "), environment,
                     output_comment(request, "//"), inputs.empty() ? "" : ", ", inputs, messages, request.inputs.size() + 1,
                     options, arguments, "<tgd/tgd.hpp>");
}

std::string promptfoo_tests(const ExportedRequest& request, const Task& task, const DataPart& samples,
                            std::vector<std::string>& notes) {
  expect_endpoint(request);
  OrderedJson body = body_json(request);
  for (OrderedJson& message : body["messages"]) {
    message["content"] = with_inputs(request, message["content"].get<std::string>(), nunjucks_text,
                                     [](const std::string& input) { return "{{" + input + "}}"; });
  }
  const std::string prompt = body["messages"].dump();
  const std::string model = body.value("model", request.model.model);
  body.erase("messages");
  body.erase("model");
  OrderedJson config = OrderedJson::object();
  if (!request.model.base_url.empty()) {
    std::string url = url_of(request.model).begin + url_of(request.model).end;
    const std::string end = "/chat/completions";
    if (url.ends_with(end)) url.erase(url.size() - end.size());
    for (std::size_t at = url.find("${"); at != url.npos; at = url.find("${"))
      url.replace(at, 2, "{{env.").replace(url.find('}', at), 1, "}}");
    config["apiBaseUrl"] = url;
  }
  if (!body.empty()) config["passthrough"] = body;
  OrderedJson tests = OrderedJson::array();
  bool is_checked = true;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::Record sample = samples[i];
    OrderedJson test{{"vars", OrderedJson::object()}};
    for (const std::string& input : request.inputs) {
      const auto value = sample.find(input);
      if (value != sample.end()) test["vars"][input] = value->second.item_text();
    }
    if (const auto target = sample.find(target_name); target != sample.end()) {
      if (auto assertion = assertion_of(task.evaluator, target->second.item_text())) {
        test["assert"] = OrderedJson::array({*assertion});
      } else {
        is_checked = false;
      }
    }
    tests.push_back(std::move(test));
  }
  if (!is_checked) notes.emplace_back("the task's metric has no counterpart in promptfoo: the tests have no assertions");
  if (task.evaluator.type == EvaluatorSpec::Type::json_fields)
    notes.emplace_back("promptfoo is told to expect JSON only, not which members it has");
  if (!output_comment(request, "").empty())
    notes.emplace_back("promptfoo looks at whole replies; tgd takes the answer out of them first");
  return detail::json_text(
             OrderedJson{{"description", fmt::format("{}, exported by tgd {}", task.name, version())},
                         {"prompts", OrderedJson::array({OrderedJson{{"raw", prompt}, {"label", task.name}}})},
                         {"providers", OrderedJson::array({OrderedJson{{"id", "openai:chat:" + model}, {"config", config}}})},
                         {"tests", tests}},
             2) +
         "\n";
}

}  // namespace tgd::cli
