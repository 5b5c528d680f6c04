#include "cli/optimize.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/progress.hpp>
#include <tgd/version.hpp>

#include "cli/activity.hpp"
#include "cli/argument_checks.hpp"
#include "cli/estimate.hpp"
#include "cli/print_summary.hpp"
#include "cli/report.hpp"
#include "cli/wording.hpp"
#include "core/counted.hpp"
#include "core/rethrow.hpp"
#include "lm/openai/endpoint.hpp"
#include "run/folder.hpp"
#include "run/interrupt.hpp"
#include "run/log.hpp"
#include "run/spent.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/document_edit.hpp"
#include "task/facts.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

constexpr const char* optimize_examples = R"(Examples:
  tgd optimize examples/tickets/task.json
      with the simulated LM that the task asks for: no key, no network
  tgd optimize task.json --model gpt-4o-mini --max-cost 2.50
      at api.openai.com, with the key in OPENAI_API_KEY, for 2.50 USD at the most
  tgd optimize task.json --base-url http://localhost:8000/v1 --model qwen3
      at any server that speaks the OpenAI protocol
  tgd optimize task.json --base-url http://localhost:8000/v1 --model qwen3 --save-model
      and writes both into task.json when they have answered; the rest of the file stays as it is
  tgd optimize --resume runs/tickets-20261121-195647
      goes on with a run that was interrupted, killed or ended by its budget

The run folder gets the optimized prompt (<parameter>.txt, parameters.json), the figures (result.json, metrics.jsonl), every
version of the prompts with its feedback (versions.jsonl), what became of each sample (samples.jsonl), every call (calls.jsonl), the
task as it was run (task.json), and all of it for people (report.html).
Ctrl-C once lets the calls in flight come to their end and saves; twice ends at once.)";

using Loader = data::DataLoader<DataPart>;
using Clock = std::chrono::steady_clock;

/// What a run was asked for holds for all of it, or it would be two runs; its budget may grow, and how it reaches the endpoint may
/// change.
void expect_same_run(const OptimizeFlags& flags, const Task& task) {
  const ModelSpec& student = task.models.at("student");
  const auto refuse_if = [](const char* flag, bool changes) {
    if (changes)
      throw TaskError(
          fmt::format("{} cannot change what a run was begun with, which --resume goes on with: leave it out, or begin a "
                      "new run",
                      flag));
  };
  const auto expect = [&](const char* flag, const auto& given, const auto& own) { refuse_if(flag, given && *given != own); };
  // What is secret in it is in no file, and is given again.
  const auto open = [](const std::string& url) { return lm::detail::url_without_secrets(url); };
  refuse_if("--base-url", flags.model.base_url && open(*flags.model.base_url) != open(student.base_url));
  expect("--model", flags.model.model, student.model);
  expect("--seed", flags.seed, task.training.seed);
  expect("--epochs", flags.epochs, task.training.epochs);
  expect("--prompts", flags.prompts, task.prompts.value_or(""));
  refuse_if("--limit", flags.model.limit.has_value());
  refuse_if("--no-cache", flags.model.no_cache && task.cache.has_value());
  const auto expect_more = [](const char* flag, const auto& given, const auto& own) {
    if (given && (!own || *given < *own))
      throw TaskError(fmt::format("{} {} is less than what the run was begun with ({}): on --resume a budget can only grow",
                                  flag, *given, own ? fmt::format("{}", *own) : "no limit"));
  };
  expect_more("--max-calls", flags.max_calls, task.budget.calls);
  expect_more("--max-cost", flags.max_cost, task.budget.usd);
  expect_more("--max-time", flags.max_seconds, task.budget.seconds);
}

void expect_models_to_save(const OptimizeFlags& flags) {
  if (flags.resume) throw TaskError("--save-model writes into a task file, which --resume needs none of; leave it out");
  if (!flags.model.base_url && !flags.model.model)
    throw TaskError("--save-model writes into the task file what --model and --base-url name, and none of them is given");
  expect_no_credentials(flags.model.base_url.value_or(""), "--base-url with --save-model");
}

