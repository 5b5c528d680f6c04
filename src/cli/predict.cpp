// `tgd predict`: the task's program over a stream of samples, JSON Lines in, JSON Lines out.
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/autograd.hpp>

#include "cli/command.hpp"
#include "cli/input_pump.hpp"
#include "core/append_file.hpp"
#include "core/json_position.hpp"
#include "core/json_reader.hpp"
#include "core/start_thread.hpp"
#include "data/record_reader.hpp"
#include "run/folder.hpp"
#include "run/interrupt.hpp"
#include "run/prompt_spec.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"
#include "task/data_file.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* predict_examples = R"(Examples:
  tgd predict task.json --prompt runs/tickets-20261121-195647 < new.jsonl > answers.jsonl
      with the best prompt of a run
  tgd predict task.json --input new.csv --output answers.jsonl
  tgd predict task.json --input new.csv --output answers.jsonl --resume
      goes on behind the last line of answers.jsonl; nothing is asked twice

A line of the input is a JSON object with the fields that the task's inputs name; a .csv file has them as columns. The target is
not needed. A line of the output, in the order of the input:
  {"row": 0, "prediction": "billing"}
with "outputs" where the task has several stages, "problem" where a sample was refused, filtered or too long or its reply was cut or
cannot be read, and "error" where a call failed (the prediction is null then; a call that failed without being the sample's own fault
makes the exit status 1 in the end).
Ctrl-C once lets the calls in flight come to their end and keeps their lines; twice ends at once.)";

/// Samples that are begun and not yet written. What is read ahead of the slowest reply, and all that is held in memory.
constexpr std::size_t window = 1000;

struct PredictFlags {
  std::string task = {};
  std::string input = "-";
  std::string output_file = "-";
  std::string prompt = "first";
  bool resume = false;
  bool force = false;
  ModelFlags model = {};
  OutputFlags output = {};

  bool writes_file() const { return output_file != "-"; }
};

/// Inputs of the task out of a file or standard input, one sample after the other.
class Samples {
 public:
  Samples(const Task& task, const std::string& input, const std::stop_token& stop) {
    data::Fields fields;
    for (const auto& [name, source] : task.data.inputs) fields.emplace_back(name, source);
    const fs::path path = input == "-" ? "/dev/stdin" : input;
    try {
      // A file can be looked at beforehand; whatever else it is may never end.
      std::error_code unknown;
      const bool is_file = fs::is_regular_file(path, unknown);
      if (!is_file) pump_ = std::make_unique<InputPump>(path, stop);
      const fs::path place = is_file ? path : pump_->path();
      reader_ = path.extension() == ".csv"
                    ? data::detail::read_csv(place, fields, is_file ? csv_options(path) : data::CsvOptions{})
                    : data::detail::read_json_lines(place, fields);
    } catch (const Error& error) {
      throw TaskError(std::string("--input: ") + error.what());
    }
  }

  /// Throws ParseError with file and line.
  std::optional<Batch> next() {
    std::vector<Data> values;
    if (!reader_->next(values)) {
      if (pump_) pump_->expect_read();
      return std::nullopt;
    }
    Batch sample;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string& name = reader_->fields()[i].name;
      sample.emplace(name, data::detail::sample_variable(std::move(values[i]), name, reader_->origin()));
    }
    return sample;
  }

 private:
  std::unique_ptr<InputPump> pump_;  // null: a file
  std::shared_ptr<data::detail::RecordReader> reader_;
};

/// Where whole lines go: standard output, or the end of a file.
class Lines {
 public:
  explicit Lines(const PredictFlags& flags) {
    if (!flags.writes_file()) return;
    const detail::Output output = named_output("--output", flags.output_file);
    if (output.is_stream && flags.resume)
      throw TaskError(fmt::format("--resume: {} is no file, so there is nothing in it to go on behind", flags.output_file));
    const fs::path& path = output.path;
    if (!flags.resume && !flags.force && output.is_there && !output.is_stream && fs::file_size(path) > 0)
      throw TaskError(fmt::format("--output: {} has something in it; go on behind it with --resume, or replace it with --force",
                                  path.string()));
    try {
      if (output.is_stream) {
        stream_ = std::make_unique<detail::OutputStream>(path);
        return;
      }
      if (flags.force && output.is_there) detail::write_file(path, "");
      file_ = std::make_unique<detail::AppendFile>(path, detail::RecordFormat{.begin = "{", .end = "\n"});
    } catch (const ValueError& error) {
      throw TaskError(std::string("--output: ") + error.what());
    }
    if (flags.resume) count(path);
  }

  /// How many samples were done before.
  std::size_t done() const { return done_; }

