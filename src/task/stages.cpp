// "messages", "output" and "stages" of a task.
#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "core/pattern.hpp"
#include "task/parts.hpp"

namespace tgd::cli {

namespace {

using Kind = OutputStep::Kind;

constexpr Members::Example messages_example = R"([{"role": "user", "content": "{ticket}"}])";

void read_content(const TaskValue& value, std::vector<std::string>& content) {
  if (!value.json().is_array()) return content.push_back(value.text());
  for (const TaskValue& part : value.items()) content.push_back(part.text());
  if (content.empty()) value.fail("no text; write one, such as \"{ticket}\", or a list of several");
}

void describe_message(Members& in, MessageSpec& message) {
  in.one_of("role", message.role, {"system", "developer", "user", "assistant"}, "\"user\"");
  in.member(
      "content", [&](const TaskValue& at) { read_content(at, message.content); },
      [&] { return message.content.size() == 1 ? OrderedJson(message.content[0]) : OrderedJson(message.content); },
      "\"{ticket}\"");
}

// ---- Output ----------------------------------------------------------------------------------------------------------------

const Words<Kind>& plain_steps() {
  static const Words<Kind> words{{"text", Kind::text},
                                 {"lower_case", Kind::lower_case},
                                 {"number", Kind::number},
                                 {"comma_number", Kind::comma_number},
                                 {"fenced_json", Kind::fenced_json}};
  return words;
}

const Words<Kind>& steps_with_argument() {
  static const Words<Kind> words{{"json_pointer", Kind::json_pointer}, {"regex", Kind::regex}};
  return words;
}

constexpr const char* step_examples = R"x({"json_pointer": "/label"} or {"regex": "label: (\\w+)"})x";

void check_argument(const TaskValue& value, const OutputStep& step) {
  if (step.kind == Kind::regex) {
    try {
      detail::Pattern compiled(step.argument);
    } catch (const ValueError& error) {
      value.fail(error.what());
    }
    return;
  }
  try {
    OrderedJson::json_pointer(step.argument);
  } catch (const OrderedJson::exception&) {
    value.fail(
        fmt::format("\"{}\" is not a JSON pointer; one begins with /, such as \"/label\" or \"/answers/0\", and ~0 and ~1 "
                    "stand for ~ and / in a name",
                    step.argument));
  }
}

OutputStep read_plain_step(const TaskValue& value) {
  for (const auto& word : steps_with_argument()) {
    if (value.text() == word.first) value.fail(fmt::format("\"{}\" needs an argument; write {}", word.first, step_examples));
  }
  const std::vector<std::string> words = names_in(plain_steps());
  const std::string word = value.text();
  for (const auto& step : plain_steps()) {
    if (step.first == word) return {step.second};
  }
  value.fail(fmt::format("\"{}\" is not known; there are {}, {}{}", word, quoted_list(words), step_examples,
                         did_you_mean(word, words)));
}

OutputStep read_step(const TaskValue& value) {
  if (value.json().is_string()) return read_plain_step(value);
  value.expect_object(names_in(steps_with_argument()));
  const auto members = value.members();
  if (members.size() != 1) value.fail(fmt::format("expected one member, such as {}; several steps form a list", step_examples));
  OutputStep step;
  for (const auto& word : steps_with_argument()) {
    if (members[0].first == word.first) step.kind = word.second;
  }
  step.argument = members[0].second.nonempty_text();
  check_argument(members[0].second, step);
  return step;
}

std::vector<OutputStep> read_output(const TaskValue& value) {
  if (!value.json().is_array()) return {read_step(value)};
  std::vector<OutputStep> steps;
  for (const TaskValue& item : value.items()) steps.push_back(read_step(item));
  if (steps.empty()) value.fail("no steps; write \"text\" for the reply as it is, or leave \"output\" out");
  return steps;
}

OrderedJson written_step(const OutputStep& step) {
  for (const auto& word : plain_steps()) {
    if (word.second == step.kind) return word.first;
  }
  for (const auto& word : steps_with_argument()) {
    if (word.second == step.kind) return {{word.first, step.argument}};
  }
  return {};
}

OrderedJson written_output(const std::vector<OutputStep>& steps) {
  if (steps.size() == 1) return written_step(steps[0]);
  OrderedJson json = OrderedJson::array();
  for (const OutputStep& step : steps) json.push_back(written_step(step));
  return json;
}

// ---- Stages ----------------------------------------------------------------------------------------------------------------

void describe_stage(Members& in, StageSpec& stage) {
  in.text("name", stage.name, "\"facts\"");
  in.text("model", stage.model);
  in.member(
      "messages", [&](const TaskValue& at) { stage.messages = read_messages(at); },
      [&] { return written_messages(stage.messages); }, messages_example);
  in.args("args", stage.args);
  in.word("on_error", stage.on_error, policies());
  in.member(
      "output", [&](const TaskValue& at) { stage.output = read_output(at); }, [&] { return written_output(stage.output); });
}

const Words<bool>& who_gives_feedback() {
  static const Words<bool> words{{"model", false}, {"command", true}};
  return words;
}

/// What both forms of a command have in common.
void describe_function(Members& in, StageSpec& stage) {
  describe_command(in, stage.command);
  in.text("description", stage.description);
  in.texts("inputs", stage.inputs);
  in.word("on_error", stage.on_error, policies());
  in.member(
      "output", [&](const TaskValue& at) { stage.output = read_output(at); }, [&] { return written_output(stage.output); });
}

void describe_command_stage(Members& in, StageSpec& stage) {
  in.text("name", stage.name, "\"facts\"");
  describe_function(in, stage);
  in.word("feedback", stage.answers_feedback, who_gives_feedback());
}

void describe_agent(Members& in, StageSpec& stage) {
  in.texts("parameters", stage.parameters);
  describe_function(in, stage);
  in.flag("proxy", stage.has_proxy);
}

/// A program that takes many things on at once says so; its calls of models may have to wait for their turn.
constexpr std::size_t runs_in_flight = 8;
constexpr double usual_seconds_of_run = 600;

StageSpec read_agent(const TaskValue& value) {
  StageSpec agent{.name = "agent", .model = "the agent", .messages = {}, .kind = StageSpec::Kind::agent};
  agent.command.usual_in_flight = runs_in_flight;
  agent.command.usual_timeout = usual_seconds_of_run;
  read_object(value, agent, describe_agent);
  complete_command(value, agent.command);
  return agent;
}

StageSpec read_stage(const TaskValue& value) {
  StageSpec stage{.name = {}, .messages = {}};
  const bool is_command = value.json().is_object() && value.has("run");
  if (is_command) stage.kind = StageSpec::Kind::command;
  read_object(value, stage, is_command ? describe_command_stage : describe_stage);
  expect_identifier(value.at("name", ""), stage.name);
  if (!is_command) return stage;
  stage.model = "stage " + stage.name;
  complete_command(value, stage.command);
  return stage;
}

OrderedJson written_stage(const StageSpec& stage) {
  return written_object(stage, stage.kind == StageSpec::Kind::command ? describe_command_stage : describe_stage);
}

std::vector<StageSpec> read_stages(const TaskValue& value) {
  std::vector<StageSpec> stages;
  for (const TaskValue& item : value.items()) stages.push_back(read_stage(item));
  if (stages.empty())
    value.fail(fmt::format("no stages; write for example [{{\"name\": \"answer\", \"messages\": {}}}]", messages_example));
  return stages;
}

StageSpec only_stage() { return {.name = "answer", .messages = {}}; }

bool is_agent(const Task& task) { return task.stages.size() == 1 && task.stages[0].kind == StageSpec::Kind::agent; }

/// Whether the short form, without "stages", says the same.
bool is_short(const Task& task) {
  const StageSpec plain = only_stage();
  return task.stages.size() == 1 && task.stages[0].kind == plain.kind && task.stages[0].name == plain.name && task.stages[0].model == plain.model &&
         task.stages[0].args.empty() && !task.stages[0].on_error;
}

}  // namespace

std::vector<MessageSpec> read_messages(const TaskValue& value) {
  std::vector<MessageSpec> messages;
  for (const TaskValue& item : value.items()) read_object(item, messages.emplace_back(), describe_message);
  if (messages.empty()) value.fail(fmt::format("no messages; write for example {}", messages_example));
  return messages;
}

OrderedJson written_messages(const std::vector<MessageSpec>& messages) {
  OrderedJson json = OrderedJson::array();
  for (const MessageSpec& message : messages) json.push_back(written_object(message, describe_message));
  return json;
}

void describe_stages(Members& in, Task& task) {
  const auto read_only_messages = [&](const TaskValue& at) {
    task.stages = {only_stage()};
    task.stages[0].messages = read_messages(at);
  };
  in.member("messages", read_only_messages,
            [&] { return is_short(task) ? written_messages(task.stages[0].messages) : OrderedJson(); });
  const auto read_only_output = [&](const TaskValue& at) {
    if (task.stages.empty())
      at.fail("\"output\" belongs to \"messages\"; each of the \"stages\" can have an \"output\" of its own");
    task.stages[0].output = read_output(at);
  };
  in.member("output", read_only_output, [&] { return is_short(task) ? written_output(task.stages[0].output) : OrderedJson(); });
  const auto read_all = [&](const TaskValue& at) {
    if (!task.stages.empty()) at.fail("expected either \"messages\", for one call, or \"stages\", for several");
    task.stages = read_stages(at);
  };
  const auto write_all = [&] {
    if (is_short(task) || is_agent(task)) return OrderedJson();
    OrderedJson json = OrderedJson::array();
    for (const StageSpec& stage : task.stages) json.push_back(written_stage(stage));
    return json;
  };
  in.member("stages", read_all, write_all);
  const auto read_program = [&](const TaskValue& at) {
    if (!task.stages.empty()) at.fail("expected either \"messages\", \"stages\" or an \"agent\", which makes its calls itself");
    task.stages = {read_agent(at)};
  };
  in.member("agent", read_program,
            [&] { return is_agent(task) ? written_object(task.stages[0], describe_agent) : OrderedJson(); });
}

namespace {

std::vector<std::string> names_of_inputs(const Task& task) {
  std::vector<std::string> names;
  for (const auto& input : task.data.inputs) names.push_back(input.first);
  return names;
}

std::vector<std::string> names_of_parameters(const Task& task) {
  std::vector<std::string> names;
  for (const ParameterSpec& parameter : task.parameters) names.push_back(parameter.name);
  return names;
}

/// What a command is given: what is named, or else all that can be.
void complete_names(const TaskValue& stage, const char* key, std::vector<std::string>& names,
                    const std::vector<std::string>& usual, const std::vector<std::string>& known) {
  const auto place = stage.find(key);
  if (!place) {
    names = usual;
    return;
  }
  const std::vector<TaskValue> items = place->items();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(known.begin(), known.end(), names[i]) == known.end())
      items[i].fail(fmt::format("there is no \"{}\" that could be given to the command; there are {}{}", names[i],
                                quoted_list(known), did_you_mean(names[i], known)));
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i))
      items[i].fail(fmt::format("\"{}\" stands here twice", names[i]));
  }
  if (names.empty()) place->fail(fmt::format("nothing is named; there are {}", quoted_list(known)));
}

