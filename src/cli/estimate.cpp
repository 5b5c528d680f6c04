#include "cli/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <tgd/autograd.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/lm/tokens.hpp>

#include "core/saturating.hpp"
#include "task/agent.hpp"
#include "task/facts.hpp"
#include "train/race.hpp"

namespace tgd::cli {

namespace {

// What replies have that no trial has shown. Means of typical ones.
constexpr double unknown_answer_tokens = 100;
constexpr double verdict_tokens = 80;
constexpr double critique_tokens = 250;   // of up to eight samples
constexpr std::size_t sample_text = 400;  // characters of what a command gives

// Larger parts are estimated from so many of their samples.
constexpr std::size_t most_counted = 200;

void add(Amounts& sum, const Amounts& amounts, double times) {
  for (const auto& [key, amount] : amounts) {
    Amount& entry = sum[key];
    entry.calls += amount.calls * times;
    entry.prompt_tokens += amount.prompt_tokens * times;
    entry.completion_tokens += amount.completion_tokens * times;
  }
}

/// The same calls with longer prompts.
Amounts grown(Amounts amounts, double tokens_per_call) {
  for (auto& entry : amounts) entry.second.prompt_tokens += entry.second.calls * tokens_per_call;
  return amounts;
}

/// How the figures of a model differ from the estimates.
class Experience {
 public:
  Experience(const Task& task, const TaskData& data, const Models& models, const std::vector<TrialCall>& trial)
      : trial_(trial) {
    for (const auto& [name, model] : models.by_name) {
      for (const auto& [first_name, distinct] : models.distinct()) {
        if (distinct == model) roles_[name] = first_name;
      }
    }
    if (task.data.has_target())
      answer_tokens_ = static_cast<double>(lm::estimate_tokens(data.train[0].at(target_name).item_text())) + 3;
  }

  double prompt_factor(const std::string& name) const {
    double estimated = 0;
    double used = 0;
    for (const TrialCall& call : trial_) {
      if (call.role != roles_.at(name) || call.usage.prompt_tokens == 0) continue;
      estimated += static_cast<double>(call.estimated_prompt_tokens);
      used += static_cast<double>(call.usage.prompt_tokens);
    }
    return estimated > 0 ? used / estimated : 1;
  }

  double completion_tokens(const std::string& name, const std::string& purpose) const {
    double calls = 0;
    double tokens = 0;
    for (const TrialCall& call : trial_) {
      if (call.role != roles_.at(name) || call.purpose != purpose || call.usage.completion_tokens == 0) continue;
      calls += 1;
      tokens += static_cast<double>(call.usage.completion_tokens);
    }
    if (calls > 0) return tokens / calls;
    if (purpose == "forward") return answer_tokens_;
    if (purpose == command_purpose) return 0;
    return purpose == "judge" ? verdict_tokens : critique_tokens;
  }

  /// Of one call: as such a call took, or else as long as the model writes at its speed; nothing where neither was seen.
  std::optional<double> seconds(const std::string& name, const std::string& purpose, double tokens) const {
    Seen same;
    Seen all;
    for (const TrialCall& call : trial_) {
      if (call.role != roles_.at(name) || !call.error.empty()) continue;
      all.add(call);
      if (call.purpose == purpose) same.add(call);
    }
    if (same.calls > 0) return same.seconds / same.calls;
    if (all.tokens > 0) return tokens * all.seconds / all.tokens;
    if (all.calls > 0) return all.seconds / all.calls;
    return std::nullopt;
  }

 private:
  struct Seen {
    double calls = 0;
    double seconds = 0;
    double tokens = 0;

    void add(const TrialCall& call) {
      calls += 1;
      seconds += call.seconds;
      tokens += static_cast<double>(call.usage.completion_tokens);
    }
  };

  const std::vector<TrialCall>& trial_;
  std::map<std::string, std::string> roles_;  // name to the first name of the same model
  double answer_tokens_ = unknown_answer_tokens;
};

/// What the stand-ins were asked.
struct Tally {
  std::mutex mutex;
  Amounts amounts;

