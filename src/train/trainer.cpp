#include <tgd/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/file.hpp"
#include "core/rethrow.hpp"
#include "core/saturating.hpp"
#include "core/seconds.hpp"
#include "core/text.hpp"
#include "train/chain_search.hpp"
#include "train/checkpoint.hpp"
#include "train/gatekeeper.hpp"
#include "train/journal.hpp"
#include "train/race.hpp"
#include "train/run_lock.hpp"
#include "train/score_table.hpp"
#include "train/tally.hpp"

namespace tgd {

namespace {

using detail::BatchStep;
using detail::Checkpoint;
using detail::Pass;
using detail::Scores;
using detail::Tally;
using detail::Trainee;

/// Runs `work`; what it throws gets the text of `place()` in front.
template <class Place, class Work>
auto in_place(const Place& place, const Work& work) {
  try {
    return work();
  } catch (...) {
    detail::rethrow_with_prefix(place());
  }
}

/// What callbacks end a run with, from any thread.
class CallbacksStop {
 public:
  /// The first reason is the one.
  void request(std::string reason) {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) reason_ = std::move(reason);
    is_requested_ = true;
  }
  bool is_requested() const {
    const std::lock_guard lock(mutex_);
    return is_requested_;
  }
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  mutable std::mutex mutex_;
  bool is_requested_ = false;
  std::string reason_;
};

/// The files of a run, in a folder that is locked. Without a folder nothing is written.
class RunFiles {
 public:
  RunFiles(const TrainerOptions& options, Module* module, detail::Journal& journal)
      : folder_(options.run_folder), kept_(options.keep_checkpoints), module_(module), journal_(journal) {
    if (folder_.empty()) return;
    if (module_ == nullptr)
      throw ValueError("TrainerOptions::run_folder needs an agent that is a tgd::Module: its state is what is saved");
    for (const auto& [name, parameter] : module_->named_parameters()) {
      if (const std::string problem = detail::file_name_problem(name, ".txt"); !problem.empty())
        throw ValueError(
            fmt::format("the value of the parameter \"{}\" is kept in a file of its name, and there can be none: {}; "
                        "register it under another name, or leave TrainerOptions::run_folder empty",
                        detail::excerpt(name, 60), problem));
    }
  }

  /// The checkpoint to go on from, if there is one and going on is wanted.
  std::optional<Checkpoint> start(const FitOptions& options) {
    if (!options.checkpoint.empty() && module_ == nullptr)
      throw ValueError("FitOptions::checkpoint needs an agent that is a tgd::Module: its state is what is loaded");
    if (!is_used()) {
      if (options.resume) throw ValueError("FitOptions::resume needs TrainerOptions::run_folder, where the checkpoint is");
      return options.checkpoint.empty() ? std::nullopt : std::optional(detail::read_checkpoint(options.checkpoint));
    }
    const bool is_there = std::filesystem::exists(checkpoint_path());
    const bool goes_on = options.checkpoint.empty() ? options.resume : is_own(options.checkpoint);
    if (is_there && !goes_on) {
      throw ValueError(fmt::format(
          "the run folder {} holds a run already: go on with it (FitOptions::resume), or name a new folder", folder_.string()));
    }
    std::optional<Checkpoint> checkpoint;
    if (!options.checkpoint.empty()) checkpoint = detail::read_checkpoint(options.checkpoint);
    if (options.checkpoint.empty() && is_there) checkpoint = detail::read_checkpoint(checkpoint_path());
    journal_.begin_fit(folder_, goes_on, checkpoint && goes_on ? checkpoint->journal : detail::JournalPosition());
    return checkpoint;
  }

  bool is_used() const { return !folder_.empty(); }

  template <class Report>
  void add_metrics(const Report& report) {
    if (is_used()) journal_.note("metrics.jsonl", detail::metrics_line(report));
  }

  CheckpointInfo save(Checkpoint checkpoint, std::span<const std::shared_ptr<optim::Optimizer>> optimizers) {
    checkpoint.journal = journal_.mark();
    const std::size_t step = checkpoint.run.step;
    detail::write_text(checkpoint, optimizers, text_);
    detail::write_file(checkpoint_path(), text_, detail::Access::owner);
    if (kept_ > 0) keep(step);
    return {step, checkpoint_path()};
  }

