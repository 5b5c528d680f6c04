#include "optim/reply/extract.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/fold.hpp"
#include "core/json_parser.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"
#include "optim/reply/hidden_characters.hpp"

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
bool is_mention(const Block& block, std::string_view text, std::string_view open, const EchoGuard& instructions) {
  const std::string_view inside = block.content;
  if (instructions.is_mention(tgd::detail::trim(inside))) return true;
  const bool is_word = inside.size() > 2 && inside.front() == ' ' && inside.back() == ' ' &&
                       inside.find('\n') == std::string_view::npos && words_of(inside).size() <= 1;
  const auto begin = static_cast<std::size_t>(inside.data() - text.data()) - open.size();
  const std::size_t before = text.substr(0, begin).find_last_not_of(" \t\r\f\v");
  return is_word && before != std::string_view::npos && text[before] != '\n';
}

std::variant<std::string_view, Problem> value_between(std::string_view text, const WantedValue& question) {
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
std::string_view without_fence(std::string_view value, std::string_view fence) {
  if (!value.starts_with(fence) || !value.ends_with(fence) || value.size() < 2 * fence.size()) return value;
  const std::size_t newline = value.find('\n');
  const std::size_t last = value.size() - fence.size();
  if (newline == std::string_view::npos || newline >= last || value.find(fence, fence.size()) != last) return value;
  return tgd::detail::trim(value.substr(newline, last - newline));
}

/// The text inside quotation marks that are around all of it, and nowhere else.
std::string_view without_quotes(std::string_view value, std::string_view old_value) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> marks = {
      {{"\"", "\""},
       {"\xE2\x80\x9C", "\xE2\x80\x9D"},  // English
       {"\xE2\x80\x9E", "\xE2\x80\x9C"},  // German
       {"\xE2\x80\x9E", "\xE2\x80\x9D"},  // Polish
       {"\xC2\xAB", "\xC2\xBB"},          // French
       {"\xC2\xBB", "\xC2\xAB"},
       {"\xE3\x80\x8C", "\xE3\x80\x8D"},  // Japanese
       {"\xE2\x80\x98", "\xE2\x80\x99"},
       {"'", "'"},
       {"`", "`"}}};
  for (const auto& pair : marks) {
    const std::string_view open = pair.first;
    const std::string_view close = pair.second;
    const auto is_around = [&](std::string_view text) {
      return text.size() > open.size() + close.size() && text.starts_with(open) && text.ends_with(close);
    };
    if (!is_around(value) || is_around(tgd::detail::trim(old_value))) continue;
    const std::string_view inside = value.substr(open.size(), value.size() - open.size() - close.size());
    if (inside.find(open) == std::string_view::npos && inside.find(close) == std::string_view::npos)
      return tgd::detail::trim(inside);
  }
  return value;
}

bool has_any(std::string_view text, std::span<const std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

bool begins_with_any(std::string_view text, std::span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view part) { return text.starts_with(part); });
}

/// The value without a first line that only announces it.
std::string_view without_announcement(std::string_view value, std::string_view old_value) {
  constexpr std::array<std::string_view, 7> beginnings = {
      "here is ", "here's ", "here it is", "improved value", "the improved value", "sure, here is ", "sure, here's "};
  constexpr std::array<std::string_view, 6> names = {"value", "prompt", "text", "version", "instructions", "it is"};
  const std::size_t end = value.find('\n');
  const std::string_view line = tgd::detail::trim(value.substr(0, end));
  if (end == std::string_view::npos || !line.ends_with(':') || words_of(line).size() > 8) return value;
  const std::string lower = tgd::detail::folded(line);
  if (!begins_with_any(lower, beginnings) || !has_any(lower, names) || old_value.find(line) != std::string_view::npos)
    return value;
  return tgd::detail::trim(value.substr(end));
}

/// The text of a JSON object that has the value as its only member.
std::optional<std::string> value_in_object(std::string_view value, const WantedValue& question) {
  if (!value.starts_with('{') || !value.ends_with('}') || tgd::detail::trim(question.old_value).starts_with('{'))
    return std::nullopt;
  const auto object = tgd::detail::parse_or_discard<nlohmann::json>(value);
  if (!object.is_object() || object.size() != 1 || !object.front().is_string()) return std::nullopt;
  const std::string key = tgd::detail::lower_case(object.begin().key());
  if (key != tgd::detail::lower_case(question.tag) && key != "improved_value" && key != "new_value" && key != "value")
    return std::nullopt;
  return std::string(tgd::detail::trim(object.front().get_ref<const std::string&>()));
}

