#include "cli/trial.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <tgd/autograd.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/lm/tokens.hpp>

#include "core/problem.hpp"
#include "core/text.hpp"
#include "lm/openai/protocol.hpp"
#include "task/facts.hpp"
#include "task/scores.hpp"
#include "task/scoring.hpp"

namespace tgd::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t commands_are_tried_on = 5;  // samples

Batch first_samples(const TaskData& data, std::size_t count) {
  return batch_of(data.train.piece(0, std::min(count, data.train.size())));
}

// ---- What a reply says about its model ---------------------------------------------------------------------------------------

std::string cut_text(const lm::Reply& reply, const Json& args) {
  const auto limit = lm::detail::named_reply_limit(args);
  std::string text =
      fmt::format("the reply was cut off{}{}",
                  reply.usage.reported > 0 ? fmt::format(" after {} tokens", reply.usage.completion_tokens) : "",
                  reply.finish_reason.empty() ? "" : fmt::format(" (finish_reason \"{}\")", reply.finish_reason));
  text += limit ? fmt::format("; raise \"{}\" ({}) in \"args\"", limit->name, limit->tokens)
                : "; the endpoint's own limit or the model's window ended it: set \"max_completion_tokens\" in \"args\"";
  if (reply.reasoning.empty()) return text + ", or ask for shorter replies";
  return text + fmt::format(", or make the model think less (\"reasoning_effort\"): {} characters of it are thoughts",
                            detail::count_characters(reply.reasoning));
}

std::string warning_about(const lm::Reply& reply, const Json& args) {
  switch (reply.end()) {
    case lm::ReplyEnd::cut:
      return cut_text(reply, args);
    case lm::ReplyEnd::filtered:
      return "a filter withheld the reply, or broke it off";
    case lm::ReplyEnd::failed:
      return "the endpoint gave up in the middle of the reply";
    case lm::ReplyEnd::tool:
      return "the model called a tool instead of answering; leave \"tools\" out of \"args\"";
    case lm::ReplyEnd::whole:
      break;
  }
  if (!detail::trim(reply.content).empty()) return {};
  if (reply.reasoning.empty()) return "the reply is empty";
  return "the reply is empty but for a thought; turn the model's thinking off, or \"reasoning\": \"keep\" in the model takes "
         "thoughts for a part of the reply";
}

/// Names of one model differ by a version, a folder or a file's ending.
bool is_other_model(std::string asked, std::string answered) {
  asked = detail::lower_case(asked.substr(asked.find_last_of('/') + 1));
  answered = detail::lower_case(answered);
  return !asked.empty() && !answered.empty() && answered.find(asked) == answered.npos;
}

std::string remark_about(const lm::Reply& reply, const std::string& asked) {
  std::string remark;
  if (is_other_model(asked, reply.model))
    remark = fmt::format("the endpoint was asked for {} and says that {} answered", asked, reply.model);
  if (!reply.reasoning.empty())
    remark += fmt::format(
        "{}it thinks first: {} characters of thoughts are paid for and no part of the answer (\"reasoning\": \"keep\" leaves "
        "those that stand in the text)",
        remark.empty() ? "" : "; ", detail::count_characters(reply.reasoning));
  return remark;
}

// ---- Models of a trial -------------------------------------------------------------------------------------------------------

struct TrialLog {
  std::mutex mutex;
  std::vector<TrialCall> calls;
  std::vector<lm::Request> requests;
};

/// Notes each call of one model.
class Watched final : public lm::CallDecorator {
 public:
  Watched(std::string role, Json args, lm::ChatModelPtr model, std::shared_ptr<TrialLog> log)
      : CallDecorator(std::move(model)), role_(std::move(role)), args_(std::move(args)), log_(std::move(log)) {}

