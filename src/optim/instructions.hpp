// The fixed part of a request for a new value: tgd's own sentences and tags, which do not belong into a value.
// Private to the library.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "optim/words.hpp"

namespace tgd::optim::detail {

/// The names of the elements `<name>…</name>` that a text has, in angle brackets of their own.
std::set<std::string, std::less<>> tag_names(std::string_view text);

/// The text with every tag of these names in square brackets, except for tags that `own_text` has as well.
std::string with_bracketed_tags(std::string text, const std::set<std::string, std::less<>>& names, std::string_view own_text);

class Instructions {
 public:
  /// So many words in a row are no accident.
  static constexpr std::size_t echoed_words = 8;

  /// A prompt that was filled in to make the request; its {placeholders} are gaps.
  void add(std::string_view prompt);
  void add_tag(std::string name) { tags_.insert(std::move(name)); }
  /// What a message that is sent has between two answer tags of this name: no reply's value.
  void add_mentions(std::string_view message, std::string_view tag);
  /// A text of the user whose words and tags may be in the value.
  void allow(std::string_view text);

  bool is_mention(std::string_view text) const { return mentions_.contains(text); }
  std::optional<std::string_view> leaked_tag(std::string_view value) const;
  /// The words that repeat the instructions, as the value spells them.
  std::optional<std::string_view> echo(std::string_view value) const { return runs_.find(value); }

 private:
  WordRuns runs_{echoed_words};
  std::set<std::string, std::less<>> tags_;
  std::set<std::string, std::less<>> mentions_;  // trimmed
  std::string allowed_;
};

}  // namespace tgd::optim::detail