Task task_with(const OptimizeFlags& flags) {
  if (flags.resume.has_value() == !flags.task.empty())
    throw TaskError("optimize needs either a task file or --resume with the folder of a run");
  Task task = read_task(flags.resume ? RunFolder::open(*flags.resume).task_file() : std::filesystem::path(flags.task));
  if (flags.resume) expect_same_run(flags, task);
  if (flags.save_model) expect_models_to_save(flags);
  apply(flags.model, task);
  if (flags.model.no_cache) task.cache.reset();
  if (flags.seed) task.training.seed = *flags.seed;
  if (flags.epochs) task.training.epochs = *flags.epochs;
  if (flags.max_calls) task.budget.calls = flags.max_calls;
  if (flags.max_cost) task.budget.usd = flags.max_cost;
  if (flags.max_seconds) task.budget.seconds = flags.max_seconds;
  if (flags.prompts) task.prompts = *flags.prompts;
  return task;
}

/// One run, from the first measurement to the summary.
class Optimization {
 public:
  Optimization(const OptimizeFlags& flags, std::shared_ptr<lm::Cassette> replayed)
      : terminal_(flags.output),
        interrupt_([this] {
          terminal_.note("Interrupted: waiting for the calls in flight, then saving. Ctrl-C again ends at once.");
        }),
        task_(task_with(flags)),
        is_resumed_(flags.resume.has_value()),
        saves_models_(flags.save_model),
        names_models_(!is_resumed_ && differs_in_models(task_)),
        data_(load_data(task_.data)),
        prompts_(load_prompts(task_)) {
    if (!is_resumed_ && !replayed) {
      if (const std::string problem = budget_problem(task_, data_, model_options(flags, nullptr)); !problem.empty())
        throw TaskError(problem);
    }
    make_models(model_options(flags, replayed));  // what is wrong with them is said before a folder is made
    folder_ = std::make_unique<RunFolder>(is_resumed_ ? RunFolder::open(*flags.resume) : RunFolder(task_.name, flags.run_dir));
    hold_folder(flags);
    folder_->write_task(resolved_json(task_, folder_->path()));
    prepare_models(flags, std::move(replayed));
    report_.task = &task_;
    report_.values = agent_->values();
  }

  OptimizeResult run() {
    print_head();
    try {
      measure_and_train_to_a_fault();
      report_.status = interrupt_.requested() ? "interrupted" : "ok";
    } catch (const std::exception& error) {
      ending_.request();
      models_.wait_for_calls();
      report_.status = interrupt_.requested() ? "interrupted" : "failed";
      if (leave_no_folder()) {
        if (report_.status == "failed") throw;
        terminal_.line("Interrupted before anything was sent; no run folder is left.");
        return {Status::interrupted, {}};
      }
      if (report_.status == "failed") report_.error = message_of(error);
      journal().fail(std::current_exception());
      finish();
      if (report_.status == "failed") {
        explain_failure();
        throw;
      }
      return explain_interruption();
    }
    finish();
    if (report_.status == "interrupted") return explain_interruption();
    print_summary(terminal_, report_, models_, *folder_);
    tell_of_models();
    return {Status::ok, folder_->path()};
  }

 private:
  void make_models(const ModelOptions& options) { models_ = cli::make_models(task_, options); }

  ModelOptions model_options(const OptimizeFlags& flags, std::shared_ptr<lm::Cassette> replayed) {
    return {.flags = flags.model,
            .stop = ending_.token(),
            .on_fault = [this](const LMError& fault) { end_for(fault); },
            .cassette = std::move(replayed),
            .on_notice = terminal_.on_notice()};
  }

  /// What waits to be sent would meet the same.
  void end_for(const LMError& fault) {
    {
      const std::lock_guard lock(fault_mutex_);
      if (!fault_) fault_ = fault;
    }
    ending_.request();
  }

