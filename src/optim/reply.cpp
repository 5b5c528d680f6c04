#include "optim/reply.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::optim {

std::string_view to_string(UnusableReply::Problem problem) {
  using Problem = UnusableReply::Problem;
  switch (problem) {
    case Problem::cut_off:
      return "cut_off";
    case Problem::filtered:
      return "filtered";
    case Problem::no_value:
      return "no_value";
    case Problem::no_opening_tag:
      return "no_opening_tag";
    case Problem::no_closing_tag:
      return "no_closing_tag";
    case Problem::several_values:
      return "several_values";
    case Problem::empty_value:
      return "empty_value";
    case Problem::unreadable:
      return "unreadable";
    case Problem::leaked_tag:
      return "leaked_tag";
    case Problem::echo:
      return "echo";
    case Problem::elided:
      return "elided";
    case Problem::violated_constraint:
      return "violated_constraint";
    case Problem::lost_placeholder:
      return "lost_placeholder";
    case Problem::too_long:
      return "too_long";
    case Problem::changed_frozen:
      return "changed_frozen";
    case Problem::copied:
      return "copied";
    case Problem::unchanged:
      return "unchanged";
  }
  return "";
}

namespace detail {

namespace {

using Problem = UnusableReply::Problem;

constexpr std::string_view fence = "```";

/// What stands between an opening tag and its closing one, and where the closing one ends.
struct Block {
  std::string_view content;
  std::size_t end;
  bool is_second = false;  // of an unbalanced text: a whole block comes before
};

/// The outermost blocks, when every opening tag has its closing one; else nothing.
std::vector<Block> balanced_blocks(std::string_view text, std::string_view open, std::string_view close) {
  std::vector<Block> blocks;
  std::size_t depth = 0;
  std::size_t begin = 0;
  std::size_t next_open = text.find(open);
  std::size_t next_close = text.find(close);
  // Each is looked for once more only when it was passed.
  while (next_open != next_close) {
    if (next_open < next_close) {
      const std::size_t end = next_open + open.size();
      if (depth++ == 0) begin = end;
      next_open = text.find(open, end);
    } else {
      const std::size_t end = next_close + close.size();
      if (depth == 0) return {};
      if (--depth == 0) blocks.push_back({text.substr(begin, next_close - begin), end});
      next_close = text.find(close, end);
    }
  }
  return depth == 0 ? blocks : std::vector<Block>{};
}

/// The text without the values that belong to other tags.
std::string without_blocks(std::string_view text, std::span<const std::string> tags) {
  std::string rest(text);
  for (const std::string& tag : tags) {
    const std::string open = open_tag(tag);
    const std::string close = close_tag(tag);
    std::string kept;
    std::size_t at = 0;
    for (std::size_t begin = rest.find(open); begin != std::string::npos; begin = rest.find(open, at)) {
      const std::size_t end = rest.find(close, begin);
      if (end == std::string::npos) break;
      kept.append(rest, at, begin - at);
      at = end + close.size();
    }
    rest = kept.append(rest, at);
  }
  return rest;
}

/// The last block of an unbalanced text: a model may mention a tag before it uses both.
std::variant<Block, Problem> unbalanced_block(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t end = text.rfind(close);
  const std::size_t begin = text.substr(0, end).rfind(open);
  if (begin == std::string_view::npos) return end == std::string_view::npos ? Problem::no_value : Problem::no_opening_tag;
  if (end == std::string_view::npos) return Problem::no_closing_tag;
  const std::string_view before = text.substr(0, begin);
  const std::size_t earlier = before.find(open);
  const bool is_second = earlier != std::string_view::npos && before.find(close, earlier) != std::string_view::npos;
  return Block{text.substr(begin + open.size(), end - begin - open.size()), end + close.size(), is_second};
}

/// Whether the block only mentions the tags, as in "between <A> and </A>": what the request has between them, or one word in a line
/// of text.
bool is_mention(const Block& block, std::string_view text, std::string_view open, const Instructions& instructions) {
  const std::string_view inside = block.content;
  if (instructions.is_mention(tgd::detail::trim(inside))) return true;
  const bool is_word = inside.size() > 2 && inside.front() == ' ' && inside.back() == ' ' &&
                       inside.find('\n') == std::string_view::npos && words_of(inside).size() <= 1;
  const auto begin = static_cast<std::size_t>(inside.data() - text.data()) - open.size();
  const std::size_t before = text.substr(0, begin).find_last_not_of(" \t\r\f\v");
  return is_word && before != std::string_view::npos && text[before] != '\n';
}

std::variant<std::string_view, Problem> value_between(std::string_view text, const Question& question) {
  const std::string open = open_tag(question.tag);
  const std::string close = close_tag(question.tag);
  std::vector<Block> blocks = balanced_blocks(text, open, close);
  const bool is_balanced = !blocks.empty();
  if (!is_balanced) {
    const auto block = unbalanced_block(text, open, close);
    if (const Problem* problem = std::get_if<Problem>(&block)) return *problem;
    blocks.push_back(std::get<Block>(block));
  }
  std::erase_if(blocks, [&](const Block& block) { return is_mention(block, text, open, question.instructions); });
  if (blocks.empty()) return Problem::no_value;
  // Of several values the last one counts, but only where it ends the reply: what is said behind it may be about the values.
  const std::string behind = without_blocks(text.substr(blocks.back().end), question.other_tags);
  if (!is_balanced && behind.find(open) != std::string::npos) return Problem::no_closing_tag;
  const bool has_earlier = blocks.size() > 1 || (!is_balanced && blocks.back().is_second);
  if (has_earlier && !tgd::detail::trim(behind).empty()) return Problem::several_values;
  return tgd::detail::trim(blocks.back().content);
}

/// The text inside a code fence that is around all of it.
std::string_view without_fence(std::string_view value) {
  if (!value.starts_with(fence) || !value.ends_with(fence) || value.size() < 2 * fence.size()) return value;
  const std::size_t newline = value.find('\n');
  const std::size_t last = value.size() - fence.size();
  if (newline == std::string_view::npos || newline >= last || value.find(fence, fence.size()) != last) return value;
  return tgd::detail::trim(value.substr(newline, last - newline));
}

bool is_text(std::string_view value) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\n' && c != '\t' && c != '\r') || c == '\x7F'; };
  return tgd::detail::is_utf8(value) && std::none_of(value.begin(), value.end(), is_control);
}

/// Whether a line says that something was left out: dots alone, or a remark in brackets or dots such as "[rest as before]".
bool stands_for_omission(std::string_view line) {
  constexpr std::string_view marks = "([{<*.\xE2\x80\xA6#/-_>}]) ";
  const std::size_t begin = line.find_first_not_of(marks);
  const bool has_dots = line.find("...") != std::string_view::npos || line.find("\xE2\x80\xA6") != std::string_view::npos;
  if (begin == std::string_view::npos) return has_dots;
  if (begin == 0 || (!has_dots && line.find_first_of("([{<") >= begin)) return false;
  constexpr std::array<std::string_view, 9> words = {"unchanged", "as before", "same as",  "rest of", "the rest",
                                                     "remain",    "omitted",   "existing", "previous"};
  const std::string lower = tgd::detail::lower_case(line);
  return words_of(line).size() <= 12 &&
         std::any_of(words.begin(), words.end(), [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// A line that is new and stands for left-out text. A value that has become longer has left nothing out.
std::optional<std::string_view> omission(std::string_view value, std::string_view old_value) {
  if (value.size() >= old_value.size()) return std::nullopt;
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find('\n', begin), value.size());
    const std::string_view line = tgd::detail::trim(value.substr(begin, end - begin));
    if (!line.empty() && stands_for_omission(line) && old_value.find(line) == std::string_view::npos) return line;
    begin = end + 1;
  }
  return std::nullopt;
}

std::optional<UnusableReply> problem_of(std::string_view value, const Question& question) {
  const Prompts& prompts = question.prompts;
  if (value.empty()) return unusable(Problem::empty_value, prompts);
  if (!is_text(value)) return unusable(Problem::unreadable, prompts);
  if (const auto tag = question.instructions.leaked_tag(value)) return unusable(Problem::leaked_tag, prompts, {{"tag", *tag}});
  if (const auto echo = question.instructions.echo(value)) {
    return unusable(Problem::echo, prompts, {{"text", tgd::detail::excerpt(*echo, 120)}});
  }
  if (const auto line = omission(value, question.old_value)) {
    return unusable(Problem::elided, prompts, {{"text", tgd::detail::excerpt(*line, 120)}});
  }
  return std::nullopt;
}

}  // namespace

std::string open_tag(std::string_view name) { return fmt::format("<{}>", name); }
std::string close_tag(std::string_view name) { return fmt::format("</{}>", name); }

UnusableReply unusable(UnusableReply::Problem problem, const Prompts& prompts, std::initializer_list<TemplateInput> inputs) {
  return {problem, prompts.render(fmt::format("tgd_problem_{}", to_string(problem)), inputs)};
}

std::variant<std::string, UnusableReply> read_value(const lm::Reply& reply, const Question& question) {
  const std::string open = open_tag(question.tag);
  const std::string close = close_tag(question.tag);
  const auto failed = [&](Problem problem) {
    return unusable(problem, question.prompts, {{"open_tag", open}, {"close_tag", close}});
  };
  const bool is_alone = question.other_tags.empty();
  // What comes before the end of a reply with several values may be whole.
  const bool is_cut = reply.end() == lm::ReplyEnd::cut;
  if (is_alone && is_cut) return failed(Problem::cut_off);
  if (is_alone && reply.end() == lm::ReplyEnd::filtered) return failed(Problem::filtered);
  const auto read = value_between(reply.content, question);
  if (const Problem* problem = std::get_if<Problem>(&read)) {
    const bool is_missing = *problem == Problem::no_value || *problem == Problem::no_closing_tag;
    return failed(is_missing && is_cut ? Problem::cut_off : *problem);
  }
  const std::string_view inside = std::get<std::string_view>(read);
  const bool may_have_fence = question.old_value.find(fence) != std::string_view::npos;
  std::string value(may_have_fence ? inside : without_fence(inside));
  if (question.instructions.is_mention(value)) return failed(Problem::no_value);
  if (auto problem = problem_of(value, question)) return *std::move(problem);
  return value;
}

}  // namespace detail

}  // namespace tgd::optim
