#include "core/worker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <tgd/error.hpp>

#include "core/callbacks.hpp"
#include "core/descriptor.hpp"
#include "core/json_parser.hpp"
#include "core/one_line.hpp"
#include "core/seconds.hpp"
#include "core/start_thread.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

using WorkerClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How much is held against a question that was in flight alone when its process ended. What kills from outside (an operator, the
/// system that runs out of memory) is seldom its fault; another silence costs the whole timeout once more.
constexpr int weight_of_kill = 1;
constexpr int weight_of_end = 5;
constexpr int weight_of_silence = 10;
constexpr int most_weight = 20;

/// A command that has never answered anything is given up with this many questions, or silences.
constexpr int most_failures_without_answer = 3;

constexpr std::size_t most_line = std::size_t{64} << 20U;
constexpr std::size_t kept_error_output = 2000;
/// One that writes without end must not keep the others waiting.
constexpr std::size_t most_errors_at_once = std::size_t{1} << 20U;
constexpr std::size_t most_error_line = std::size_t{64} << 10U;
/// Of a process that is told to end, for each of its input's end and SIGTERM.
constexpr milliseconds patience{500};
/// How often a process is looked at whose output somebody else holds open.
constexpr milliseconds look_interval{200};

[[noreturn]] void throw_of_system(const std::string& what, int number) {
  throw Error(fmt::format("{}: {}", what, std::system_category().message(number)));
}

/// Away from 0, 1 and 2, which a child's own are put over.
Descriptor above_standard_files(Descriptor low) {
  if (low.number() > STDERR_FILENO) return low;
  Descriptor high(::fcntl(low.number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!high.is_open()) throw_of_system("no pipe can be made for a command", errno);
  return high;
}

struct WorkerPipe {
  Descriptor read;
  Descriptor write;
};

WorkerPipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_of_system("no pipe can be made for a command", errno);
  Descriptor read(ends[0]);
  Descriptor write(ends[1]);
  return {above_standard_files(std::move(read)), above_standard_files(std::move(write))};
}

void make_nonblocking(const Descriptor& file) { ::fcntl(file.number(), F_SETFL, ::fcntl(file.number(), F_GETFL) | O_NONBLOCK); }

/// Whether it has ended; it stays to be reaped, so that its number is nobody else's.
bool has_ended(pid_t process) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == process;
}

/// The groups of the processes that have been started and not reaped. Never destroyed.
struct LiveGroups {
  std::mutex mutex;
  std::set<pid_t> groups;
};

LiveGroups& live_groups() {
  static LiveGroups* const all = new LiveGroups;
  return *all;
}

/// What posix_spawn() is told, freed in the end.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_of(const WorkerOptions& options, std::size_t process) {
  std::map<std::string, std::string> all;
  for (const char* name : {"PATH", "HOME", "LANG"}) {
    if (const char* value = std::getenv(name)) all[name] = value;  // NOLINT(concurrency-mt-unsafe)
  }
  for (const auto& [name, value] : options.environment) all[name] = value;
  if (options.environment_of) {
    for (const auto& [name, value] : options.environment_of(process)) all[name] = value;
  }
  std::vector<std::string> entries;
  for (const auto& [name, value] : all) entries.push_back(name + "=" + value);
  return entries;
}

/// Why a command cannot be started, and what to do about it.
std::string start_problem(const WorkerOptions& options, int number) {
  const std::string& program = options.command[0];
  std::error_code ignored;
  const bool is_there = program.find('/') != program.npos && std::filesystem::exists(options.folder / program, ignored);
  std::string cure;
  if (number == ENOENT && program.find(' ') != program.npos) {
    cure = "; the program and each of its arguments are texts of their own, such as [\"python3\", \"metric.py\"]";
  } else if (number == ENOENT && is_there) {
    cure = "; the program is there, but not the one that its first line, #!, names (or that line ends with \\r\\n)";
  } else if (number == EACCES && is_there) {
    cure = "; make it executable with chmod +x, or name what runs it, such as [\"python3\", \"metric.py\"]";
  } else if (number == ENOEXEC) {
    cure = "; its first line has to say what runs it, such as #!/usr/bin/env python3, or name that in the command";
  }
  return fmt::format("the command {} cannot be started{}: {}{}", in_quotes(join(options.command, " ")),
                     options.folder.empty() ? "" : fmt::format(" in the folder {}", options.folder.string()),
                     std::system_category().message(number), cure);
}