  Amounts take() {
    const std::lock_guard lock(mutex);
    return std::exchange(amounts, {});
  }
};

/// Sends nothing and counts. Its answers are wrong, so that a step has everything to do; what criticises and rewrites is simulated.
class StandIn final : public lm::ChatModel {
 public:
  StandIn(std::string name, const EvaluatorSpec& evaluator, const Experience& experience, std::shared_ptr<Tally> tally)
      : name_(std::move(name)), evaluator_(evaluator), experience_(experience), tally_(std::move(tally)) {}

  void start(lm::Request request, Done done) override {
    const std::string purpose = request.info.purpose;
    const double prompt_tokens = purpose == command_purpose ? 0
                                                            : static_cast<double>(lm::estimate_prompt_tokens(request)) *
                                                                  experience_.prompt_factor(name_);
    double completion_tokens = experience_.completion_tokens(name_, purpose);
    std::string text;
    if (purpose == command_purpose) {
      text = command_answer(std::string(sample_text, 'x'));
    } else if (purpose == "forward") {
      text = std::string(static_cast<std::size_t>(4 * completion_tokens), 'x');
    } else if (purpose == "judge") {
      text = verdict();
    } else {
      text = editor_.chat(request).content;
      if (purpose == "optimize") completion_tokens = static_cast<double>(lm::estimate_tokens(text));
    }
    count(purpose, {1, prompt_tokens, completion_tokens});
    done(lm::Reply{.content = text, .finish_reason = "stop"});
  }
  std::string provider() const override { return "estimate"; }
  std::string class_type() const override { return "StandIn"; }

 private:
  std::string verdict() const {
    return fmt::format(R"({{"score": {}, "explanation": "It falls short."}})", evaluator_.scale().short_of_best());
  }

  void count(const std::string& purpose, const Amount& amount) {
    const std::lock_guard lock(tally_->mutex);
    add(tally_->amounts, {{{purpose, name_}, amount}}, 1);
  }

  std::string name_;
  const EvaluatorSpec& evaluator_;
  const Experience& experience_;
  std::shared_ptr<Tally> tally_;
  lm::Simulated editor_;
};

/// What each piece of a run takes, with the prompts as they are.
struct Pieces {
  Amounts train;
  Amounts validation;
  Amounts test;
  Amounts critique;  ///< the backward pass of a step in which every sample fails
  Amounts rewrite;   ///< the optimizer's requests in a step, each once
  double race = 0;   ///< share of the validation part that first proposals are tried on
};

class Rehearsal {
 public:
  Rehearsal(const Task& task, const TaskData& data, const Experience& experience, const Models& models)
      : task_(task), data_(data), tally_(std::make_shared<Tally>()) {
    for (const auto& entry : models.by_name)
      stand_ins_[entry.first] = std::make_shared<StandIn>(entry.first, task.evaluator, experience, tally_);
    const Prompts prompts = load_prompts(task);
    Task rehearsed = task;
    rehearsed.evaluator.metric = {};  // a metric of the user's is not asked about what no model has said
    agent_ = std::make_unique<TaskAgent>(rehearsed, stand_ins_, prompts);
    agent_->set_facts(known_facts(task, data, prompts));
  }

  Pieces run() {
    Pieces pieces{measure(data_.train), measure(data_.validation), measure(data_.test), {}, {}};
    pieces.race = tgd::detail::race_share(first_proposals(task_, data_, *agent_, {}).size());
    step(pieces);
    return pieces;
  }

 private:
  Amounts measure(const DataPart& part) {
    const NoGradGuard no_grad;
    const std::size_t counted = std::min(part.size(), most_counted);
    const Batch batch = batch_of(part, counted);
    agent_->evaluate(batch, agent_->run(batch).back().output).score.wait();
    Amounts amounts;
    add(amounts, tally_->take(), static_cast<double>(part.size()) / static_cast<double>(counted));
    return amounts;
  }

