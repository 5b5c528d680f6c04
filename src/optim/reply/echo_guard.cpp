#include "optim/reply/echo_guard.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// A tag at a '<': its name and where it ends. Attributes are skipped.
struct Tag {
  std::string_view name;
  bool closing;
  std::size_t begin;
  std::size_t end;
};

std::optional<Tag> tag_at(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  const bool closing = at < text.size() && text[at] == '/';
  if (closing) ++at;
  const std::size_t name = at;
  while (at < text.size() && is_name_character(text[at])) ++at;
  if (at == name || at == text.size() || (text[at] != '>' && text[at] != ' ')) return std::nullopt;
  const std::size_t end = text.find_first_of("<>\n", at);
  if (end == std::string_view::npos || text[end] != '>') return std::nullopt;
  return Tag{text.substr(name, at - name), closing, begin, end + 1};
}

/// The next tag at or behind `from`.
std::optional<Tag> next_tag(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find('<', from); at != std::string_view::npos; at = text.find('<', at + 1)) {
    if (const auto tag = tag_at(text, at)) return tag;
  }
  return std::nullopt;
}

}  // namespace

TagNames tag_names(std::string_view text) {
  TagNames opened, names;
  for (auto tag = next_tag(text, 0); tag; tag = next_tag(text, tag->end)) {
    if (!tag->closing) opened.emplace(tag->name);
    if (tag->closing && opened.contains(tag->name)) names.emplace(tag->name);
  }
  return names;
}

std::string with_bracketed_tags(std::string text, const TagNames& names, std::string_view own_text) {
  std::set<std::string, std::less<>> kept;  // a tag may come many times, and is looked for in the other text once
  for (auto tag = next_tag(text, 0); tag; tag = next_tag(text, tag->end)) {
    const std::string_view found = std::string_view(text).substr(tag->begin, tag->end - tag->begin);
    if (!names.contains(tag->name) || kept.contains(found)) continue;
    if (own_text.find(found) != std::string_view::npos) {
      kept.emplace(found);
      continue;
    }
    text[tag->begin] = '[';
    text[tag->end - 1] = ']';
  }
  return text;
}

void FixedPart::add(std::string_view prompt) {
  tags_.merge(tag_names(prompt));
  for (std::size_t begin = 0; begin < prompt.size();) {
    const std::size_t gap = std::min(prompt.find('{', begin), prompt.size());
    runs_.add(prompt.substr(begin, gap - begin));
    begin = gap == prompt.size() ? gap : std::min(prompt.find('}', gap), prompt.size() - 1) + 1;
  }
}

void EchoGuard::add_mentions(std::string_view message, std::string_view tag) {
  const std::string open = fmt::format("<{}>", tag);
  const std::string close = fmt::format("</{}>", tag);
  for (std::size_t at = message.find(open); at != std::string_view::npos; at = message.find(open, at)) {
    at += open.size();
    const std::size_t end = message.find(close, at);
    if (end != std::string_view::npos) mentions_.emplace(tgd::detail::trim(message.substr(at, end - at)));
  }
}

std::optional<std::string_view> EchoGuard::leaked_tag(std::string_view value) const {
  std::set<std::string_view> known;  // a tag may come many times, and is looked for in the texts once
  for (auto tag = next_tag(value, 0); tag; tag = next_tag(value, tag->end)) {
    if (!fixed_->tags().contains(tag->name) && !answer_tags_.contains(tag->name)) continue;
    const std::string_view found = value.substr(tag->begin, tag->end - tag->begin);
    if (!known.insert(found).second) continue;
    const auto has = [&](const std::string& text) { return text.find(found) != std::string::npos; };
    if (std::none_of(allowed_.begin(), allowed_.end(), has)) return found;
  }
  return std::nullopt;
}

}  // namespace tgd::optim::detail
