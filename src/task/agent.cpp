#include "task/agent.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <tgd/cognitive/command_agent.hpp>
#include <tgd/functions.hpp>
#include <tgd/template.hpp>

#include "core/counted.hpp"
#include "core/text.hpp"
#include "task/scoring.hpp"

namespace tgd::cli {

namespace {

std::vector<optim::ParameterRules> rules_of(const Task& task, const std::vector<Variable>& parameters) {
  std::vector<optim::ParameterRules> rules;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ParameterSpec& spec = task.parameters[i];
    if (!spec.instructions.empty() || !spec.frozen.empty() || !spec.required.empty())
      rules.push_back(
          {.parameter = parameters[i], .instructions = spec.instructions, .frozen = spec.frozen, .required = spec.required});
  }
  return rules;
}

std::shared_ptr<optim::TGD> make_optimizer(const Task& task, const std::vector<Variable>& parameters, lm::ChatModelPtr teacher,
                                           const Prompts& prompts) {
  const OptimizerSpec& spec = task.optimizer;
  const optim::TGDOptions defaults;
  return std::make_shared<optim::TGD>(
      parameters,
      optim::TGDOptions{.model = std::move(teacher),
                        .constraints = spec.constraints,
                        .momentum = spec.momentum,
                        .completion_args = spec.args,
                        .max_reasks = spec.max_reasks,
                        .show_context = spec.show_context,
                        .context_budget = spec.context_budget.value_or(defaults.context_budget),
                        .prompts = prompts,
                        .joint = spec.joint,
                        .direction = task.evaluator.higher_is_better ? std::nullopt : std::optional(optim::Direction::minimize),
                        .boldness = spec.boldness,
                        .examples = spec.examples,
                        .rules = rules_of(task, parameters),
                        .rejected = spec.rejected,
                        .max_length_ratio = spec.max_length_ratio,
                        .copied_words = spec.copied_words});
}

/// What a task can fill in before a stage runs: its inputs, then the outputs of earlier stages.
std::vector<std::string> names_before(const Task& task, std::size_t stage) {
  std::vector<std::string> names;
  for (const auto& input : task.data.inputs) names.push_back(input.first);
  for (std::size_t i = 0; i < stage; ++i) names.push_back(task.stages[i].name);
  return names;
}

/// The texts of a stage in which placeholders are replaced.
std::string texts_of(const Messages& messages, const Inputs& filled_in) {
  std::string texts;
  for (const Message& message : messages) {
    for (const Variable& part : message.content) texts += part.text() + "\n";
  }
  for (const auto& input : filled_in) texts += input.second.variable().text() + "\n";
  return texts;
}

}  // namespace

Prompts load_prompts(const Task& task) {
  Prompts prompts;
  if (!task.prompts) return prompts;
  try {
    prompts.load(*task.prompts);
  } catch (const ValueError& error) {
    throw TaskError(std::string("--prompts (\"prompts\" in the task): ") + error.what());
  }
  return prompts;
}

void add_metrics(SampleMetrics& all, std::size_t position, const std::map<std::string, double>& of_sample) {
  for (const auto& [name, value] : of_sample) {
    MetricValues& values = all[name];
    values.resize(std::max(values.size(), position + 1));
    values[position] = value;
  }
}

std::optional<double> mean_of(const MetricValues& values) {
  double sum = 0;
  std::size_t count = 0;
  for (const std::optional<double>& value : values) {
    sum += value.value_or(0);
    count += value ? 1 : 0;
  }
  return count == 0 ? std::nullopt : std::optional(sum / static_cast<double>(count));
}

OrderedJson as_object(const NamedValues& values) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, value] : values) json[name] = value;
  return json;
}

std::string command_answer(const std::string& output) {
  return OrderedJson{{"output", output}, {"feedback", OrderedJson::object()}}.dump(-1, ' ', false,
                                                                                   OrderedJson::error_handler_t::replace);
}

Answer answer_of(const std::vector<StageResult>& stages, std::size_t sample) {
  Answer answer;
  for (const StageResult& stage : stages) {
    const Variable output = stage.output[sample];
    std::string text = output.data().item_text();
    answer.problem = output.problem();
    answer.outputs.emplace_back(stage.name, text);
    const bool is_last = &stage == &stages.back();
    // What came in place of a reply, or half of one, is no prediction; what a parser did not understand is one as it came.
    if (is_last && (!answer.problem || answer.problem->cause.empty())) answer.prediction = std::move(text);
    if (!answer.problem) continue;
    answer.stage = stage.name;
    break;
  }
  return answer;
}

void ProblemCounts::add(const Problem& problem) {
  if (problem.is_failure) {
    ++counts_[to_string(problem.kind)];
  } else {
    ++cut_by_task_;
  }
}

std::size_t ProblemCounts::failed() const {
  std::size_t sum = 0;
  for (const auto& count : counts_) sum += count.second;
  return sum;
}

