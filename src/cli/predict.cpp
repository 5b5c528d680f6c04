// `tgd predict`: the task's program over a stream of samples, JSON Lines in, JSON Lines out.
#include <algorithm>
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
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/autograd.hpp>

#include "cli/activity.hpp"
#include "cli/command.hpp"
#include "cli/input_pump.hpp"
#include "core/append_file.hpp"
#include "core/counted.hpp"
#include "core/file.hpp"
#include "core/json_position.hpp"
#include "core/json_reader.hpp"
#include "core/sha256.hpp"
#include "core/start_thread.hpp"
#include "core/text.hpp"
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
  tgd predict task.json --input new.csv --output answers.csv

A line of the input, or an element of a .json list, is a JSON object with the fields that the task's inputs name; a .csv file has
them as columns. The target is
not needed. A file is checked to its end before the first call. A line of the output, in the order of the input:
  {"row": 0, "id": "T-17", "prediction": "billing"}
with the other fields of the input as they are (an "id", say); out of a .csv an --output of that ending gets the input's columns and
three more, "prediction", "problem" and "error". In a line stand "outputs" where the task has several stages, "problem" where a sample was refused, filtered or too long or its reply was cut or
cannot be read, and "error" where there was no reply to read (the prediction is null then, or a blank cell). The exit status is 1 when more samples failed
so than may ("max_failed" of the task, or --max-failed), or all of them. What is the endpoint's fault, such as a wrong key or a used-up budget,
ends the program before the row that met it, and --resume goes on there. What the answers were made with is noted in
<output>.made-with.json, and --resume goes on with nothing else.
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
  std::optional<double> max_failed = {};
  ModelFlags model = {};
  OutputFlags output = {};

  bool writes_file() const { return output_file != "-"; }
};

/// One sample, and what else its record holds.
struct Sample {
  Batch batch;
  OrderedJson others = OrderedJson::object();
};

/// Inputs of the task out of a file or standard input, one sample after the other.
class Samples {
 public:
  Samples(const Task& task, const std::string& input, const std::stop_token& stop) : task_(task) {
    const fs::path path = input == "-" ? "/dev/stdin" : input;
    try {
      // A file can be looked at beforehand; whatever else it is may never end.
      std::error_code unknown;
      const bool is_file = fs::is_regular_file(path, unknown);
      if (!is_file) pump_ = std::make_unique<InputPump>(path, stop);
      is_csv_ = is_of(DataFormat::csv, path);
      is_list_ = is_file && is_of(DataFormat::json, path);
      place_ = is_file ? path : pump_->path();
      csv_ = is_csv_ && is_file ? csv_options(path, {.encoding = task.data.encoding, .columns = task.data.columns})
                                : data::CsvOptions{};
      find_fields(is_file);
      if (is_file && input != "-") check(stop);
      reader_ = open();
    } catch (const Error& error) {
      throw TaskError(std::string("--input: ") + error.what());
    }
  }

  /// All of a .csv file, in their order; empty for another format.
  const std::vector<std::string>& columns() const { return columns_; }