  void write_config(const std::string& text) const {
    if (is_used()) journal_.write_view("config.json", text);
  }

  void write_parameters() {
    if (!is_used()) return;
    for (const auto& [name, parameter] : module_->named_parameters())
      journal_.write_view(name + ".txt", parameter.data().item_text() + "\n");
  }

  void fail(const std::exception_ptr& error) const {
    if (is_used()) journal_.fail(error);
  }

 private:
  bool is_own(const std::filesystem::path& checkpoint) const {
    std::error_code error;  // of what does not exist, which is not this folder then
    return std::filesystem::equivalent(std::filesystem::absolute(checkpoint).parent_path(), folder_, error);
  }

  std::filesystem::path checkpoint_path() const { return folder_ / detail::checkpoint_name; }
  std::filesystem::path checkpoint_path(std::size_t step) const { return folder_ / fmt::format("checkpoint-{}.json", step); }

  void keep(std::size_t step) const {
    detail::write_file(checkpoint_path(step), text_, detail::Access::owner);
    std::error_code error;  // what cannot be removed stays
    if (step >= kept_) std::filesystem::remove(checkpoint_path(step - kept_), error);
  }

  std::filesystem::path folder_;
  std::size_t kept_;
  Module* module_;
  detail::Journal& journal_;
  std::string text_;  // of the last checkpoint
};

using Models = std::vector<std::shared_ptr<detail::Tracked>>;

/// One fit().
class Run {
 public:
  Run(const TrainerOptions& options, const Trainee& trainee, const Pass& train, const Pass* validation, Models models,
      detail::Journal& journal)
      : options_(options),
        trainee_(trainee),
        train_(train),
        models_(std::move(models)),
        journal_(journal),
        files_(options, trainee.module, journal),
        failure_limit_(options.max_failed) {
    // A limit that is no number would be none.
    if (options.max_time) detail::span_of_seconds(options.max_time->count(), "TrainerOptions::max_time");
    if (options.max_cost && !(*options.max_cost >= 0))
      throw ValueError(fmt::format("TrainerOptions::max_cost is {} USD; it must not be negative", *options.max_cost));
    if (options.validate_every == std::size_t{0})
      throw ValueError("TrainerOptions::validate_every is 0; it has to be at least 1, or left out");
    if (options.early_stopping.patience == std::size_t{0})
      throw ValueError("EarlyStopping::patience is 0; it has to be at least 1, or left out");
    if (validation != nullptr) validation_.emplace(trainee, *validation, state_.scores);
    expect_one_way(options);
    detail::Validation* data = validation_ ? &*validation_ : nullptr;
    if (options.gate.confidence) gate_.emplace(options.gate, options.keep, options.higher_is_better, trainee, data);
    if (options.search.chain != 0)
      search_.emplace(options.search, options.keep, options.higher_is_better, trainee, data, state_.search);
  }

  FitResult fit(const FitOptions& options) {
    begin(files_.start(options));
    files_.write_config(detail::config_text(options_, train_.batches));
    try {
      announce();
      if (!state_.validated_step) validate();
      if (search_) search_->begin();
      race();
      while (!run_epoch() && state_.epoch < options_.max_epochs) next_epoch();
      close_search();
    } catch (...) {
      restore_best();
      files_.fail(std::current_exception());
      tell(&TrainerCallback::on_error, std::current_exception());
      tell(&TrainerCallback::on_end, nullptr);
      throw;
    }
    restore_best();
    if (state_.best) files_.write_parameters();  // they may come from a checkpoint of another folder
    const FitResult result = this->result();
    tell(&TrainerCallback::on_end, &result);
    return result;
  }

 private:
  static void expect_one_way(const TrainerOptions& options) {
    if (options.search.chain == 0) return;
    if (options.gate.confidence)
      throw ValueError("TrainerOptions has a gate and a search: both decide which steps are taken, so leave one of them out");
    if (options.validate_every)
      throw ValueError("TrainerOptions::validate_every does not go with a search, which validates where a chain ends");
  }

  template <class... Arguments, class... Given>
  void tell(void (TrainerCallback::*hook)(Arguments...), Given&&... given) const {
    for (const auto& callback : options_.callbacks) ((*callback).*hook)(given...);
  }