  void start_call(lm::Call call, OnText on_text, Done done) override {
    auto note = [log = log_, role = role_, args = args_, asked = model_name(), is_command = provider() == "command", call,
                 done = std::move(done)](lm::Outcome outcome) {
      TrialCall trial{.role = role,
                      .purpose = call.request().info.purpose,
                      .estimated_prompt_tokens = lm::estimate_prompt_tokens(call.request())};
      trial.seconds = std::chrono::duration<double>(Clock::now() - call.began()).count();
      trial.usage = outcome.usage();
      trial.is_refused = outcome.receipt().refused;
      if (outcome.ok()) {
        lm::Reply reply = outcome.value();
        reply.usage = outcome.usage();
        if (!is_command) {
          trial.warning = warning_about(reply, args.merged(call.request().args));
          trial.remark = remark_about(reply, asked);
        }
        trial.thoughts = detail::count_characters(reply.reasoning);
        trial.reply = std::move(reply.content);
      } else {
        trial.error = outcome.error_message();
        trial.is_of_endpoint = !trial.is_refused && !detail::own_fault(outcome.error());
      }
      {
        const std::lock_guard lock(log->mutex);
        log->calls.push_back(std::move(trial));
        log->requests.push_back(call.request());
      }
      done(std::move(outcome));
    };
    inner().start_call(std::move(call), std::move(on_text), std::move(note));
  }

 private:
  std::string role_;
  Json args_;  // of the model itself
  std::shared_ptr<TrialLog> log_;
};

/// Passes on the first request of each purpose and parameter, and answers the others with its reply; an optimizer's all.
class OnceEach final : public lm::Decorator {
 public:
  explicit OnceEach(lm::ChatModelPtr model) : Decorator(std::move(model)) {}

  void start(lm::Request request, Done done) override {
    if (request.info.purpose == "optimize") return inner().start(std::move(request), std::move(done));
    const std::string key = request.info.purpose + "\n" + request.info.parameter;
    std::unique_lock lock(state_->mutex);
    Asked& asked = state_->asked[key];
    if (asked.outcome) {
      const lm::Outcome outcome = *asked.outcome;
      lock.unlock();
      return done(outcome);
    }
    asked.waiting.push_back(std::move(done));
    if (asked.waiting.size() > 1) return;
    lock.unlock();
    inner().start(std::move(request), [state = state_, key](const lm::Outcome& outcome) { answer(*state, key, outcome); });
  }

 private:
  struct Asked {
    std::optional<lm::Outcome> outcome;
    std::vector<Done> waiting;
  };
  struct State {
    std::mutex mutex;
    std::map<std::string, Asked> asked;
  };