  void measure_and_train_to_a_fault() {
    try {
      measure_and_train();
    } catch (const LMError& error) {
      const std::lock_guard lock(fault_mutex_);
      // Of a request that was not sent for another one's fault, that fault is told.
      if (error.kind() == LMError::Kind::cancelled && fault_) throw LMError(*fault_);
      throw;
    }
  }

  void prepare_models(const OptimizeFlags& flags, std::shared_ptr<lm::Cassette> replayed) {
    limits_ = task_.budget;
    task_.budget = left_of(task_.budget, journal().paid(), journal().estimated_of_paid());
    ModelOptions options = model_options(flags, std::move(replayed));
    options.run_folder = folder_->path();
    make_models(options);
    if (task_.budget.seconds) trainer_->options().max_time = std::chrono::duration<double>(*task_.budget.seconds);
    models_.wrap([this](const std::string& name, lm::ChatModelPtr model) { return trainer_->track(std::move(model), name); });
    if (!task_.evaluator.command.is_deterministic) {
      models_.wrap_metric(task_, [this](lm::ChatModelPtr metric) {
        return std::make_shared<tgd::detail::Remembered>(std::move(metric), "metric", journal().shared_from_this());
      });
    }
    agent_ = std::make_unique<TaskAgent>(task_, models_.by_name, prompts_);
    agent_->set_facts(known_facts(task_, data_, prompts_));
    trainer_->options().first_proposals = first_proposals(task_, data_, *agent_, prompts_);
    trainer_->options().backward = {.model = models_.at("teacher"), .step = task_.optimizer.step};
    trainer_->options().callbacks = callbacks();
  }

  tgd::detail::Journal& journal() const { return tgd::detail::journal_of(*trainer_); }

  /// Before anything in it is read for good, or written.
  void hold_folder(const OptimizeFlags& flags) {
    trainer_ = std::make_unique<Trainer>(trainer_options());
    journal().set_recording(flags.record);
    journal().set_say([this](const std::string& text) { terminal_.note(text); });
    try {
      held_folder_ = trainer_->hold_run_folder();
    } catch (const StateError& error) {
      throw TaskError(error.what());
    }
    if (!is_resumed_) folder_->expect_unused();
    trainer_->open_journal(is_resumed_);
    if (flags.record && !journal().is_recording())
      throw TaskError("--record has to be given when a run begins: what this one has asked so far was not recorded");
    folder_->set_journal(journal());
  }

  TrainerOptions trainer_options() const {
    const TrainingSpec& training = task_.training;
    Search search = training.search;
    search.seed = training.seed;
    const auto if_any = [](std::size_t steps) { return steps > 0 ? std::optional(steps) : std::nullopt; };
    return {.max_epochs = training.epochs,
            .validate_every = if_any(training.validate_every),
            .higher_is_better = task_.evaluator.higher_is_better,
            .max_steps = if_any(training.max_steps),
            .early_stopping = training.early_stopping,
            .gate = training.gate,
            .keep = task_.evaluator.keep,
            .search = search,
            .stop = interrupt_.token(),
            .max_failed = training.max_failed,
            .run_folder = folder_->path(),
            .prices = models_.prices};
  }

  std::vector<std::shared_ptr<TrainerCallback>> callbacks() {
    progress_ =
        std::make_shared<Progress>(terminal_.stream(), ProgressOptions{.is_terminal = terminal_.is_terminal(),
                                                                       .quiet = terminal_.flags().quiet,
                                                                       .width = terminal_.width(),
                                                                       .current_width = [this] { return terminal_.width(); }});
    RunLog::Say say;
    if (terminal_.flags().verbose) say = [progress = progress_](const std::string& text) { progress->note(text); };
    std::vector<std::shared_ptr<TrainerCallback>> all{std::make_shared<RunLog>(*folder_, *agent_, task_, data_, std::move(say)),
                                                      progress_};
    if (models_.budget) {
      // The outcome, and what may come before the guard is asked again: a step and a validation.
      const std::size_t measured = measured_samples(task_, data_, limits_);
      // A search asks for the room of what it does before it does it.
      const std::size_t samples =
          task_.training.search.chain > 0 ? measured - data_.validation.size() : measured + task_.training.batch_size;
      guard_ = std::make_shared<BudgetGuard>(limits_, journal(), calls_to_measure(task_, samples));
      all.push_back(guard_);
      trainer_->options().has_room = [guard = guard_](std::int64_t calls) { return guard->has_room(calls); };
    }
    return all;
  }