  void announce() const {
    RunInfo info{options_.max_epochs, train_.batches.value_or(0), train_.samples, state_.step};
    info.status = [this] {
      const lm::CostReport report = journal_.usage();
      return RunStatus{seconds(), report.total().usage.calls, journal_.calls_in_flight(), report.cost()};
    };
    info.stop = [stop = stop_] { stop->request({}); };
    info.stop_because = [stop = stop_](std::string reason) { stop->request(std::move(reason)); };
    tell(&TrainerCallback::on_start, info);
  }

  FitResult result() const {
    const Ending ending = ending_.value_or(Ending::epochs);
    const std::string reason = ending == Ending::stopped ? stop_->reason() : std::string();
    return {state_.step, state_.first, state_.best, ending, journal_.usage(), reason.empty() ? to_string(ending) : reason};
  }

  void begin(const std::optional<Checkpoint>& checkpoint) {
    if (checkpoint) load(*checkpoint);
    if (train_.state) loader_ = train_.state();
    started_ = Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(state_.seconds));
  }

  /// Once, and before anything else: a run that has taken a step has had its race.
  void race() {
    if (!validation_ || options_.first_proposals.empty() || state_.step > 0 || options_.max_epochs == 0) return;
    validation_->measure();
    detail::Race race(options_.first_proposals, trainee_, *validation_, options_.higher_is_better);
    if (!race.any() || !has_room_for_race(race)) return;
    const bool is_over =
        in_place([] { return "first proposals: "; }, [&] { return race.run([this] { return reached_limit().has_value(); }); });
    if (!is_over) return;
    const bool may_be = keeps_limits(race.scores().means) || !keeps_limits(validation_->known().means);
    if (may_be && race.is_better() && (!gate_ || gate_->accepts(race.gains()))) race.accept();
    if (race.cut_by() && !race.report().accepted) std::rethrow_exception(race.cut_by());
    StepReport report = step_without_batch();
    report.updates = race.updates();
    report.race = race.report();
    if (race.report().accepted) {
      count_failures("validation", race.scores());
      if (search_) search_->adopt();
    } else {
      state_.validated_step = report.step;
    }
    forget_other_versions();
    tell(&TrainerCallback::on_step, report);
    files_.add_metrics(report);
    if (!is_validated()) return conclude(race.scores());
    save();
  }

  bool has_room_for_race(const detail::Race& race) const {
    if (!search_) return true;
    const double samples = detail::race_share(race.lanes()) * static_cast<double>(validation_->samples());
    return has_room(calls_for(static_cast<std::size_t>(samples) + 1 + search_->samples_of_confirmation()));
  }

  /// What is no batch's, and does not count for max_steps.
  StepReport step_without_batch() {
    ++state_.steps_without_batch;
    ++state_.step;
    return {state_.epoch, options_.max_epochs, state_.step, 0, train_.batches.value_or(0)};
  }

  void next_epoch() {
    ++state_.epoch;
    state_.step_in_epoch = 0;
    if (train_.state) loader_ = train_.state();
  }

  /// Goes on with the epoch. Returns whether the run is over.
  bool run_epoch() {
    if (options_.max_epochs == 0) return true;
    tell(&TrainerCallback::on_epoch, state_.epoch);
    samples_in_epoch_ = 0;
    trainee_.set_mode(true);
    validate_if_due();  // the run may have been killed before it could
    train_.each(state_.step_in_epoch, [&](const BatchStep& batch) {
      ending_ = reached_limit();
      if (!ending_ && search_ && !has_room(calls_of_step(batch.samples))) ending_ = end_for_want_of_room();
      if (ending_) return false;
      take_step(batch);
      validate_if_due();
      return true;
    });
    const bool is_last = state_.epoch == options_.max_epochs || ending_ == Ending::steps;
    const bool is_whole = !ending_ || ending_ == Ending::steps;
    if (!search_ && is_whole && (!options_.validate_every || is_last) && !is_validated()) validate();
    if (!ending_ && has_stopped_improving()) ending_ = Ending::early_stopping;
    tell(&TrainerCallback::on_epoch_end, state_.epoch);
    return ending_.has_value();
  }