std::string ProblemCounts::text() const {
  std::vector<std::string> parts;
  for (const auto& [kind, count] : counts_) parts.push_back(fmt::format("{} {}", count, kind));
  std::string text;
  if (failed() > 0) text = fmt::format("{} failed ({})", detail::counted(failed(), "sample"), detail::join(parts, ", "));
  if (cut_by_task_ == 0) return text;
  return text + fmt::format("{}{} cut by a limit of the task", text.empty() ? "" : ", ",
                            detail::counted(cut_by_task_, "reply was", "replies were"));
}

OrderedJson ProblemCounts::json() const {
  OrderedJson json = OrderedJson::object();
  for (const auto& [kind, count] : counts_) json[kind] = count;
  if (cut_by_task_ > 0) json["cut_by_task"] = cut_by_task_;
  return json;
}

OrderedJson problem_json(const Problem& problem) {
  OrderedJson json{{"kind", to_string(problem.kind)}, {"text", to_string(problem)}};
  if (!problem.is_failure) json["is_failure"] = false;
  return json;
}

void add_answer(OrderedJson& line, const Answer& answer) {
  line["prediction"] = answer.prediction ? OrderedJson(*answer.prediction) : OrderedJson(nullptr);
  if (answer.outputs.size() > 1) line["outputs"] = as_object(answer.outputs);
  if (answer.problem) line["problem"] = answer.problem_text();
  if (answer.problem && !answer.problem->cause.empty()) line["error"] = answer.problem->cause;
}

TaskAgent::TaskAgent(const Task& task, NamedModels models, Prompts prompts)
    : models_(std::move(models)),
      prompts_(std::move(prompts)),
      evaluator_(task.evaluator),
      on_error_(task.on_error),
      context_budget_(task.optimizer.context_budget),
      samples_per_request_(task.optimizer.samples_per_request) {
  for (const ParameterSpec& spec : task.parameters) register_parameter(spec.name, {spec.value, spec.role});
  for (std::size_t i = 0; i < task.stages.size(); ++i) stages_.push_back(make_stage(task, i));
  optimizer_ = make_optimizer(task, parameters(), models_.at("teacher"), prompts_);
}

TaskAgent::Stage TaskAgent::make_stage(const Task& task, std::size_t number) const {
  const StageSpec& spec = task.stages[number];
  Stage stage{.name = spec.name,
              .model = models_.at(spec.model),
              .messages = {},
              .filled_in = {},
              .placeholders = {},
              .args = spec.args,
              .parser = std::make_shared<OutputParser>(spec.output),
              .on_error = spec.on_error.value_or(task.on_error),
              .kind = spec.kind,
              .description = spec.description,
              .inputs = spec.inputs,
              .parameters = spec.parameters,
              .answers_feedback = spec.answers_feedback};
  for (const MessageSpec& message : spec.messages) {
    Message made{message.role, {}};
    for (const std::string& text : message.content) made.content.push_back(content(text, stage.filled_in));
    stage.messages.push_back(std::move(made));
  }
  const std::string texts = texts_of(stage.messages, stage.filled_in);
  for (const std::string& name : names_before(task, number)) {
    if (has_placeholder(texts, name)) stage.placeholders.push_back(name);
  }
  return stage;
}

Variable TaskAgent::content(const std::string& text, Inputs& filled_in) const {
  for (const auto& [name, parameter] : named_parameters()) {
    if (text == "{" + name + "}") return parameter;
    const bool is_known =
        std::any_of(filled_in.begin(), filled_in.end(), [&wanted = name](const auto& input) { return input.first == wanted; });
    if (has_placeholder(text, name) && !is_known) filled_in.emplace_back(name, parameter);
  }
  return {text, "message"};
}

NamedInputs TaskAgent::named(const std::vector<std::string>& names, const Known& known) const {
  NamedInputs inputs;
  for (const std::string& name : names) inputs.emplace_back(name, known.at(name));
  return inputs;
}

FeedbackOptions TaskAgent::feedback_options() const {
  FeedbackOptions options{.prompts = prompts_};
  options.context_budget = context_budget_.value_or(options.context_budget);
  options.samples_per_request = samples_per_request_.value_or(options.samples_per_request);
  return options;
}

Variable TaskAgent::reply_of_model(const Stage& stage, const Known& known) const {
  Inputs inputs = stage.filled_in;
  for (const std::string& name : stage.placeholders) inputs.emplace_back(name, known.at(name));
  ChatOptions options{.args = stage.args, .on_error = stage.on_error, .role = stage.name, .feedback = feedback_options()};
  return chat_completion(stage.model, stage.messages, inputs, std::move(options));
}

