// TGD: see its comment below.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>
#include <tgd/optim/constraint.hpp>
#include <tgd/optim/diagnosis.hpp>
#include <tgd/optim/optimizer.hpp>
#include <tgd/optim/tgd_options.hpp>
#include <tgd/optim/updates.hpp>

namespace tgd::optim {

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
  /// One candidate for each aim, which stands in its request with the instructions ({instructions} in TGDOptions::messages).
  std::vector<Candidate> propose(const std::vector<Aim>& aims);
  /// What the feedback asks for, the most urgent first: `form` and `confusion` where code has counted that (see diagnose), then
  /// `rule` and `shorter`.
  std::vector<Aim> aims() const;
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
  void append_state(std::string& text) const override;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One step without an object: rewrites `params` from `gradients`, and updates `momentum_buffers`, all or nothing. One entry of
/// each per parameter; throws ValueError when the counts differ. The first value, for max_length_ratio, is the present one.
TGD_API std::vector<ParameterUpdate> tgd(const std::vector<Variable>& params,
                                         const std::vector<std::vector<Variable>>& gradients,
                                         std::vector<MomentumBuffer>& momentum_buffers, const TGDOptions& options);

}  // namespace tgd::optim
