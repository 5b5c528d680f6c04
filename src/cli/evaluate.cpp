// `tgd evaluate`: measures prompts side by side on one part of the data.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/autograd.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/version.hpp>

#include "cli/activity.hpp"
#include "cli/argument_checks.hpp"
#include "cli/command.hpp"
#include "cli/estimate.hpp"
#include "core/counted.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "run/interrupt.hpp"
#include "run/paired.hpp"
#include "run/prompt_spec.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/set_metrics.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* evaluate_examples = R"(Examples:
  tgd evaluate task.json
      how well the task's own prompt does on the test part
  tgd evaluate task.json --prompt first --prompt runs/tickets-20261121-195647 --prompt mine.txt
      three prompts side by side; the others are compared with the one named first
  tgd evaluate task.json --split validation --model gpt-4o-mini --output answers.jsonl
      with another model, and what it answered to each sample
  tgd evaluate task.json --prompt first --prompt mine.txt --repeats 3
      each sample three times: the mean, and by how much the score differs from one time to the next

p is the probability that the difference is chance, by a two-sided paired test over the samples. "fixed" and "broken" count the
samples that score better and worse than with the first prompt.)";

struct EvaluateFlags {
  std::string task = {};
  std::string split = "test";
  std::vector<std::string> prompts = {"first"};
  ModelFlags model = {};
  std::optional<fs::path> output_file = {};
  bool force = false;
  std::size_t repeats = 1;
  std::optional<double> max_failed = {};
  OutputFlags output = {};
};

/// A part of the data under way with one prompt.
struct Measuring {
  std::size_t repeat = 0;
  std::string part;
  Batch batch;
  std::vector<StageResult> stages;
  Variable score;
};

struct SampleScore {
  std::size_t repeat = 0;
  std::string part;
  std::size_t row = 0;
  std::string place = {};  ///< file, row and line
  std::optional<std::string> target = {};
  Answer answer = {};
  double score = 0;
  std::map<std::string, double> metrics = {};  ///< beside it
};

/// One prompt's samples, in the same order for all prompts, as often as they were asked about.
struct Measured {
  std::string prompt;
  std::size_t repeats = 1;
  std::vector<SampleScore> samples = {};

  std::size_t count() const { return samples.size() / repeats; }
};

/// Asks for another answer to the same question, also where a cache has one.
class AnotherAnswer final : public lm::Decorator {
 public:
  AnotherAnswer(lm::ChatModelPtr model, std::size_t number) : Decorator(std::move(model)), number_(number) {}

  void start(lm::Request request, Done done) override {
    request.sample += static_cast<decltype(request.sample)>(number_);
    inner().start(std::move(request), std::move(done));
  }

 private:
  std::size_t number_;
};

std::vector<std::string> parts_of(const std::string& split) {
  return split == "all" ? std::vector<std::string>{"train", "validation", "test"} : std::vector<std::string>{split};
}

/// Of each sample, the mean over its repeats.
SampleScores scores_of(const Measured& measured) {
  SampleScores scores(measured.count(), 0.0);
  for (std::size_t i = 0; i < measured.samples.size(); ++i)
    *scores[i % scores.size()] += measured.samples[i].score / static_cast<double>(measured.repeats);
  return scores;
}

/// Means of what answers were measured by beside their scores.
std::map<std::string, double> metrics_of(const Measured& measured) {
  SampleMetrics all;
  for (std::size_t i = 0; i < measured.samples.size(); ++i) add_metrics(all, i, measured.samples[i].metrics);
  std::map<std::string, double> means;
  for (const auto& [name, values] : all) means[name] = mean_of(values).value_or(0);
  return means;
}

/// The standard deviation of the score over the repeats.
double spread_of(const Measured& measured) {
  std::vector<double> means;
  for (std::size_t repeat = 0; repeat < measured.repeats; ++repeat) {
    std::vector<double> scores;
    for (std::size_t i = 0; i < measured.count(); ++i) scores.push_back(measured.samples[repeat * measured.count() + i].score);
    means.push_back(mean(scores));
  }
  const double middle = mean(means);
  double squares = 0;
  for (const double one : means) squares += (one - middle) * (one - middle);
  return means.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(means.size() - 1));
}

ProblemCounts problems_of(const Measured& measured) {
  ProblemCounts counts;
  for (const SampleScore& sample : measured.samples) {
    if (sample.answer.problem) counts.add(*sample.answer.problem);
  }
  return counts;
}