  static void answer(State& state, const std::string& key, const lm::Outcome& outcome) {
    std::vector<Done> waiting;
    {
      const std::lock_guard lock(state.mutex);
      Asked& asked = state.asked.at(key);
      asked.outcome = outcome;
      waiting.swap(asked.waiting);
    }
    for (const Done& done : waiting) done(outcome);
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// ---- The trial ---------------------------------------------------------------------------------------------------------------

class Trial {
 public:
  Trial(const Task& task, const TaskData& data, Models models, const Prompts& prompts, const std::function<bool()>& is_stopped)
      : task_(task), data_(data), models_(std::move(models)), prompts_(prompts), is_stopped_(is_stopped) {
    models_.wrap([this](const std::string& role, lm::ChatModelPtr inner) {
      const auto spec = task_.models.find(role);
      return std::make_shared<Watched>(role, spec == task_.models.end() ? Json() : spec->second.args, std::move(inner), log_);
    });
  }

  TrialResult run() {
    answer_one();
    if (!is_stopped_()) try_commands();
    if (!is_stopped_() && !has_failed(role_of("teacher"))) step();
    if (!is_stopped_()) ask_the_others();
    if (!is_stopped_()) repeat();
    result_.calls = log_->calls;
    if (!is_stopped_()) look_at_windows();
    return std::move(result_);
  }

 private:
  const std::string& role_of(const std::string& name) const {
    for (const auto& entry : models_.by_name) {
      if (entry.first == name) return first_name(entry.second);
    }
    throw StateError("there is no model " + name);
  }

  const std::string& first_name(const lm::ChatModelPtr& model) const {
    if (roles_.empty()) {
      for (const auto& [role, distinct] : models_.distinct()) roles_[distinct] = role;
    }
    return roles_.at(model);
  }

  bool any_call(const std::function<bool(const TrialCall&)>& fits) const {
    const std::lock_guard lock(log_->mutex);
    return std::any_of(log_->calls.begin(), log_->calls.end(), fits);
  }

  bool has_failed(const std::string& role) const {
    return any_call([&](const TrialCall& call) { return call.role == role && !call.error.empty(); });
  }

  /// What a run would end with. What the budget refuses ends a run in good order.
  template <class Action>
  void attempt(const std::string& what, const Action& action) {
    try {
      action();
    } catch (const BudgetError& error) {
      result_.problems.push_back({false, fmt::format("{} could not be tried: {}", what, error.what())});
    } catch (const Error& error) {
      result_.problems.push_back({true, fmt::format("{}: {}", what, error.what())});
    }
  }

  /// The sample with the most text.
  Batch longest() const {
    std::size_t best = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < data_.train.size(); ++i) {
      std::size_t size = 0;
      for (const auto& [name, value] : data_.train[i]) size += name == row_name ? 0 : value.item_text().size();
      if (size > most) best = i;
      most = std::max(most, size);
    }
    return data::collate(std::vector{data_.train[best]});
  }

  void answer_one() {
    const NoGradGuard no_grad;
    const Batch sample = longest();
    const TaskAgent agent(task_, models_.by_name, prompts_);
    const std::vector<StageResult> stages = agent.run(sample);
    const Evaluation evaluation = agent.evaluate(sample, stages.back().output);
    try {
      result_.answer = answer_of(stages);
    } catch (const Error&) {
      // Said with its stage.
    }
    for (const StageResult& stage : stages) {
      replies_.emplace_back();
      const std::string what = fmt::format("the reply of \"{}\"", stage.name);
      attempt(what, [&] {
        std::string text = stage.reply[0].data().item_text();
        const auto problem = stage.reply.problem();
        if (problem) note(what, *problem);
        if (!problem || !problem->is_failure) replies_.back() = std::move(text);
      });
      if (!replies_.back()) return;  // later ones wait for it
    }
    if (task_.evaluator.type != EvaluatorSpec::Type::judge) return;
    attempt("the judge's verdict", [&] {
      explanation_ = evaluation.explanation[0].data().item_text();
      if (const auto problem = evaluation.score.problem(); problem && !result_.answer->problem)
        return note("the judge's verdict", *problem);
      compare_with_best(evaluation.score[0].data().real());
    });
  }

  /// A sample's own fault, such as a filter's, need not be the next one's; the others are likely to come again.
  void note(const std::string& what, const Problem& problem) {
    const bool is_of_sample = problem.kind == Problem::Kind::refused || problem.kind == Problem::Kind::filtered;
    const bool ends_run = problem.is_failure && (task_.on_error == OnError::fail || !is_of_sample);
    result_.problems.push_back({ends_run, fmt::format("{}: {}", what, to_string(problem))});
  }

  /// What is beyond the best score counts as perfect, and never needs feedback.
  void compare_with_best(double score) {
    const EvaluatorSpec& evaluator = task_.evaluator;
    const bool is_beyond = evaluator.scale().is_beyond(score);
    if (!is_beyond) return;
    result_.problems.push_back(
        {false,
         fmt::format("the judge gave {}, which is beyond \"best_score\", {}, and counts as perfect; set \"best_score\" in the "
                     "evaluator to the best that the judge's scale has",
                     score, evaluator.best_score)});
  }

  // ---- Commands ----

  /// Stages that are commands get a few samples more than the one; what models said before them is what they said to that one.
  void try_commands() {
    const NoGradGuard no_grad;
    Task task = task_;
    NamedModels models = models_.by_name;
    bool any = false;
    for (std::size_t i = 0; i < task.stages.size(); ++i) {
      any = any || task.stages[i].kind != StageSpec::Kind::model;
      if (task.stages[i].kind != StageSpec::Kind::model) continue;
      task.stages[i].model = stand_in_name(i);
      models[task.stages[i].model] = saying(rehearsed_reply(i));
    }
    if (!any) return;
    const Batch batch = first_samples(data_, commands_are_tried_on);
    const std::vector<StageResult> stages = TaskAgent(task, models, prompts_).run(batch);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      if (task.stages[i].kind != StageSpec::Kind::model) look_at_outputs(stages[i], batch);
    }
  }

