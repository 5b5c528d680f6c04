// "evaluator" of a task.
#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <tgd/template.hpp>

#include "task/parts.hpp"
#include "task/scoring.hpp"

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

const Words<SetMetric>& set_metrics() {
  static const Words<SetMetric> words{{"f1", SetMetric::f1},
                                      {"auc", SetMetric::auc},
                                      {"correlation", SetMetric::correlation},
                                      {"rank_correlation", SetMetric::rank_correlation},
                                      {"mean_absolute_error", SetMetric::mean_absolute_error}};
  return words;
}

void describe_limits(Members& in, Limits& limits) {
  in.real("min", limits.min, {.least = -std::numeric_limits<double>::max()});
  in.real("max", limits.max, {.least = -std::numeric_limits<double>::max()});
}

/// tgd measures what it has a name for; other metrics are those of a command's answers.
void read_keep(const TaskValue& value, EvaluatorSpec& evaluator) {
  evaluator.keep.clear();
  for (const auto& [name, member] : value.members()) {
    Limits& limits = evaluator.keep[name];
    read_object(member, limits, describe_limits);
    if (!limits.min && !limits.max) member.fail("no limit; write for example {\"max\": 400}");
    if (limits.min && limits.max && *limits.min > *limits.max)
      member.fail(fmt::format("nothing is from {} to {}", *limits.min, *limits.max));
    const std::vector<std::string>& known = answer_metrics();
    const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
    if (!is_known && evaluator.type != Type::command)
      member.fail(fmt::format("nobody measures \"{}\"; tgd measures {}, and a \"command\" what it likes{}", name,
                              quoted_list(known), did_you_mean(name, known)));
  }
}

OrderedJson written_keep(const EvaluatorSpec& evaluator) {
  OrderedJson json;
  for (const auto& [name, limits] : evaluator.keep) json[name] = written_object(limits, describe_limits);
  return json;
}

void read_metrics(const TaskValue& value, EvaluatorSpec& evaluator) {
  evaluator.metrics.clear();
  for (const TaskValue& item : value.items()) evaluator.metrics.push_back(item.one_of(answer_metrics()));
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

void describe_scale(Members& in, EvaluatorSpec& evaluator) {
  in.real("best_score", evaluator.best_score, {.least = -std::numeric_limits<double>::max()});
  in.real("worst_score", evaluator.worst_score, {.least = -std::numeric_limits<double>::max()});
  in.flag("higher_is_better", evaluator.higher_is_better);
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

const std::string& name_of(EvaluatorSpec::Type type) {
  return std::find_if(types().begin(), types().end(), [&](const auto& word) { return word.second == type; })->first;
}

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
      describe_command(in, evaluator.command);
      in.text("optimize", evaluator.optimize);
      describe_scale(in, evaluator);
      break;
  }
  in.member(
      "metrics", [&](const TaskValue& at) { read_metrics(at, evaluator); }, [&] { return OrderedJson(evaluator.metrics); });
  in.member(
      "keep", [&](const TaskValue& at) { read_keep(at, evaluator); }, [&] { return written_keep(evaluator); });
  in.word("critique", evaluator.critique_by_lm, {{"explanation", false}, {"lm", true}});
}

std::vector<SetMetric> read_set_metrics(const TaskValue& value) {
  std::vector<SetMetric> metrics;
  for (const TaskValue& item : value.items()) metrics.push_back(chosen(item, set_metrics()));
  return metrics;
}

OrderedJson written_set_metrics(const std::vector<SetMetric>& metrics) {
  OrderedJson json = OrderedJson::array();
  for (const SetMetric metric : metrics) {
    for (const auto& word : set_metrics()) {
      if (word.second == metric) json.push_back(word.first);
    }
  }
  return json;
}

EvaluatorSpec read_evaluator(const TaskValue& value) {
  EvaluatorSpec evaluator;
  read_variant(value, evaluator, &EvaluatorSpec::type, "type", types(), describe_evaluator, "\"exact_match\"");
  if (const auto fields = value.find("fields")) check_fields(*fields);
  if (evaluator.type == Type::command) complete_command(value, evaluator.command);
  return evaluator;
}

void check_evaluator(const TaskValue& value, const Task& task) {
  const bool needs_target = std::any_of(task.evaluator.metrics.begin(), task.evaluator.metrics.end(), metric_needs_target) ||
                            std::any_of(task.evaluator.keep.begin(), task.evaluator.keep.end(),
                                        [](const auto& limit) { return metric_needs_target(limit.first); }) ||
                            !task.report_metrics.empty();
  if (needs_target && !task.data.has_target())
    task.data.place.at("target", "\"label\", the field with the expected answer; a metric of this task compares with it");
  if (task.evaluator.type == Type::judge) {
    check_judge(value, task);
  } else if (!task.evaluator.is_judged() && !task.data.has_target()) {
    task.data.place.at("target",
                       "\"label\", the field with the expected answer; only a \"judge\" and a \"command\" can do without");
  }
}

}  // namespace tgd::cli