OrderedJson sample_json(const Measured& measured, const SampleScore& sample) {
  const Answer& answer = sample.answer;
  OrderedJson json{{"prompt", measured.prompt}, {"part", sample.part}, {"row", sample.row}};
  if (measured.repeats > 1) json["repeat"] = sample.repeat;
  if (sample.target) json["target"] = *sample.target;
  json["score"] = sample.score;
  if (!sample.metrics.empty()) json["metrics"] = sample.metrics;
  add_answer(json, answer);
  return json;
}

class Evaluating {
 public:
  explicit Evaluating(const EvaluateFlags& flags)
      : terminal_(flags.output),
        interrupt_([this] { terminal_.note("Interrupted: waiting for the calls in flight. Ctrl-C again ends at once."); }),
        flags_(flags),
        task_(read_task(flags.task)) {
    model_note_ = use_models_of_run(flags.prompts, flags.model, task_);
    apply(flags.model, task_);
    for (const std::string& spec : flags.prompts) prompts_.push_back(read_prompt(spec, task_));
    if (flags.output_file) {
      const detail::Output output = named_output("--output", *flags.output_file);
      std::vector<fs::path> inputs{flags.task, task_.data.file, task_.data.train_file, task_.data.validation_file,
                                   task_.data.test_file};
      inputs.insert(inputs.end(), flags.prompts.begin(), flags.prompts.end());
      expect_other_file("--output", output, inputs);
      if (output.is_there && !output.is_stream && !flags.force)
        throw TaskError(fmt::format("--output: there is a file {}; name another one, or replace it with --force",
                                    flags.output_file->string()));
    }
    data_ = std::make_unique<TaskData>(load_data(task_.data));
    models_ =
        make_models(task_, {.flags = flags.model, .stop = ending_.token(), .cassette = {}, .on_notice = terminal_.on_notice()});
    ledger_ = meter(models_);
  }

  Status run() {
    print_head();
    try {
      measure();
    } catch (const Error& error) {
      ending_.request();  // what waits to be sent would meet the same
      models_.wait_for_calls();
      if (!interrupt_.requested()) throw Error(error.what() + how_to_go_on());
    }
    if (interrupt_.requested()) {
      terminal_.line("Interrupted before all samples were measured." + how_to_go_on());
      return Status::interrupted;
    }
    if (flags_.output_file) write_samples();
    terminal_.document(result());
    print_table();
    return report_failures();
  }

 private:
  std::string how_to_go_on() const {
    return models_.cache ? ". The cache has the replies so far: the same command goes on from there." : "";
  }

  void print_head() {
    terminal_.note(terminal_.bold(fmt::format("tgd {}: evaluating {}", version(), task_.name)));
    terminal_.note(fmt::format("  data   {} ({})", tgd::detail::counted(samples(), "sample"), flags_.split));
    terminal_.note("  LM     " + models_.text());
    if (!model_note_.empty()) terminal_.note("  note   " + model_note_);
    for (const std::string& note : data_->notes) terminal_.note("  note   " + note);
    for (const NamedPrompt& prompt : prompts_) {
      for (const std::string& file : prompt.edited)
        terminal_.note(fmt::format("  note   {} was edited since the run; the text in it is used", file));
    }
    if (models_.is_simulated()) terminal_.warn(simulation_warning);
  }