/// What is wrong with a line that is no answer; without a full stop.
std::string line_problem(std::string_view line) {
  const std::string_view text = trim(line);
  const char* cause = "";
  if (text.find(": NaN") != text.npos || text.find(":NaN") != text.npos || text.find("Infinity") != text.npos) {
    cause = " (NaN and Infinity are no JSON)";
  } else if (text.starts_with("{'") || text.find("': ") != text.npos) {
    cause = " (in JSON texts and keys have double quotes: json.dumps() writes them so)";
  } else if (text == "{" || (text.starts_with('{') && text.back() != '}')) {
    cause = " (an answer has to be whole on one line)";
  }
  return fmt::format(
      "it wrote a line that is no JSON object{}: {}; standard output belongs to the protocol, so write what people are to read "
      "to standard error",
      cause, in_quotes(line));
}

/// Why a process is lost.
struct Loss {
  std::string text;
  int weight = weight_of_end;
  bool is_lasting = false;  // it would be the same with every question
};

struct Question {
  std::uint64_t id = 0;
  std::string line;
  Worker::Done done;
  int weight = 0;
};
using QuestionPtr = std::unique_ptr<Question>;

void answer_question(QuestionPtr question, Worker::Answer answer) noexcept { call_back(question->done, std::move(answer)); }

/// One process, and what it has been asked.
class WorkerProcess {
 public:
  /// Throws Error where it cannot be started.
  WorkerProcess(const WorkerOptions& options, std::size_t number) : on_error_line_(options.on_error_line) {
    WorkerPipe in = make_pipe();
    WorkerPipe out = make_pipe();
    WorkerPipe err = make_pipe();
    SpawnSettings settings;
    ::posix_spawn_file_actions_adddup2(&settings.actions, in.read.number(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&settings.actions, out.write.number(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&settings.actions, err.write.number(), STDERR_FILENO);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, STDERR_FILENO + 1);
#endif
    if (!options.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&settings.actions, options.folder.c_str());
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&settings.attributes, 0);
    ::posix_spawnattr_setsigmask(&settings.attributes, &none);
    ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
    std::vector<std::string> command = options.command;
    std::vector<std::string> environment = environment_of(options, number);
    const int problem = ::posix_spawnp(&process_, command[0].c_str(), &settings.actions, &settings.attributes,
                                       pointers_to(command).data(), pointers_to(environment).data());
    if (problem != 0) throw Error(start_problem(options, problem));
    {
      LiveGroups& live = live_groups();
      const std::lock_guard lock(live.mutex);
      live.groups.insert(process_);
    }
    in_ = std::move(in.write);
    out_ = std::move(out.read);
    err_ = std::move(err.read);
    make_nonblocking(in_);
    make_nonblocking(out_);
    make_nonblocking(err_);
  }
  /// Kills what is left.
  ~WorkerProcess() { end(); }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  std::map<std::uint64_t, QuestionPtr>& in_flight() { return in_flight_; }

  /// Whether its question has to be alone.
  bool is_reserved() const { return is_reserved_ && !in_flight_.empty(); }

  void give(QuestionPtr question, bool alone) {
    is_reserved_ = alone;
    if (in_flight_.empty()) last_answer_ = WorkerClock::now();
    to_write_ += question->line;
    const std::uint64_t id = question->id;
    in_flight_.emplace(id, std::move(question));
  }

  void add_to(std::vector<pollfd>& polled) const {
    if (!to_write_.empty() && in_.is_open()) polled.push_back({in_.number(), POLLOUT, 0});
    if (out_.is_open()) polled.push_back({out_.number(), POLLIN, 0});
    if (err_.is_open()) polled.push_back({err_.number(), POLLIN, 0});
  }

  void write() {
    std::size_t written = 0;
    while (written < to_write_.size()) {
      const ssize_t count = ::write(in_.number(), to_write_.data() + written, to_write_.size() - written);
      if (count > 0) {
        written += static_cast<std::size_t>(count);
      } else if (errno != EINTR) {
        if (errno != EAGAIN) in_.close();  // it reads no more; that it ends, or is silent, will be seen
        break;
      }
    }
    to_write_.erase(0, written);
  }

