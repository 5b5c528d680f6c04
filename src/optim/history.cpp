#include "optim/history.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "optim/prompt/sections.hpp"

namespace tgd::optim {

std::string_view to_string(HistoryEntry::Status status) {
  using Status = HistoryEntry::Status;
  switch (status) {
    case Status::set:
      return "set";
    case Status::accepted:
      return "accepted";
    case Status::rejected:
      return "rejected";
    case Status::undone:
      return "undone";
  }
  return "";
}

std::string_view to_string(Aim aim) {
  switch (aim) {
    case Aim::any:
      return "any";
    case Aim::form:
      return "form";
    case Aim::confusion:
      return "confusion";
    case Aim::rule:
      return "rule";
    case Aim::shorter:
      return "shorter";
  }
  return "";
}

namespace detail {

namespace {

using Status = HistoryEntry::Status;

/// Whether the parameter has had the value and not lost it again.
bool is_taken(const UndoableEntry& record) {
  return record.entry.status == Status::set || record.entry.status == Status::accepted;
}

/// The record of the present value; null when there is none.
template <class Records>
auto* present_record(Records& history, const std::string& value) {
  const auto last = std::find_if(history.rbegin(), history.rend(), is_taken);
  return last != history.rend() && last->entry.value == value ? &*last : nullptr;
}

/// Records the present value where the program has set it.
void note_present_value(ParameterState& state) {
  const std::string& value = state.parameter.data().text();
  if (present_record(state.history, value) != nullptr) return;
  state.history.push_back({.entry = {.value = value, .status = Status::set, .score = state.present_score()}});
}

template <class Entry>
void keep_last(std::vector<Entry>& entries, std::size_t count) {
  if (entries.size() > count) entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(count));
}

UndoableEntry record_of(const ParameterUpdate& update, Status status, std::size_t step) {
  UndoableEntry record{.entry = {.value = update.new_value, .status = status, .step = step}};
  for (const Variable& gradient : update.gradients) record.entry.feedback.push_back(feedback_text(gradient));
  return record;
}

}  // namespace

ParameterState committed(ParameterState state, const ParameterUpdate& update, const TGDOptions& options, std::size_t step) {
  note_present_value(state);
  UndoableEntry record = record_of(update, Status::accepted, step);
  record.has_pair = options.momentum > 0;
  if (record.has_pair) state.momentum.push_back({state.parameter.detach(), update.gradients, state.present_score()});
  while (state.momentum.size() > options.momentum) {
    record.dropped.push_back(std::move(state.momentum.front()));
    state.momentum.erase(state.momentum.begin());
  }
  state.history.push_back(std::move(record));
  keep_last(state.history, options.history);
  if (!update.kept.empty() || !update.new_value.ends_with(state.kept)) state.kept = update.kept;
  return state;
}

void remember_rejected(ParameterState& state, const ParameterUpdate& update, const Rejection& rejection,
                       const TGDOptions& options) {
  note_present_value(state);
  UndoableEntry record = record_of(update, Status::rejected, rejection.steps + 1);
  record.entry.score = rejection.score;
  record.entry.reason = rejection.reason;
  state.history.push_back(std::move(record));
  keep_last(state.history, options.history);
  std::erase_if(state.rejected, [&](const RejectedProposal& other) { return other.value == update.new_value; });
  state.rejected.push_back({update.new_value, rejection.reason, rejection.score});
  keep_last(state.rejected, options.rejected);
}

void note_score(ParameterState& state, double score) {
  state.scored_value = state.parameter.data().text();
  state.score = score;
  if (UndoableEntry* present = present_record(state.history, state.scored_value)) present->entry.score = score;
}

std::size_t step_of_present_value(const ParameterState& state) {
  const UndoableEntry* present = present_record(state.history, state.parameter.data().text());
  return present != nullptr ? present->entry.step : 0;
}

Earlier before_last(const ParameterState& state) {
  Earlier earlier{state, {}};
  std::vector<UndoableEntry>& history = earlier.state.history;
  UndoableEntry* present = present_record(history, state.parameter.data().text());
  if (present == nullptr || present->entry.status != Status::accepted) {
    throw StateError(
        fmt::format("there is nothing to undo: the present value of \"{}\" did not come from this optimizer, or its history "
                    "(TGDOptions::history) does not reach back to it",
                    state.parameter.role()));
  }
  const auto end = history.begin() + (present - history.data());
  const auto before = std::find_if(std::make_reverse_iterator(end), history.rend(), is_taken);
  if (before == history.rend()) {
    throw StateError(fmt::format(
        "the value of \"{}\" cannot be undone: the history (TGDOptions::history) does not reach back to the one before",
        state.parameter.role()));
  }
  MomentumBuffer& momentum = earlier.state.momentum;
  if (present->has_pair && !momentum.empty()) momentum.pop_back();
  momentum.insert(momentum.begin(), present->dropped.begin(), present->dropped.end());
  present->entry.status = Status::undone;
  present->dropped.clear();
  earlier.value = before->entry.value;
  earlier.state.score = before->entry.score;
  earlier.state.scored_value = before->entry.value;
  return earlier;
}

void put_back(ParameterState& state, Earlier earlier) {
  state = std::move(earlier.state);
  state.parameter.set_data(std::move(earlier.value));
}

}  // namespace detail

}  // namespace tgd::optim
