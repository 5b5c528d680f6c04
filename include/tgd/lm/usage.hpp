// Token usage as endpoints report it, and a thread-safe meter for sums. Unit: tokens.
#pragma once

#include <cstdint>
#include <mutex>

#include <tgd/export.hpp>
#include <tgd/json.hpp>

namespace tgd::lm {

/// Usage of one call, or the sum over many. Absent figures count as 0; `reported` says how many calls reported any.
struct TGD_API Usage {
  std::int64_t calls = 0;     ///< completions asked for (attempts are counted apart)
  std::int64_t attempts = 0;  ///< HTTP requests or their equivalent, failed ones included
  std::int64_t reported = 0;  ///< calls whose answer carried token figures
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;  ///< part of prompt_tokens
  std::int64_t completion_tokens = 0;
  std::int64_t reasoning_tokens = 0;  ///< part of completion_tokens
  std::int64_t thoughtful = 0;        ///< calls whose reply came with thoughts
  /// Of replies without figures, by the length of their texts; in none of the figures above.
  std::int64_t estimated_prompt_tokens = 0;
  std::int64_t estimated_completion_tokens = 0;
  std::int64_t priced = 0;         ///< calls whose cost the endpoint itself said
  std::int64_t cost_pico_usd = 0;  ///< of these (1e-12 USD)

  /// What counts against a limit: the figures, and estimates of the replies that had none.
  std::int64_t counted_prompt_tokens() const;
  std::int64_t counted_completion_tokens() const;

  /// Sums and differences stay at the ends of the range; they never overflow.
  Usage& operator+=(const Usage& other);
  Usage& operator-=(const Usage& other);
  friend bool operator==(const Usage&, const Usage&) = default;

  Json to_json() const;
  /// Missing members count as 0. Throws ValueError when a member is not a whole number from 0 up.
  static Usage from_json(const Json& json);
};

/// Adds up usage from any thread.
class TGD_API UsageMeter {
 public:
  void add(const Usage& usage);
  Usage total() const;

 private:
  mutable std::mutex mutex_;
  Usage total_;
};

}  // namespace tgd::lm