  /// Throws ParseError with file and line.
  std::optional<Sample> next() {
    std::vector<Data> values;
    if (!reader_->next(values)) {
      if (pump_) pump_->expect_read();
      return std::nullopt;
    }
    Sample sample;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string& name = fields_[i].name;
      const bool is_input = i < task_.data.inputs.size();
      if (!is_input) sample.others[fields_[i].source] = values[i].text();
      if (is_input && !columns_.empty()) sample.others[fields_[i].source] = values[i].item_text();
      if (is_input) sample.batch.emplace(name, data::detail::sample_variable(std::move(values[i]), name, reader_->origin()));
    }
    if (const OrderedJson* record = reader_->record(); record != nullptr && record->is_object())
      add_others(*record, sample.others);
    return sample;
  }

 private:
  static bool is_of(DataFormat format, const fs::path& path) {
    try {
      return path.has_extension() && data_format(path) == format;
    } catch (const ValueError&) {
      return false;  // JSON Lines by another name
    }
  }

  std::shared_ptr<data::detail::RecordReader> open() const {
    if (is_csv_) return data::detail::read_csv(place_, fields_, csv_);
    return is_list_ ? data::detail::read_json(place_, fields_, task_.data.encoding)
                    : data::detail::read_json_lines(place_, fields_, task_.data.encoding);
  }

  /// The inputs, and of a file with columns the others.
  void find_fields(bool is_file) {
    for (const auto& [name, source] : task_.data.inputs) fields_.emplace_back(name, source);
    if (!is_csv_ || !is_file) return;
    const auto reader = data::detail::read_csv(place_, {}, csv_);
    for (const data::Field& column : reader->fields()) {
      columns_.push_back(column.source);
      const bool is_input = std::any_of(task_.data.inputs.begin(), task_.data.inputs.end(),
                                        [&](const auto& input) { return input.second == column.source; });
      if (!is_input) fields_.emplace_back("/column/" + column.source, column.source);
    }
  }

  /// What is malformed is found before anything is paid.
  void check(const std::stop_token& stop) const {
    const auto reader = open();
    std::vector<Data> values;
    while (!stop.stop_requested() && reader->next(values)) {
    }
  }

  void add_others(const OrderedJson& record, OrderedJson& others) const {
    for (const auto& member : record.items()) {
      const bool is_input = std::any_of(task_.data.inputs.begin(), task_.data.inputs.end(), [&](const auto& input) {
        return input.second == member.key() || input.second.starts_with("/" + member.key());
      });
      if (!is_input) others[member.key()] = member.value();
    }
  }

  const Task& task_;
  std::unique_ptr<InputPump> pump_;  // null: a file
  bool is_csv_ = false;
  bool is_list_ = false;  // a .json file
  fs::path place_;
  data::CsvOptions csv_;
  data::Fields fields_;  // the inputs first
  std::vector<std::string> columns_;
  std::shared_ptr<data::detail::RecordReader> reader_;
};

/// What answers depend on, noted beside the output (never in it), so that no other program goes on behind it.
class Fingerprint {
 public:
  Fingerprint(const Task& task, const NamedValues& values, const std::string& output) : file_(output + ".made-with.json") {
    const OrderedJson all = resolved_json(task);
    const auto part = [&](const char* key) { return all.contains(key) ? all.at(key) : OrderedJson(); };
    parts_ = {{"prompt", detail::sha256(as_object(values).dump())},
              {"models", detail::sha256(part("models").dump())},
              {"messages", detail::sha256(OrderedJson{part("messages"), part("stages"), part("agent"), part("output")}.dump())},
              {"inputs", detail::sha256(OrderedJson(task.data.inputs).dump())}};
  }

  /// Throws TaskError when what is there was made with something else.
  void expect_same() const {
    std::error_code unknown;
    if (!fs::is_regular_file(file_, unknown)) return;  // of an earlier version
    const OrderedJson before = detail::parse_json<OrderedJson>(detail::read_file(file_), file_.string(), 1);
    std::vector<std::string> changed;
    for (const auto& part : parts_.items()) {
      if (!before.is_object() || before.value(part.key(), OrderedJson()) != part.value()) changed.push_back(part.key());
    }
    if (!changed.empty())
      throw TaskError(
          fmt::format("--resume: the lines that are there were made with another one of: {} ({} says so); answers of both "
                      "in one file could not be told apart. Use the same, or begin anew with --force",
                      detail::join(changed, ", "), file_.string()));
  }
  void write() const { detail::write_file(file_, json_text(parts_, 2) + "\n"); }

 private:
  fs::path file_;
  OrderedJson parts_;
};

/// How a sample's answer is written.
class RowFormat {
 public:
  /// `columns`: of the input; a .csv can only be made of one.
  RowFormat(const Task& task, const std::string& output, const std::vector<std::string>& columns) : columns_(columns) {
    for (const auto& input : task.data.inputs) inputs_.insert(input.second);
    const std::string ending = detail::lower_case(fs::path(output).extension().string());
    is_csv_ = ending == ".csv" || ending == ".tsv";
    if (!is_csv_) return;
    if (columns.empty())
      throw TaskError(fmt::format("--output: {} would have the columns of the input, which has none; name a .jsonl", output));
    delimiter_ = ending == ".tsv" ? '\t' : ',';
  }

  bool is_csv() const { return is_csv_; }
  detail::RecordFormat record_format() const {
    if (!is_csv_) return {.begin = "{", .end = "\n"};
    std::vector<std::string> names = columns_;
    for (const char* name : {"prediction", "problem", "error"}) names.push_back(free_name(name));
    return {.end = "\r\n", .header = csv_line(names)};
  }