  void step(Pieces& pieces) {
    const std::size_t samples = std::min(data_.train.size(), task_.training.batch_size);
    const std::size_t counted = std::min(samples, most_counted);
    Batch batch = batch_of(data_.train, counted);
    const auto result = agent_->training_step(batch);
    result->evaluation.score.wait();
    tally_->take();
    attempt(
        [&] { result->evaluation.explanation.backward({.model = stand_ins_.at("teacher"), .step = task_.optimizer.step}); });
    const Amounts asked = tally_->take();
    add(pieces.critique, asked, static_cast<double>(samples) / static_cast<double>(counted));
    attempt([&] { agent_->configure_optimizers()->step(); });
    pieces.rewrite = each_once(tally_->take());
    // Without feedback nothing is rewritten; such a request is about as long as one for feedback.
    const Amount critique = total(asked);
    if (pieces.rewrite.empty() && critique.calls > 0)
      pieces.rewrite[{"optimize", "teacher"}] = {rewrites(), rewrites() * critique.prompt_tokens / critique.calls,
                                                 rewrites() * critique_tokens};
  }

  /// A stand-in may not understand the texts that a task has in the place of tgd's own. What it was asked is counted all the same.
  static void attempt(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error&) {
    }
  }

  double rewrites() const { return task_.optimizer.joint ? 1 : static_cast<double>(task_.parameters.size()); }

  /// A simulated value may have been refused and asked for again.
  Amounts each_once(const Amounts& amounts) const {
    Amounts result;
    for (const auto& [key, amount] : amounts) add(result, {{key, amount}}, std::min(1.0, rewrites() / amount.calls));
    return result;
  }

  const Task& task_;
  const TaskData& data_;
  std::shared_ptr<Tally> tally_;
  NamedModels stand_ins_;
  std::unique_ptr<TaskAgent> agent_;
};

std::optional<lm::Cost> cost_of(const Amounts& amounts, const Models& models) {
  lm::Cost sum;
  for (const auto& [key, amount] : amounts) {
    const lm::Usage usage{.calls = detail::count_of(amount.calls),
                          .attempts = detail::count_of(amount.calls),
                          .reported = detail::count_of(amount.calls),
                          .prompt_tokens = detail::count_of(amount.prompt_tokens),
                          .completion_tokens = detail::count_of(amount.completion_tokens)};
    if (usage.calls == 0) continue;
    const auto cost = models.prices.cost(models.at(key.second)->model_name(), usage);
    if (!cost) return std::nullopt;
    sum += *cost;
  }
  return sum;
}

/// Samples of a batch, critiques of a step and new values are asked for at once.
std::optional<double> seconds_of(const Amounts& amounts, const Task& task, const Pieces& pieces, const Experience& experience,
                                 const Models& models) {
  double sum = 0;
  for (const auto& [key, amount] : amounts) {
    if (amount.calls <= 0) continue;
    const auto& [purpose, name] = key;
    const auto seconds = experience.seconds(name, purpose, amount.completion_tokens / amount.calls);
    if (!seconds) return std::nullopt;
    double at_once = static_cast<double>(task.training.batch_size);
    for (const Amounts* piece : {&pieces.critique, &pieces.rewrite}) {
      if (const auto found = piece->find(key); found != piece->end()) at_once = found->second.calls;
    }
    at_once = std::clamp(at_once, 1.0, static_cast<double>(models.in_flight.at(name)));
    sum += *seconds * std::ceil(amount.calls / at_once);
  }
  return sum;
}

/// Of the validation part, what a search keeps apart.
double share_apart(const Task& task, const TaskData& data) {
  const Search& search = task.training.search;
  const auto samples = static_cast<double>(data.validation.size());
  return search.chain == 0 || samples == 0 ? 0 : std::min(static_cast<double>(search.confirm) / samples, 0.5);
}

Outlook outlook(const Task& task, const TaskData& data, const Pieces& pieces, const Scenario& scenario) {
  const Schedule schedule = schedule_of(task.training, data.train.size());
  const double steps = scenario.failing > 0 ? static_cast<double>(schedule.steps) : 0;
  // Parameters stand in some of the stages: spread over all of them.
  const double growth = scenario.growth * static_cast<double>(task.parameters.size()) / static_cast<double>(task.stages.size());
  const double per_train_sample = 1 / static_cast<double>(data.train.size());
  Outlook result{.scenario = scenario.name, .all = {}, .measurements = {}};
  for (const Amounts* part : {&pieces.train, &pieces.test}) {
    if (part == &pieces.train && !measures_train(task, data, task.budget)) continue;
    add(result.measurements, *part, 1);
    add(result.measurements, grown(*part, growth), 1);
  }
  add(result.all, result.measurements, 1);
  const double apart = share_apart(task, data);
  add(result.all, pieces.validation, (1 + pieces.race) * (1 - apart));

  const Amounts train = grown(pieces.train, growth / 2);
  const Amounts validation = grown(pieces.validation, growth / 2);
  if (task.training.search.chain == 0) add(result.all, validation, static_cast<double>(schedule.validations) - 1);
  add(result.all, train, static_cast<double>(schedule.trained) * per_train_sample);
  add(result.all, grown(pieces.critique, growth / 2), steps * scenario.failing);
  const Gate& gate = task.training.gate;
  const Search& search = task.training.search;
  const double proposals = static_cast<double>(gate.confidence ? gate.proposals : search.chain > 0 ? search.proposals : 1);
  const double requests = 1 + scenario.reasks * static_cast<double>(task.optimizer.max_reasks);
  add(result.all, grown(pieces.rewrite, growth / 2), steps * proposals * requests);
  if (gate.confidence) {
    add(result.all, train, steps * proposals * static_cast<double>(task.training.batch_size) * per_train_sample);
    add(result.all, validation, steps * scenario.gate);
  }
  if (search.chain > 0) {
    // Half of what fails for each proposal, all of it for the best, which is tried on as many solved samples, too.
    const double of_batch = scenario.failing * (proposals + 1) / 2 + std::min(scenario.failing, 1 - scenario.failing);
    add(result.all, train, steps * of_batch * static_cast<double>(task.training.batch_size) * per_train_sample);
    add(result.all, validation, steps / static_cast<double>(search.chain) * scenario.gate * (1 - apart));
    add(result.all, validation, steps > 0 ? 2 * apart : 0);
  }
  return result;
}

}  // namespace

