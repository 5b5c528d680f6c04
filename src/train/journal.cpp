#include "train/journal.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/digest.hpp"
#include "core/file.hpp"
#include "core/json_reader.hpp"
#include "core/json_text.hpp"
#include "core/rethrow.hpp"
#include "core/saturating.hpp"
#include "lm/one_piece.hpp"
#include "lm/reply_json.hpp"

namespace tgd::detail {

namespace {

lm::Usage minus(lm::Usage a, const lm::Usage& b) { return a -= b; }

lm::ModelCost minus(const lm::ModelCost& a, const lm::ModelCost& b) {
  return {minus(a.usage, b.usage), saturated_difference(a.failed, b.failed), a.cost - b.cost,
          saturated_difference(a.unknown_calls, b.unknown_calls), a.has_price};
}

}  // namespace

void Journal::open(const std::filesystem::path& path, std::uint64_t interval) {
  const std::lock_guard lock(mutex_);
  fault_.clear();
  numbers_.clear();
  replies_.clear();
  interval_ = interval;
  file_.emplace(path, RecordFormat{.begin = "{", .end = "\n"}, Access::owner);  // which takes away what a crash cut off
  try {
    load(path);
  } catch (...) {
    rethrow_with_prefix(
        "the replies of this run cannot be used again (what stands on a line that is taken away is asked anew): ");
  }
}

// Lines of an interval that a checkpoint holds are passed over, and so is one that a crash cut off.
void Journal::load(const std::filesystem::path& path) {
  using Reader = JsonReader<nlohmann::ordered_json>;
  read_json_lines<nlohmann::ordered_json>(path, [this](const Reader& line) {
    if (line.at("interval").count() != interval_) return;
    const Reader reply = line.at("reply");
    replies_.insert_or_assign({line.at("call").text(), line.at("number").count()},
                              reply.in_place([&] { return lm::detail::answer_from_json(reply.json(), lm::ReplySource::journal); }));
  });
}

void Journal::begin_interval(std::uint64_t interval) {
  const std::lock_guard lock(mutex_);
  interval_ = interval;
  numbers_.clear();
  replies_.clear();
  if (file_) file_->cut(0);
}

void Journal::check() const {
  const std::lock_guard lock(mutex_);
  if (!fault_.empty()) throw ValueError(fault_);
}

Journal::Ticket Journal::enter(std::string call) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = numbers_[call]++;
  return {std::move(call), interval_, number};
}

std::optional<lm::Outcome> Journal::recall(const Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (ticket.interval != interval_) return std::nullopt;
  const auto found = replies_.find({ticket.call, ticket.number});
  return found != replies_.end() ? std::optional(found->second) : std::nullopt;
}

// What cannot be written must not keep the caller from its reply; the run ends at its next border instead.
void Journal::keep(const Ticket& ticket, const lm::Outcome& outcome) {
  const nlohmann::ordered_json line{{"interval", ticket.interval},
                                    {"call", ticket.call},
                                    {"number", ticket.number},
                                    {"reply", lm::detail::answer_to_json(outcome)}};
  const std::string text = json_text(line);
  const std::lock_guard lock(mutex_);
  if (!file_ || !fault_.empty() || ticket.interval != interval_) return;
  try {
    file_->append(text + "\n");
  } catch (const std::exception& error) {
    fault_ = error.what();
  }
}

lm::CostReport Journal::usage() const {
  lm::CostReport report = meter_.report();
  const std::lock_guard lock(mutex_);
  for (const auto& [model, cost] : earlier_.models) report.models[model] += cost;
  return report;
}

void Journal::set_usage(const lm::CostReport& usage) {
  lm::CostReport earlier = usage;
  for (const auto& [model, cost] : meter_.report().models) earlier.models[model] = minus(earlier.models[model], cost);
  const std::lock_guard lock(mutex_);
  earlier_ = std::move(earlier);
}

Tracked::Tracked(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal)
    : CallDecorator(std::move(model)), name_(std::move(name)), journal_(std::move(journal)) {}

// Who asks is part of the call: equal requests for two items get their own replies whatever arrives first.
Journal::Ticket Tracked::ticket(const lm::Call& call) const {
  const lm::CallInfo& info = call.request().info;
  Digest who;
  who.add(name_).add(info.purpose).add(info.node).add(info.parameter);
  if (info.item) who.add(*info.item);
  return journal_->enter(call.digest() + " " + who.pieces());
}

lm::ChatModel::Done Tracked::noting(std::optional<Journal::Ticket> ticket, const std::string& model, Done done) const {
  journal_->begin_call();
  return [journal = journal_, meter = meter_, ticket = std::move(ticket), model, done = std::move(done)](lm::Outcome outcome) {
    if (ticket && outcome.ok()) journal->keep(*ticket, outcome);
    journal->end_call(model, outcome);
    meter->add(outcome.usage());
    done(std::move(outcome));
  };
}

void Tracked::start_call(lm::Call call, OnText on_text, Done done) {
  const Journal::Ticket ticket = this->ticket(call);
  std::optional<lm::Outcome> reply = journal_->recall(ticket);
  if (reply) return lm::detail::give(on_text, noting(std::nullopt, call.model(), std::move(done)), *std::move(reply));
  Done note = noting(ticket, call.model(), std::move(done));
  inner().start_call(std::move(call), std::move(on_text), std::move(note));
}

void Tracked::set_usage(const lm::Usage& usage) { meter_->add(minus(usage, meter_->total())); }

}  // namespace tgd::detail
