// RunFolder: where a run leaves what it did.
//
//   task.json            the task with all settings in place; can be given to the program again
//   <parameter>.txt      the best value so far, as plain text
//   parameters.json      the best values so far, as Module::load_state_dict() takes them
//   versions.jsonl       a line for the first values, and one for each step: what became of each parameter, and why, and what became
//                        of the samples of its batch
//   samples.jsonl        a line for each part of the data (rows, lines of the file, targets, inputs), and one for each time it was
//                        measured (predictions, scores, further metrics by name, and by row: problems of samples that failed, raw replies
//                        where the prediction is not all of one, what the evaluator said of answers below the best score); for the same
//                        part and step the last line counts
//   result.json          the outcome, also of a run that failed or was interrupted
//   report.html          all of it for people
//   <stage>.stderr, metric.stderr   what the task's commands wrote to standard error
//   config.json, metrics.jsonl, calls.jsonl, checkpoint.json, journal.jsonl: see tgd/trainer.hpp
//   run.cassette         with --record: every request and its reply
//   run.lock             while a process is at work there; see Trainer::hold_run_folder()
//
// Its files are for their user alone. Files that end in .json, .txt and .html are written whole or not at all; lines are added
// whole. Errors: TaskError for a folder that cannot be used; ValueError where writing fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/problem.hpp>
#include <tgd/trainer.hpp>

#include "core/json_reader.hpp"
#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/document.hpp"
#include "train/journal.hpp"

namespace tgd::cli {

/// A line of one of the files, or a value on it; see read_json_lines().
using LineReader = detail::JsonReader<OrderedJson>;

/// A line "scores" of samples.jsonl: what became of the samples of a part with the values after a step, in the order of its rows.
struct Measurement {
  std::vector<std::optional<std::string>> predictions = {};  ///< nothing: the sample has none
  std::vector<std::optional<double>> scores = {};
  SampleMetrics metrics = {};                            ///< further ones, by name
  std::map<std::size_t, Problem> problems = {};          ///< by row
  std::map<std::size_t, std::string> replies = {};       ///< by row; see SampleResults
  std::map<std::size_t, std::string> explanations = {};  ///< the same
};
bool is_measurement(const LineReader& line);
Measurement measurement_of(const LineReader& line);
/// What becomes of the samples of these rows, as such a line has it.
OrderedJson scores_json(const std::vector<std::size_t>& rows, const SampleResults& results);

/// How far training has come, by its metrics.
struct ValidationSteps {
  std::size_t last = 0;
  std::optional<ValidationReport> best = {};

  /// The step whose values are the best; 0: the first ones.
  std::size_t best_step() const { return best ? best->step : 0; }
};

/// The samples that had a problem in some measurement, each counted once.
struct RunProblems {
  struct Sample {
    std::string part = {};
    std::string row = {};
    std::string problem = {};
  };
  ProblemCounts counts = {};
  Sample first = {};
};

/// What became of the steps of a run.
struct NewValues {
  std::size_t steps = 0;
  std::size_t usable = 0;       ///< steps that came to a new value, taken or not
  std::size_t unusable = 0;     ///< steps whose replies could not be used
  std::size_t no_feedback = 0;  ///< steps without a sample that needed any
  std::string reason = {};      ///< what was wrong with the last reply that could not be used
};

class RunFolder {
 public:
  /// Makes `wanted`, which must be new or empty, or runs/<name>-<time> below the current folder.
  RunFolder(const std::string& name, const std::optional<std::filesystem::path>& wanted);
  /// Throws TaskError when the folder holds something.
  void expect_unused() const;
  /// The folder of a run that was begun. `asked_by`: what the errors begin with.
  static RunFolder open(const std::filesystem::path& path, const std::string& asked_by = "--resume");

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path task_file() const { return path_ / "task.json"; }
  std::filesystem::path cassette_file() const { return path_ / "run.cassette"; }
  std::filesystem::path parameter_file(const std::string& parameter) const { return path_ / (parameter + ".txt"); }

  /// What is written goes through the journal of the run. Before anything is.
  void set_journal(detail::Journal& journal) { journal_ = &journal; }

  void write_task(const OrderedJson& task) const;
  /// `state` is what Module::state_dict() gives.
  void write_parameters(const NamedValues& values, const Json& state) const;
  bool has_parameters() const;
  void write_result(const OrderedJson& result) const;

  void add_version(const OrderedJson& line) const;
  bool has_versions() const;

  /// Says which samples a part has; once a run.
  void describe_part(const std::string& part, const DataPart& samples) const;
  bool has_parts() const;
  void add_scores(const std::string& part, std::size_t step, const DataPart& samples, const SampleResults& results) const;
  /// What a gate, a race or a search tried between two validations, and with which values.
  void add_tried(const std::string& version, const DataPart& samples, const SampleResults& results) const;
  /// By version.
  std::map<std::string, SampleResults> tried(const DataPart& samples) const;
  /// What became of the samples of a part with the values after a step, as far as it was kept: long replies are shortened.
  std::optional<SampleResults> results(const std::string& part, std::size_t step, const DataPart& samples) const;
  /// Their scores, if all of them are there.
  std::optional<std::vector<double>> scores(const std::string& part, std::size_t step) const;

  /// How far training has come.
  ValidationSteps validation_steps() const;
  RunProblems problems() const;
  NewValues new_values() const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  void write_json(const std::string& name, const OrderedJson& json) const;
  void add_line(const char* name, const OrderedJson& line) const;
  std::optional<Measurement> measurement(const std::string& part, std::size_t step) const;
  /// Hands over the lines of a view.
  void read_lines(const char* name, const std::function<void(const LineReader&)>& take) const;

  std::filesystem::path path_;
  detail::Journal* journal_ = nullptr;
};

/// A text as the run's files keep it: long ones are shortened.
std::string kept_text(const std::string& text);

/// A whole number; nothing where it is absent or null.
std::optional<std::int64_t> optional_count(const LineReader& line, std::string_view key);
/// What a call took of money or time: from 0 up, and so little that sums stay far from what a number holds.
std::optional<double> optional_expense(const LineReader& line, std::string_view key);

}  // namespace tgd::cli