  void take_step(const BatchStep& batch) {
    StepReport report{state_.epoch, options_.max_epochs, state_.step + 1, state_.step_in_epoch + 1, train_.batches.value_or(0)};
    report.metrics = in_place(
        [&] {
          const std::string of = train_.batches ? fmt::format(" of {}", *train_.batches) : std::string();
          return fmt::format("epoch {}, step {}{}: ", report.epoch, report.step_in_epoch, of);
        },
        [&] { return run_step(batch, report); });
    samples_in_epoch_ += batch.samples;
    report.samples_in_epoch = samples_in_epoch_;
    state_.step = report.step;
    state_.step_in_epoch = report.step_in_epoch;
    finish(report);
  }

  /// Says what became of a step. The head of a chain that has won is the best there is.
  void finish(const StepReport& report) {
    tell(&TrainerCallback::on_step, report);
    files_.add_metrics(report);
    if (report.search && report.search->race && report.search->race->accepted) return conclude(search_->scores(), true);
    save();
  }

  Metrics run_step(const BatchStep& batch, StepReport& report) {
    const BatchInfo info{report.epoch, report.step, report.step_in_epoch, batch.samples};
    tell(&TrainerCallback::on_batch_start, info);
    if (trainee_.automatic) {
      for (const auto& optimizer : trainee_.optimizers) optimizer->clear_grad();
    }
    const std::optional<StepResult> result = batch.run();
    if (!result) return {};
    Tally tally;
    tally.add(batch.samples, *result);
    const Scores scores = tally.scores();
    state_.samples_seen += batch.samples;
    count_failures("train", scores);
    if (trainee_.automatic) {
      tell(&TrainerCallback::on_before_backward, info, *result);
      result->evaluation.score.backward(options_.backward);
      tell(&TrainerCallback::on_after_backward, info);
    }
    if (gate_ || search_) {
      for (const auto& optimizer : trainee_.optimizers) tell(&TrainerCallback::on_before_optimizer_step, info, *optimizer);
      gate_ ? take_gated_step(batch, scores, report) : take_searched_step(batch, scores, report);
      for (const auto& optimizer : trainee_.optimizers) tell(&TrainerCallback::on_after_optimizer_step, info, *optimizer);
    } else {
      state_.scores.clear();
      if (trainee_.automatic) step_optimizers(info, report);
    }
    return scores.means;
  }

  void step_optimizers(const BatchInfo& info, StepReport& report) const {
    for (const auto& optimizer : trainee_.optimizers) {
      tell(&TrainerCallback::on_before_optimizer_step, info, *optimizer);
      optimizer->step();
      tell(&TrainerCallback::on_after_optimizer_step, info, *optimizer);
      if (const auto* tgd = dynamic_cast<const optim::TGD*>(optimizer.get())) {
        report.updates.insert(report.updates.end(), tgd->last_updates().begin(), tgd->last_updates().end());
      }
    }
  }

  void take_gated_step(const BatchStep& batch, const Scores& scores, StepReport& report) {
    report.gate = gate_->step(batch, scores);
    report.updates = gate_->last_updates();
    forget_other_versions();
  }

  void take_searched_step(const BatchStep& batch, const Scores& scores, StepReport& report) {
    report.search = search_->step(batch, scores);
    if (search_->is_chain_over()) end_chain(report);
    report.updates = search_->last_updates();
  }

  /// Where a chain has come to anything, its head has to show that it is better.
  void end_chain(StepReport& report) {
    if (!search_->has_head()) return search_->adopt();
    const bool can_race = has_room(calls_for(search_->samples_of_race() + search_->samples_of_confirmation()));
    const ChainRace race = can_race ? search_->race() : search_->give_up();
    report.search->race = race;
    if (!race.accepted) ++state_.since_best;
  }

  /// What a chain under way has come to, and whether it is better than the beginning. No checkpoint knows of it: a run that goes on with
  /// larger limits goes on with the chain.
  void close_search() {
    if (!search_ || options_.stop.stop_requested()) return;
    is_closing_ = true;
    if (search_->has_head()) {
      StepReport report = step_without_batch();
      report.search.emplace();
      search_->begin_without_batch();
      in_place([] { return "the last chain: "; }, [&] { end_chain(report); });
      report.updates = search_->last_updates();
      finish(report);
    }
    if (search_->has_to_confirm()) confirm();
  }

