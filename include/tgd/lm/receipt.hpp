// Receipt: what is known of a call when it has ended, for whoever caches, records, counts or limits calls.
#pragma once

#include <chrono>
#include <optional>

#include <tgd/export.hpp>
#include <tgd/lm/cost.hpp>
#include <tgd/lm/usage.hpp>

namespace tgd::lm {

/// What the end of a reply means, whatever word the endpoint has for it.
enum class ReplyEnd {
  whole,     ///< all that the model had to say
  cut,       ///< a limit of tokens, or the end of the model's window, came first
  filtered,  ///< a filter withheld it or broke it off, or the model refused
  failed,    ///< the endpoint gave up in the middle
  tool       ///< the model called a tool instead of answering
};

/// Who gave the outcome of a call.
enum class ReplySource {
  endpoint,  ///< the model itself
  cache,     ///< a cache, which had the reply from an earlier call
  flight,    ///< an equal call that was on its way at the same time
  cassette,  ///< a recording, with the figures of the call that was recorded
  journal    ///< the journal of a run that goes on, with the figures of the call that it holds
};

/// "endpoint", "cache", …
TGD_API const char* to_string(ReplySource source);

/// What is known of a call when it has ended, for whoever caches, records, counts or limits calls.
/// Thread-safety: a value type.
struct TGD_API Receipt {
  /// Of this call, all its attempts included. Models of users may leave it empty.
  Usage usage = {};
  /// What the call cost. Decided once, by the first who knows a price; nothing: unknown, or not decided yet.
  std::optional<Cost> cost = {};
  ReplySource source = ReplySource::endpoint;
  /// Present when the reply was there already and nothing was sent for this call: what it had used when it was asked for. `usage`
  /// holds no tokens then.
  std::optional<Usage> original_usage = {};
  /// Refused before it was sent, by a budget or because the run ends. Such a call is no call: it counts nowhere.
  bool refused = false;
  /// From the beginning of the call to its end, as the outermost model saw it. 0 where no CallDecorator stands before the model.
  std::chrono::duration<double> seconds{0};
  /// How the reply ended; nothing when there is none, because the call failed.
  std::optional<ReplyEnd> end = {};

  /// Whether something was sent, and has to be paid for. A reply that was there already, a call that was cancelled in the queue and
  /// one that was refused sent nothing. Calls of models that give no usage count as sent.
  bool sent() const;
};

}  // namespace tgd::lm