  void add(const std::string& lines) {
    if (file_) return file_->append(lines);
    if (stream_) return stream_->write(lines);
    if (std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size() || std::fflush(stdout) != 0)
      throw ValueError("cannot write to standard output");
  }

 private:
  void count(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string last;
    for (std::string line; std::getline(file, line); ++done_) last = std::move(line);
    if (done_ == 0) return;
    try {
      const OrderedJson json = detail::parse_json<OrderedJson>(last, path.string(), done_);
      const detail::JsonOrigin origin{path.string(), done_, {}};
      const LineReader row = LineReader(json, origin).at("row");
      if (row.count() != done_ - 1) row.fail(fmt::format("expected {}, for so many lines are above this one", done_ - 1));
    } catch (const ParseError& error) {
      throw TaskError(fmt::format("--resume: the output was not written by `tgd predict`: {}", error.what()));
    }
  }

  // Neither: standard output.
  std::unique_ptr<detail::AppendFile> file_;
  std::unique_ptr<detail::OutputStream> stream_;
  std::size_t done_ = 0;
};

std::string line_of(std::size_t row, const Answer& answer) {
  OrderedJson json{{"row", row}};
  add_answer(json, answer);
  return json_text(json) + "\n";
}

/// Samples under way, in order. One thread begins them, another one waits for their answers and writes them, so that an answer
/// is out as soon as it is there and those before it are, however slowly the input comes.
class Pipeline {
 public:
  explicit Pipeline(Lines& lines)
      : lines_(lines), next_row_(lines.done()), writer_(tgd::detail::start_thread("the output", [this] { write(); })) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline() { finish(); }

  /// Waits for room. False: the writer has stopped, and no further sample is wanted.
  bool add(std::vector<StageResult> stages) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_.size() < window || has_stopped_; });
    if (has_stopped_) return false;
    under_way_.push_back(std::move(stages));
    changed_.notify_all();
    return true;
  }

  /// Waits until everything is written.
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      is_complete_ = true;
      changed_.notify_all();
    }
    if (writer_.joinable()) writer_.join();
  }

  // After finish():
  std::size_t rows() const { return next_row_; }
  std::size_t failed() const { return failed_; }
  const ProblemCounts& problems() const { return problems_; }
  const std::string& first_error() const { return first_error_; }
  /// Why a call was not made; the samples from there on were not written. Empty: all were.
  const std::string& refusal() const { return refusal_; }
  void rethrow_fault() const {
    if (fault_) std::rethrow_exception(fault_);
  }

 private:
  void write() {
    try {
      while (const auto stages = front()) {
        const Answer answer = answer_of(*stages);
        if (answer.is_refused) {
          refusal_ = answer.error;
          break;
        }
        lines_.add(line_of(next_row_, answer));
        count(answer);
        pop();
      }
    } catch (...) {
      fault_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    has_stopped_ = true;
    under_way_.clear();
    changed_.notify_all();
  }

  std::optional<std::vector<StageResult>> front() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !under_way_.empty() || is_complete_; });
    if (under_way_.empty()) return std::nullopt;
    return under_way_.front();
  }

  void pop() {
    const std::lock_guard lock(mutex_);
    under_way_.pop_front();
    changed_.notify_all();
  }

  void count(const Answer& answer) {
    if (!answer.ok() && failed_++ == 0) first_error_ = fmt::format("row {}: {}", next_row_, answer.error);
    if (answer.problem) problems_.add(*answer.problem);
    ++next_row_;
  }

  Lines& lines_;
  std::size_t next_row_;
  std::size_t failed_ = 0;
  ProblemCounts problems_;
  std::string first_error_;
  std::string refusal_;
  std::exception_ptr fault_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<StageResult>> under_way_;
  bool is_complete_ = false;
  bool has_stopped_ = false;
  std::thread writer_;  // the last member: it uses the others
};

class Predicting {
 public:
  explicit Predicting(const PredictFlags& flags)
      : terminal_(output_flags(flags)),
        interrupt_([this] { terminal_.note("Interrupted: waiting for the calls in flight. Ctrl-C again ends at once."); }),
        flags_(flags),
        task_(read_task(flags.task)) {
    if (flags.resume && !flags.writes_file()) throw TaskError("--resume needs --output with the file to go on with");
    apply(flags.model, task_);
    const NamedPrompt prompt = read_prompt(flags.prompt, task_);
    samples_ = std::make_unique<Samples>(task_, flags.input, interrupt_.token());
    models_ = make_models(
        task_, {.flags = flags.model, .stop = interrupt_.token(), .cassette = {}, .on_notice = terminal_.on_notice()});
    ledger_ = meter(models_);
    agent_ = std::make_unique<TaskAgent>(task_, models_.by_name, load_prompts(task_));
    agent_->set_values(prompt.values);
    lines_ = std::make_unique<Lines>(flags);
  }