  void confirm() {
    StepReport report = step_without_batch();
    const bool has_calls = has_room(calls_for(search_->samples_of_confirmation()));
    report.search.emplace();
    search_->begin_without_batch();
    report.search->confirmation = in_place([] { return "confirmation: "; },
                                           [&] { return has_calls ? search_->confirm() : search_->leave_unconfirmed(); });
    report.updates = search_->last_updates();
    finish(report);
    if (report.search->confirmation->kept) return;
    ValidationReport first = *state_.first;
    first.is_best = true;
    keep(first);
    tell(&TrainerCallback::on_validation, first);
    files_.add_metrics(first);
  }

  /// Only those that the table compares with are kept in it.
  void forget_other_versions() {
    if (validation_ && !search_) state_.scores.keep_only(validation_->version());
  }

  // ---- Validation ----

  bool is_validated() const { return state_.validated_step == state_.step; }

  void validate_if_due() {
    if (search_ || !options_.validate_every) return;
    if ((state_.step - state_.steps_without_batch) % *options_.validate_every == 0 && !is_validated()) validate();
  }

  void validate() {
    if (!validation_) return;
    tell(&TrainerCallback::on_validation_start, ValidationInfo{state_.step == 0 ? 0 : state_.epoch, state_.step});
    const Scores scores = in_place(
        [&] {
          return state_.step == 0 ? "first validation: "
                                  : fmt::format("validation after epoch {}, step {}: ", state_.epoch, state_.step);
        },
        [&] {
          const bool is_known = validation_->is_known();
          const std::int64_t before = calls_made();
          Scores measured = validation_->measure();
          detail::expect_answers(measured);
          if (!is_known) count_failures("validation", measured);
          if (!is_known && measured.means.samples > 0) {
            const auto count = static_cast<std::int64_t>(measured.means.samples);
            state_.calls_of_sample = std::max(state_.calls_of_sample, (calls_made() - before + count - 1) / count);
          }
          return measured;
        });
    report_validation(scores, std::nullopt);
  }

  /// What was measured is a validation. `is_best`: where a race has decided it.
  void conclude(const Scores& scores, std::optional<bool> is_best = {}) {
    tell(&TrainerCallback::on_validation_start, ValidationInfo{state_.epoch, state_.step});
    report_validation(scores, is_best);
  }

  void report_validation(const Scores& scores, std::optional<bool> is_best) {
    ValidationReport report{state_.step == 0 ? 0 : state_.epoch, state_.step, scores.means};
    trainee_.set_mode(true);
    for (const auto& optimizer : trainee_.optimizers) {
      if (detail::understands_scores(*optimizer, options_.higher_is_better)) optimizer->report_score(report.metrics.score);
    }
    state_.validated_step = state_.step;
    report.is_best = is_best.value_or(!state_.best || is_better(report.metrics, state_.best->metrics));
    state_.since_best = report.is_best ? 0 : state_.since_best + 1;
    if (!state_.first) state_.first = report;
    if (report.is_best) keep(report);
    tell(&TrainerCallback::on_validation, report);
    files_.add_metrics(report);
    save();
  }

  bool keeps_limits(const Metrics& metrics) const { return detail::broken_limit(options_.keep, metrics).empty(); }

  bool is_better(const Metrics& metrics, const Metrics& than) const {
    if (keeps_limits(metrics) != keeps_limits(than)) return keeps_limits(metrics);
    const double gain = options_.higher_is_better ? metrics.score - than.score : than.score - metrics.score;
    return gain > 0 && gain >= options_.early_stopping.min_delta;
  }

  void keep(const ValidationReport& report) {
    state_.best = report;
    state_.best_values.clear();
    for (const Variable& parameter : parameters()) state_.best_values.push_back(parameter.data());
    files_.write_parameters();
  }

  void restore_best() const {
    if (!state_.best) return;
    std::vector<Variable> all = parameters();
    for (std::size_t i = 0; i < all.size(); ++i) all[i].set_data(state_.best_values[i]);
  }

  std::vector<Variable> parameters() const { return detail::parameters_of(trainee_); }

  // ---- Limits ----

  /// Of the run, as far as that is known.
  std::size_t samples() const {
    const std::size_t training = train_.samples > 0 ? train_.samples : state_.samples_seen;
    return training + (validation_ ? validation_->samples_of_loader() : 0);
  }

