// The part of a report's data document that is about calls.
#pragma once

#include <optional>

#include "report/run_record.hpp"

namespace tgd::cli {

/// {"groups", "over_time", "slowest", "costliest", "failed", "failures", "errors"}; null without calls.
OrderedJson calls_data(const std::vector<CallLine>& calls);

/// {"calls", "failed", "input", "output", "cost" (null: unknown), "known_cost", "unknown_calls", "unknown_models"}; null without
/// calls.
OrderedJson usage_data(const std::vector<CallLine>& calls);

template <class T>
OrderedJson or_null(const std::optional<T>& value) {
  return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

}  // namespace tgd::cli