/// The value without what is plainly put around it, unless the old value has that, too.
std::string unwrapped(std::string_view inside, const WantedValue& question) {
  std::string value(inside);
  for (std::size_t size = value.size() + 1; value.size() < size;) {
    size = value.size();
    for (const std::string_view fence : {"```", "~~~"}) {
      if (question.old_value.find(fence) == std::string_view::npos) value = std::string(without_fence(value, fence));
    }
    if (auto text = value_in_object(value, question)) value = *std::move(text);
    value = std::string(without_announcement(value, question.old_value));
    value = std::string(without_quotes(value, question.old_value));
  }
  return value;
}

/// Whether a short value only says where one would be: a blank of a form with the words of the answer's tag, or a remark about the
/// value.
bool is_filler(std::string_view value, const WantedValue& question) {
  constexpr std::array<std::string_view, 22> form_words = {
      "the",     "a",     "your", "my",   "whole", "full",   "complete", "new",   "improved", "updated", "final",
      "revised", "value", "text", "here", "goes",  "insert", "put",      "write", "is",       "of",      "as"};
  constexpr std::array<std::string_view, 6> remarks = {"let me know", "i hope this", "i hope that",
                                                       "feel free",   "done",        "i made "};
  const std::string lower = tgd::detail::folded(value);
  const std::vector<Word> words = words_of(lower);
  if (words.empty() || words.size() > 20 || value == tgd::detail::trim(question.old_value)) return false;
  std::string tag_text(question.tag);
  std::replace(tag_text.begin(), tag_text.end(), '_', ' ');
  std::vector<Word> tag_words = words_of(tag_text);
  std::erase_if(tag_words, [&](const Word& word) { return tag_text[word.begin] >= '0' && tag_text[word.begin] <= '9'; });
  const auto is_among = [](const Word& word, const std::vector<Word>& others) {
    return std::any_of(others.begin(), others.end(), [&](const Word& other) { return other.hash == word.hash; });
  };
  const auto is_of_tag = [&](const Word& word) { return is_among(word, tag_words); };
  const auto is_form_word = [&](const Word& word) {
    const std::string_view text = std::string_view(lower).substr(word.begin, word.end - word.begin);
    return is_of_tag(word) || std::find(form_words.begin(), form_words.end(), text) != form_words.end();
  };
  const bool has_whole_tag = tag_words.size() > 1 && std::all_of(tag_words.begin(), tag_words.end(),
                                                                 [&](const Word& word) { return is_among(word, words); });
  const bool is_bracketed = std::string_view("[(<").find(value.front()) != std::string_view::npos &&
                            std::string_view("])>").find(value.back()) != std::string_view::npos &&
                            std::count(value.begin(), value.end(), '<') < 2;
  const bool names_value = std::any_of(words.begin(), words.end(), is_of_tag) || lower.find("text") != std::string::npos;
  if (words.size() > 1 && std::all_of(words.begin(), words.end(), is_form_word) && names_value &&
      (is_bracketed || has_whole_tag))
    return true;
  return value.find('\n') == std::string_view::npos && begins_with_any(lower, remarks) &&
         (words.size() > 1 || lower == "done" || lower == "done.");
}

/// How a model of some language says that it will not do what it was asked for, folded: how that begins, and what has to come as
/// well, for texts that apologize for something else are none.
struct RefusalWords {
  std::span<const std::string_view> beginnings;
  std::span<const std::string_view> verdicts;
};

namespace refusal_words {

using Words = std::string_view[];  // NOLINT(modernize-avoid-c-arrays)
constexpr Words en_beginnings = {"i'm sorry",  "i am sorry",  "sorry, ", "i can't",  "i cannot",         "i can not",
                                 "i'm unable", "i am unable", "i won't", "as an ai", "unfortunately, i", "i apologize"};
constexpr Words en_verdicts = {"i can't",     "i cannot", "i can not",      "unable to",
                               "not able to", "i won't",  "i must decline", "can't help"};
constexpr Words de_beginnings = {"es tut mir leid", "tut mir leid", "entschuldigung", "leider kann ich", "ich kann", "als ki"};
constexpr Words de_verdicts = {"nicht helfen",           "nicht behilflich",  "nicht unterstutzen",
                               "kann ich nicht",         "kann das nicht",    "kann dabei nicht",
                               "kann diesen text nicht", "nicht umschreiben", "nicht in der lage"};
constexpr Words fr_beginnings = {"je suis desole", "desole", "je ne peux pas", "je ne suis pas en mesure", "en tant qu'ia"};
constexpr Words fr_verdicts = {"ne peux pas", "ne suis pas en mesure", "ne suis pas capable"};
constexpr Words es_beginnings = {"lo siento", "lo lamento", "no puedo", "como ia", "como modelo de lenguaje"};
constexpr Words es_verdicts = {"no puedo", "no me es posible", "no estoy en condiciones"};
constexpr Words it_beginnings = {"mi dispiace", "non posso", "spiacente"};
constexpr Words it_verdicts = {"non posso", "non sono in grado"};
constexpr Words pt_beginnings = {"desculpe", "sinto muito", "lamento", "nao posso"};
constexpr Words pt_verdicts = {"nao posso", "nao consigo"};
constexpr Words ru_beginnings = {"извините", "к сожалению", "прошу прощения", "я не могу"};
constexpr Words ru_verdicts = {"не могу", "не в состоянии"};
constexpr Words zh_beginnings = {"抱歉",   "很抱歉", "对不起", "對不起",     "我无法",
                                 "我無法", "我不能", "作为ai", "作为一个ai", "作为人工智能"};
constexpr Words zh_verdicts = {"无法", "無法", "不能"};
constexpr Words ja_beginnings = {"申し訳", "すみません", "ごめんなさい", "恐れ入ります"};
constexpr Words ja_verdicts = {"できません", "できかねます", "いたしかねます"};
constexpr Words ko_beginnings = {"죄송", "미안"};
constexpr Words ko_verdicts = {"수 없습니다", "수 없어요"};

constexpr std::array languages = {RefusalWords{en_beginnings, en_verdicts}, RefusalWords{de_beginnings, de_verdicts},
                                  RefusalWords{fr_beginnings, fr_verdicts}, RefusalWords{es_beginnings, es_verdicts},
                                  RefusalWords{it_beginnings, it_verdicts}, RefusalWords{pt_beginnings, pt_verdicts},
                                  RefusalWords{ru_beginnings, ru_verdicts}, RefusalWords{zh_beginnings, zh_verdicts},
                                  RefusalWords{ja_beginnings, ja_verdicts}, RefusalWords{ko_beginnings, ko_verdicts}};

}  // namespace refusal_words