  void count_failures(const std::string& part, const Scores& scores) {
    failure_limit_.add(state_.failed, part, scores, samples());
  }

  bool has_stopped_improving() const {
    return options_.early_stopping.patience && state_.since_best >= *options_.early_stopping.patience;
  }

  std::optional<Ending> reached_limit() const {
    if (options_.stop.stop_requested() || stop_->is_requested()) return Ending::stopped;
    if (has_stopped_improving()) return Ending::early_stopping;
    if (options_.max_steps && state_.step - state_.steps_without_batch >= *options_.max_steps) return Ending::steps;
    if (options_.max_time && seconds() >= options_.max_time->count()) return Ending::time;
    const lm::CostReport report = journal_.usage();
    const lm::Usage usage = report.total().usage;
    if (options_.max_calls && usage.calls >= *options_.max_calls) return Ending::calls;
    if (options_.max_tokens &&
        detail::saturated_sum(usage.counted_prompt_tokens(), usage.counted_completion_tokens()) >= *options_.max_tokens)
      return Ending::tokens;
    if (options_.max_cost && cost_of(report) >= lm::Cost::from_usd(*options_.max_cost)) return Ending::cost;
    return std::nullopt;
  }

  /// Made or answered from a cache, by all tracked models.
  std::int64_t calls_made() const {
    const lm::detail::CallCounts counts = journal_.counts();
    std::int64_t sum = counts.cached;
    for (const auto& entry : counts.by_purpose) sum = detail::saturated_sum(sum, entry.second);
    return sum;
  }

  std::int64_t calls_for(std::size_t samples) const {
    return detail::saturated_product(static_cast<std::int64_t>(samples), std::max<std::int64_t>(state_.calls_of_sample, 1));
  }

  /// Of a step at its most, the race of its chain and the confirmation: the samples of the batch, their feedback, the proposals and their
  /// screening, in which half of the batch or all of it may fail.
  std::int64_t calls_of_step(std::size_t batch) const {
    const std::size_t proposals = options_.search.proposals;
    const std::size_t screening = (batch + 1) / 2 * (proposals + 1);
    const auto teacher = static_cast<std::int64_t>(batch / 8 + 1 + 2 * proposals * parameters().size());
    return detail::saturated_sum(calls_for(batch + screening + search_->samples_of_race() + search_->samples_of_confirmation()),
                                 teacher);
  }

  /// Whether so many calls more keep within the limits, tokens and cost by what calls took so far.
  bool has_room(std::int64_t calls) const {
    if (options_.has_room && !options_.has_room(calls)) return false;
    const lm::CostReport report = journal_.usage();
    const lm::Usage used = report.total().usage;
    const auto fits = [&](double limit, double spent) {
      const double each = spent / static_cast<double>(std::max<std::int64_t>(used.calls, 1));
      return spent + each * static_cast<double>(calls) <= limit;
    };
    const auto tokens = detail::saturated_sum(used.counted_prompt_tokens(), used.counted_completion_tokens());
    return (!options_.max_calls || detail::saturated_sum(used.calls, calls) <= *options_.max_calls) &&
           (!options_.max_tokens || fits(static_cast<double>(*options_.max_tokens), static_cast<double>(tokens))) &&
           (!options_.max_cost || fits(*options_.max_cost, cost_of(report).usd()));
  }

  Ending end_for_want_of_room() const {
    if (stop_->is_requested()) return Ending::stopped;
    const lm::Usage used = journal_.usage().total().usage;
    if (options_.max_tokens && !options_.max_calls && used.calls > 0) return Ending::tokens;
    return options_.max_cost && !options_.max_calls ? Ending::cost : Ending::calls;
  }

  static lm::Cost cost_of(const lm::CostReport& report) {
    if (const auto cost = report.cost()) return *cost;
    throw ValueError(
        fmt::format("max_cost cannot be kept, because the price of {} is not known: add it to TrainerOptions::prices",
                    fmt::join(report.unknown_models(), ", ")));
  }

  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  // ---- Checkpoints ----

  void save() {
    if (!files_.is_used() || is_closing_) return;
    state_.seconds = seconds();
    tell(&TrainerCallback::on_checkpoint, files_.save(snapshot(), trainee_.optimizers));
  }

