// The rules of a classification prompt, as the simulated model reads them from plain English.
//
// One grammar serves all three abilities: the performer follows the rules, the critic states the ones that would have helped
// in this English, and the editor reads them back out of the critique and writes them into the value.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulated/text.hpp"

namespace tgd::lm::detail {

struct LabelRule {
  std::string name;
  std::vector<std::string> cues;      ///< words that speak for the label; a cue that is stated twice is here twice
  std::vector<std::string> non_cues;  ///< words of which the text says that they do not
};

struct Rules {
  enum class LetterCase { as_listed, lower, upper };
  /// Positions in `labels`: the first label wins over the second.
  using Preference = std::pair<std::size_t, std::size_t>;

  std::vector<LabelRule> labels;
  std::vector<Preference> preferences;
  std::optional<std::size_t> fallback;  ///< the label for texts without any cue
  bool label_only = false;              ///< the text asks for the bare label
  LetterCase letter_case = LetterCase::as_listed;

  /// The label of this name, whatever its case.
  std::optional<std::size_t> find(std::string_view name) const;
  /// For each label whether the preferences, taken together, put `winner` over it.
  std::vector<bool> beaten_by(std::size_t winner) const;
};

/// Reads the rules. Without `known_labels` the text is searched for its labels; with them only "Add the label …" adds to them.
Rules read_rules(std::string_view text, const std::vector<std::string>& known_labels = {});

/// A short excerpt in the quotation marks that set what is shown apart from what is said, and a text without such excerpts.
std::string quotation(std::string_view text);
std::string without_quotations(std::string_view text);

/// The labels that a text names, from left to right.
std::vector<std::size_t> named_labels(const Rules& rules, std::string_view text);

/// Which labels' cues occur in a message.
struct Match {
  std::size_t label;
  std::vector<std::string> cues;  ///< as the message spells them, without repetitions
  std::size_t first_word;         ///< where the first one stands
};
/// In the order of the labels, only those with a cue.
std::vector<Match> match_cues(const Rules& rules, const std::vector<Word>& message);

}  // namespace tgd::lm::detail