Variable TaskAgent::reply_of(const Stage& stage, const Known& known) const {
  if (stage.kind == StageSpec::Kind::model) return reply_of_model(stage, known);
  if (stage.kind == StageSpec::Kind::agent) {
    return CommandAgent(stage.model)(
        named(stage.parameters, known), named(stage.inputs, known),
        {.description = stage.description, .role = stage.name, .on_error = stage.on_error, .feedback = feedback_options()});
  }
  return CommandFunction(stage.model)(named(stage.inputs, known), {.description = stage.description,
                                                                   .answers_feedback = stage.answers_feedback,
                                                                   .role = stage.name,
                                                                   .on_error = stage.on_error,
                                                                   .feedback = feedback_options()});
}

std::vector<StageResult> TaskAgent::run(const Batch& batch) const {
  std::vector<StageResult> results;
  Known known(batch.begin(), batch.end());
  for (const auto& [name, parameter] : named_parameters()) known.emplace(name, parameter);
  for (const Stage& stage : stages_) {
    const Variable reply = reply_of(stage, known);
    const auto parse = [parser = stage.parser](const Data& item) -> Data {
      Output output = parser->parse(item.text());
      if (output.problem) throw ParseError(*output.problem);
      return std::move(output.text);
    };
    const Variable output = map(reply, parse, {}, stage.on_error);
    known.insert_or_assign(stage.name, output);
    results.push_back({stage.name, reply, output});
  }
  return results;
}

Evaluation TaskAgent::evaluate(const Batch& batch, const Variable& prediction) const {
  return evaluate_predictions(evaluator_, models_.at("judge"), prediction, batch, prompts_, on_error_);
}

TaskAgent::Kept TaskAgent::measured(const Batch& batch) const {
  const StageResult last = run(batch).back();
  return {values(), batch.at(row_name), last.reply, last.output, evaluate(batch, last.output)};
}

std::optional<StepResult> TaskAgent::training_step(Batch& batch) {
  Kept kept = measured(batch);
  Evaluation evaluation = kept.evaluation;
  if (!batch_) {
    // What is only read later need not keep the graph.
    for (Variable* variable : {&kept.reply, &kept.prediction, &kept.evaluation.score, &kept.evaluation.explanation})
      *variable = variable->detach();
    batch_ = std::move(kept);
  }
  return evaluation;
}

std::optional<StepResult> TaskAgent::validation_step(Batch& batch) { return kept_.emplace_back(measured(batch)).evaluation; }

void TaskAgent::add(const Kept& kept, SampleResults& results) const {
  const std::size_t first = results.rows.size();
  const Variable& score = kept.evaluation.score;
  for (const std::int64_t row : kept.rows.data().integers()) results.rows.push_back(static_cast<std::size_t>(row));
  for (const auto& [item, problem] : score.problems()) results.problems.emplace(results.rows.at(first + item), problem);
  for (const double one : score.data().as_reals()) results.scores.push_back(one);
  const Data replies = kept.reply.data();
  const Data predictions = kept.prediction.data();
  const Data explanations = kept.evaluation.explanation.data();
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const std::size_t row = results.rows[first + i];
    results.predictions.push_back(predictions.item_text(i));
    if (std::string reply = replies.item_text(i); detail::trim(reply) != detail::trim(results.predictions.back()))
      results.replies.emplace(row, std::move(reply));
    // Problems have words of their own.
    if (results.scores[first + i] != evaluator_.best_score && !results.problems.contains(row))
      results.explanations.emplace(row, explanations.item_text(i));
    add_metrics(results.metrics, first + i, score.metrics(i));
  }
}

SampleResults TaskAgent::take_results() {
  SampleResults results;
  const NamedValues present = values();
  for (const Kept& kept : std::exchange(kept_, {})) {
    if (kept.values == present) add(kept, results);
  }
  for (auto& [name, values] : results.metrics) values.resize(results.rows.size());
  return results;
}

SampleResults TaskAgent::take_batch() {
  SampleResults results;
  if (const std::optional<Kept> kept = std::exchange(batch_, std::nullopt)) add(*kept, results);
  return results;
}

bool TaskAgent::may_be(const Variable& parameter, const std::string& value) const {
  const optim::Candidate candidate = optimizer_->suggest({{parameter, value}});
  return std::none_of(candidate.updates.begin(), candidate.updates.end(), [](const optim::ParameterUpdate& update) {
    return update.outcome == optim::ParameterUpdate::Outcome::kept;
  });
}

void TaskAgent::set_facts(const optim::DiagnosisOptions& facts) {
  for (optim::TGD::ParamGroup& group : optimizer_->param_groups()) group.options.diagnosis = facts;
}

NamedValues TaskAgent::values() const {
  NamedValues values;
  for (const auto& [name, parameter] : named_parameters()) values.emplace_back(name, parameter.text());
  return values;
}

void TaskAgent::set_values(const NamedValues& values) {
  const NamedVariables all = named_parameters();
  for (const auto& [name, value] : values) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&wanted = name](const auto& entry) { return entry.first == wanted; });
    if (found == all.end()) throw ValueError("there is no parameter \"" + name + "\" in this task");
    Variable parameter = found->second;
    parameter.set_data(value);
  }
}

}  // namespace tgd::cli
