#include "report/calls.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "core/saturating.hpp"

namespace tgd::cli {

namespace {

constexpr std::size_t most_listed = 50;
constexpr std::size_t most_failures = 200;
constexpr std::size_t most_points = 240;
constexpr double longest_pause = 60;

bool has_failed(const CallLine& call) { return call.outcome != "ok"; }

/// Microseconds and a billionth of a dollar are enough, and shorter.
double dollars(double value) { return std::round(value * 1e9) / 1e9; }
double seconds(double value) { return std::round(value * 1e6) / 1e6; }

struct Totals {
  std::int64_t calls = 0;
  std::int64_t failed = 0;
  std::int64_t cached = 0;
  std::int64_t input = 0;
  std::int64_t output = 0;
  double cost = 0;
  std::int64_t unknown = 0;
  std::vector<double> latencies = {};

  void add(const CallLine& call) {
    ++calls;
    failed += has_failed(call) ? 1 : 0;
    cached += call.cached ? 1 : 0;
    input = detail::saturated_sum(input, call.input_tokens.value_or(0));
    output = detail::saturated_sum(output, call.output_tokens.value_or(0));
    cost += call.cost.value_or(0);
    unknown += call.cost ? 0 : 1;
    if (!call.cached) latencies.push_back(call.latency);
  }
};

OrderedJson quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return nullptr;
  const auto last = static_cast<double>(sorted.size() - 1);
  return seconds(sorted[static_cast<std::size_t>(std::lround(share * last))]);
}

OrderedJson groups(const std::vector<CallLine>& calls) {
  std::map<std::pair<std::string, std::string>, Totals> by_kind;
  for (const CallLine& call : calls) by_kind[{call.model, call.purpose}].add(call);
  OrderedJson rows = OrderedJson::array();
  for (auto& [kind, totals] : by_kind) {
    std::sort(totals.latencies.begin(), totals.latencies.end());
    rows.push_back(OrderedJson::array({kind.first, kind.second, totals.calls, totals.failed, totals.cached, totals.input,
                                       totals.output, dollars(totals.cost), totals.unknown, quantile(totals.latencies, 0.5),
                                       quantile(totals.latencies, 0.95), quantile(totals.latencies, 1)}));
  }
  return rows;
}

/// Sums up to each of some moments. A run that was gone on with the next day is not a day long.
OrderedJson over_time(const std::vector<CallLine>& calls) {
  OrderedJson points = OrderedJson::array();
  const std::size_t stride = (calls.size() + most_points - 1) / most_points;
  Totals totals;
  double elapsed = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) elapsed += std::clamp(calls[i].start - calls[i - 1].start, 0.0, longest_pause);
    totals.add(calls[i]);
    if (i % stride != 0 && i + 1 != calls.size()) continue;
    points.push_back(
        OrderedJson::array({seconds(elapsed), totals.calls, totals.failed, totals.input, totals.output, dollars(totals.cost)}));
  }
  return points;
}

OrderedJson row(const CallLine& call, double begin) {
  return OrderedJson::array({seconds(call.start - begin), seconds(call.latency), call.purpose, call.model,
                             or_null(call.input_tokens), or_null(call.output_tokens), or_null(call.cost), call.outcome,
                             call.error_type, call.error_message, call.attempts, call.parameter});
}

/// The first of the wanted calls, in an order of their own.
template <class Wanted, class Before>
OrderedJson first_of(const std::vector<CallLine>& calls, std::size_t most, Wanted wanted, Before before) {
  std::vector<const CallLine*> chosen;
  for (const CallLine& call : calls) {
    if (wanted(call)) chosen.push_back(&call);
  }
  const std::size_t size = std::min(most, chosen.size());
  std::partial_sort(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(size), chosen.end(),
                    [&](const CallLine* a, const CallLine* b) { return before(*a, *b); });
  OrderedJson rows = OrderedJson::array();
  for (std::size_t i = 0; i < size; ++i) rows.push_back(row(*chosen[i], calls.front().start));
  return rows;
}

/// How many failed, by kind, most frequent first.
OrderedJson errors(const std::vector<CallLine>& calls) {
  std::map<std::string, std::size_t> counts;
  for (const CallLine& call : calls) {
    if (has_failed(call)) ++counts[call.error_type.empty() ? call.outcome : call.error_type];
  }
  std::vector<std::pair<std::string, std::size_t>> kinds(counts.begin(), counts.end());
  std::stable_sort(kinds.begin(), kinds.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return kinds;
}

}  // namespace

OrderedJson calls_data(const std::vector<CallLine>& calls) {
  if (calls.empty()) return nullptr;
  const auto any = [](const CallLine&) { return true; };
  const auto is_paid = [](const CallLine& call) { return call.cost.value_or(0) > 0; };
  const auto is_slower = [](const CallLine& a, const CallLine& b) { return a.latency > b.latency; };
  const auto is_dearer = [](const CallLine& a, const CallLine& b) { return a.cost > b.cost; };
  const auto is_earlier = [](const CallLine& a, const CallLine& b) { return a.start < b.start; };
  return {{"groups", groups(calls)},
          {"over_time", over_time(calls)},
          {"slowest", first_of(calls, most_listed, any, is_slower)},
          {"costliest", first_of(calls, most_listed, is_paid, is_dearer)},
          {"failed", first_of(calls, most_failures, has_failed, is_earlier)},
          {"failures", std::count_if(calls.begin(), calls.end(), has_failed)},
          {"errors", errors(calls)}};
}

OrderedJson usage_data(const std::vector<CallLine>& calls) {
  if (calls.empty()) return nullptr;
  Totals totals;
  std::set<std::string> unknown_models;
  for (const CallLine& call : calls) {
    totals.add(call);
    if (!call.cost) unknown_models.insert(call.model);
  }
  return {{"calls", totals.calls},
          {"failed", totals.failed},
          {"input", totals.input},
          {"output", totals.output},
          {"cost", totals.unknown == 0 ? OrderedJson(dollars(totals.cost)) : OrderedJson(nullptr)},
          {"known_cost", dollars(totals.cost)},
          {"unknown_calls", totals.unknown},
          {"unknown_models", unknown_models}};
}

}  // namespace tgd::cli