  /// All prompts' calls are on their way before the first reply is read.
  void measure() {
    const NoGradGuard no_grad;
    const Prompts texts = load_prompts(task_);
    std::vector<std::vector<Measuring>> under_way;
    for (const NamedPrompt& prompt : prompts_) {
      under_way.emplace_back();
      for (std::size_t repeat = 0; repeat < flags_.repeats; ++repeat) start(prompt, texts, repeat, under_way.back());
    }
    const Activity activity(terminal_, "measuring " + tgd::detail::counted(prompts_.size(), "prompt"),
                            [this] { return status(); });
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      measured_.push_back({prompts_[i].name, flags_.repeats});
      for (const Measuring& measuring : under_way[i]) collect(measuring, measured_.back().samples);
    }
  }

  ActivityStatus status() const {
    return {.done = static_cast<double>(models_.counter->total()),
            .total = static_cast<double>(calls_to_measure(task_, flags_.repeats * prompts_.size() * samples())),
            .in_flight = models_.counter->in_flight(),
            .has_cost = true,
            .cost = ledger_->totals().cost()};
  }

  std::size_t samples() const {
    std::size_t sum = 0;
    for (const std::string& part : parts_of(flags_.split)) sum += data_->part(part).size();
    return sum;
  }

  void start(const NamedPrompt& prompt, const Prompts& texts, std::size_t repeat, std::vector<Measuring>& under_way) {
    NamedModels models = models_.by_name;
    for (auto& model : models) {
      if (repeat > 0) model.second = std::make_shared<AnotherAnswer>(model.second, repeat);
    }
    TaskAgent agent(task_, models, texts);
    agent.set_values(prompt.values);
    for (const std::string& part : parts_of(flags_.split)) {
      const DataPart& samples = data_->part(part);
      for (Batch& batch : data::DataLoader<DataPart>(samples, {.batch_size = samples.size()})) {
        std::vector<StageResult> stages = agent.run(batch);
        const Variable score = agent.evaluate(batch, stages.back().output).score;
        under_way.push_back({repeat, part, std::move(batch), std::move(stages), score});
      }
    }
  }

  static void collect(const Measuring& measuring, std::vector<SampleScore>& samples) {
    const std::vector<std::int64_t> rows = measuring.batch.at(row_name).data().integers();
    const auto target = measuring.batch.find(target_name);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      SampleScore sample{.repeat = measuring.repeat,
                         .part = measuring.part,
                         .row = static_cast<std::size_t>(rows[i]),
                         .answer = answer_of(measuring.stages, i)};
      sample.place = place_of(measuring.batch, i);
      if (target != measuring.batch.end()) sample.target = target->second[i].data().item_text();
      const Variable score = measuring.score[i];
      sample.score = score.data().real();
      sample.metrics = score.metrics();
      if (auto problem = score.problem(); problem && !sample.answer.problem) {
        sample.answer.problem = std::move(problem);
        sample.answer.stage = "evaluator";
      }
      samples.push_back(std::move(sample));
    }
  }

  void write_samples() const {
    std::string lines;
    for (const Measured& measured : measured_) {
      for (const SampleScore& sample : measured.samples) lines += json_text(sample_json(measured, sample)) + "\n";
    }
    detail::write_output(*flags_.output_file, lines);
  }

  OrderedJson result() const {
    OrderedJson json{{"name", task_.name}, {"split", flags_.split}, {"prompts", OrderedJson::array()}};
    for (std::size_t i = 0; i < measured_.size(); ++i) json["prompts"].push_back(prompt_json(i));
    json["simulated"] = models_.is_simulated();
    json["calls"] = models_.counter->counts().by_purpose;
    json["cached_calls"] = models_.counter->counts().cached;
    json["cost"] = ledger_->totals().to_json().value();
    json["version"] = version();
    return json;
  }

  OrderedJson prompt_json(std::size_t i) const {
    const std::vector<double> scores = known_scores(scores_of(measured_[i]));
    OrderedJson json{{"prompt", measured_[i].prompt},
                     {"values", as_object(prompts_[i].values)},
                     {"score", scores.empty() ? OrderedJson(nullptr) : OrderedJson(mean(scores))},
                     {"samples", scores.size()},
                     {"repeats", flags_.repeats},
                     {"failed", problems_of(measured_[i]).failed()},
                     {"problems", problems_of(measured_[i]).json()}};
    if (flags_.repeats > 1) json["spread"] = spread_of(measured_[i]);
    if (const auto metrics = metrics_of(measured_[i]); !metrics.empty()) json["metrics"] = metrics;
    if (!task_.report_metrics.empty()) json["report_metrics"] = figures_json(figures_of(measured_[i]));
    if (i == 0) return json;
    const PairedScores pairs = compare_with_first(i);
    json["difference"] = pairs.difference();
    json["p_value"] = pairs.chance();
    json["fixed"] = pairs.better;
    json["broken"] = pairs.worse;
    return json;
  }

  /// Over the samples that got a score with both.
  PairedScores compare_with_first(std::size_t i) const {
    return pair_up(scores_of(measured_.front()), scores_of(measured_[i]), task_.evaluator.higher_is_better);
  }

  void print_table() {
    std::size_t width = 10;
    for (const Measured& measured : measured_) width = std::max(width, detail::count_characters(measured.prompt));
    terminal_.line(fmt::format("\n{:<{}}{:>9}{:>9}{}", score_name(task_.evaluator), width + 2, "samples", "score",
                               measured_.size() > 1 ? "   fixed  broken  difference" : ""));
    for (std::size_t i = 0; i < measured_.size(); ++i) terminal_.line(row_text(i, width));
    for (const Measured& measured : measured_) print_metrics(measured);
    for (const Measured& measured : measured_) print_problems(measured);
    terminal_.line("\n" + calls_text(models_.counter->counts(), ledger_->totals()));
    if (models_.is_simulated())
      terminal_.line("The LM was simulated: these figures show that the loop works, not how well a language model does.");
    if (flags_.output_file) terminal_.line("Each sample's answer: " + flags_.output_file->string());
  }

  void print_metrics(const Measured& measured) {
    std::vector<std::string> parts;
    for (const auto& [name, mean] : metrics_of(measured)) parts.push_back(fmt::format("{} {}", name, metric_text(mean)));
    for (const SetFigure& figure : figures_of(measured)) parts.push_back(figure.name + " " + figure_text(figure));
    if (!parts.empty()) terminal_.line(fmt::format("  {}: {}", measured.prompt, detail::join(parts, ", ")));
  }

  std::vector<SetFigure> figures_of(const Measured& measured) const {
    if (task_.report_metrics.empty()) return {};
    std::vector<std::string> predictions;
    std::vector<std::string> targets;
    for (const SampleScore& sample : measured.samples) {
      if (!sample.target) continue;
      predictions.push_back(sample.answer.problem ? std::string() : sample.answer.prediction.value_or(""));
      targets.push_back(*sample.target);
    }
    return set_figures(task_, predictions, targets);
  }

  void print_problems(const Measured& measured) {
    const ProblemCounts counts = problems_of(measured);
    if (!counts.any()) return;
    const auto first = std::find_if(measured.samples.begin(), measured.samples.end(),
                                    [](const SampleScore& sample) { return sample.answer.problem.has_value(); });
    terminal_.line(fmt::format("\n{}: {} and count as wrong; the first: {}, {}", measured.prompt, counts.text(), first->place,
                               to_string(*first->answer.problem)));
  }

  std::string row_text(std::size_t i, std::size_t width) const {
    const std::vector<double> scores = known_scores(scores_of(measured_[i]));
    const std::string score = scores.empty() ? "-" : score_text(task_.evaluator, mean(scores));
    std::string text = fmt::format("  {:<{}}{:>9}{:>9}", measured_[i].prompt, width, scores.size(), score);
    const std::string spread = flags_.repeats > 1
                                   ? fmt::format("  (±{} from one of {} times to the next)",
                                                 score_text(task_.evaluator, spread_of(measured_[i])), flags_.repeats)
                                   : "";
    if (i == 0) return text + spread;
    const PairedScores pairs = compare_with_first(i);
    text += fmt::format("{:>8}{:>8}  {}", pairs.better, pairs.worse, difference_text(task_.evaluator, pairs.difference()));
    if (pairs.difference() == 0) return text + spread;
    return text + fmt::format(" ({})", chance_text(pairs.chance())) + spread;
  }

  Status report_failures() const {
    for (const Measured& measured : measured_) {
      FailedRows failed{.samples = measured.samples.size(), .unanswered = 0, .problems = problems_of(measured), .first = {}};
      for (const SampleScore& sample : measured.samples) {
        failed.unanswered += sample.answer.is_unanswered() ? 1 : 0;
        if (failed.first.empty() && sample.answer.problem && sample.answer.problem->is_failure)
          failed.first = fmt::format("{} with {}: {}", sample.place, measured.prompt, to_string(*sample.answer.problem));
      }
      expect_few_failed(failed, flags_.max_failed, task_);
    }
    return Status::ok;
  }

  Terminal terminal_;
  Interrupt interrupt_;
  EndOfRun ending_{interrupt_};
  const EvaluateFlags& flags_;
  Task task_;
  std::string model_note_;
  std::vector<NamedPrompt> prompts_;
  std::unique_ptr<TaskData> data_;
  Models models_;
  std::shared_ptr<lm::Ledger> ledger_;
  std::vector<Measured> measured_;
};

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("evaluate", "Measure prompts on the data of a task, side by side");
  const auto flags = std::make_shared<EvaluateFlags>();
  add_task_argument(*command, flags->task);
  command->add_option("--split", flags->split, "The part of the data: train, validation, test or all; test unless given")
      ->check(one_of({"train", "validation", "test", "all"}))
      ->option_text("PART");
  command->add_option("--prompt", flags->prompts, std::string("May be given several times: ") + prompt_spec_help)
      ->allow_extra_args(false)
      ->option_text("SPEC");
  command
      ->add_option("--repeats", flags->repeats, "Ask about each sample so many times, and tell by how much the score differs")
      ->check(whole_number(1, 1000))
      ->option_text("N");
  add_max_failed_flag(*command, flags->max_failed);
  add_model_flags(*command, flags->model);
  command->add_option("--output", flags->output_file, "Write each sample's prediction and score as JSON Lines")
      ->option_text("FILE");
  command->add_flag("--force", flags->force, "Replace that file if there is one");
  add_output_flags(*command, flags->output);
  command->footer(evaluate_examples);
  command->callback([flags, &action] { action = [flags] { return Evaluating(*flags).run(); }; });
}

}  // namespace tgd::cli
