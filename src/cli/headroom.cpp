#include "cli/headroom.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <tgd/data.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/optim.hpp>
#include <tgd/random.hpp>
#include <tgd/trainer.hpp>

#include "core/counted.hpp"
#include "core/rethrow.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"
#include "task/facts.hpp"

namespace tgd::cli {

namespace {

constexpr std::size_t answers_in_all = 56;    // of all versions, beside the teacher's step
constexpr std::size_t samples_of_a_step = 4;  // with the critique and the new value: 6 calls

/// Chosen by the task's seed: a file may be in an order.
DataPart some_of(const DataPart& part, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(part.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random(seed).shuffle(order);
  order.resize(std::min(count, order.size()));
  std::vector<data::Record> records;
  std::vector<std::size_t> rows;
  for (const std::size_t i : order) {
    records.push_back(part[i]);
    rows.push_back(part.rows()[i]);
  }
  return {std::move(records), std::move(rows)};
}

class HeadroomSearch {
 public:
  HeadroomSearch(const Task& task, const TaskData& data, const Models& models, const Prompts& prompts,
                 const std::function<bool()>& is_stopped)
      : task_(task), data_(data), prompts_(prompts), is_stopped_(is_stopped) {
    task_.on_error = OnError::keep;  // a sample that fails is one that is not solved
    task_.training.free_proposals = true;
    agent_ = std::make_unique<TaskAgent>(task_, models.by_name, prompts);
    teacher_ = models.at("teacher");
    agent_->set_facts(known_facts(task_, data_, prompts_));
  }

  Headroom run() {
    const std::vector<FirstProposal> proposals = first_proposals(task_, data_, *agent_, prompts_);
    const NamedValues first = agent_->values();
    samples_ = some_of(data_.validation, answers_in_all / (3 + proposals.size()), task_.training.seed);
    found_.samples = samples_.size();
    found_.start = tried("the start prompt");
    if (!is_stopped_()) found_.again = tried("the start prompt, asked again");
    for (const FirstProposal& proposal : proposals) {
      if (is_stopped_()) break;
      for (const auto& suggestion : proposal.values) {
        Variable parameter = suggestion.parameter;
        parameter.set_data(Data(suggestion.value));
      }
      found_.proposals.push_back(tried(proposal.name));
      agent_->set_values(first);
    }
    if (!is_stopped_()) learn();
    agent_->set_values(first);
    count();
    return std::move(found_);
  }

 private:
  using Loader = data::DataLoader<DataPart>;

  Headroom::Version tried(std::string name) const {
    Trainer().test(*agent_, Loader(samples_, {.batch_size = samples_.size()}));
    const SampleResults results = agent_->take_results();
    Headroom::Version version{std::move(name), SampleScores(samples_.size()), 0};
    for (std::size_t i = 0; i < results.rows.size(); ++i) {
      const auto at = std::find(samples_.rows().begin(), samples_.rows().end(), results.rows[i]) - samples_.rows().begin();
      version.scores[static_cast<std::size_t>(at)] = results.scores[i];
      version.solved += is_solved(results.scores[i]) && !results.problems.contains(results.rows[i]);
    }
    return version;
  }

  bool is_solved(double score) const { return task_.evaluator.scale().is_best(score); }

  /// One step as a run makes it, on few samples.
  void learn() {
    const DataPart shown = some_of(data_.train, samples_of_a_step, task_.training.seed);
    Batch batch = batch_of(shown);
    const auto result = agent_->training_step(batch);
    const std::vector<double> scores = result->evaluation.score.data().as_reals();
    if (std::all_of(scores.begin(), scores.end(), [this](double score) { return is_solved(score); })) {
      found_.untaught = fmt::format("the {} that it was to learn from are solved", detail::counted(shown.size(), "sample"));
      return;
    }
    result->evaluation.explanation.backward({.model = teacher_, .step = task_.optimizer.step});
    const auto optimizer = std::dynamic_pointer_cast<optim::TGD>(agent_->configure_optimizers());
    optimizer->step();
    bool has_new = false;
    for (const optim::ParameterUpdate& update : optimizer->last_updates()) {
      has_new = has_new || update.outcome == optim::ParameterUpdate::Outcome::updated;
      if (found_.untaught.empty()) found_.untaught = update.reason;
    }
    if (!has_new) {
      found_.is_teacher_of_no_use = true;
      if (found_.untaught.empty()) found_.untaught = "it left the value as it was";
      return;
    }
    found_.untaught.clear();
    if (!is_stopped_()) found_.taught = tried("the teacher's new value");
  }

  void count() {
    const std::vector<const Headroom::Version*> versions = found_.versions();
    for (std::size_t i = 0; i < found_.samples; ++i) {
      std::size_t solved = 0;
      for (const Headroom::Version* version : versions) solved += version->scores[i] && is_solved(*version->scores[i]);
      found_.always_solved += solved == versions.size();
      found_.never_solved += solved == 0;
      found_.unsteady += !found_.again.scores.empty() && found_.again.scores[i] != found_.start.scores[i];
    }
  }

  Task task_;
  const TaskData& data_;
  const Prompts& prompts_;
  const std::function<bool()>& is_stopped_;
  std::unique_ptr<TaskAgent> agent_;
  lm::ChatModelPtr teacher_;
  DataPart samples_{{}, {}};
  Headroom found_;
};

double mean_score(const Headroom::Version& version) { return mean(known_scores(version.scores)); }

/// How much better one version is than another, whichever way the scale goes.
double gain(const EvaluatorSpec& evaluator, const Headroom::Version& from, const Headroom::Version& to) {
  const double difference = mean_score(to) - mean_score(from);
  return evaluator.higher_is_better ? difference : -difference;
}

}  // namespace

std::vector<const Headroom::Version*> Headroom::versions() const {
  std::vector<const Version*> all{&start};
  if (!again.scores.empty()) all.push_back(&again);
  for (const Version& version : proposals) all.push_back(&version);
  if (taught) all.push_back(&*taught);
  return all;
}

const Headroom::Version* Headroom::best(const EvaluatorSpec& evaluator) const {
  const Version* best = nullptr;
  const auto take = [&](const Version& version) {
    if (best == nullptr || gain(evaluator, *best, version) > 0) best = &version;
  };
  for (const Version& version : proposals) take(version);
  if (taught) take(*taught);
  return best;
}

std::vector<std::string> Headroom::verdict(const Task& task) const {
  const EvaluatorSpec& evaluator = task.evaluator;
  const auto score = [&](const Version& version) {
    return fmt::format("{} ({} of {} solved)", score_text(evaluator, mean_score(version)), version.solved, samples);
  };
  const Version* best = this->best(evaluator);
  const bool gains = best != nullptr && gain(evaluator, start, *best) > 0;
  const bool is_by_code = gains && !(taught && best == &*taught);
  std::string worth;
  if (start.solved == samples) {
    worth = fmt::format("There is little to gain: the start prompt solves all {} that were tried.",
                        detail::counted(samples, "sample"));
  } else if (gains) {
    worth = fmt::format("It is worth a run: {} has {}, the start prompt {}.", best->name, score(*best), score(start));
  } else if (never_solved == samples) {
    worth = fmt::format(
        "It is doubtful: none of {} was solved by anything that was tried, so look at the replies, the output steps and the "
        "evaluator first.",
        detail::counted(samples, "sample"));
  } else {
    worth =
        fmt::format("It is not clear: nothing that was tried did better than the start prompt, which has {}.", score(start));
  }
  std::string settings;
  if (unsteady > 0 && unsteady * 5 >= samples) {
    settings = fmt::format(
        "The score of {} of {} changed by itself, so set \"temperature\": 0 for the student, or \"training\": {{\"gate\": "
        "{{\"confidence\": 0.8}}}} against luck.",
        unsteady, detail::counted(samples, "sample"));
  } else if (is_teacher_of_no_use && start.solved < samples) {
    settings = fmt::format(
        "The teacher wrote no value that could be used ({}), so name a stronger one under \"models\", or be "
        "content with the first proposals: \"training\": {{\"epochs\": 1}}.",
        untaught);
  } else if (is_by_code && !task.training.free_proposals) {
    settings = "The first proposals are switched off: \"training\": {\"free_proposals\": true} has them tried.";
  } else if (is_by_code && taught && gain(evaluator, start, *taught) <= 0) {
    settings =
        "The first proposals bring it, and the teacher's value did not, so one epoch is enough: \"training\": {\"epochs\": 1}.";
  } else {
    settings =
        fmt::format("The settings of the task can stay; {} show large differences only.", detail::counted(samples, "sample"));
  }
  return {worth, settings};
}

Headroom find_headroom(const Task& task, const TaskData& data, const Models& models, const Prompts& prompts,
                       const std::function<bool()>& is_stopped) {
  try {
    return HeadroomSearch(task, data, models, prompts, is_stopped).run();
  } catch (const BudgetError&) {
    throw;
  } catch (const Error&) {
    detail::rethrow_with_prefix("headroom: ");
  }
}

}  // namespace tgd::cli
