#include "core/pattern.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

// Twice what RE2 gives a pattern by default; beyond it a search takes its slower way, which is linear as well.
constexpr std::int64_t most_memory = 16 << 20;

struct Unsupported {
  std::string_view begins;  // what RE2 stumbles over
  std::string_view advice;
};

constexpr std::string_view no_look_around =
    "look-ahead and look-behind are not supported, because every text is searched in linear time; match what stands around it, "
    "too, "
    "and put the part that counts into a group, as in \"label: (\\w+)\"";
constexpr std::string_view no_back_reference =
    "back-references are not supported, because every text is searched in linear time; write the cases out, such as \"aa|bb\" "
    "for "
    "\"(a|b)\\1\"";

/// What other dialects have and RE2 has not; the first that fits counts.
constexpr std::array<Unsupported, 14> unsupported{{
    {"(?=", no_look_around},
    {"(?!", no_look_around},
    {"(?<=", no_look_around},
    {"(?<!", no_look_around},
    {"(?<", "write a named group as (?P<name>…)"},
    {"(?P=", no_back_reference},
    {"(?>", "write (?:…) for an atomic group: nothing is ever tried twice"},
    {"(?#", "comments are not supported"},
    {"\\k", no_back_reference},
    {"\\u", "write a character as it is, or by its number in hexadecimal digits: \\x{20AC}"},
    {"\\Z", "write \\z for the end of the text"},
    {"[^]", "write (?s:.) for any character, line breaks included"},
    {"*+", "write * for *+: nothing is ever tried twice"},
    {"++", "write + for ++: nothing is ever tried twice"},
}};

std::string_view advice_at(std::string_view rest) {
  if (rest.size() > 1 && rest[0] == '\\' && rest[1] >= '1' && rest[1] <= '9') return no_back_reference;
  const auto fits = [&](const Unsupported& other) { return rest.starts_with(other.begins); };
  const auto known = std::find_if(unsupported.begin(), unsupported.end(), fits);
  return known == unsupported.end() ? std::string_view() : known->advice;
}

/// RE2 may name less of the operator than tells it from others, and not where it stands: the first place with advice counts.
std::string_view advice_for(const re2::RE2& regex) {
  const std::string_view pattern = regex.pattern();
  const std::string_view found = regex.error_arg();
  if (found.empty()) return {};
  for (std::size_t at = pattern.find(found); at != pattern.npos; at = pattern.find(found, at + 1)) {
    if (const std::string_view advice = advice_at(pattern.substr(at)); !advice.empty()) return advice;
  }
  return {};
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

/// Calls `search(valid text)`. A byte that belongs to no character would end every "." and every class before it.
template <class Search>
auto search_characters(std::string_view text, const Search& search) {
  return is_utf8(text) ? search(text) : search(valid_utf8(text));
}

}  // namespace

Pattern::Pattern(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(most_memory);
  auto regex = std::make_shared<const re2::RE2>(piece(pattern), options);
  if (!regex->ok()) {
    const std::string_view advice = advice_for(*regex);
    throw ValueError(fmt::format("\"{}\" is not a regular expression that can be searched for (RE2 syntax): {}{}{}",
                                 excerpt(valid_utf8(pattern)), excerpt(valid_utf8(regex->error())), advice.empty() ? "" : "; ",
                                 advice));
  }
  regex_ = std::move(regex);
}

bool Pattern::is_in(std::string_view text) const {
  return search_characters(text, [&](std::string_view valid) {
    return regex_->Match(piece(valid), 0, valid.size(), re2::RE2::UNANCHORED, nullptr, 0);
  });
}

std::optional<std::string> Pattern::find(std::string_view text) const {
  return search_characters(text, [&](std::string_view valid) -> std::optional<std::string> {
    std::array<re2::StringPiece, 2> groups;
    const int count = regex_->NumberOfCapturingGroups() > 0 ? 2 : 1;
    if (!regex_->Match(piece(valid), 0, valid.size(), re2::RE2::UNANCHORED, groups.data(), count)) return std::nullopt;
    const re2::StringPiece& found = groups[static_cast<std::size_t>(count) - 1];
    return std::string(found.data() == nullptr ? "" : found.data(), found.size());
  });
}

}  // namespace tgd::detail