  std::string text(std::size_t row, const OrderedJson& others, const Answer& answer) const {
    OrderedJson answered = OrderedJson::object();
    add_answer(answered, answer);
    return is_csv_ ? csv_row(others, answered) : json_row(row, others, answered);
  }

 private:
  /// The same name as one of the input's gets a mark.
  std::string free_name(std::string name) const {
    while (std::find(columns_.begin(), columns_.end(), name) != columns_.end()) name += "_";
    return name;
  }

  /// Whoever reads it has the inputs.
  std::string json_row(std::size_t row, const OrderedJson& others, const OrderedJson& answered) const {
    OrderedJson json{{"row", row}};
    for (const auto& member : others.items()) {
      std::string name = member.key();
      if (inputs_.count(name) > 0) continue;
      while (name == "row" || name == "prediction" || name == "outputs" || name == "problem" || name == "error") name += "_";
      json[name] = member.value();
    }
    json.update(answered);
    return json_text(json) + "\n";
  }

  std::string csv_row(const OrderedJson& others, const OrderedJson& answered) const {
    std::vector<std::string> cells;
    for (const std::string& column : columns_) cells.push_back(others.value(column, std::string()));
    for (const char* name : {"prediction", "problem", "error"}) {
      const auto found = answered.find(name);
      cells.push_back(found != answered.end() && found->is_string() ? found->get<std::string>() : std::string());
    }
    return csv_line(cells);
  }

  /// Records end in CR LF, and cells have line feeds only: so an end can be told from a part.
  std::string csv_line(const std::vector<std::string>& cells) const {
    std::string line;
    for (const std::string& cell : cells) {
      if (&cell != cells.data()) line += delimiter_;
      std::string quoted;
      bool needs_quotes = false;
      for (const char c : cell) {
        if (c == '\r') continue;
        needs_quotes = needs_quotes || c == delimiter_ || c == '"' || c == '\n';
        quoted += c == '"' ? "\"\"" : std::string(1, c);
      }
      line += needs_quotes ? "\"" + quoted + "\"" : quoted;
    }
    return line + "\r\n";
  }

  std::set<std::string> inputs_;  // fields that the task reads
  std::vector<std::string> columns_;
  bool is_csv_ = false;
  char delimiter_ = ',';
};

/// Where whole lines go: standard output, or the end of a file.
class Lines {
 public:
  Lines(const PredictFlags& flags, const RowFormat& format) : format_(format) {
    if (!flags.writes_file()) return;
    const detail::Output output = named_output("--output", flags.output_file);
    if (output.is_stream && flags.resume)
      throw TaskError(fmt::format("--resume: {} is no file, so there is nothing in it to go on behind", flags.output_file));
    const fs::path& path = output.path;
    expect_other_file("--output", output, {flags.input, flags.task, flags.prompt});
    if (!flags.resume && !flags.force && output.is_there && !output.is_stream && fs::file_size(path) > 0)
      throw TaskError(fmt::format("--output: {} has something in it; go on behind it with --resume, or replace it with --force",
                                  path.string()));
    try {
      if (output.is_stream) {
        stream_ = std::make_unique<detail::OutputStream>(path);
        return;
      }
      if (flags.force && output.is_there) detail::write_file(path, "");
      file_ = std::make_unique<detail::AppendFile>(path, format.record_format());
    } catch (const ValueError& error) {
      throw TaskError(std::string("--output: ") + error.what());
    }
    if (flags.resume) count(path);
  }

  bool is_file() const { return file_ != nullptr; }
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
    if (format_.is_csv()) {
      const std::string header = format_.record_format().header;
      std::string beginning(header.size(), '\0');
      file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
      if (file.gcount() > 0 && beginning != header)
        throw TaskError(
            fmt::format("--resume: the output was not written by `tgd predict` of this input: the first line of {} is "
                        "not \"{}\"",
                        path.string(), detail::trim(header)));
      file.clear();
      file.seekg(0);
      std::size_t lines = 0;
      for (std::string line; std::getline(file, line);) lines += line.ends_with('\r') ? 1 : 0;
      done_ = lines > 0 ? lines - 1 : 0;  // the header
      return;
    }
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

  const RowFormat& format_;
  // Neither: standard output.
  std::unique_ptr<detail::AppendFile> file_;
  std::unique_ptr<detail::OutputStream> stream_;
  std::size_t done_ = 0;
};