  /// Reads what is there and hands each whole line to `take`, until that is content no longer. What goes wrong is a loss.
  template <class Take>
  std::optional<Loss> read(const Take& take) {
    read_errors();
    const bool was_over = has_ended(process_);  // then all that it has written is there to be read
    bool is_over = false;
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read()
    while (out_.is_open() && !is_over) {
      const ssize_t count = ::read(out_.number(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) break;
      is_over = count == 0;
      partial_.append(buffer.data(), static_cast<std::size_t>(count));
      if (auto loss = take_lines(take)) return loss;
      if (count < static_cast<ssize_t>(buffer.size()) && !was_over) break;
    }
    if (!is_over && !was_over) return std::nullopt;
    if (!trim(partial_).empty()) {
      partial_ += '\n';
      if (auto loss = take_lines(take)) return loss;
    }
    return loss_by_end(is_over && !was_over);
  }

  WorkerClock::time_point deadline(milliseconds timeout) const { return last_answer_ + timeout; }
  void note_answer() { last_answer_ = WorkerClock::now(); }

  /// The last of what it wrote to standard error, for a message.
  std::string error_output() {
    read_errors();
    const std::string_view text = trim(errors_);
    return text.empty() ? "" : fmt::format("; it wrote to standard error: {}", one_line(text, kept_error_output));
  }

  void close_input() { in_.close(); }
  std::string begun_line() const { return std::string(trim(partial_)); }
  /// Ends its input, and says whether it had been waiting for that with what it had to say.
  bool speaks_at_end_of_input() {
    close_input();
    const auto latest = WorkerClock::now() + patience;
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read()
    while (out_.is_open() && WorkerClock::now() < latest) {
      const ssize_t count = ::read(out_.number(), buffer.data(), buffer.size());
      if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) break;
      if (count > 0) return true;
      read_errors();
      std::this_thread::sleep_for(milliseconds(2));
    }
    return false;
  }
  /// So that it does not wait for somebody to read what it says at its end.
  void hear_errors() { read_errors(); }
  void signal_group(int signal) const {
    if (process_ > 0) ::kill(-process_, signal);
  }
  bool is_over() const { return process_ <= 0 || has_ended(process_); }

  /// Kills and reaps it, with whatever it has started. The status is there then.
  int end() {
    if (process_ <= 0) return status_;
    {
      LiveGroups& live = live_groups();
      const std::lock_guard lock(live.mutex);
      live.groups.erase(process_);
    }
    ::kill(-process_, SIGKILL);
    ::kill(process_, SIGKILL);  // where it has left its group
    while (::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    read_errors();
    if (err_.is_open()) end_errors();  // somebody whom it has started may hold it open
    return status_;
  }

 private:
  template <class Take>
  std::optional<Loss> take_lines(const Take& take) {
    std::size_t begin = 0;
    std::optional<Loss> loss;
    for (std::size_t end = partial_.find('\n'); end != partial_.npos && !loss; end = partial_.find('\n', begin)) {
      loss = take(std::string_view(partial_).substr(begin, end - begin));
      begin = end + 1;
    }
    partial_.erase(0, begin);
    if (!loss && partial_.size() > most_line) loss = Loss{"it wrote a line that does not end"};
    return loss;
  }

  void read_errors() {
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read()
    for (std::size_t total = 0; err_.is_open() && total < most_errors_at_once;) {
      const ssize_t count = ::read(err_.number(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) end_errors();
      if (count <= 0) break;
      total += static_cast<std::size_t>(count);
      const std::string_view read(buffer.data(), static_cast<std::size_t>(count));
      errors_.append(read);
      if (errors_.size() > 2 * kept_error_output) errors_.erase(0, errors_.size() - kept_error_output);
      if (on_error_line_) hand_on(read);
    }
  }

  /// Whole lines, so that those of several processes stay apart.
  void hand_on(std::string_view read) {
    error_line_.append(read);
    std::size_t begin = 0;
    for (std::size_t end = error_line_.find('\n'); end != error_line_.npos; end = error_line_.find('\n', begin)) {
      call_back(on_error_line_, std::string_view(error_line_).substr(begin, end - begin));
      begin = end + 1;
    }
    error_line_.erase(0, begin);
    if (error_line_.size() > most_error_line) call_back(on_error_line_, std::string_view(std::exchange(error_line_, {})));
  }

  void end_errors() {
    if (on_error_line_ && !error_line_.empty()) call_back(on_error_line_, std::string_view(std::exchange(error_line_, {})));
    err_.close();
  }

  /// It may have closed its output and be about to end: its status is worth a moment.
  Loss loss_by_end(bool may_go_on) {
    if (may_go_on) {
      const auto latest = WorkerClock::now() + look_interval;
      while (!has_ended(process_) && WorkerClock::now() < latest) std::this_thread::sleep_for(milliseconds(1));
    }
    if (!has_ended(process_)) return {"it closed its standard output"};
    const int status = end();
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      const bool from_outside = signal == SIGKILL || signal == SIGTERM;
      return {fmt::format("it was ended by signal {}", signal), from_outside ? weight_of_kill : weight_of_end};
    }
    if (WEXITSTATUS(status) == 0) return {"it ended (with status 0) before its input did"};
    return {fmt::format("it ended with status {}", WEXITSTATUS(status))};
  }

  pid_t process_ = -1;
  int status_ = 0;
  Descriptor in_;
  Descriptor out_;
  Descriptor err_;
  std::string to_write_;
  std::string partial_;
  std::string errors_;
  std::function<void(std::string_view)> on_error_line_;
  std::string error_line_;  // so far
  std::map<std::uint64_t, QuestionPtr> in_flight_;
  bool is_reserved_ = false;
  WorkerClock::time_point last_answer_ = WorkerClock::now();
};

}  // namespace

