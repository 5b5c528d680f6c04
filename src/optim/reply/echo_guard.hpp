// The fixed part of a request for a new value: tgd's own sentences and tags, which do not belong into a value.
// Private to the library.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "optim/reply/word_runs.hpp"

namespace tgd::optim::detail {

using TagNames = std::set<std::string, std::less<>>;

/// The names of the elements `<name>…</name>` that a text has, in angle brackets of their own.
TagNames tag_names(std::string_view text);

/// The text with every tag of these names in square brackets, except for tags that `own_text` has as well.
std::string with_bracketed_tags(std::string text, const TagNames& names, std::string_view own_text);

/// The prompts that requests of one kind are made of.
class FixedPart {
 public:
  /// So many words in a row are no accident.
  static constexpr std::size_t echoed_words = 8;

  /// A prompt that is filled in to make the request; its {placeholders} are gaps.
  void add(std::string_view prompt);

  const TagNames& tags() const noexcept { return tags_; }
  const WordRuns& runs() const noexcept { return runs_; }

 private:
  WordRuns runs_{echoed_words};
  TagNames tags_;
};

class EchoGuard {
 public:
  explicit EchoGuard(std::shared_ptr<const FixedPart> fixed) : fixed_(std::move(fixed)) {}

  void add_tag(std::string name) { answer_tags_.insert(std::move(name)); }
  /// What a message that is sent has between two answer tags of this name: no reply's value.
  void add_mentions(std::string_view message, std::string_view tag);
  /// A text of the user whose words and tags may be in the value.
  void allow(std::string text) { allowed_.push_back(std::move(text)); }
  const std::vector<std::string>& allowed() const noexcept { return allowed_; }

  bool is_mention(std::string_view text) const { return mentions_.contains(text); }
  std::optional<std::string_view> leaked_tag(std::string_view value) const;
  /// The words that repeat the instructions, as the value spells them.
  std::optional<std::string_view> echo(std::string_view value) const { return fixed_->runs().find(value, allowed_); }

 private:
  std::shared_ptr<const FixedPart> fixed_;
  TagNames answer_tags_;
  std::set<std::string, std::less<>> mentions_;  // trimmed
  std::vector<std::string> allowed_;
};

}  // namespace tgd::optim::detail
