#include "cli/optimize.hpp"

#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <tgd/data/data_loader.hpp>
#include <tgd/version.hpp>

#include "cli/progress.hpp"
#include "cli/summary.hpp"
#include "cli/run_folder.hpp"
#include "cli/task.hpp"
#include "cli/task_agent.hpp"
#include "cli/task_data.hpp"
#include "cli/terminal.hpp"
#include "core/rethrow.hpp"

namespace tgd::cli {

namespace {

constexpr const char* examples = R"(Examples:
  tgd optimize examples/tickets/task.json
      with the simulated LM that the task asks for: no key, no network
  tgd optimize task.json --model gpt-4o-mini
      at api.openai.com, with the key in OPENAI_API_KEY
  tgd optimize task.json --base-url http://localhost:8000/v1 --model qwen3
      at any server that speaks the OpenAI protocol

The run folder gets the optimized prompt (<parameter>.txt, parameters.json), the figures (result.json), a line for each step
(metrics.jsonl) and the task as it was run (task.json).)";

using Loader = data::DataLoader<DataPart>;

Task task_with(const OptimizeFlags& flags) {
  Task task = read_task(flags.task);
  apply(flags.model, task);
  if (flags.seed) task.training.seed = *flags.seed;
  if (flags.epochs) task.training.epochs = *flags.epochs;
  return task;
}

Prompts load_prompts(const std::optional<std::filesystem::path>& folder) {
  Prompts prompts;
  if (!folder) return prompts;
  try {
    prompts.load(*folder);
  } catch (const ValueError& error) {
    throw TaskError(std::string("--prompts: ") + error.what());
  }
  return prompts;
}

std::string described(const Models& models) {
  if (models.is_simulated() && models.student == models.teacher) {
    return "simulated (no language model: a small program that follows the rules it reads; --base-url and --model name a real "
           "one)";
  }
  std::string text;
  for (const auto& [role, model] : models.by_role()) {
    text += fmt::format("{}{} {}/{}", text.empty() ? "" : ", ", role, model->provider(), model->model_name());
  }
  return text;
}

/// One run, from the first measurement to the summary.
class Optimization {
 public:
  explicit Optimization(const OptimizeFlags& flags)
      : terminal_(flags.output),
        task_(task_with(flags)),
        data_(load_data(task_.data)),
        models_(make_models(task_, flags.model)),
        agent_(task_, models_, load_prompts(flags.prompts)),
        folder_(task_.name, flags.run_dir) {
    report_.task = &task_;
    report_.values = agent_.values();
  }

  void run() {
    folder_.write_task(resolved_json(task_));
    print_head();
    try {
      measure_and_train();
    } catch (const std::exception& error) {
      report_.error = error.what();
      finish();
      explain_failure();
      throw;
    }
    if (!folder_.has_parameters()) folder_.write_parameters(agent_.values(), agent_.state_dict());
    finish();
    print_summary(terminal_, report_, models_, folder_);
  }

 private:
  void print_head() {
    terminal_.note(terminal_.bold(fmt::format("tgd {}: optimizing {}", version(), task_.name)));
    terminal_.note(fmt::format("  data   {} samples: {} train, {} validation, {} test", data_.size(), data_.train.size(),
                               data_.validation.size(), data_.test.size()));
    terminal_.note("  LM     " + described(models_));
    terminal_.note("  run    " + folder_.path().string());
  }

  Metrics measure(const char* part, const char* when, const DataPart& samples) {
    terminal_.progress(fmt::format("measuring the {} part {} training", part, when));
    try {
      return Trainer().test(agent_, Loader(samples, {.batch_size = samples.size()}));
    } catch (const Error&) {
      detail::rethrow_with_prefix(fmt::format("measuring the {} part {} training: ", part, when));
    }
  }

  void measure_and_train() {
    report_.test.before = measure("test", "before", data_.test);
    report_.train.before = measure("train", "before", data_.train);
    train();
    report_.test.after = measure("test", "after", data_.test);
    report_.train.after = measure("train", "after", data_.train);
  }

  void train() {
    const TrainingSpec& training = task_.training;
    Trainer trainer({.max_epochs = training.epochs,
                     .validate_every = training.validate_every,
                     .backward = {.model = models_.teacher},
                     .callbacks = {std::make_shared<RunLog>(folder_, agent_), std::make_shared<Progress>(terminal_, agent_)}});
    const Loader batches(data_.train, {.batch_size = training.batch_size, .shuffle = true, .seed = training.seed});
    report_.fit = trainer.fit(agent_, batches, Loader(data_.validation, {.batch_size = data_.validation.size()}));
    report_.validation = {report_.fit.first->metrics, report_.fit.best->metrics};
  }

  void finish() {
    report_.values = agent_.values();
    const auto elapsed = std::chrono::steady_clock::now() - start_;
    report_.seconds = static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()) / 1000;
    folder_.write_result(result_json(report_, models_));
  }

  void explain_failure() {
    terminal_.line(folder_.has_parameters()
                       ? "The run failed. The best values up to then are in " + folder_.path().string()
                       : "The run failed before anything was better than the first prompt. What happened is in " +
                             (folder_.path() / "result.json").string());
  }

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Terminal terminal_;
  Task task_;
  TaskData data_;
  Models models_;
  TaskAgent agent_;
  RunFolder folder_;
  RunReport report_;
};

}  // namespace

Status optimize(const OptimizeFlags& flags) {
  Optimization(flags).run();
  return Status::ok;
}

void add_optimize(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("optimize", "Improve the prompts of a task by textual gradient descent");
  const auto flags = std::make_shared<OptimizeFlags>();
  add_task_argument(*command, flags->task);
  add_model_flags(*command, flags->model);
  command->add_option("--epochs", flags->epochs, "How often to go through the training part")
      ->check(CLI::PositiveNumber)
      ->option_text("N");
  command->add_option("--seed", flags->seed, "Seed of the order of the training part")->option_text("N");
  command->add_option("--run-dir", flags->run_dir, "New folder for the results; else runs/<name>-<time>")->option_text("FOLDER");
  command->add_option("--prompts", flags->prompts, "Folder with texts to use instead of tgd's own")->option_text("FOLDER");
  add_output_flags(*command, flags->output);
  command->footer(examples);
  command->callback([flags, &action] { action = [flags] { return optimize(*flags); }; });
}

}  // namespace tgd::cli