/// All but `arrived_` and `is_ending_` belongs to the thread.
class Worker::Pool {
 public:
  explicit Pool(WorkerOptions options) : options_(std::move(options)), processes_(options_.processes) {
    wake_ = make_pipe();
    make_nonblocking(wake_.read);
    make_nonblocking(wake_.write);
  }

  void add(std::string_view question, Done done) {
    auto made = std::make_unique<Question>();
    // Behind the brace.
    const std::string_view members = trim(question).substr(1);
    const char* comma = trim(members) == "}" ? "" : ",";
    made->done = std::move(done);
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      if (!is_ending_) {
        made->id = ++last_id_;
        made->line = fmt::format("{{\"id\":{}{}{}\n", made->id, comma, members);
        was_empty = arrived_.empty();
        arrived_.push_back(std::move(made));
      }
    }
    if (made) return answer_question(std::move(made), {.error = ended()});
    if (was_empty) wake();
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake();
  }

  void run() {
    // A process that reads no more must not end this one.
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (take_arrived()) {
      for (auto& process : processes_) attend(process);
      feed();
      wait();
    }
    end_processes();
    for (auto& process : processes_) {
      if (!process) continue;
      for (auto& [id, question] : process->in_flight()) answer_question(std::move(question), {.error = ended()});
    }
    processes_.clear();
    for (auto* queue : {&fresh_, &suspects_}) {
      for (QuestionPtr& question : *queue) answer_question(std::move(question), {.error = ended()});
    }
  }

 private:
  using ProcessPtr = std::unique_ptr<WorkerProcess>;

  static std::exception_ptr ended() {
    return std::make_exception_ptr(StateError("the command was ended before it answered, because nobody needs it any more"));
  }

  void wake() const {
    const char byte = 0;
    while (::write(wake_.write.number(), &byte, 1) < 0 && errno == EINTR) {
    }
  }

  /// False in the end.
  bool take_arrived() {
    const std::lock_guard lock(mutex_);
    for (QuestionPtr& question : arrived_) fresh_.push_back(std::move(question));
    arrived_.clear();
    return !is_ending_;
  }

  void wait() {
    std::vector<pollfd> polled{{wake_.read.number(), POLLIN, 0}};
    auto until = WorkerClock::time_point::max();
    for (const ProcessPtr& process : processes_) {
      if (!process) continue;
      process->add_to(polled);
      if (!process->in_flight().empty())
        until = std::min({until, process->deadline(options_.timeout), WorkerClock::now() + look_interval});
    }
    int span = -1;
    if (until != WorkerClock::time_point::max()) {
      const auto left = std::chrono::ceil<milliseconds>(until - WorkerClock::now()).count();
      span = static_cast<int>(std::max<std::int64_t>(left, 0));
    }
    ::poll(polled.data(), static_cast<nfds_t>(polled.size()), span);
    std::array<char, 256> bytes{};
    while (::read(wake_.read.number(), bytes.data(), bytes.size()) > 0) {
    }
  }

  void attend(ProcessPtr& process) {
    if (!process) return;
    process->write();
    auto loss = process->read([&](std::string_view line) { return take_line(*process, number_of(process), line); });
    const bool is_silent = !process->in_flight().empty() && WorkerClock::now() >= process->deadline(options_.timeout);
    if (!loss && is_silent) loss = loss_by_silence(*process);
    if (loss) lose(process, *std::move(loss));
  }

  Loss loss_by_silence(WorkerProcess& process) {
    Loss loss{fmt::format("it did not answer within {} s", static_cast<double>(options_.timeout.count()) / 1000),
              weight_of_silence};
    const std::string begun = process.begun_line();
    if (!begun.empty()) {
      loss.text += fmt::format(", but has begun a line: {}; an answer is a line, which ends with \"\\n\"", in_quotes(begun));
    } else if (process.speaks_at_end_of_input()) {
      loss.text +=
          ", but did when its input ended: an answer must not wait for further questions, and has to be flushed at once "
          "(print(…, flush=True) in Python, fflush() in awk, --unbuffered for jq)";
      loss.is_lasting = true;
    }
    if (!has_answered_ && !loss.is_lasting) {
      loss.is_lasting = ++silences_ >= most_failures_without_answer;
    }
    return loss;
  }

  std::optional<Loss> take_line(WorkerProcess& process, std::size_t number, std::string_view line) {
    if (trim(line).empty()) return std::nullopt;
    auto reply = parse_or_discard<nlohmann::ordered_json>(line);
    if (!reply.is_object()) return Loss{line_problem(line)};
    const auto id = reply.find("id");
    const auto asked = id != reply.end() && id->is_number_integer() ? process.in_flight().find(id->get<std::uint64_t>())
                                                                    : process.in_flight().end();
    if (asked == process.in_flight().end()) {
      const bool is_number = id != reply.end() && id->is_number_integer();
      return Loss{fmt::format("it wrote an answer {}: {}; each answer has the \"id\" of its question, a number, once",
                              id == reply.end() ? "without an \"id\""
                              : is_number       ? "with an \"id\" that is not waited for"
                                                : "with an \"id\" that is no whole number",
                              in_quotes(line))};
    }
    QuestionPtr question = std::move(asked->second);
    process.in_flight().erase(asked);
    process.note_answer();
    has_answered_ = true;
    answer_question(std::move(question), {.reply = std::move(reply), .process = number});
    return std::nullopt;
  }

  /// What was in flight alone is to blame for it; what was not is asked again, alone.
  void lose(ProcessPtr& process, Loss loss) {
    process->end();
    std::string text = fmt::format("the command {} gave no answer: {}{}", in_quotes(join(options_.command, " ")), loss.text,
                                   process->error_output());
    if (options_.shown) text = options_.shown(text);
    auto in_flight = std::move(process->in_flight());
    process.reset();
    const bool is_alone = in_flight.size() == 1;
    if (loss.is_lasting && !has_answered_) broken_ = text;
    for (auto& [id, question] : in_flight) {
      if (is_alone) question->weight += loss.weight;
      if (question->weight < most_weight && broken_.empty()) {
        // At once again, so that a command that is broken is known soon; after others, where it takes long.
        const bool is_next = is_alone && loss.weight != weight_of_silence;
        is_next ? suspects_.push_front(std::move(question)) : suspects_.push_back(std::move(question));
        continue;
      }
      if (!has_answered_ && ++failures_ >= most_failures_without_answer) broken_ = text;
      answer_question(std::move(question), {.problem = text});
    }
  }

  void feed() {
    for (auto* queue : {&suspects_, &fresh_}) {
      while (!broken_.empty() && !queue->empty()) fail_next(*queue, {.problem = broken_});
    }
    // While some have to be asked alone, nothing else is asked, so that their turn comes.
    while (!suspects_.empty()) {
      ProcessPtr* idle = least_busy(1);
      if (idle == nullptr || !give(*idle, suspects_)) break;
    }
    while (suspects_.empty() && !fresh_.empty()) {
      ProcessPtr* free = least_busy(options_.max_in_flight);
      if (free == nullptr || !give(*free, fresh_)) break;
    }
    for (const ProcessPtr& process : processes_) {
      if (process) process->write();
    }
  }

  /// One with fewer than `limit` in flight and none that has to be alone.
  ProcessPtr* least_busy(std::size_t limit) {
    ProcessPtr* best = nullptr;
    std::size_t least = limit;
    for (ProcessPtr& process : processes_) {
      const std::size_t count = process ? process->in_flight().size() : 0;
      if (count >= least || (process && process->is_reserved())) continue;
      least = count;
      best = &process;
    }
    return best;
  }

  /// False where no process can be started: then all that waits fails.
  bool give(ProcessPtr& process, std::deque<QuestionPtr>& queue) {
    try {
      if (!process) process = std::make_unique<WorkerProcess>(options_, number_of(process));
    } catch (const Error&) {
      const std::exception_ptr error = std::current_exception();
      for (auto* waiting : {&suspects_, &fresh_}) {
        while (!waiting->empty()) fail_next(*waiting, {.error = error});
      }
      return false;
    }
    if (options_.on_question) call_back(options_.on_question, number_of(process));
    process->give(std::move(queue.front()), &queue == &suspects_);
    queue.pop_front();
    return true;
  }

  std::size_t number_of(const ProcessPtr& process) const { return static_cast<std::size_t>(&process - processes_.data()); }

  static void fail_next(std::deque<QuestionPtr>& queue, Answer answer) {
    QuestionPtr question = std::move(queue.front());
    queue.pop_front();
    answer_question(std::move(question), std::move(answer));
  }

  void end_processes() {
    const auto all_over = [this] {
      return std::all_of(processes_.begin(), processes_.end(), [](const ProcessPtr& each) { return !each || each->is_over(); });
    };
    const auto wait_for_end = [&] {
      const auto latest = WorkerClock::now() + patience;
      while (!all_over() && WorkerClock::now() < latest) {
        for (const ProcessPtr& process : processes_) {
          if (process) process->hear_errors();
        }
        std::this_thread::sleep_for(milliseconds(2));
      }
    };
    for (const ProcessPtr& process : processes_) {
      if (process) process->close_input();
    }
    wait_for_end();
    for (const ProcessPtr& process : processes_) {
      if (process) process->signal_group(SIGTERM);
    }
    wait_for_end();
    for (const ProcessPtr& process : processes_) {
      if (process) process->end();
    }
  }

  const WorkerOptions options_;
  WorkerPipe wake_;
  std::mutex mutex_;
  std::vector<QuestionPtr> arrived_;
  std::uint64_t last_id_ = 0;
  bool is_ending_ = false;

  std::vector<ProcessPtr> processes_;
  std::deque<QuestionPtr> fresh_;
  std::deque<QuestionPtr> suspects_;
  bool has_answered_ = false;
  int failures_ = 0;
  int silences_ = 0;
  std::string broken_;
};

Worker::Worker(WorkerOptions options) {
  if (options.command.empty() || options.command[0].empty())
    throw ValueError("a command needs a program to run, and it may have arguments: {\"python3\", \"metric.py\"}");
  if (options.processes == 0) throw ValueError("a command needs at least one process");
  if (options.max_in_flight == 0) throw ValueError("a command needs at least one question in flight");
  expect_span(options.timeout, "the timeout of a command");
  pool_ = std::make_shared<Pool>(std::move(options));
}

Worker::~Worker() {
  if (!origin_.is_here()) {
    keep_for_ever(std::make_shared<std::pair<std::shared_ptr<Pool>, std::thread>>(pool_, std::move(thread_)));
    return;
  }
  pool_->end();
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Worker::ask(std::string_view question, Done done) {
  if (!origin_.is_here()) throw Origin::error("the command");
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = start_thread("talking to a command", [pool = pool_] { pool->run(); });
  }
  pool_->add(question, std::move(done));
}

void kill_worker_processes() noexcept {
  LiveGroups& live = live_groups();
  const std::lock_guard lock(live.mutex);
  for (const pid_t group : live.groups) ::kill(-group, SIGKILL);
}

}  // namespace tgd::detail