/// Whether a thought that was begun is still open at the end of the text.
bool is_thinking(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> thoughts = {
      {{"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"<thought>", "</thought>"}}};
  return std::any_of(thoughts.begin(), thoughts.end(), [&](const auto& tags) {
    const std::size_t open = text.rfind(tags.first);
    return open != std::string_view::npos && text.find(tags.second, open) == std::string_view::npos;
  });
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

std::optional<UnusableReply> problem_of(std::string_view value, const WantedValue& question) {
  const Prompts& prompts = question.prompts;
  const auto because = [&](Problem problem, std::string_view reason, std::initializer_list<TemplateInput> inputs) {
    return UnusableReply{problem, prompts.render(reason, inputs)};
  };
  const std::string open = open_tag(question.tag);
  const std::string close = close_tag(question.tag);
  if (!tgd::detail::is_utf8(value)) return unusable(Problem::unreadable, prompts);
  if (is_invisible(value)) return unusable(Problem::empty_value, prompts);
  if (hides_something(value, question.old_value)) return because(Problem::unreadable, "tgd_problem_hidden_characters", {});
  if (is_filler(value, question)) {
    const std::string shown = tgd::detail::excerpt(value, 120);
    return because(Problem::no_value, "tgd_problem_filler", {{"open_tag", open}, {"close_tag", close}, {"text", shown}});
  }
  if (is_refusal(value, question.old_value)) {
    const std::string shown = tgd::detail::excerpt(value, 120);
    return because(Problem::no_value, "tgd_problem_refused", {{"open_tag", open}, {"close_tag", close}, {"text", shown}});
  }
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

bool is_refusal(std::string_view value, std::string_view old_value) {
  if (words_of(value).size() > 60) return false;
  const std::string text = tgd::detail::folded(value);
  const std::string old_text = tgd::detail::folded(tgd::detail::trim(old_value));
  return std::any_of(refusal_words::languages.begin(), refusal_words::languages.end(), [&](const RefusalWords& language) {
    return begins_with_any(text, language.beginnings) && has_any(text, language.verdicts) &&
           !begins_with_any(old_text, language.beginnings);
  });
}

std::string open_tag(std::string_view name) { return fmt::format("<{}>", name); }
std::string close_tag(std::string_view name) { return fmt::format("</{}>", name); }

UnusableReply unusable(UnusableReply::Problem problem, const Prompts& prompts, std::initializer_list<TemplateInput> inputs) {
  return {problem, prompts.render(fmt::format("tgd_problem_{}", to_string(problem)), inputs)};
}

std::variant<std::string, UnusableReply> read_value(const lm::Reply& reply, const WantedValue& question) {
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
  const auto begin = static_cast<std::size_t>(inside.data() - reply.content.data());
  if (is_thinking(std::string_view(reply.content).substr(0, begin))) {
    return UnusableReply{Problem::no_value,
                         question.prompts.render("tgd_problem_in_thought", {{"open_tag", open}, {"close_tag", close}})};
  }
  const std::string value = unwrapped(inside, question);
  if (question.instructions.is_mention(value)) return failed(Problem::no_value);
  if (auto problem = problem_of(value, question)) return *std::move(problem);
  return value;
}

}  // namespace detail

}  // namespace tgd::optim
