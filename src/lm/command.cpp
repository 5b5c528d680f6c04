#include <tgd/lm/command.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>
#include <tgd/lm/cost.hpp>

#include "core/append_file.hpp"
#include "core/brackets.hpp"
#include "core/file.hpp"
#include "core/json_parser.hpp"
#include "core/one_line.hpp"
#include "core/seconds.hpp"
#include "core/sha256.hpp"
#include "core/text.hpp"
#include "core/worker.hpp"
#include "lm/command_hooks.hpp"
#include "lm/exactly_once.hpp"
#include "net/secrets.hpp"

namespace tgd::lm {

namespace {

using tgd::detail::Worker;
using Value = nlohmann::ordered_json;

constexpr std::uint64_t most_script_bytes = std::uint64_t{64} << 20U;
constexpr std::size_t most_error_bytes = std::size_t{16} << 20U;

LMError unusable(const std::string& text) { return {LMError::Kind::unreadable, text}; }

/// The digests of the files that a command line names.
Value digests_of(const CommandOptions& options) {
  Value digests = Value::object();
  for (const std::string& argument : options.run) {
    const std::filesystem::path file = options.folder / argument;
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) continue;
    try {
      digests[argument] = tgd::detail::sha256(tgd::detail::read_file(file, most_script_bytes));
    } catch (const ValueError&) {
      // Whether it can be run will be seen.
    }
  }
  return digests;
}

/// What an answer says that it took; nothing for figures that cannot be.
std::optional<Usage> usage_in(const Value& answer) {
  Usage usage{.calls = 1, .attempts = 1, .reported = 1};
  const auto said = answer.find("usage");
  if (said == answer.end() || said->is_null()) return usage;
  if (!said->is_object()) return std::nullopt;
  for (const auto& [name, figure] :
       {std::pair("prompt_tokens", &usage.prompt_tokens), std::pair("completion_tokens", &usage.completion_tokens)}) {
    const auto found = said->find(name);
    if (found == said->end()) continue;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > std::uint64_t{1} << 50U) return std::nullopt;
    *figure = found->get<std::int64_t>();
  }
  if (const auto cost = said->find("cost_usd"); cost != said->end()) {
    constexpr double most_usd = 1e6;
    const double usd = cost->is_number() ? cost->get<double>() : -1;
    if (!(usd >= 0 && usd <= most_usd)) return std::nullopt;
    usage.priced = 1;
    usage.cost_pico_usd = Cost::from_usd(usd).pico_usd();
  }
  return usage;
}

/// The lines that a command writes to standard error, in a file.
class ErrorLog {
 public:
  ErrorLog(std::filesystem::path path, std::shared_ptr<const net::Secrets> secrets)
      : path_(std::move(path)), secrets_(std::move(secrets)) {}

  void add(std::string_view line) {
    if (written_ > most_error_bytes) return;
    std::string text = secrets_->blank(line) + "\n";
    written_ += text.size();
    if (written_ > most_error_bytes) text = "[What follows is left out.]\n";
    try {
      if (!file_) file_.emplace(path_, tgd::detail::RecordFormat{.end = "\n"}, tgd::detail::Access::owner);
      file_->append(text);
    } catch (const Error&) {
      written_ = most_error_bytes + 1;  // its answers are what is wanted
    }
  }

 private:
  std::filesystem::path path_;
  std::shared_ptr<const net::Secrets> secrets_;
  std::optional<tgd::detail::AppendFile> file_;
  std::size_t written_ = 0;
};

}  // namespace