  /// Without the optimizers.
  Checkpoint snapshot() const {
    Checkpoint checkpoint;
    checkpoint.run = state_;
    // Only these compare with it.
    if (!gate_ && !search_ && options_.first_proposals.empty()) checkpoint.run.scores.clear();
    checkpoint.agent = trainee_.module->type_name();
    checkpoint.agent_state = trainee_.module->state_dict();
    checkpoint.loader = loader_;
    for (const auto& model : models_) checkpoint.usage[model->name()] = model->usage();
    checkpoint.cost = journal_.usage();
    checkpoint.calls = journal_.counts();
    return checkpoint;
  }

  void load(const Checkpoint& checkpoint) {
    Checkpoint before = snapshot();
    for (const auto& optimizer : trainee_.optimizers) before.optimizers.push_back(optimizer->state_dict());
    try {
      if (checkpoint.agent != trainee_.module->type_name()) {
        throw ValueError(fmt::format("it is of an agent of the class {}, and this one is a {}", checkpoint.agent,
                                     trainee_.module->type_name()));
      }
      take_over(checkpoint);
    } catch (...) {
      take_over(before);
      detail::rethrow_with_prefix(
          fmt::format("the checkpoint {} belongs to another run, or is damaged: ", checkpoint.path.string()));
    }
  }

  void take_over(const Checkpoint& checkpoint) {
    if (checkpoint.optimizers.size() != trainee_.optimizers.size()) {
      throw ValueError(
          fmt::format("/optimizers are {}, and this agent has {}", checkpoint.optimizers.size(), trainee_.optimizers.size()));
    }
    check_best_values(checkpoint.run);
    if (const std::size_t values = checkpoint.run.search.first.size(); values != 0 && values != parameters().size())
      throw ValueError(
          fmt::format("/run/search/first has {} values, and this agent {} parameters", values, parameters().size()));
    in_place([] { return "/state: "; }, [&] { trainee_.module->load_state_dict(checkpoint.agent_state); });
    for (std::size_t i = 0; i < trainee_.optimizers.size(); ++i) {
      in_place([&] { return fmt::format("/optimizers/{}: ", i); },
               [&] { trainee_.optimizers[i]->load_state_dict(checkpoint.optimizers[i]); });
    }
    if (train_.load_state && !checkpoint.loader.empty())
      in_place([] { return "/loader: "; }, [&] { train_.load_state(checkpoint.loader); });
    // After the optimizers, which add what their models had used.
    for (const auto& model : models_) {
      const auto used = checkpoint.usage.find(model->name());
      model->set_usage(used != checkpoint.usage.end() ? used->second : lm::Usage{});
    }
    journal_.set_usage(checkpoint.cost, checkpoint.calls);
    state_ = checkpoint.run;
  }

  /// They are put back at the end of the run, when nothing may fail any more.
  void check_best_values(const detail::RunState& run) const {
    if (!run.best) return;
    const std::vector<Variable> own = parameters();
    if (run.best_values.size() != own.size()) {
      throw ValueError(
          fmt::format("/run/best_values has {} values, and this agent {} parameters", run.best_values.size(), own.size()));
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Data& now = own[i].data();
      const Data& best = run.best_values[i];
      if (now.is_text() != best.is_text() || now.is_batch() != best.is_batch() || now.size() != best.size()) {
        throw ValueError(fmt::format("/run/best_values/{} is {}, and the parameter \"{}\" {}", i, best.description(),
                                     own[i].role(), now.description()));
      }
    }
  }

  using Clock = std::chrono::steady_clock;

  const TrainerOptions& options_;
  const Trainee& trainee_;
  const Pass& train_;
  Models models_;
  detail::Journal& journal_;
  RunFiles files_;
  detail::RunState state_;
  std::optional<detail::Validation> validation_;  // nothing: there is no data for it
  Json loader_;                                   // the state at the beginning of the epoch
  Clock::time_point started_;
  std::size_t samples_in_epoch_ = 0;
  detail::FailureLimit failure_limit_;
  std::optional<Ending> ending_;
  std::optional<detail::Gatekeeper> gate_;
  std::optional<detail::ChainSearch> search_;
  bool is_closing_ = false;
  std::shared_ptr<CallbacksStop> stop_ = std::make_shared<CallbacksStop>();
};

}  // namespace

TrainerCallback::~TrainerCallback() = default;