Amount total(const Amounts& amounts) {
  Amount sum;
  for (const auto& [key, amount] : amounts) {
    sum.calls += amount.calls;
    sum.prompt_tokens += amount.prompt_tokens;
    sum.completion_tokens += amount.completion_tokens;
  }
  return sum;
}

Schedule schedule_of(const TrainingSpec& training, std::size_t train_samples) {
  const auto quotient_up = [](std::size_t a, std::size_t b) { return a / b + (a % b > 0 ? 1 : 0); };
  const std::size_t steps_in_epoch = quotient_up(train_samples, training.batch_size);
  std::size_t steps = detail::saturated_product(training.epochs, steps_in_epoch);
  if (training.max_steps > 0) steps = std::min(steps, training.max_steps);
  const std::size_t interval = training.validate_every > 0 ? training.validate_every : steps_in_epoch;
  return {.steps = steps,
          .validations = detail::saturated_sum(std::size_t{1}, quotient_up(steps, interval)),
          .trained = detail::saturated_sum(detail::saturated_product(steps / steps_in_epoch, train_samples),
                                           detail::saturated_product(steps % steps_in_epoch, training.batch_size))};
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{{"low", 0, 0, 0, 0}, {"likely", 0.5, 0, 0.5, 200}, {"high", 1, 1, 1, 800}};
  return all;
}

Batch batch_of(const DataPart& part, std::size_t count) {
  std::vector<data::Record> samples;
  for (std::size_t i = 0; i < count; ++i) samples.push_back(part[i * part.size() / count]);
  return data::collate(samples);
}

std::vector<Outlook> estimate(const Task& task, const TaskData& data, const Models& models,
                              const std::vector<TrialCall>& trial) {
  const Experience experience(task, data, models, trial);
  const Pieces pieces = Rehearsal(task, data, experience, models).run();
  std::vector<Outlook> outlooks;
  for (const Scenario& scenario : scenarios()) {
    Outlook result = outlook(task, data, pieces, scenario);
    result.cost = cost_of(result.all, models);
    result.measurements_cost = cost_of(result.measurements, models);
    result.seconds = seconds_of(result.all, task, pieces, experience, models);
    outlooks.push_back(std::move(result));
  }
  return outlooks;
}