/// What callbacks share with the object.
class Command::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const CommandOptions& options, const detail::CommandHooks& hooks)
      : name_(tgd::detail::join(options.run, " ")),
        is_deterministic_(options.is_deterministic),
        identity_(Value{{"provider", "command"}, {"model", name_}, {"run", options.run}, {"files", digests_of(options)}}) {
    net::Secrets secrets;
    secrets.add_named(options.env);
    for (const std::string& secret : hooks.secrets) secrets.add(secret);
    secrets_ = std::make_shared<const net::Secrets>(std::move(secrets));
    trace_ = hooks.trace;
    tgd::detail::WorkerOptions made = worker_options(options);
    made.environment_of = hooks.environment;
    made.on_question = hooks.asked;
    worker_ = std::make_unique<Worker>(std::move(made));
  }

  const std::string& name() const { return name_; }
  const Json& identity() const { return identity_; }
  std::vector<std::string> secrets() const { return secrets_->values(); }

  void start(const Request& request, ChatModel::Done done) {
    // Kept by whoever waits for the answer.
    const ChatModel::Done once = detail::exactly_once(std::move(done));
    if (request.stop.stop_requested()) return once(cancelled());
    try {
      ChatModel::Done answered = once;
      if (request.stop.stop_possible()) {
        auto stop = std::make_shared<const Stop>(request.stop, [once] { once(cancelled()); });
        answered = [once, stop = std::move(stop)](Outcome outcome) { once(std::move(outcome)); };
      }
      const std::string question = question_of(request);
      is_deterministic_ ? ask_once(question, answered) : ask(question, answered);
    } catch (...) {
      once(Outcome(std::current_exception()));
    }
  }

  void forget(const Request& request) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(tgd::detail::sha256(question_of(request)));
    if (known != known_.end() && known->second.answer) known_.erase(known);
  }

 private:
  using Stop = std::stop_callback<std::function<void()>>;

  /// A question that is asked once: its answer, or who waits for it.
  struct Known {
    std::optional<std::string> answer = {};
    std::vector<ChatModel::Done> waiting = {};
  };

  tgd::detail::WorkerOptions worker_options(const CommandOptions& options) const {
    tgd::detail::WorkerOptions made{
        .command = options.run,
        .folder = options.folder,
        .environment = options.env,
        .processes = options.workers,
        .timeout = tgd::detail::span_of_seconds(options.timeout_seconds, "CommandOptions::timeout_seconds"),
        .max_in_flight = options.max_in_flight};
    if (!secrets_->empty()) made.shown = [secrets = secrets_](std::string_view text) { return secrets->blank_quoted(text); };
    if (options.error_file.empty()) return made;
    made.on_error_line = [log = std::make_shared<ErrorLog>(options.error_file, secrets_)](std::string_view line) {
      log->add(line);
    };
    return made;
  }

  static std::string question_of(const Request& request) {
    return request.messages.empty() ? std::string() : request.messages.back().content;
  }

  static Outcome cancelled() {
    return LMError(LMError::Kind::cancelled, "the call of the command was cancelled before it answered");
  }

  static Outcome outcome_of(std::string answer, const Usage& usage) {
    return Reply{.content = std::move(answer), .finish_reason = "stop", .usage = usage};
  }

  static bool is_json(const std::string& question) {
    return !tgd::detail::too_deep_at(question, false) && nlohmann::json::accept(question);
  }

  /// Line breaks can only stand between its tokens.
  static std::string on_one_line(std::string question) {
    std::replace_if(
        question.begin(), question.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    return question;
  }

  void ask(const std::string& question, ChatModel::Done done) {
    if (!tgd::detail::trim(question).starts_with('{') || !is_json(question))
      throw ValueError("a command is asked an object of JSON, but the request's last message is " +
                       tgd::detail::in_quotes(question));
    worker_->ask(question.find_first_of("\r\n") == question.npos ? question : on_one_line(question),
                 [done = std::move(done), trace = trace_](const Worker::Answer& answer) { done(outcome_of(answer, trace)); });
  }

  using TraceOf = std::function<Value(std::size_t process)>;

  static Outcome outcome_of(const Worker::Answer& answer, const TraceOf& trace) {
    if (answer.error) return answer.error;
    if (!answer.problem.empty()) return unusable(answer.problem);
    Value content = answer.reply;
    content.erase("id");
    if (trace) {
      Value seen = trace(answer.process);
      if (!seen.is_null() && !content.contains("trace")) content["trace"] = std::move(seen);
    }
    std::string text = content.dump(-1, ' ', false, Value::error_handler_t::replace);
    const auto usage = usage_in(content);
    if (!usage)
      return unusable(
          "the command gave no usable answer: its \"usage\" has to be an object such as {\"prompt_tokens\": 900, "
          "\"completion_tokens\": 40, \"cost_usd\": 0.002}: " +
          tgd::detail::in_quotes(text));
    return outcome_of(std::move(text), *usage);
  }

  void ask_once(const std::string& question, const ChatModel::Done& done) {
    const std::string key = tgd::detail::sha256(question);
    std::optional<std::string> answer;
    {
      const std::lock_guard lock(mutex_);
      const auto [known, is_new] = known_.try_emplace(key);
      answer = known->second.answer;
      if (!answer) known->second.waiting.push_back(done);
      if (!answer && !is_new) return;
    }
    // Nothing was asked for it.
    if (answer) return done(outcome_of(*std::move(answer), Usage{.calls = 1, .reported = 1}));
    try {
      ask(question, [core = weak_from_this(), key, done](const Outcome& outcome) {
        if (const auto alive = core.lock()) return alive->settle(key, outcome);
        done(outcome);
      });
    } catch (...) {
      settle(key, std::current_exception());
    }
  }

  void settle(const std::string& key, const Outcome& outcome) {
    std::vector<ChatModel::Done> waiting;
    {
      const std::lock_guard lock(mutex_);
      Known& known = known_.at(key);
      waiting.swap(known.waiting);
      if (outcome.ok()) {
        known.answer = outcome.value().content;
      } else {
        known_.erase(key);
      }
    }
    bool is_first = true;
    for (const ChatModel::Done& done : waiting) {
      const bool is_copy = !std::exchange(is_first, false) && outcome.ok();
      done(is_copy ? outcome_of(outcome.value().content, Usage{.calls = 1, .reported = 1}) : outcome);
    }
  }

  const std::string name_;
  const bool is_deterministic_;
  const Json identity_;
  std::shared_ptr<const net::Secrets> secrets_;
  TraceOf trace_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
  std::unique_ptr<Worker> worker_;  // the first to go: its callbacks use the others
};

Command::Command(CommandOptions options) : Command(options, detail::CommandHooks{}) {}

Command::Command(const CommandOptions& options, const detail::CommandHooks& hooks)
    : core_(std::make_shared<Core>(options, hooks)) {}

Command::~Command() = default;

void Command::start(Request request, Done done) {
  core_->start(request, [meter = meter_, done = std::move(done)](Outcome outcome) {
    meter->add(outcome.usage());
    done(std::move(outcome));
  });
}

void Command::reject(const Request& request) { core_->forget(request); }

std::string Command::model_name() const { return core_->name(); }
Json Command::identity() const { return core_->identity(); }
std::vector<std::string> Command::secrets() const { return core_->secrets(); }

}  // namespace tgd::lm