  /// Each different problem once. Where no sample comes through, a run comes to nothing.
  void look_at_outputs(const StageResult& stage, const Batch& batch) {
    const std::string what = fmt::format("the command of \"{}\"", stage.name);
    std::map<std::string, std::string> places;
    std::size_t failed = 0;
    attempt(what, [&] {
      for (std::size_t i = 0; i < stage.reply.size(); ++i) {
        const auto problem = stage.reply.problem(i);
        if (!problem) continue;
        ++failed;
        places.try_emplace(to_string(*problem), place_of(batch, i));
      }
    });
    const bool ends_run = failed > 0 && (task_.on_error == OnError::fail || failed == stage.reply.size());
    for (const auto& [text, place] : places)
      result_.problems.push_back({ends_run, fmt::format("{}: {}: {}", place, what, text)});
  }

  static std::string stand_in_name(std::size_t stage) { return fmt::format("/stage {}", stage); }  // no name of a task

  // ---- A step ----

  void step() {
    TaskAgent agent = rehearsed_agent();
    agent.set_facts(known_facts(task_, data_, prompts_));
    Batch batch = wrong_batch();
    const auto result = agent.training_step(batch);
    const auto teacher = std::make_shared<OnceEach>(models_.at("teacher"));
    bool has_feedback = false;
    attempt("the critic's feedback", [&] {
      result->evaluation.explanation.backward({.model = teacher, .step = task_.optimizer.step});
      expect_critique();
      has_feedback = true;
    });
    if (!has_feedback || is_stopped_()) return;
    const auto optimizer = std::dynamic_pointer_cast<optim::TGD>(agent.configure_optimizers());
    attempt("the optimizer's new values", [&] { optimizer->step(); });
    for (const optim::ParameterUpdate& update : optimizer->last_updates()) note(update);
  }

  /// A pass goes on beside critiques that a filter withholds; a run of which it withholds all learns nothing.
  void expect_critique() const {
    const auto is_critique = [](const TrialCall& call) { return call.purpose == "backward"; };
    const bool any = any_call([&](const TrialCall& call) { return is_critique(call) && call.error.empty(); });
    const std::lock_guard lock(log_->mutex);
    const auto failed = std::find_if(log_->calls.begin(), log_->calls.end(), is_critique);
    if (!any && failed != log_->calls.end()) throw Error(failed->error);
  }

  void note(const optim::ParameterUpdate& update) {
    if (update.outcome != optim::ParameterUpdate::Outcome::kept) return;
    result_.problems.push_back({false, fmt::format("{} requests brought no usable new value for the parameter \"{}\": {}",
                                                   update.requests, update.parameter.role(), update.reason)});
  }

  /// Stages and judge say again what they said; only critic and optimizer are asked.
  TaskAgent rehearsed_agent() const {
    Task task = task_;
    task.evaluator.metric = {};
    NamedModels models = models_.by_name;
    models["teacher"] = std::make_shared<OnceEach>(models_.at("teacher"));
    for (std::size_t i = 0; i < task.stages.size(); ++i) {
      task.stages[i].model = stand_in_name(i);
      const bool is_command = task.stages[i].kind != StageSpec::Kind::model;
      models[task.stages[i].model] = saying(is_command ? command_answer(rehearsed_reply(i)) : rehearsed_reply(i));
    }
    models["judge"] = saying(verdict());
    task.optimizer.max_reasks = std::min<std::size_t>(task.optimizer.max_reasks, 1);
    return {task, models, prompts_};
  }

