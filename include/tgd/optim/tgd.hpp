// TGD: see its comment below.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>
#include <tgd/optim/constraint.hpp>
#include <tgd/optim/diagnosis.hpp>
#include <tgd/optim/optimizer.hpp>

namespace tgd::optim {

/// A value before an update, with the gradients that led to the update and, where one was reported, its score.
struct MomentumPair {
  Variable value;
  std::vector<Variable> gradients;
  std::optional<double> score = {};
};
using MomentumBuffer = std::vector<MomentumPair>;  // oldest first

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

/// Why a reply could not be used.
struct UnusableReply {
  enum class Problem {
    cut_off,   ///< lm::ReplyEnd::cut
    filtered,  ///< lm::ReplyEnd::filtered
    no_value,  ///< neither answer tag, or only a form's blank, a refusal or a thought between them
    no_opening_tag,
    no_closing_tag,
    several_values,
    empty_value,
    unreadable,  ///< no UTF-8, or controls and hidden characters that the old value does not hold
    leaked_tag,  ///< the value holds a tag of the meta-prompt
    echo,        ///< the value repeats the meta-prompt
    elided,      ///< a line of the value stands for what was left out
    violated_constraint,
    lost_placeholder,
    too_long,  ///< max_length_ratio, or beyond all measure
    changed_frozen,
    copied,    ///< words of a conversation
    unchanged  ///< no value differs from the old one
  };
  Problem problem;
  std::string reason;  ///< as the language model was told
};
/// The enumerator's name.
TGD_API std::string_view to_string(UnusableReply::Problem problem);

/// What a step did, or would do, to one parameter.
struct ParameterUpdate {
  enum class Outcome {
    updated,
    unchanged,    ///< the language model gave back the same value, and again when it was asked to change it
    kept,         ///< no usable reply; the old value stays, `reason` says why
    no_feedback,  ///< no gradient or only empty ones: no call was made
    rejected      ///< it was updated, and reject() took that back
  };
  Variable parameter;
  Outcome outcome;
  std::string old_value = {};
  std::string new_value = {};  ///< the old value unless the outcome is `updated` or `rejected`
  std::size_t requests = 0;    ///< with `joint` those of the group
  std::string reason = {};
  std::vector<UnusableReply> problems = {};  ///< one for each reply that was asked for again or ended in `kept`
  std::vector<Variable> gradients = {};      ///< the feedback that was shown
  std::size_t edit_distance = 0;             ///< words inserted, deleted or replaced
  std::string kept = {};                     ///< of a suggestion: see Suggestion
};
TGD_API std::string_view to_string(ParameterUpdate::Outcome outcome);

/// A new value that did not come from the language model.
struct Suggestion {
  Variable parameter;
  std::string value;
  /// What the value ends with and later steps keep: the language model is not shown it, and rewrites what stands before it. Such as
  /// solved samples, which it would only copy. Empty: nothing.
  std::string kept = {};
};

/// New values that are not taken yet: one for each parameter, in the order of parameters(). See TGD::propose.
struct Candidate {
  std::vector<ParameterUpdate> updates;
};

/// A value that a parameter had, or that was proposed for it.
struct HistoryEntry {
  enum class Status {
    set,  ///< the first value, or one that the program has set
    accepted,
    rejected,
    undone
  };
  std::string value;
  Status status;
  std::size_t step = 0;                    ///< counts from 1; 0 for `set`
  std::vector<std::string> feedback = {};  ///< what was said of the value before, which this one answers
  std::optional<double> score = {};
  std::string reason = {};  ///< of a rejection
};
TGD_API std::string_view to_string(HistoryEntry::Status status);

/// TGD, textual gradient descent: asks a language model to rewrite each parameter from its value, role, gradients, constraints
/// and what came of earlier proposals. A step is a transaction: all parameters change, or none.
///
///     optim::TGD optimizer({prompt}, {.model = model, .momentum = 3});
///     optimizer.step();                                        // after backward()
///     if (score() < best) optimizer.reject("it scored less");  // the next request shows what was rejected, and why
///
/// What is taken and what is not: a reply has to hold one whole value between the answer tags. A value is never taken when the
/// reply was cut off, when it is empty, no text, repeats the instructions or leaves parts out ("..."), when it loses a
/// placeholder that the parameter is used with or a frozen part, grows beyond max_length_ratio, copies a conversation word for
/// word, or violates a checked constraint. Such a reply is asked for again with the reason, max_reasks times; then the old
/// value stays, and last_updates() says why.
///
/// Shapes: parameters are scalar texts.
/// Errors: ValueError for parameters or options that cannot be used; a failed step throws the language model's error with the
/// parameter's role in front, and every parameter, buffer and counter is as before.
/// Thread-safety: one thread at a time for each optimizer.
/// Sources: PyTorch optim (groups, state); TextGrad (Yuksekgonul et al., 2024, arXiv:2406.07496).
class TGD_API TGD : public Optimizer {
 public:
  /// Options that are left out come from the defaults given to the constructor.
  struct Group {
    std::vector<Variable> params;
    TGDGroupOptions options = {};
  };
  /// A group of the optimizer, to read and to change while training: `for (auto& group : optimizer.param_groups())
  /// group.options.momentum = 3;`. What is changed holds from the next step on, which throws ValueError for options that cannot
  /// work. Of a parameter's past the requests show as much as the options allow now.
  struct ParamGroup {
    std::vector<Variable> params;
    TGDOptions&
        options;  ///< the defaults with the group's own in their place; until the next add_param_group() or load_state_dict()
  };