  void print_head() {
    terminal_.note(terminal_.bold(fmt::format("tgd {}: optimizing {}", version(), task_.name)));
    terminal_.note(fmt::format("  data   {}: {} train, {} validation, {} test", tgd::detail::counted(data_.size(), "sample"),
                               data_.train.size(), data_.validation.size(), data_.test.size()));
    for (const std::string& note : data_.notes) terminal_.note("  note   " + note);
    terminal_.note("  LM     " + models_.text() +
                   (models_.is_simulated() ? " (no language model: a small program that follows the rules it reads; --base-url "
                                             "and --model name a real one)"
                                           : ""));
    if (task_.cache) terminal_.note("  cache  " + task_.cache->string());
    if (models_.budget) terminal_.note("  budget " + models_.budget->remaining().text());
    terminal_.note("  run    " + folder_->path().string() + (is_resumed_ ? " (going on)" : ""));
  }

  double calls_so_far() const {
    std::int64_t sum = 0;
    for (const auto& [purpose, count] : journal().counts().by_purpose) sum += count;
    return static_cast<double>(sum);
  }

  ActivityStatus status(const DataPart& samples, double calls_before) const {
    return {.done = calls_so_far() - calls_before,
            .total = static_cast<double>(calls_to_measure(task_, samples.size())),
            .in_flight = journal().calls_in_flight(),
            .has_cost = true,
            .cost = journal().usage().cost()};
  }

  /// The scores of a part with the values after `step`: measured, unless that was done before this session.
  std::vector<double> measure(const std::string& part, std::size_t step, const char* when) {
    if (auto known = folder_->scores(part, step)) return *known;
    const DataPart& samples = data_.part(part);
    const std::string what = fmt::format("measuring the {} part {} training", part, when);
    const Activity activity(terminal_, what, [this, &samples, calls = calls_so_far()] { return status(samples, calls); });
    try {
      Trainer({.max_failed = task_.training.max_failed}).test(*agent_, Loader(samples, {.batch_size = samples.size()}));
      const SampleResults results = agent_->take_results();
      folder_->add_scores(part, step, samples, results);
      return *folder_->scores(part, step);
    } catch (const Error&) {
      tgd::detail::rethrow_with_prefix(what + ": ");
    }
  }

  void measure_and_train() {
    if (!folder_->has_parts()) {
      for (const char* part : {"train", "validation", "test"}) folder_->describe_part(part, data_.part(part));
    }
    report_.test.before = measure("test", 0, "before");
    if (measures_train(task_, data_, limits_)) report_.train.before = measure("train", 0, "before");
    train();
    if (interrupt_.requested()) return;
    measure_outcome();
  }

  void train() {
    const TrainingSpec& training = task_.training;
    const Loader batches(data_.train, {.batch_size = training.batch_size, .shuffle = true, .seed = training.seed});
    // One by one, so that the race of first proposals can end wherever it may.
    const Loader validation(data_.validation, {.batch_size = 1});
    // While it draws a line of its own, notes have to stand between its lines.
    terminal_.say_notes_by([progress = progress_](const std::string& text) { progress->note(text); });
    const std::unique_ptr<Terminal, void (*)(Terminal*)> at_end(&terminal_,
                                                                [](Terminal* terminal) { terminal->say_notes_by({}); });
    try {
      const FitResult fit = trainer_->fit(*agent_, batches, validation, {.resume = is_resumed_});
      report_.ending = fit.reason;
    } catch (const BudgetError& error) {
      report_.ending = std::string(budget_used_up) + ": " + error.what();
    }
    folder_->write_parameters(agent_->values(), agent_->state_dict());
  }