/// A sample whose calls are on their way.
struct UnderWay {
  std::vector<StageResult> stages;
  OrderedJson others;
};

/// Samples under way, in order. One thread begins them, another one waits for their answers and writes them, so that an answer
/// is out as soon as it is there and those before it are, however slowly the input comes.
class Pipeline {
 public:
  Pipeline(Lines& lines, const RowFormat& format, EndOfRun& ending)
      : lines_(lines),
        format_(format),
        ending_(ending),
        next_row_(lines.done()),
        writer_(tgd::detail::start_thread("the output", [this] { write(); })) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline() { finish(); }

  /// Waits for room. False: the writer has stopped, and no further sample is wanted.
  bool add(UnderWay sample) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_.size() < window || has_stopped_; });
    if (has_stopped_) return false;
    under_way_.push_back(std::move(sample));
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

  /// At any time.
  std::size_t written() const { return written_; }

  // After finish():
  std::size_t rows() const { return next_row_; }
  /// Of this session; rows that were done before it are not looked at again.
  std::size_t answered() const { return answered_; }
  std::size_t unanswered() const { return unanswered_; }
  const ProblemCounts& problems() const { return problems_; }
  const std::string& first_problem() const { return first_problem_; }
  /// Why samples from some row on were not written; empty: all were.
  const std::string& fault() const { return fault_; }

 private:
  void write() {
    try {
      while (const auto sample = front()) {
        const Answer answer = answer_of(sample->stages);
        lines_.add(format_.text(next_row_, sample->others, answer));
        count(answer);
        pop();
      }
    } catch (const std::exception& error) {
      fault_ = error.what();
      ending_.request();
    }
    const std::lock_guard lock(mutex_);
    has_stopped_ = true;
    under_way_.clear();
    changed_.notify_all();
  }

  std::optional<UnderWay> front() {
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
    if (answer.problem) {
      if (answer.problem->is_failure && problems_.failed() == 0)
        first_problem_ = fmt::format("row {}: {}", next_row_, to_string(*answer.problem));
      problems_.add(*answer.problem);
    }
    unanswered_ += answer.is_unanswered() ? 1 : 0;
    ++answered_;
    ++next_row_;
    ++written_;
  }

  Lines& lines_;
  const RowFormat& format_;
  EndOfRun& ending_;
  std::size_t next_row_;
  std::atomic<std::size_t> written_ = 0;
  std::size_t answered_ = 0;
  std::size_t unanswered_ = 0;
  ProblemCounts problems_;
  std::string first_problem_;
  std::string fault_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<UnderWay> under_way_;
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
    const std::string model_note = use_models_of_run({flags.prompt}, flags.model, task_);
    apply(flags.model, task_);
    const NamedPrompt prompt = read_prompt(flags.prompt, task_);
    if (!model_note.empty()) terminal_.note("note: " + model_note);
    for (const std::string& file : prompt.edited)
      terminal_.note(fmt::format("note: {} was edited since the run; the text in it is used", file));
    samples_ = std::make_unique<Samples>(task_, flags.input, ending_.token());
    models_ =
        make_models(task_, {.flags = flags.model, .stop = ending_.token(), .cassette = {}, .on_notice = terminal_.on_notice()});
    ledger_ = meter(models_);
    agent_ = std::make_unique<TaskAgent>(task_, models_.by_name, load_prompts(task_));
    agent_->set_values(prompt.values);
    if (models_.is_simulated()) terminal_.warn(simulation_warning);
    format_ = std::make_unique<RowFormat>(task_, flags.output_file, samples_->columns());
    const Fingerprint fingerprint(task_, prompt.values, flags.output_file);
    if (flags.resume) fingerprint.expect_same();
    lines_ = std::make_unique<Lines>(flags, *format_);
    if (lines_->is_file()) fingerprint.write();
  }

  Status run() {
    std::exception_ptr malformed;
    bool is_whole = false;
    Pipeline pipeline(*lines_, *format_, ending_);
    if (!flags_.writes_file()) Terminal::give_up_document();
    {
      const Activity activity(terminal_, "predicting", [this, &pipeline] { return status(pipeline); });
      try {
        is_whole = begin_all(pipeline);
      } catch (...) {
        malformed = std::current_exception();  // said when what comes before it is written
      }
      pipeline.finish();
    }
    if (ending_.requested()) models_.wait_for_calls();
    if (malformed && !ending_.requested()) explain_input(malformed, pipeline.rows());
    if (!is_whole || !pipeline.fault().empty()) return explain_end(pipeline);
    return report(pipeline);
  }

 private:
  /// Standard output may be what the lines go to: then everything else goes to standard error.
  static OutputFlags output_flags(const PredictFlags& flags) {
    OutputFlags output = flags.output;
    if (!flags.writes_file()) output.json = true;
    return output;
  }

  ActivityStatus status(const Pipeline& pipeline) const {
    return {.done = static_cast<double>(pipeline.written()),
            .unit = "rows",
            .in_flight = models_.counter->in_flight(),
            .has_cost = true,
            .cost = ledger_->totals().cost()};
  }

  /// Whether the input's end was reached.
  bool begin_all(Pipeline& pipeline) {
    const NoGradGuard no_grad;
    std::size_t row = 0;
    while (!ending_.requested()) {
      auto sample = samples_->next();
      if (!sample) return !ending_.requested();  // which ends an input, too
      if (row++ < lines_->done()) continue;
      if (!pipeline.add({agent_->run(sample->batch), std::move(sample->others)})) return false;
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
      throw TaskError(fmt::format("{}\n{} before it {} done; when it is mended, {}", error.what(),
                                  tgd::detail::counted(rows, "row"), rows == 1 ? "is" : "are", how_to_go_on()));
    }
  }

  Status explain_end(const Pipeline& pipeline) {
    if (!interrupt_.requested())
      throw Error(fmt::format("{} done, then: {}; {}", tgd::detail::counted(pipeline.rows(), "row is", "rows are"),
                              pipeline.fault(), how_to_go_on()));
    terminal_.note(
        fmt::format("Interrupted. {} done; {}.", tgd::detail::counted(pipeline.rows(), "row is", "rows are"), how_to_go_on()));
    return Status::interrupted;
  }

  Status report(const Pipeline& pipeline) {
    if (flags_.writes_file()) terminal_.document(result(pipeline));
    terminal_.note(fmt::format("{}{}", tgd::detail::counted(pipeline.rows(), "row"),
                               pipeline.problems().any() ? ", " + pipeline.problems().text() : ""));
    terminal_.note(calls_text(models_.counter->counts(), ledger_->totals()));
    expect_few_failed({.samples = pipeline.answered(),
                       .unanswered = pipeline.unanswered(),
                       .problems = pipeline.problems(),
                       .first = pipeline.first_problem()},
                      flags_.max_failed, task_);
    return Status::ok;
  }

  OrderedJson result(const Pipeline& pipeline) const {
    return {{"name", task_.name},
            {"output", flags_.output_file},
            {"rows", pipeline.rows()},
            {"failed", pipeline.problems().failed()},
            {"problems", pipeline.problems().json()},
            {"calls", models_.counter->counts().by_purpose},
            {"cached_calls", models_.counter->counts().cached},
            {"cost", ledger_->totals().to_json().value()}};
  }

  Terminal terminal_;
  Interrupt interrupt_;
  EndOfRun ending_{interrupt_};
  const PredictFlags& flags_;
  Task task_;
  std::unique_ptr<Samples> samples_;
  Models models_;
  std::shared_ptr<lm::Ledger> ledger_;
  std::unique_ptr<TaskAgent> agent_;
  std::unique_ptr<RowFormat> format_;
  std::unique_ptr<Lines> lines_;
};

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("predict", "Run a task's program over new samples: JSON Lines in, JSON Lines out");
  const auto flags = std::make_shared<PredictFlags>();
  add_task_argument(*command, flags->task);
  command->add_option("--input", flags->input, "JSON Lines, or a .csv or .json file; standard input unless given")
      ->option_text("FILE");
  command->add_option("--output", flags->output_file, "Where the answers go; standard output unless given")
      ->option_text("FILE");
  command->add_option("--prompt", flags->prompt, prompt_spec_help)->option_text("SPEC");
  command->add_flag("--resume", flags->resume, "Go on behind the last line of the output");
  command->add_flag("--force", flags->force, "Replace the output if there is one")->excludes("--resume");
  add_max_failed_flag(*command, flags->max_failed);
  add_model_flags(*command, flags->model);
  add_output_flags(*command, flags->output);
  command->footer(predict_examples);
  command->callback([flags, &action] { action = [flags] { return Predicting(*flags).run(); }; });
}

}  // namespace tgd::cli