  static lm::ChatModelPtr saying(std::string text) {
    return lm::Stub::answering([text = std::move(text)](const lm::Request&) { return text; });
  }

  std::string rehearsed_reply(std::size_t stage) const {
    constexpr std::size_t unknown_length = 400;
    const std::string reply = stage < replies_.size() ? replies_[stage].value_or("") : "";
    const bool is_last = stage + 1 == task_.stages.size();
    if (!reply.empty() && !(is_last && wrong_samples().empty())) return reply;
    return std::string(reply.empty() ? unknown_length : reply.size(), 'x');
  }

  std::string verdict() const {
    const double score = task_.evaluator.scale().short_of_best();
    const std::string& words = explanation_.empty() ? "It falls short." : explanation_;
    return OrderedJson{{"score", score}, {"explanation", words}}.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  }

  /// Training samples to which the reply that came is no right answer.
  std::vector<std::size_t> wrong_samples() const {
    std::vector<std::size_t> wrong;
    const bool is_judged = task_.evaluator.is_judged();
    const bool is_answered = result_.answer && result_.answer->prediction;
    for (std::size_t i = 0; i < data_.train.size(); ++i) {
      if (is_judged || !is_answered ||
          score_of(task_.evaluator, *result_.answer->prediction, data_.train[i].at(target_name).item_text()) < 1)
        wrong.push_back(i);
    }
    return wrong;
  }

  /// As many samples as a step has.
  Batch wrong_batch() const {
    std::vector<std::size_t> wrong = wrong_samples();
    if (wrong.empty()) {
      for (std::size_t i = 0; i < data_.train.size(); ++i) wrong.push_back(i);
    }
    const std::size_t count = std::min(task_.training.batch_size, data_.train.size());
    std::vector<data::Record> samples;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = wrong.size() > count ? i * wrong.size() / count : i % wrong.size();
      samples.push_back(data_.train[wrong[at]]);
    }
    return data::collate(samples);
  }

  // ---- What is left ----

  /// Of the endpoints that say how much their models take.
  void look_at_windows() {
    for (const auto& [role, model] : models_.distinct()) {
      if (!any_call([&wanted = role](const TrialCall& call) { return call.role == wanted && call.error.empty(); })) continue;
      if (const auto window = model->context_window()) result_.windows[role] = *window;
    }
  }

  /// Models that nothing above has asked get the first request.
  void ask_the_others() {
    if (log_->requests.empty()) return;
    lm::Request request = log_->requests.front();
    request.args = {};
    request.info = {.purpose = "check"};
    for (const auto& [role, model] : models_.distinct()) {
      if (model->provider() != "command" && !any_call([&wanted = role](const TrialCall& call) { return call.role == wanted; }))
        (void)model->try_chat_all({request});
    }
  }

  void repeat() {
    for (const auto& [role, model] : models_.distinct()) {
      const auto request = measuring_request(role);
      const bool is_broken =
          any_call([&wanted = role](const TrialCall& call) { return call.role == wanted && call.is_of_endpoint; });
      if (!request || is_broken) continue;
      const std::vector<lm::Outcome> outcomes = model->try_chat_all({*request, *request});
      Repetition& repetition = result_.repetitions[role];
      for (const lm::Outcome& outcome : outcomes) {
        if (!outcome.ok() && repetition.problem.empty()) repetition.problem = outcome.error_message();
      }
      repetition.is_known = repetition.problem.empty();
      repetition.is_equal = repetition.is_known && outcomes[0].value().content == outcomes[1].value().content;
    }
  }

  /// The first one that a model answered to measure something, at temperature 0.
  std::optional<lm::Request> measuring_request(const std::string& role) const {
    const std::lock_guard lock(log_->mutex);
    for (std::size_t i = 0; i < log_->calls.size(); ++i) {
      const TrialCall& call = log_->calls[i];
      if (call.role != role || !call.error.empty() || (call.purpose != "forward" && call.purpose != "judge")) continue;
      lm::Request request = log_->requests[i];
      request.args = request.args.with("temperature", 0);
      request.info = {.purpose = repeat_purpose};
      request.stop = {};
      return request;
    }
    return std::nullopt;
  }

  const Task& task_;
  const TaskData& data_;
  Models models_;
  const Prompts& prompts_;
  const std::function<bool()>& is_stopped_;
  std::shared_ptr<TrialLog> log_ = std::make_shared<TrialLog>();
  mutable std::map<lm::ChatModelPtr, std::string> roles_;
  std::vector<std::optional<std::string>> replies_;  // by stage
  std::string explanation_;                          // of the judge
  TrialResult result_;
};

}  // namespace

