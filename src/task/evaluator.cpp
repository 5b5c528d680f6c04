// "evaluator" of a task.
#include <algorithm>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "task/parts.hpp"

namespace tgd::cli {

namespace {

using Type = EvaluatorSpec::Type;

const Words<Type>& types() {
  static const Words<Type> words{{"exact_match", Type::exact_match},
                                 {"contains", Type::contains},
                                 {"number", Type::number},
                                 {"json_fields", Type::json_fields},
                                 {"f1", Type::f1},
                                 {"judge", Type::judge},
                                 {"command", Type::command}};
  return words;
}

const Words<EvaluatorSpec::Lists>& list_scores() {
  using Lists = EvaluatorSpec::Lists;
  static const Words<Lists> words{{"f1", Lists::f1},
                                  {"precision", Lists::precision},
                                  {"recall", Lists::recall},
                                  {"exact_set", Lists::exact_set},
                                  {"in_order", Lists::in_order}};
  return words;
}

const Words<detail::DecimalMark>& decimal_marks() {
  static const Words<detail::DecimalMark> words{{"point", detail::DecimalMark::point}, {"comma", detail::DecimalMark::comma}};
  return words;
}

constexpr Members::Example judge_example =
    R"([{"role": "user", "content": "{prediction} … Reply with JSON: {\"score\": 0 to 1, \"explanation\": \"…\"}"}])";

void check_fields(const TaskValue& value) {
  for (const TaskValue& field : value.items()) {
    try {
      OrderedJson::json_pointer(field.text());
    } catch (const OrderedJson::exception&) {
      field.fail(fmt::format("\"{}\" is not a JSON pointer; write for example \"/{}\"", field.text(), field.text()));
    }
  }
}

void read_run(const TaskValue& value, std::vector<std::string>& run) {
  run.clear();
  for (const TaskValue& item : value.items()) run.push_back(run.empty() ? item.nonempty_text() : item.text());
  if (run.empty()) value.fail("there is no program in it; write for example [\"python3\", \"metric.py\"]");
}

std::filesystem::path folder_of_command(const TaskValue& value) {
  std::filesystem::path folder = value.path();
  if (!std::filesystem::is_directory(folder))
    value.fail(fmt::format("there is no folder {} (paths start at the task file's folder)", folder.string()));
  return folder;
}

void describe_scale(Members& in, EvaluatorSpec& evaluator) {
  in.real("best_score", evaluator.best_score, {.least = -std::numeric_limits<double>::max()});
  in.real("worst_score", evaluator.worst_score, {.least = -std::numeric_limits<double>::max()});
  in.flag("higher_is_better", evaluator.higher_is_better);
}

void describe_command(Members& in, EvaluatorSpec& evaluator) {
  in.member(
      "run", [&](const TaskValue& at) { read_run(at, evaluator.run); }, [&] { return OrderedJson(evaluator.run); },
      R"(["python3", "metric.py"])");
  in.member(
      "folder", [&](const TaskValue& at) { evaluator.folder = folder_of_command(at); },
      [&] { return written_path(evaluator.folder); });
  in.count("workers", evaluator.workers, {.least = 1, .most = 256});
  in.seconds("timeout_seconds", evaluator.timeout_seconds);
  describe_settings(in, "env", evaluator.env, false);
}

/// Its processes start when something is to be measured.
std::shared_ptr<const CommandEvaluator> make_command(const EvaluatorSpec& evaluator) {
  CommandOptions options{.run = evaluator.run, .folder = evaluator.folder, .workers = evaluator.workers};
  options.timeout_seconds = evaluator.timeout_seconds.value_or(options.timeout_seconds);
  for (const NamedSetting& variable : evaluator.env) options.env.emplace_back(variable.name, variable.value);
  return std::make_shared<const CommandEvaluator>(std::move(options));
}

bool any_has(const std::vector<MessageSpec>& messages, std::string_view name) {
  return std::any_of(messages.begin(), messages.end(), [&](const MessageSpec& message) {
    return std::any_of(message.content.begin(), message.content.end(),
                       [&](const std::string& text) { return has_placeholder(text, name); });
  });
}

void check_judge(const TaskValue& value, const Task& task) {
  for (const auto& input : task.data.inputs) {
    if (input.first != "prediction" && input.first != "target") continue;
    task.data.place.at("inputs", "")
        .at(input.first, "")
        .fail(fmt::format("{{{}}} has a meaning of its own in the judge's messages; give the input another name", input.first));
  }
  const TaskValue messages = value.at("messages", judge_example);
  if (!any_has(task.evaluator.messages, "prediction"))
    messages.fail("the judge does not see what it judges; put {prediction} into the \"content\" of a message");
  if (!task.data.has_target() && any_has(task.evaluator.messages, "target"))
    messages.fail("{target} stands for nothing, since \"data\" has no \"target\"; name one there, or leave {target} out");
}

}  // namespace

void describe_evaluator(Members& in, EvaluatorSpec& evaluator) {
  in.word("type", evaluator.type, types(), "\"exact_match\"");
  switch (evaluator.type) {
    case Type::exact_match:
    case Type::contains:
    case Type::f1:
      in.flag("ignore_case", evaluator.ignore_case);
      break;
    case Type::number:
      in.real("tolerance", evaluator.tolerance, {.least = 0});
      in.word("decimal_mark", evaluator.decimal_mark, decimal_marks());
      break;
    case Type::json_fields:
      in.texts("fields", evaluator.fields);
      in.word("lists", evaluator.lists, list_scores());
      in.flag("ignore_case", evaluator.ignore_case);
      in.word("decimal_mark", evaluator.decimal_mark, decimal_marks());
      break;
    case Type::judge:
      in.text("model", evaluator.model);
      in.member(
          "messages", [&](const TaskValue& at) { evaluator.messages = read_messages(at); },
          [&] { return written_messages(evaluator.messages); }, judge_example);
      in.args("args", evaluator.args);
      describe_scale(in, evaluator);
      break;
    case Type::command:
      describe_command(in, evaluator);
      describe_scale(in, evaluator);
      break;
  }
  in.word("critique", evaluator.critique_by_lm, {{"explanation", false}, {"lm", true}});
}

EvaluatorSpec read_evaluator(const TaskValue& value) {
  EvaluatorSpec evaluator;
  read_variant(value, evaluator, &EvaluatorSpec::type, "type", types(), describe_evaluator, "\"exact_match\"");
  if (const auto fields = value.find("fields")) check_fields(*fields);
  if (evaluator.type == Type::command) {
    if (evaluator.folder.empty()) evaluator.folder = value.folder();
    evaluator.command = make_command(evaluator);
  }
  return evaluator;
}

void check_evaluator(const TaskValue& value, const Task& task) {
  if (task.evaluator.type == Type::judge) {
    check_judge(value, task);
  } else if (!task.evaluator.is_judged() && !task.data.has_target()) {
    task.data.place.at("target",
                       "\"label\", the field with the expected answer; only a \"judge\" and a \"command\" can do without");
  }
}

}  // namespace tgd::cli