std::string budget_text(const lm::BudgetLimits& limits, const Outlook& outlook, std::size_t steps) {
  struct Limit {
    std::string text;
    double amount;
    double all;
    double measurements;
  };
  const Amount all = total(outlook.all);
  const Amount measurements = total(outlook.measurements);
  std::vector<Limit> reached;
  const auto look_at = [&](const auto& limit, const std::string& unit, double needed, double to_measure) {
    if (limit && needed > static_cast<double>(*limit))
      reached.push_back({fmt::format("{} {}", *limit, unit), static_cast<double>(*limit), needed, to_measure});
  };
  look_at(limits.calls, "calls", all.calls, measurements.calls);
  look_at(limits.prompt_tokens, "prompt tokens", all.prompt_tokens, measurements.prompt_tokens);
  look_at(limits.completion_tokens, "completion tokens", all.completion_tokens, measurements.completion_tokens);
  if (outlook.cost && outlook.measurements_cost)
    look_at(limits.usd, "USD", outlook.cost->usd(), outlook.measurements_cost->usd());
  if (reached.empty()) return "";

  const auto share = [](const Limit& limit) { return (limit.amount - limit.measurements) / (limit.all - limit.measurements); };
  const Limit& first =
      *std::min_element(reached.begin(), reached.end(), [&](const Limit& a, const Limit& b) { return share(a) < share(b); });
  if (share(first) <= 0)
    return fmt::format("the budget of {} is too small to measure the prompts before and after training", first.text);
  return fmt::format("the budget of {} ends the run after about step {} of {}", first.text,
                     detail::count_of(std::floor(share(first) * static_cast<double>(steps))), steps);
}

std::size_t calls_to_measure(const Task& task, std::size_t samples) {
  const std::size_t judge = task.evaluator.type == EvaluatorSpec::Type::judge ? 1 : 0;
  return samples * (task.stages.size() + judge);
}

bool measures_train(const Task& task, const TaskData& data, const lm::BudgetLimits& limits) {
  constexpr std::size_t enough = 10;
  return !limits.calls || static_cast<std::size_t>(*limits.calls) / enough >= calls_to_measure(task, data.size());
}

std::size_t measured_samples(const Task& task, const TaskData& data, const lm::BudgetLimits& limits) {
  return data.size() - (measures_train(task, data, limits) ? 0 : data.train.size());
}

namespace {

bool is_limited(const lm::BudgetLimits& limits) {
  return limits.calls || limits.prompt_tokens || limits.completion_tokens || limits.usd;
}

/// The samples that a run measures first. Equal ones are one request where there is a cache.
std::vector<data::Record> measured_first(const Task& task, const TaskData& data) {
  std::vector<data::Record> samples;
  std::set<std::vector<std::string>> seen;
  for (const DataPart* part : {&data.test, &data.validation, &data.train}) {
    if (part == &data.train && !measures_train(task, data, task.budget)) continue;
    for (std::size_t i = 0; i < part->size(); ++i) {
      data::Record sample = (*part)[i];
      std::vector<std::string> inputs;
      for (const auto& input : task.data.inputs) inputs.push_back(sample.at(input.first).item_text());
      if (!task.cache || seen.insert(std::move(inputs)).second) samples.push_back(std::move(sample));
    }
  }
  return samples;
}

struct CacheAnswers {
  std::size_t lacking = 0;  ///< samples of which it does not answer all stages
  bool knows_some = false;  ///< it answers a call at the least
};

/// Nothing is sent: no call is within the budget of this rehearsal.
CacheAnswers ask_cache(Task task, const std::vector<data::Record>& samples, const ModelOptions& options) {
  std::error_code unknown;
  if (!std::filesystem::exists(*task.cache, unknown)) return {.lacking = samples.size()};
  const NoGradGuard no_grad;
  task.budget = {.calls = 0};
  const Models models = make_models(task, options);
  const TaskAgent agent(task, models.by_name, load_prompts(task));
  const std::vector<StageResult> stages = agent.run(data::collate(samples));
  const auto has_come = [](const Variable& item) {
    try {
      return static_cast<void>(item.data()), true;
    } catch (const Error&) {
      return false;
    }
  };
  CacheAnswers answers;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    answers.lacking += has_come(stages.back().reply[i]) ? 0 : 1;
    answers.knows_some = answers.knows_some || has_come(stages.front().reply[i]);
  }
  return answers;
}