  void measure_outcome() {
    const std::size_t best = folder_->validation_steps().best_step();
    try {
      report_.test.after = measure("test", best, "after");
      if (!report_.train.before.empty()) report_.train.after = measure("train", best, "after");
    } catch (const BudgetError& error) {
      terminal_.note(std::string("The outcome could not be measured on all parts: ") + error.what());
    }
  }

  void finish() {
    report_.values = agent_->values();
    report_.usage = trainer_->usage();
    report_.calls = journal().counts();
    report_.abandoned = trainer_->abandoned();
    const ValidationSteps steps = folder_->validation_steps();
    report_.steps = steps.last;
    report_.new_values = folder_->new_values();
    report_.problems = folder_->problems();
    report_.best = steps.best;
    report_.validation = validation_scores(steps.best_step());
    read_metrics("test", report_.test);
    read_metrics("validation", report_.validation);
    read_metrics("train", report_.train);
    if (const auto results = folder_->results("test", steps.best_step(), data_.test))
      report_.diagnosis = diagnosis_of(task_, data_, "test", *results, prompts_);
    report_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const OrderedJson result = result_json(report_, models_, *folder_);
    if (journal().is_recording()) journal().write_cassette(folder_->cassette_file().filename().string());
    folder_->write_result(result);
    write_report(folder_->path());
    terminal_.document(result);
  }

  /// Of the samples that were measured before and after: a search keeps some apart, and a race may have ended early.
  PartScores validation_scores(std::size_t best) const {
    PartScores scores;
    const auto before = folder_->results("validation", 0, data_.validation);
    const auto after = folder_->results("validation", best, data_.validation);
    if (!before) return scores;
    if (!after) return {.before = before->scores};
    std::map<std::size_t, double> by_row;
    for (std::size_t i = 0; i < after->rows.size(); ++i) by_row.emplace(after->rows[i], after->scores[i]);
    for (std::size_t i = 0; i < before->rows.size(); ++i) {
      const auto found = by_row.find(before->rows[i]);
      if (found == by_row.end()) continue;
      scores.before.push_back(before->scores[i]);
      scores.after.push_back(found->second);
    }
    return scores;
  }

  /// The means of further metrics, as they were kept.
  void read_metrics(const std::string& part, PartScores& scores) const {
    const auto take = [&](std::size_t step, std::optional<double> PartScores::Metric::*figure) {
      const auto results = folder_->results(part, step, data_.part(part));
      if (!results) return;
      for (const auto& [name, values] : results->metrics) scores.metrics[name].*figure = mean_of(values);
      if (task_.report_metrics.empty()) return;
      (figure == &PartScores::Metric::before ? scores.figures_before : scores.figures_after) = figures_of(part, *results);
    };
    if (!scores.before.empty()) take(0, &PartScores::Metric::before);
    if (!scores.after.empty()) take(folder_->validation_steps().best_step(), &PartScores::Metric::after);
  }

  std::vector<SetFigure> figures_of(const std::string& part, const SampleResults& results) const {
    const DataPart& samples = data_.part(part);
    std::map<std::size_t, std::string> target_of_row;
    for (std::size_t i = 0; i < samples.size(); ++i)
      target_of_row[samples.rows()[i]] = kept_text(samples[i].at(target_name).item_text());
    std::vector<std::string> predictions;
    std::vector<std::string> targets;
    for (std::size_t i = 0; i < results.rows.size(); ++i) {
      predictions.push_back(results.problems.contains(results.rows[i]) ? std::string() : results.predictions[i]);
      targets.push_back(target_of_row.at(results.rows[i]));
    }
    return set_figures(task_, predictions, targets);
  }

  /// A run that sent nothing has nothing to go on with.
  bool leave_no_folder() {
    if (is_resumed_ || journal().paid().usage.attempts > 0 || journal().paid().usage.calls > 0) return false;
    const std::filesystem::path path = folder_->path();
    if (path.empty()) return false;
    agent_.reset();
    guard_.reset();
    trainer_.reset();
    held_folder_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    return true;
  }

