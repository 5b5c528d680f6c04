#include "lm/openai/thoughts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/one_line.hpp"
#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

struct Marks {
  std::string_view begin;
  std::string_view end;
};

// In lower case. DeepSeek, Qwen, GLM and most others; QwQ and its kin; Magistral; Kimi; Seed; Command; gpt-oss as it writes it.
constexpr std::array all_marks = {
    Marks{"<think>", "</think>"},
    Marks{"<thinking>", "</thinking>"},
    Marks{"<thought>", "</thought>"},
    Marks{"<thoughts>", "</thoughts>"},
    Marks{"<reasoning>", "</reasoning>"},
    Marks{"<|begin_of_thought|>", "<|end_of_thought|>"},
    Marks{"[think]", "[/think]"},
    Marks{"◁think▷", "◁/think▷"},
    Marks{"<seed:think>", "</seed:think>"},
    Marks{"<longcat_think>", "</longcat_think>"},
    Marks{"<inner_thoughts>", "</inner_thoughts>"},
    Marks{"<reflection>", "</reflection>"},
    Marks{"<unused94>", "<unused95>"},
    Marks{"<|channel>thought", "<channel|>"},
    Marks{"<|start_thinking|>", "<|end_thinking|>"},
    Marks{"<|channel|>analysis<|message|>", "<|channel|>final<|message|>"},
    Marks{"<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>final<|message|>"},
};

constexpr std::string_view blanks = " \t\r\n";

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

const Marks* beginning_at(std::string_view lowered, std::size_t at) {
  const auto found = std::find_if(all_marks.begin(), all_marks.end(),
                                  [&](const Marks& marks) { return lowered.substr(at).starts_with(marks.begin); });
  return found == all_marks.end() ? nullptr : &*found;
}

/// The first end whose beginning does not stand before it.
std::optional<std::pair<std::size_t, std::string_view>> end_alone(std::string_view lowered) {
  std::optional<std::pair<std::size_t, std::string_view>> first;
  for (const Marks& marks : all_marks) {
    const std::size_t at = lowered.find(marks.end);
    if (at == std::string_view::npos || lowered.find(marks.begin) < at) continue;
    if (!first || at < first->first) first = {at, marks.end};
  }
  return first;
}

}  // namespace

SplitReply split_thoughts(std::string_view text) {
  const std::string lowered = tgd::detail::lower_case(text);
  std::string reasoning;
  const auto add = [&](std::size_t begin, std::size_t end) {
    const std::string_view thought = tgd::detail::trim(text.substr(begin, end - begin));
    reasoning.append(reasoning.empty() || thought.empty() ? "" : "\n\n").append(thought);
  };
  std::size_t at = 0;
  if (beginning_at(lowered, skip_blanks(lowered, 0)) == nullptr) {
    const auto end = end_alone(lowered);
    if (!end) return {.answer = std::string(text)};
    add(0, end->first);
    at = end->first + end->second.size();
  }
  while (const Marks* marks = beginning_at(lowered, skip_blanks(lowered, at))) {
    const std::size_t begin = skip_blanks(lowered, at) + marks->begin.size();
    const std::size_t end = std::min(lowered.find(marks->end, begin), text.size());
    add(begin, end);
    at = std::min(end + marks->end.size(), text.size());
  }
  return {std::move(reasoning), std::string(text.substr(skip_blanks(text, at)))};
}

std::optional<LMError> cut_while_thinking(const Reply& reply) {
  const bool has_thought = !reply.reasoning.empty() || reply.usage.reasoning_tokens > 0;
  if (reply.end() != ReplyEnd::cut || !reply.content.empty() || !has_thought) return std::nullopt;
  return LMError(
      LMError::Kind::truncated,
      "the reply was cut off while the model was thinking (finish_reason " + tgd::detail::in_quotes(reply.finish_reason) +
          "): " + tgd::detail::in_quotes(reply.reasoning) +
          "; allow longer replies (max_completion_tokens or max_tokens in \"args\"), or less thinking (reasoning_effort)");
}

std::string ThoughtFilter::take(std::string_view piece) {
  held_ += piece;
  while (step()) {
  }
  return std::exchange(answer_, {});
}

/// Whether more can be decided of what is held.
bool ThoughtFilter::step() {
  if (state_ == State::answer) {
    answer_ += std::exchange(held_, {});
    return false;
  }
  const std::string lowered = tgd::detail::lower_case(held_);
  if (state_ == State::thought) {
    const std::size_t at = lowered.find(end_);
    if (at == std::string::npos) {
      held_.erase(0, held_.size() - std::min(held_.size(), end_.size() - 1));
      return false;
    }
    held_.erase(0, at + end_.size());
    state_ = State::start;
    return true;
  }
  const std::size_t start = skip_blanks(lowered, 0);
  if (has_thoughts_) held_.erase(0, start);
  const std::string_view rest = std::string_view(lowered).substr(start);
  if (const Marks* marks = beginning_at(rest, 0)) {
    held_.erase(0, (has_thoughts_ ? 0 : start) + marks->begin.size());
    end_ = marks->end;
    has_thoughts_ = true;
    state_ = State::thought;
    return true;
  }
  const bool may_begin =
      std::any_of(all_marks.begin(), all_marks.end(), [&](const Marks& marks) { return marks.begin.starts_with(rest); });
  if (may_begin) return false;  // an empty rest may, too
  state_ = State::answer;
  return true;
}

std::string ThoughtFilter::finish() {
  if (state_ == State::thought) held_.clear();
  return std::exchange(held_, {});
}

}  // namespace tgd::lm::detail