  /// Throws ValueError for no parameters, none that requires grad, one given twice, and options that cannot work; TypeError for
  /// parameters that are no scalar texts. Parameters that do not require grad are left out.
  TGD(std::vector<Variable> params, TGDOptions options);
  TGD(std::vector<Group> groups, TGDOptions defaults);
  ~TGD() override;

  /// The same as commit(propose(1)[0]).
  std::optional<Evaluation> step(const Closure& closure = {}) override;
  std::vector<Variable> parameters() const override;
  /// What the last step did, in the order of parameters().
  const std::vector<ParameterUpdate>& last_updates() const noexcept;

  /// `count` candidates, drawn at once: each asks for new values of all parameters that have feedback, as step() does, and its
  /// requests carry its number in Request::sample. Nothing is changed. Whether they differ is up to the model and its arguments.
  std::vector<Candidate> propose(std::size_t count);
  /// A candidate that somebody else has written: new values of some parameters. One that may not be taken, because of a constraint,
  /// a frozen part or what else a step keeps to, is `kept`, with the reason. Throws ValueError for a parameter of no group, and for
  /// a value that does not end with what is to be kept of it.
  Candidate suggest(const std::vector<Suggestion>& values) const;
  /// Takes a candidate's values: parameters, momentum and history change as in a step. Throws StateError, and changes nothing,
  /// when a parameter has no longer the value that the candidate was made from.
  void commit(Candidate candidate);

  /// While it lives, the parameters have a candidate's values; then their own again.
  class TGD_API Trial {
   public:
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial();

   private:
    friend class TGD;
    explicit Trial(const Candidate& candidate);
    std::vector<std::pair<Variable, Data>> own_;
  };
  /// Throws StateError as commit() does.
  [[nodiscard]] Trial try_out(const Candidate& candidate) const;

  /// How well the present values did: shown to the language model with each value, now and when it is an earlier version.
  void report_score(double score) override;
  void report_score(const Variable& parameter, double score);

  /// Takes back what the last step (or commit) did to all parameters that it changed, or to one: value, momentum, score and, when
  /// nothing of the step is left, the count of steps are exactly as before it. The proposals are remembered with the reason and,
  /// where given, their score; the next requests show the last TGDOptions::rejected of them. Throws StateError, and changes
  /// nothing, when there is nothing to take back or the program has changed the value since.
  void reject(const std::string& reason, std::optional<double> score = {}) override;
  void reject(const Variable& parameter, const std::string& reason, std::optional<double> score = {});
  /// Remembers the proposals of a candidate that was not committed.
  void reject(const Candidate& candidate, const std::string& reason, std::optional<double> score = {});

  /// Every value that was accepted or rejected, oldest first, at most TGDOptions::history of them. Empty before the first one.
  std::vector<HistoryEntry> history(const Variable& parameter) const;
  /// Takes back the latest accepted value of a parameter: value, momentum and score are as before it. May be repeated. Throws
  /// StateError, and changes nothing, when the history holds no earlier value or the program has changed the value since.
  void undo(const Variable& parameter);
  /// The same for every parameter whose present value came with the latest step.
  void undo();

  /// Throws ValueError as the constructor does; the optimizer is then as before.
  void add_param_group(Group group);
  std::vector<ParamGroup> param_groups();
  /// What groups that are added fall back to.
  const TGDOptions& defaults() const noexcept;
  const MomentumBuffer& momentum_buffer(const Variable& parameter) const;
  /// Those of the parameter's group.
  const TGDOptions& options(const Variable& parameter) const;

  /// {"state": {"0": {"momentum_buffer": …}}, "param_groups": [{…, "params": [0, 1]}], …}; indices run on across groups. Beside
  /// these, "version", "steps" and "records" hold scores, rejected proposals, first values and the history.
  Json state_dict() const override;
  void append_state(std::string& text) const override;
  /// `models` has one model per key, "0" for the first group and so on; the models in use serve groups that it does not name.
  /// What each saved model had used is added once, whichever groups shared it, to the model of the first of them.
  /// States of earlier versions load, too; what they lack is as in a new optimizer. A state without "provider" fits any.
  /// Throws ValueError, and changes nothing, when groups differ in number or size, a key of `models` is no group's, or a model is
  /// missing or of another type.
  void load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) override;
  using Optimizer::load_state_dict;
  std::string class_type() const override { return "TGD"; }

 protected:
  Json saved_groups() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One step without an object: rewrites `params` from `gradients`, and updates `momentum_buffers`, all or nothing. One entry of
/// each per parameter; throws ValueError when the counts differ. The first value, for max_length_ratio, is the present one.
TGD_API std::vector<ParameterUpdate> tgd(const std::vector<Variable>& params,
                                         const std::vector<std::vector<Variable>>& gradients,
                                         std::vector<MomentumBuffer>& momentum_buffers, const TGDOptions& options);

}  // namespace tgd::optim