/// What a step that is validated takes at the least, with both measurements, by estimate.
Amounts least_of_a_step(const Task& task, const TaskData& data, const Models& models, double share) {
  const std::vector<TrialCall> no_trial;
  const Experience experience(task, data, models, no_trial);
  const Pieces pieces = Rehearsal(task, data, experience, models).run();
  const double batch = static_cast<double>(std::min(task.training.batch_size, data.train.size()));
  const bool is_measured = measures_train(task, data, task.budget);
  Amounts least;
  add(least, pieces.test, 2 * share);
  add(least, pieces.validation, 2 * share);
  if (is_measured) add(least, pieces.train, 2 * share);
  if (!is_measured || !task.cache) add(least, pieces.train, batch / static_cast<double>(data.train.size()));
  add(least, pieces.critique, 1 / batch);  // one sample needs feedback
  add(least, pieces.rewrite, 1);
  return least;
}

std::string estimated_problem(Task task, const TaskData& data, ModelOptions options, double share) {
  const lm::BudgetLimits& limits = task.budget;
  options.flags.no_cache = true;  // nothing is kept
  const Models models = make_models(task, options);
  const Amounts least = least_of_a_step(task, data, models, share);
  const Amount sum = total(least);
  // Tokens are estimated, and a budget that does is not refused for an estimate that is wrong.
  constexpr double certain = 2;
  const auto look_at = [](const auto& limit, double needed, const char* unit, const char* remedy) {
    if (!limit || static_cast<double>(*limit) * certain >= needed) return std::string();
    return fmt::format(
        "the budget of {} {} is too small for one step: that takes about {:.4g}, with the measurements before and after it. "
        "Give more{}, or measure fewer samples (--limit)",
        *limit, unit, needed, remedy);
  };
  std::string problem = look_at(limits.prompt_tokens, sum.prompt_tokens, "prompt tokens", "");
  if (problem.empty()) problem = look_at(limits.completion_tokens, sum.completion_tokens, "completion tokens", "");
  if (const auto cost = cost_of(least, models); problem.empty() && cost)
    problem = look_at(limits.usd, cost->usd(), "USD", " (--max-cost)");
  return problem;
}

}  // namespace

std::string budget_problem(const Task& task, const TaskData& data, const ModelOptions& options) {
  const lm::BudgetLimits& limits = task.budget;
  if (!is_limited(limits)) return {};
  const std::vector<data::Record> samples = measured_first(task, data);
  if (task.cache && !options.flags.no_cache) {
    const bool has_command = std::any_of(task.stages.begin(), task.stages.end(),
                                         [](const StageSpec& stage) { return stage.kind != StageSpec::Kind::model; });
    if (has_command) return {};  // it would be run to know
    const CacheAnswers answers = ask_cache(task, samples, options);
    // Of what a cache knows already, it may know what comes of it, too.
    if (answers.knows_some) {
      if (!limits.calls || *limits.calls >= static_cast<std::int64_t>(answers.lacking)) return {};
      return fmt::format(
          "the budget of {} calls is too small to measure the samples before training: the cache answers {} of {}. Give it "
          "more "
          "than {} (--max-calls), or measure fewer samples (--limit)",
          *limits.calls, samples.size() - answers.lacking, samples.size(), answers.lacking);
    }
  }
  constexpr std::size_t feedback_and_value = 2;
  const std::size_t measured = calls_to_measure(task, 2 * samples.size());
  const bool knows_batch = task.cache && measures_train(task, data, limits);
  const std::size_t batch = knows_batch ? 0 : std::min(task.training.batch_size, data.train.size());
  const std::size_t step = calls_to_measure(task, batch) + feedback_and_value;
  if (limits.calls && *limits.calls < static_cast<std::int64_t>(measured + step))
    return fmt::format(
        "the budget of {} calls is too small for one step: measuring the {} samples before and after takes {} calls, and a "
        "step "
        "{} "
        "more. Give it {} or more (--max-calls), or measure fewer samples (--limit)",
        *limits.calls, samples.size(), measured, step, measured + step);
  if (!limits.prompt_tokens && !limits.completion_tokens && !limits.usd) return {};
  const double all = static_cast<double>(measured_samples(task, data, limits));
  return estimated_problem(task, data, options, static_cast<double>(samples.size()) / all);
}

}  // namespace tgd::cli
