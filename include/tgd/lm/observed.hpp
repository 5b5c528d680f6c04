// Observed: keeps a ledger of every call: who asked, how long it took, how many tokens it used, what it cost, how it ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/on_fault.hpp>
#include <tgd/lm/prices.hpp>
#include <tgd/notice.hpp>

namespace tgd::lm {

/// One call in a ledger: what was asked by whom, what came, and when. A value type.
struct CallRecord {
  enum class Status { ok, error, cancelled, refused };

  std::chrono::system_clock::time_point time = {};  ///< when it began
  CallInfo info = {};
  std::string provider = {};
  std::string model = {};  ///< that was asked for
  Json args = {};          ///< completion arguments of the request
  std::uint64_t sample = 0;
  std::string request_hash = {};  ///< equal for equal requests; 64 hexadecimal digits
  bool streamed = false;
  Status ending = Status::ok;
  std::string error_type = {};     ///< empty for a reply
  std::string error_message = {};  ///< empty for a reply
  Receipt receipt = {};
  std::string response_model = {};
  std::string finish_reason = {};
  std::vector<Message> messages = {};     ///< of the request; only when texts were asked for
  std::vector<std::string> replies = {};  ///< the reply and its alternatives; only when texts were asked for
};

/// What a ledger keeps, and where.
struct LedgerOptions {
  std::filesystem::path path = {};  ///< empty: no file, totals and callback only
  PriceTable prices = {};
  bool include_text = false;
  OnFault on_fault = OnFault::stop;
  std::chrono::milliseconds flush_after{200};
  /// Called with each call before its caller gets the outcome, from any thread, perhaps several at once and perhaps the model's
  /// I/O thread: it must not block and must not throw.
  std::function<void(const CallRecord&)> on_call = {};
  OnNotice on_notice = {};
};

/// Keeps the records of calls, shared by any number of models. Every member may be called from any thread.
class TGD_API Ledger {
 public:
  /// Throws ValueError for a file that cannot be opened or holds something else, unless it goes on with a notice.
  explicit Ledger(LedgerOptions options);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  /// Writes what is left. What cannot be written is reported to on_notice.
  ~Ledger();

  /// Adds one call. Never waits for the disk.
  void add(const CallRecord& record);
  /// Settles what a call cost, where that is not decided yet, and counts it by model.
  void count(const std::string& model, Outcome& outcome);

  CostReport totals() const { return meter_.report(); }
  /// Waits until everything is on the disk. Throws StateError when it cannot be written.
  void flush();
  /// Why calls are refused at the moment; empty when they are not.
  std::string fault() const;
  /// How many lines could not be written and are gone.
  std::int64_t lost() const;
  bool includes_text() const noexcept { return include_text_; }

 private:
  struct Writer;

  CostMeter meter_;
  bool include_text_;
  std::function<void(const CallRecord&)> on_call_;
  std::unique_ptr<Writer> writer_;  // null without a file
};

/// One JSON line of a ledger, without the newline.
TGD_API std::string to_json_line(const CallRecord& record);

/// The lines of a ledger; a last one that a crash cut off is passed over. Throws ValueError when the file cannot be read, and
/// ParseError with file and line for a line that is no JSON object.
TGD_API std::vector<Json> read_ledger(const std::filesystem::path& file);

/// Keeps a ledger of every call: who asked, how long it took, how many tokens it used, what it cost, how it ended.
///
///     auto ledger = std::make_shared<lm::Ledger>(lm::LedgerOptions{.path = "run/calls.jsonl"});
///     auto model = std::make_shared<lm::Observed>(openai, ledger);
///     …
///     std::cout << ledger->totals().text();
///
/// The file is JSON Lines, one call a line in the order in which calls end, with the attribute names of OpenTelemetry's
/// semantic conventions for generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/) and further ones below "tgd.":
///
///     timestamp (of the call's beginning, RFC 3339, UTC), gen_ai.operation.name, gen_ai.provider.name, gen_ai.request.*,
///     gen_ai.response.model, gen_ai.response.finish_reasons, gen_ai.usage.input_tokens, gen_ai.usage.output_tokens,
///     gen_ai.usage.cache_read.input_tokens, gen_ai.usage.reasoning.output_tokens (all absent when the endpoint gave none),
///     error.type (an HTTP status, or an LMError's kind, "budget", "_OTHER"), error.message,
///     tgd.purpose, tgd.node, tgd.parameter, tgd.item, tgd.sample, tgd.attempts, tgd.latency_s, tgd.cost_usd (null: unknown),
///     tgd.outcome ("ok", "error", "cancelled", "refused"), tgd.cached, tgd.streamed, tgd.request.hash.
///
/// Texts of requests and replies are left out unless asked for. Headers and keys are never written.
///
/// Durability: lines are written by a thread of the ledger, at most `flush_after` behind, each batch whole: a line that a crash
/// cut off is removed when the file is next opened, and read_ledger() passes over it. Several processes may share a file.
/// Errors: see OnFault. With `stop` a line that cannot be written is kept and tried again, and until that succeeds no further
/// call is sent: each ends with a StateError. With `go_on` such lines are lost and counted.
/// Thread-safety: every member of Ledger and Observed may be called from any thread.
class TGD_API Observed : public CallDecorator {
 public:
  /// Throws ValueError without a model or a ledger.
  Observed(ChatModelPtr model, std::shared_ptr<Ledger> ledger);

  void start_call(Call call, OnText on_text, Done done) override;

  const std::shared_ptr<Ledger>& ledger() const noexcept { return ledger_; }

 private:
  std::shared_ptr<Ledger> ledger_;
};

}  // namespace tgd::lm