std::string to_string(Ending ending) {
  switch (ending) {
    case Ending::epochs:
      return "all epochs are done";
    case Ending::steps:
      return "max_steps is reached";
    case Ending::time:
      return "max_time is over";
    case Ending::calls:
      return "max_calls is reached";
    case Ending::tokens:
      return "max_tokens is reached";
    case Ending::cost:
      return "max_cost is reached";
    case Ending::early_stopping:
      return "validation has stopped getting better";
    case Ending::stopped:
      return "stopped on request";
  }
  return {};
}

struct Trainer::Impl {
  explicit Impl(TrainerOptions given) : options(std::move(given)), journal(std::make_shared<detail::Journal>(options.prices)) {}

  TrainerOptions options;
  std::shared_ptr<detail::Journal> journal;  // shared with the tracked models
  Models models;
  bool is_running = false;

  std::shared_ptr<detail::RunLock> hold_folder() {
    std::shared_ptr<detail::RunLock> held = lock_.lock();
    if (!held || held->folder() != options.run_folder) lock_ = held = std::make_shared<detail::RunLock>(options.run_folder);
    return held;
  }

  bool is_held() const { return !lock_.expired(); }

 private:
  std::weak_ptr<detail::RunLock> lock_;
};

Trainer::Trainer(TrainerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;

lm::ChatModelPtr Trainer::track(lm::ChatModelPtr model, std::string name) {
  if (!model) throw ValueError("Trainer::track needs a model; it was given none");
  if (impl_->is_running) throw StateError("Trainer::track: the run has begun; track models before fit()");
  if (name.empty()) name = model->model_name().empty() ? model->provider() : model->model_name();
  for (const auto& other : impl_->models) {
    if (other->name() == name)
      throw ValueError(fmt::format("a model of the name \"{}\" is tracked already; give this one another name", name));
  }
  impl_->models.push_back(std::make_shared<detail::Tracked>(std::move(model), std::move(name), impl_->journal));
  return impl_->models.back();
}

TrainerOptions& Trainer::options() noexcept { return impl_->options; }

std::shared_ptr<const void> Trainer::hold_run_folder() {
  if (impl_->options.run_folder.empty()) throw ValueError("Trainer::hold_run_folder: TrainerOptions::run_folder names none");
  return impl_->hold_folder();
}

void Trainer::open_journal(bool resume) {
  const std::filesystem::path& folder = impl_->options.run_folder;
  if (folder.empty()) throw ValueError("Trainer::open_journal: TrainerOptions::run_folder names no folder");
  if (!impl_->is_held()) throw StateError("Trainer::open_journal: the run folder is not held; see hold_run_folder()");
  const std::filesystem::path checkpoint = folder / detail::checkpoint_name;
  const bool is_there = std::filesystem::exists(checkpoint);
  if (is_there && !resume)
    throw ValueError(
        fmt::format("the run folder {} holds a run already: go on with it, or name a new folder", folder.string()));
  impl_->journal->open(folder, resume, is_there ? detail::read_checkpoint(checkpoint).journal : detail::JournalPosition());
}

lm::CostReport Trainer::usage() const { return impl_->journal->usage(); }
lm::ModelCost Trainer::abandoned() const { return impl_->journal->abandoned(); }
detail::Journal& detail::journal_of(Trainer& trainer) { return *trainer.impl_->journal; }

FitResult Trainer::run(const Trainee& trainee, const Pass& train, const std::optional<Pass>& validation,
                       const FitOptions& options) {
  impl_->is_running = true;
  const std::shared_ptr<void> ended(nullptr, [this](void*) { impl_->is_running = false; });
  std::shared_ptr<detail::RunLock> held;  // before anything in the folder is read or written
  if (!impl_->options.run_folder.empty() && trainee.module != nullptr) held = impl_->hold_folder();
  return Run(impl_->options, trainee, train, validation ? &*validation : nullptr, impl_->models, *impl_->journal).fit(options);
}

Metrics Trainer::measure(const std::function<void(bool)>& set_mode, const Pass& pass) const {
  const detail::FailureLimit limit(impl_->options.max_failed);
  const Scores scores = detail::measure(set_mode, pass);
  detail::FailedSamples failed;
  limit.add(failed, "", scores, scores.means.samples);
  return scores.means;
}

}  // namespace tgd