  /// The command line's are in the task from now on, or it is said how they come there.
  void tell_of_models() {
    const std::string file = task_.file.string();
    if (!saves_models_) {
      if (names_models_) terminal_.note(fmt::format("{} does not name these models; --save-model writes them there.", file));
      return;
    }
    save_models(task_.file, task_);
    terminal_.line(fmt::format("{} names these models from now on: {}", file, models_.text()));
  }

  OptimizeResult explain_interruption() {
    terminal_.line(fmt::format("Interrupted, and saved. Go on with: tgd optimize --resume {}", folder_->path().string()));
    return {Status::interrupted, folder_->path()};
  }

  void explain_failure() {
    const std::string folder = folder_->path().string();
    terminal_.line(folder_->has_parameters()
                       ? "The run failed. The best values up to then are in " + folder
                       : "The run failed before anything was better than the first prompt. What happened is in " +
                             (folder_->path() / "result.json").string());
    terminal_.line("When its cause is mended, go on with: tgd optimize --resume " + folder);
  }

  Clock::time_point start_ = Clock::now();
  Terminal terminal_;
  Interrupt interrupt_;
  EndOfRun ending_{interrupt_};
  std::mutex fault_mutex_;
  std::optional<LMError> fault_;  // of an endpoint, the first one
  Task task_;
  bool is_resumed_;
  bool saves_models_;
  bool names_models_;  // other ones than the task file
  TaskData data_;
  Prompts prompts_;
  std::unique_ptr<RunFolder> folder_;
  Models models_;
  lm::BudgetLimits limits_ = {};  // of the whole run
  std::unique_ptr<Trainer> trainer_;
  std::shared_ptr<const void> held_folder_;
  std::unique_ptr<TaskAgent> agent_;
  std::shared_ptr<Progress> progress_;
  std::shared_ptr<BudgetGuard> guard_;
  RunReport report_;
};

}  // namespace

OptimizeResult optimize(const OptimizeFlags& flags, std::shared_ptr<lm::Cassette> replayed) {
  return Optimization(flags, std::move(replayed)).run();
}

void add_optimize(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("optimize", "Improve the prompts of a task by textual gradient descent");
  const auto flags = std::make_shared<OptimizeFlags>();
  command->add_option("task", flags->task, "The task file")->option_text("TASK");
  command->add_option("--resume", flags->resume, "Go on with the run in this folder, instead of a task")->option_text("RUN");
  command->add_option("--run-dir", flags->run_dir, "New folder for the results; else runs/<name>-<time>")
      ->option_text("FOLDER");
  command->add_option("--epochs", flags->epochs, "How often to go through the training part")
      ->check(whole_number(1))
      ->option_text("N");
  command->add_option("--seed", flags->seed, "Seed of the order of the training part")
      ->check(whole_number(0))
      ->option_text("N");
  command->add_option("--max-calls", flags->max_calls, "Budget of the whole run, over that of the task")
      ->check(whole_number(0))
      ->option_text("N");
  command->add_option("--max-cost", flags->max_cost, "The same in USD")->check(number())->option_text("USD");
  command->add_option("--max-time", flags->max_seconds, "The same in seconds")->check(number(true))->option_text("SECONDS");
  add_model_flags(*command, flags->model);
  command->add_flag("--save-model", flags->save_model,
                    "Write what --model and --base-url name into the task file, once it has answered; no key");
  command->add_option("--prompts", flags->prompts, "Folder with texts to use instead of tgd's own")->option_text("FOLDER");
  command->add_flag("--record", flags->record, "Keep every request and reply in run.cassette, for `tgd replay`");
  add_output_flags(*command, flags->output);
  command->footer(optimize_examples);
  command->callback([flags, &action] { action = [flags] { return optimize(*flags).status; }; });
}

}  // namespace tgd::cli
