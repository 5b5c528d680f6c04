// What one call adds to sums over many. Private to the library and the program.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/receipt.hpp>

namespace tgd::lm::detail {

/// Whether a call was sent, and cancelled before it had come to an end: nobody knows what it has used.
bool was_abandoned(const Outcome& outcome);

/// How many calls were made for what, and how many a cache answered.
struct CallCounts {
  std::map<std::string, std::int64_t> by_purpose = {};
  std::int64_t cached = 0;

  void add(const std::string& purpose, const Receipt& receipt) {
    if (receipt.original_usage) {
      ++cached;
    } else if (receipt.sent()) {
      ++by_purpose[purpose];
    }
  }

  friend bool operator==(const CallCounts&, const CallCounts&) = default;
};

/// The sum over one call. Models of users that give no usage are counted all the same. `cost`: nothing where it is unknown.
inline ModelCost cost_of_call(const Usage& usage, const std::optional<Cost>& cost, bool failed) {
  ModelCost call{.usage = usage, .failed = failed ? 1 : 0, .cost = cost.value_or(Cost()), .unknown_calls = cost ? 0 : 1};
  call.usage.calls = std::max<std::int64_t>(1, call.usage.calls);
  return call;
}

}  // namespace tgd::lm::detail
