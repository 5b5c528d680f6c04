// Journal: counts what the tracked models of a run use, and keeps their replies since the last checkpoint, so that a run which
// was killed gets them again instead of paying for them twice.
//
// One line a reply: {"interval": 12, "call": "<Call::digest(), the model's name in the run and who asks>", "number": 0,
// "reply": {...}}. An interval lies between two checkpoints; lines of another one are stale. `number` tells equal calls of one interval apart, in the order of their start.
// Thread-safety: every member may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/decorator.hpp>

#include "core/append_file.hpp"

namespace tgd::detail {

class Journal {
 public:
  explicit Journal(lm::PriceTable prices) : meter_(std::move(prices)) {}

  /// Replies of `interval` in the file are given again; new ones are added to it.
  void open(const std::filesystem::path& path, std::uint64_t interval);
  /// A checkpoint holds everything up to now.
  void begin_interval(std::uint64_t interval);
  /// Throws the error of a reply that could not be written.
  void check() const;

  struct Ticket {
    std::string call;
    std::uint64_t interval = 0;
    std::uint64_t number = 0;
  };
  /// The next of equal calls.
  Ticket enter(std::string call);
  /// The reply that the journal holds, if any.
  std::optional<lm::Outcome> recall(const Ticket& ticket);
  /// `outcome`: a reply.
  void keep(const Ticket& ticket, const lm::Outcome& outcome);

  void begin_call() noexcept { ++in_flight_; }
  void end_call(const std::string& model, lm::Outcome& outcome) {
    lm::settle_cost(outcome, meter_.prices(), model);
    meter_.add(model, outcome);
    --in_flight_;
  }
  std::int64_t calls_in_flight() const noexcept { return in_flight_; }
  /// Since the beginning of the run, earlier sessions included.
  lm::CostReport usage() const;
  void set_usage(const lm::CostReport& usage);

 private:
  void load(const std::filesystem::path& path);

  lm::CostMeter meter_;
  std::atomic<std::int64_t> in_flight_ = 0;
  mutable std::mutex mutex_;
  lm::CostReport earlier_;  // less what the meter had counted by then
  std::optional<AppendFile> file_;
  std::uint64_t interval_ = 0;
  std::map<std::string, std::uint64_t> numbers_;
  std::map<std::pair<std::string, std::uint64_t>, lm::Outcome> replies_;
  std::string fault_;
};

class Tracked final : public lm::CallDecorator {
 public:
  Tracked(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal);

  void start_call(lm::Call call, OnText on_text, Done done) override;
  lm::Usage usage() const override { return meter_->total(); }
  void add_usage(const lm::Usage& usage) override { meter_->add(usage); }

  const std::string& name() const noexcept { return name_; }
  void set_usage(const lm::Usage& usage);

 private:
  Journal::Ticket ticket(const lm::Call& call) const;
  /// `ticket`: of a reply that is new to the journal.
  Done noting(std::optional<Journal::Ticket> ticket, const std::string& model, Done done) const;

  std::string name_;
  std::shared_ptr<Journal> journal_;
  std::shared_ptr<lm::UsageMeter> meter_ = std::make_shared<lm::UsageMeter>();
};

}  // namespace tgd::detail