  Status run() {
    std::exception_ptr malformed;
    bool is_whole = false;
    Pipeline pipeline(*lines_);
    try {
      is_whole = begin_all(pipeline);
    } catch (...) {
      malformed = std::current_exception();  // said when what comes before it is written
    }
    pipeline.finish();
    pipeline.rethrow_fault();
    if (malformed && !interrupt_.requested()) explain_input(malformed, pipeline.rows());
    if (!is_whole || !pipeline.refusal().empty()) return explain_end(pipeline);
    return report(pipeline);
  }

 private:
  /// Standard output may be what the lines go to: then everything else goes to standard error.
  static OutputFlags output_flags(const PredictFlags& flags) {
    OutputFlags output = flags.output;
    if (!flags.writes_file()) output.json = true;
    return output;
  }

  /// Whether the input's end was reached.
  bool begin_all(Pipeline& pipeline) {
    const NoGradGuard no_grad;
    std::size_t row = 0;
    while (!interrupt_.requested()) {
      const auto sample = samples_->next();
      if (!sample) return !interrupt_.requested();  // which ends an input, too
      if (row++ < lines_->done()) continue;
      if (!pipeline.add(agent_->run(*sample))) return false;
    }
    return false;
  }

  std::string how_to_go_on() const {
    return flags_.writes_file() ? fmt::format("the same command with --resume goes on from there")
                                : std::string("with --output FILE it could go on from there");
  }

  [[noreturn]] void explain_input(const std::exception_ptr& malformed, std::size_t rows) const {
    try {
      std::rethrow_exception(malformed);
    } catch (const Error& error) {
      throw TaskError(fmt::format("{}\n{} rows before it are done; when it is mended, {}", error.what(), rows, how_to_go_on()));
    }
  }

  Status explain_end(const Pipeline& pipeline) {
    if (!interrupt_.requested())
      throw Error(fmt::format("{} rows are done, then: {}; {}", pipeline.rows(), pipeline.refusal(), how_to_go_on()));
    terminal_.note(fmt::format("Interrupted. {} rows are done; {}.", pipeline.rows(), how_to_go_on()));
    return Status::interrupted;
  }

  Status report(const Pipeline& pipeline) {
    if (flags_.writes_file()) terminal_.document(result(pipeline));
    terminal_.note(
        fmt::format("{} rows{}", pipeline.rows(), pipeline.problems().any() ? ", " + pipeline.problems().text() : ""));
    terminal_.note(calls_text(models_.counter->counts(), ledger_->totals()));
    if (pipeline.failed() == 0) return Status::ok;
    throw Error(fmt::format("{} of {} rows failed, and their lines say why; the first: {}", pipeline.failed(), pipeline.rows(),
                            pipeline.first_error()));
  }

  OrderedJson result(const Pipeline& pipeline) const {
    return {{"name", task_.name},
            {"output", flags_.output_file},
            {"rows", pipeline.rows()},
            {"failed", pipeline.failed()},
            {"problems", pipeline.problems().json()},
            {"calls", models_.counter->counts().by_purpose},
            {"cached_calls", models_.counter->counts().cached},
            {"cost", OrderedJson(ledger_->totals().to_json().value())}};
  }

  Terminal terminal_;
  Interrupt interrupt_;
  const PredictFlags& flags_;
  Task task_;
  std::unique_ptr<Samples> samples_;
  Models models_;
  std::shared_ptr<lm::Ledger> ledger_;
  std::unique_ptr<TaskAgent> agent_;
  std::unique_ptr<Lines> lines_;
};

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("predict", "Run a task's program over new samples: JSON Lines in, JSON Lines out");
  const auto flags = std::make_shared<PredictFlags>();
  add_task_argument(*command, flags->task);
  command->add_option("--input", flags->input, "JSON Lines, or a .csv file; standard input unless given")->option_text("FILE");
  command->add_option("--output", flags->output_file, "Where the answers go; standard output unless given")
      ->option_text("FILE");
  command->add_option("--prompt", flags->prompt, prompt_spec_help)->option_text("SPEC");
  command->add_flag("--resume", flags->resume, "Go on behind the last line of the output");
  command->add_flag("--force", flags->force, "Replace the output if there is one")->excludes("--resume");
  add_model_flags(*command, flags->model);
  add_output_flags(*command, flags->output);
  command->footer(predict_examples);
  command->callback([flags, &action] { action = [flags] { return Predicting(*flags).run(); }; });
}

}  // namespace tgd::cli
