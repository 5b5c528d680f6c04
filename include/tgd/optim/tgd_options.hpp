// What TGD is told: options of an optimizer, of a group and of one parameter.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>
#include <tgd/optim/constraint.hpp>
#include <tgd/optim/diagnosis.hpp>
#include <tgd/prompts.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

/// Which scores are better.
enum class Direction { maximize, minimize };

/// How far a new value may go from the old one. It is said to the language model, not enforced; ParameterUpdate::edit_distance
/// tells how far it went.
enum class Boldness {
  conservative,  ///< a few words
  moderate,      ///< what the feedback speaks about
  bold           ///< the whole value
};

/// What holds for one parameter beside the options of its group.
struct ParameterRules {
  Variable parameter;
  std::string instructions = {};         ///< shown to the language model with this parameter only
  std::vector<std::string> frozen = {};  ///< parts of the value that stay as they are, in this order
  /// Texts that every new value contains, wherever they stand. The present one may lack them.
  std::vector<std::string> required = {};
};

/// What TGD does, for all groups that say nothing else. Checked by the constructor: ValueError.
struct TGDOptions {
  lm::ChatModelPtr model = nullptr;
  /// The meta-prompt. Empty: one system and one user message from prompts/. Its placeholders: {role}, {value}, {open_tag},
  /// {close_tag} (see answer_tag) and the names of `inputs`; and whole sections, "" where there is nothing to say: {feedback},
  /// {constraints}, {momentum}, {rejected}, {siblings}, {examples}, {objective}, {instructions}, {boldness}. With `joint`
  /// {parameters} stands for all parameters with what belongs to each.
  Messages messages = {};
  Inputs inputs = {};
  std::vector<Constraint> constraints = {};
  std::size_t momentum = 0;  ///< how many earlier values, with their feedback, the language model is shown
  Json completion_args = {};
  std::size_t max_reasks = 2;  ///< how often an unusable reply is asked for again before the old value is kept
  bool show_context = true;    ///< show the conversations that the feedback came from
  /// The most characters (as UTF-8 bytes) of one request; the default fits models of 32k tokens. Values of siblings go first, then
  /// conversations (the last ones before the others), the oldest versions, the oldest rejected proposals, and the middle of long
  /// feedback: visibly, and reported to on_notice. The value, the constraints, instructions and examples are never cut: a step
  /// that cannot show them throws ValueError.
  std::size_t context_budget = 72'000;
  OnNotice on_notice = {};
  Prompts prompts = {};

  /// One request for all parameters of the group that have feedback, in which each has a numbered block. What is wrong with one
  /// block is asked for again for that block; when one stays unusable, none of the group is changed.
  bool joint = false;
  /// When set, the language model is told; else only where it is shown a score, as `maximize`.
  std::optional<Direction> direction = {};
  std::optional<Boldness> boldness = {};
  std::vector<std::string> examples = {};  ///< good values for such a purpose
  std::vector<ParameterRules> rules = {};  ///< at most one for each parameter
  std::size_t rejected = 3;                ///< how many rejected proposals are remembered and shown
  std::size_t siblings = 4;   ///< how many other parameters of the optimizer are shown for orientation; none with `joint`
  std::size_t history = 100;  ///< how many entries history() keeps; undo() reaches as far back
  /// A new value has at most this many times the characters of the parameter's first value. Without it the limit is 20 times, and
  /// 50,000 characters at least.
  std::optional<double> max_length_ratio = {};
  /// A new value that has this many words in a row from a conversation behind the feedback is asked for again; 0: not checked.
  /// Words that most conversations have are no copy, nor are those of the old value, constraints, instructions, examples, inputs
  /// and siblings. Cue words need one to three; of the 210 tickets of examples/tickets no two share six in a row.
  std::size_t copied_words = 8;
  /// The name of the tags around the new value. Where the material that is shown holds such a tag, a number is added.
  std::string answer_tag = "IMPROVED_VALUE";
  /// What stands between these marks in a value stays as it is, marks included. Both empty: no marks.
  std::pair<std::string, std::string> frozen_marks = {"<FROZEN>", "</FROZEN>"};
  /// When set, the feedback begins with what code can count about the replies to the parameter itself (see diagnose): of samples of
  /// the batch, so that nothing else reaches a request. Feedback that came by Step::direct always does.
  std::optional<DiagnosisOptions> diagnosis = {};
};

/// The options of one group over the defaults, one by one: an option that is left out is the default's. Their meaning stands at
/// TGDOptions. Where an option may be nothing, std::optional<Boldness>() and the like are given, to have nothing against the
/// default.
struct TGDGroupOptions {
  std::optional<lm::ChatModelPtr> model = {};
  std::optional<Messages> messages = {};
  std::optional<Inputs> inputs = {};
  std::optional<std::vector<Constraint>> constraints = {};
  std::optional<std::size_t> momentum = {};
  std::optional<Json> completion_args = {};
  std::optional<std::size_t> max_reasks = {};
  std::optional<bool> show_context = {};
  std::optional<std::size_t> context_budget = {};
  std::optional<OnNotice> on_notice = {};
  std::optional<Prompts> prompts = {};
  std::optional<bool> joint = {};
  std::optional<std::optional<Direction>> direction = {};
  std::optional<std::optional<Boldness>> boldness = {};
  std::optional<std::vector<std::string>> examples = {};
  std::optional<std::vector<ParameterRules>> rules = {};
  std::optional<std::size_t> rejected = {};
  std::optional<std::size_t> siblings = {};
  std::optional<std::size_t> history = {};
  std::optional<std::optional<double>> max_length_ratio = {};
  std::optional<std::size_t> copied_words = {};
  std::optional<std::string> answer_tag = {};
  std::optional<std::pair<std::string, std::string>> frozen_marks = {};
  std::optional<std::optional<DiagnosisOptions>> diagnosis = {};
};

}  // namespace tgd::optim