void check_command_stage(const TaskValue& place, Task& task, std::size_t number) {
  StageSpec& stage = task.stages[number];
  std::vector<std::string> known = names_of_inputs(task);
  for (std::size_t i = 0; i < number; ++i) known.push_back(task.stages[i].name);
  const std::vector<std::string> usual = known;
  for (std::string& name : names_of_parameters(task)) known.push_back(std::move(name));
  complete_names(place, "inputs", stage.inputs, usual, known);
  if (stage.description.empty() && !stage.answers_feedback) {
    place.at("description",
             "\"looks the question up in the manual; gives its three nearest paragraphs\": what it does, for the model that "
             "criticises its inputs; or write \"feedback\": \"command\", and it is asked for that itself");
  }
}

}  // namespace

void check_stages(const TaskValue& root, Task& task) {
  if (task.stages.empty()) root.at("messages", messages_example);
  for (std::size_t i = 0; i < task.stages.size(); ++i) {
    if (task.stages[i].kind == StageSpec::Kind::command) check_command_stage(root.at("stages", "").items()[i], task, i);
  }
  if (!is_agent(task)) return;
  const TaskValue agent = root.at("agent", "");
  complete_names(agent, "parameters", task.stages[0].parameters, names_of_parameters(task), names_of_parameters(task));
  complete_names(agent, "inputs", task.stages[0].inputs, names_of_inputs(task), names_of_inputs(task));
}

}  // namespace tgd::cli