std::optional<double> TrialResult::tokens_per_second(const std::string& role) const {
  double tokens = 0;
  double seconds = 0;
  for (const TrialCall& call : calls) {
    if (call.role != role || call.usage.reported == 0 || call.purpose == repeat_purpose) continue;
    tokens += static_cast<double>(call.usage.completion_tokens);
    seconds += call.seconds;
  }
  if (seconds <= 0 || tokens <= 0) return std::nullopt;
  return tokens / seconds;
}

std::vector<TrialProblem> try_command(const Task& task, const TaskData& data, const Prompts& prompts) {
  const EvaluatorSpec& spec = task.evaluator;
  if (spec.type != EvaluatorSpec::Type::command) return {};
  const std::size_t tried = std::min(commands_are_tried_on, data.train.size());
  const Batch batch = first_samples(data, tried);
  const Variable& prediction = batch.at(task.data.has_target() ? target_name : task.data.inputs.front().first);
  const NoGradGuard no_grad;
  std::vector<TrialProblem> problems;
  try {
    const Evaluation evaluation = evaluate_predictions(spec, nullptr, Variable(prediction.data().to<std::string>(), "answer"),
                                                       batch, prompts, OnError::keep);
    const std::vector<double> scores = evaluation.score.data().as_reals();
    const auto failed = evaluation.score.problems();
    std::vector<std::pair<std::string, std::size_t>> wrong;  // each kind once, and how often
    std::map<std::string, std::size_t> kinds;                // what differs between samples is mostly a number
    std::optional<std::string> below;
    for (std::size_t i = 0; i < tried; ++i) {
      const std::string place = place_of(batch, i);
      if (const auto found = failed.find(i); found != failed.end()) {
        const std::string text = to_string(found->second);
        std::string kind = text;
        std::erase_if(kind, [](char c) { return c >= '0' && c <= '9'; });
        const auto [at, is_new] = kinds.try_emplace(kind, wrong.size());
        if (is_new) wrong.emplace_back(fmt::format("{}: {}", place, text), 0);
        ++wrong[at->second].second;
      } else if (task.data.has_target() && scores[i] != spec.best_score && !below) {
        below = fmt::format("{}: the command gives the expected answer itself {}, and not \"best_score\", {}", place, scores[i],
                            spec.best_score);
      }
    }
    for (const auto& [text, count] : wrong)
      problems.push_back({true, count == 1 ? text : fmt::format("{} (so for {} of {} samples)", text, count, tried)});
    if (below) problems.push_back({false, *below});
  } catch (const Error& error) {
    problems.push_back({true, error.what()});
  }
  return problems;
}

TrialResult try_models(const Task& task, const TaskData& data, Models models, const Prompts& prompts,
                       const std::function<bool()>& is_stopped) {
  return Trial(task, data, std::move(models), prompts, is_stopped).run();
}

}  // namespace tgd::cli
