// The language models of a task, as a command reaches them.
// Errors: TaskError for settings that no model can be made of.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/lm/recorded.hpp>
#include <tgd/notice.hpp>

#include "lm/money/call_counts.hpp"
#include "task/document.hpp"

namespace tgd::cli {

class Interruptible;
class Proxy;
struct Task;

/// Said wherever a simulation answers in place of a model.
inline constexpr const char* simulation_warning =
    "WARNING: no language model answers here, but a simulation; name a model in the task, or with --model or --base-url";

/// The models of a task by name; "student", "teacher" and "judge" are always there.
using NamedModels = std::map<std::string, lm::ChatModelPtr>;

/// The providers that a task can name.
std::vector<std::string> model_providers();

/// Settings of the command line, which go over those of the task.
struct ModelFlags {
  std::optional<std::string> base_url = {};
  std::optional<std::string> model = {};
  std::optional<std::size_t> max_in_flight = {};
  std::optional<int> max_retries = {};
  std::optional<double> timeout_seconds = {};
  bool no_cache = false;
  bool proxy = false;                     ///< as StageSpec::has_proxy
  std::optional<std::size_t> limit = {};  ///< the most samples of each part
};

/// Throws TaskError, which names the option, for a URL with what may be a credential: files are no place for it.
void expect_no_credentials(const std::string& base_url, const std::string& option);

/// With --base-url or --model one endpoint plays all roles. Throws TaskError for --proxy where there is no program.
void apply(const ModelFlags& flags, Task& task);

using lm::detail::CallCounts;

/// Counts calls from any thread.
class CallCounter {
 public:
  void add(const lm::CallRecord& record) {
    const std::lock_guard lock(mutex_);
    counts_.add(record.info.purpose, record.receipt);
  }
  CallCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }
  /// However it was answered.
  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto& [purpose, count] : counts().by_purpose) sum += count;
    return sum;
  }

  /// At the endpoint itself: what waits for its turn, or a cache answers, never is.
  void begin() noexcept { ++in_flight_; }
  void end() noexcept {
    ++sent_;
    --in_flight_;
  }
  std::int64_t in_flight() const noexcept { return in_flight_; }
  /// Calls that have come back from there.
  std::int64_t sent() const noexcept { return sent_; }

 private:
  mutable std::mutex mutex_;
  CallCounts counts_;
  std::atomic<std::int64_t> in_flight_ = 0;
  std::atomic<std::int64_t> sent_ = 0;
};

struct ModelOptions {
  ModelFlags flags = {};
  std::stop_token stop = {};  ///< see Interruptible
  /// Gets each fault of an endpoint that is no single request's, unless a program's own calls go through tgd: those are the program's.
  std::function<void(const LMError&)> on_fault = {};
  std::shared_ptr<lm::Cassette> cassette = {};  ///< records what is asked; in replay no other model is made
  OnNotice on_notice = {};                      ///< what endpoints do that is no error
  std::filesystem::path run_folder = {};        ///< where the standard error of commands goes; empty: nowhere
};

/// From the inside: the endpoint, the budget, the cache, the cassette, the queue that Ctrl-C empties. The one ledger before them is
/// that of whoever uses them.
struct Models {
  NamedModels by_name;  ///< names of one model share an object
  lm::PriceTable prices;
  std::shared_ptr<lm::Budget> budget;  ///< null: none
  std::shared_ptr<lm::Cache> cache;    ///< null: none
  std::shared_ptr<CallCounter> counter;
  std::shared_ptr<Proxy> proxy = nullptr;             ///< null: none; its calls are the student's
  std::string proxied = {};                           ///< the name of the program whose calls go through tgd; empty: none
  lm::ChatModelPtr metric = nullptr;                  ///< of a task with a metric by command; null: none
  std::map<std::string, std::size_t> in_flight = {};  ///< by name: how many calls a model is given at the same time
  std::vector<std::shared_ptr<Interruptible>> queues = {};

  const lm::ChatModelPtr& at(const std::string& name) const { return by_name.at(name); }
  /// Each model once, under the first of its names: student, teacher, judge, then others.
  std::vector<std::pair<std::string, lm::ChatModelPtr>> distinct() const;
  /// Puts `wrap(name, model)` in the place of each model, once for each.
  void wrap(const std::function<lm::ChatModelPtr(const std::string&, lm::ChatModelPtr)>& wrap);
  /// The same for the metric by command, if the task has one.
  void wrap_metric(Task& task, const std::function<lm::ChatModelPtr(lm::ChatModelPtr)>& wrap);
  /// After a stop, which lets none begin: until none is under way. What they call back uses what the program is about to take down.
  void wait_for_calls() const;
  /// "student and teacher openai/gpt-4o-mini, judge openai/gpt-4o".
  std::string text() const;
  bool is_simulated() const;
};

/// Those of stages that are commands, too, by StageSpec::model; and the task's EvaluatorSpec::metric.
Models make_models(Task& task, const ModelOptions& options);

/// Adds up what all models use from now on, and what it costs; Models::counter, what for.
std::shared_ptr<lm::Ledger> meter(Models& models);

}  // namespace tgd::cli
