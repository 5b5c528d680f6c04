#include "lm/openai/end_marks.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.hpp"

namespace tgd::lm::detail {

namespace {

// In lower case. ChatML (Qwen and many others), GPT-2, Llama 2 and Mistral, Llama 3, Phi, Gemma, gpt-oss, Command, DeepSeek, GLM,
// Granite, and what trainers call them.
constexpr std::array end_marks = {
    std::string_view("<|im_end|>"),
    std::string_view("<|endoftext|>"),
    std::string_view("<|end_of_text|>"),
    std::string_view("</s>"),
    std::string_view("<|eot_id|>"),
    std::string_view("<|eom_id|>"),
    std::string_view("<|eot|>"),
    std::string_view("<|end|>"),
    std::string_view("<|end_of_turn|>"),
    std::string_view("<end_of_turn>"),
    std::string_view("<turn|>"),
    std::string_view("<eos>"),
    std::string_view("<|eos|>"),
    std::string_view("[eos]"),
    std::string_view("<|return|>"),
    std::string_view("<|end_of_turn_token|>"),
    std::string_view("<|endofturn|>"),
    std::string_view("<|end_of_sentence|>"),
    std::string_view("<|end\u2581of\u2581sentence|>"),
    std::string_view("<\uff5cend\u2581of\u2581sentence\uff5c>"),
    std::string_view("<|end_of_role|>"),
    std::string_view("<|user|>"),
    std::string_view("<|observation|>"),
};

constexpr std::string_view strike = "<s>";
constexpr std::string_view end_of_strike = "</s>";
constexpr std::string_view white_space = " \t\r\n";
constexpr std::string_view openers = "<[";  // what marks begin with

/// The mark that a text in lower case ends with; empty where there is none.
std::string_view last_mark(std::string_view lowered, bool strikes) {
  const auto found = std::find_if(end_marks.begin(), end_marks.end(), [&](std::string_view mark) {
    return lowered.ends_with(mark) && !(strikes && mark == end_of_strike);
  });
  return found == end_marks.end() ? std::string_view() : *found;
}

struct Tail {
  std::size_t begin;  // of the marks and the blanks around them; the size of the text where there is none
  std::string_view first = {};
};

Tail marks_at_end(std::string_view lowered, bool strikes) {
  Tail tail{lowered.size()};
  std::string_view rest = lowered;
  for (;;) {
    const std::size_t end = rest.find_last_not_of(white_space) + 1;  // npos + 1 is 0
    const std::string_view mark = last_mark(rest.substr(0, end), strikes);
    if (mark.empty()) return tail;
    rest = rest.substr(0, end - mark.size());
    const std::size_t begin = rest.find_last_not_of(white_space) + 1;
    tail = {begin, lowered.substr(rest.size(), mark.size())};
  }
}

}  // namespace

std::string take_end_marks(std::string& text) {
  // Most texts end in none of this.
  if (const std::size_t last = text.find_last_not_of(white_space);
      last == text.npos || (text[last] != '>' && text[last] != ']'))
    return {};
  const std::string lowered = tgd::detail::lower_case(text);
  const Tail tail = marks_at_end(lowered, lowered.find(strike) != lowered.npos);
  if (tail.first.empty()) return {};
  std::string first = text.substr(static_cast<std::size_t>(tail.first.data() - lowered.data()), tail.first.size());
  text.erase(tail.begin);
  return first;
}

std::string EndMarkFilter::take(std::string_view piece) {
  held_ += piece;
  if (held_.find_first_of(openers) == held_.npos) {  // as in most pieces
    const std::size_t text = held_.find_last_not_of(white_space) + 1;
    std::string given = held_.substr(0, text);
    held_.erase(0, text);
    return given;
  }
  const std::string lowered = tgd::detail::lower_case(held_);
  strikes_ = strikes_ || lowered.find(strike) != lowered.npos;
  // A mark that has only begun, then whole ones before it.
  std::size_t end = lowered.size();
  const auto hold_beginning = [&](std::string_view mark) {
    for (std::size_t size = std::min(mark.size() - 1, lowered.size()); size > 0; --size) {
      if (lowered.ends_with(mark.substr(0, size))) end = std::min(end, lowered.size() - size);
    }
  };
  std::for_each(end_marks.begin(), end_marks.end(), hold_beginning);
  hold_beginning(strike);
  const std::string_view rest = std::string_view(lowered).substr(0, end);
  const std::size_t text = std::min(marks_at_end(rest, strikes_).begin, rest.find_last_not_of(white_space) + 1);
  std::string given = held_.substr(0, text);
  held_.erase(0, text);
  return given;
}

std::string EndMarkFilter::finish() {
  const std::string lowered = tgd::detail::lower_case(held_);
  const Tail tail = marks_at_end(lowered, strikes_);
  return std::exchange(held_, {}).substr(0, tail.first.empty() ? std::string::npos : tail.begin);
}

}  // namespace tgd::lm::detail
