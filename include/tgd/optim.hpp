// Optimizers: they rewrite parameters from their textual gradients.
//
// TGD, textual gradient descent, asks a language model to rewrite each parameter from its value, role, gradients, constraints
// and momentum window. A step is a transaction: all parameters change, or none.
// Shapes: parameters are scalar texts.
// Errors: ValueError for parameters or options that cannot be used; a failed step throws the language model's error with the
// parameter's role in front, and every parameter, buffer and counter is as before.
// Thread-safety: one thread at a time for each optimizer.
// Sources: PyTorch optim (groups, state); TextGrad (Yuksekgonul et al., 2024, arXiv:2406.07496).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/notice.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

/// A rule that every new value has to keep. The text goes to the language model; a check, where there is one, decides: a value
/// that fails it is never taken.
class TGD_API Constraint {
 public:
  /// What is wrong with a value, as a sentence for the language model; nullopt when nothing is.
  using Check = std::function<std::optional<std::string>(const std::string& value)>;

  Constraint(const char* text) : text_(Variable(text)) {}                  // NOLINT(google-explicit-constructor)
  Constraint(std::string text) : text_(Variable(std::move(text))) {}       // NOLINT(google-explicit-constructor)
  Constraint(Variable text) : text_(std::move(text)) {}                    // NOLINT(google-explicit-constructor)
  Constraint(std::string text, Check check) : text_(Variable(std::move(text))), check_(std::move(check)) {}

  /// Each {name} of `names` stays in the value.
  static Constraint keeps_placeholders(std::vector<std::string> names);
  static Constraint forbids(std::string text);
  /// Regular expression in ECMAScript syntax, searched for anywhere. Throws ValueError when it is none.
  static Constraint forbids_pattern(const std::string& pattern);
  /// Unit: characters (Unicode code points).
  static Constraint max_length(std::size_t characters);
  static Constraint valid_json();

  const Variable& variable() const noexcept { return text_; }
  std::optional<std::string> violation(const std::string& value) const;
  bool has_check() const noexcept { return check_ != nullptr; }

 private:
  Variable text_;
  Check check_;
};

/// A value before an update, with the gradients that led to the update.
struct MomentumPair {
  Variable value;
  std::vector<Variable> gradients;
};
using MomentumBuffer = std::vector<MomentumPair>;  // oldest first

struct TGDOptions {
  lm::ChatModelPtr model = nullptr;
  /// The meta-prompt. Empty: one system and one user message from prompts/. Its placeholders: {role}, {value}, {feedback},
  /// {constraints}, {momentum} and the names of `inputs`; all but {role} and {value} are whole sections, "" where there is
  /// nothing to say.
  Messages messages = {};
  Inputs inputs = {};
  std::vector<Constraint> constraints = {};
  std::size_t momentum = 0;      ///< how many earlier values, with their feedback, the language model is shown
  Json completion_args = {};
  std::size_t max_reasks = 2;    ///< how often an unusable reply is asked for again before the old value is kept
  bool show_context = true;      ///< show the conversations that the feedback came from
  /// The most characters (as UTF-8 bytes) of one request; the default fits models of 32k tokens. Conversations go first, the last
  /// ones before the others, then the oldest versions, then the middle of long feedback: visibly, and reported to on_notice. The
  /// value and the constraints are never cut: a step that cannot show them throws ValueError.
  std::size_t context_budget = 72'000;
  OnNotice on_notice = {};
  Prompts prompts = {};
};

/// What a step did to one parameter.
struct ParameterUpdate {
  enum class Outcome {
    updated,
    unchanged,    ///< the language model gave back the same value
    kept,         ///< no usable reply; the old value stays, `reason` says why
    no_feedback   ///< no gradient or only empty ones: no call was made
  };
  Variable parameter;
  Outcome outcome;
  std::string old_value;
  std::string new_value;
  std::size_t requests = 0;
  std::string reason = {};
};

class TGD_API Optimizer {
 public:
  using Closure = std::function<Evaluation()>;

  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Rewrites the parameters that have feedback. The closure, when given, runs first and once; its result is returned. Gradients
  /// stay as they are: see clear_grad().
  virtual std::optional<Evaluation> step(const Closure& closure = {}) = 0;
  /// Empties the gradients of all parameters.
  void clear_grad();
  /// All parameters in the order of their groups.
  virtual std::vector<Variable> parameters() const = 0;

  virtual Json state_dict() const = 0;

 protected:
  Optimizer() = default;
};

class TGD_API TGD : public Optimizer {
 public:
  /// Options that are left out come from the defaults given to the constructor.
  struct Group {
    std::vector<Variable> params;
    std::optional<TGDOptions> options = {};
  };

  /// Throws ValueError for no parameters, one given twice, and options without a model; TypeError for parameters that are no
  /// scalar texts. Parameters that do not require grad are left out.
  TGD(std::vector<Variable> params, TGDOptions options);
  TGD(std::vector<Group> groups, TGDOptions defaults);
  ~TGD() override;

  std::optional<Evaluation> step(const Closure& closure = {}) override;
  std::vector<Variable> parameters() const override;
  /// What the last step did, in the order of parameters().
  const std::vector<ParameterUpdate>& last_updates() const noexcept;

  void add_param_group(Group group);
  const MomentumBuffer& momentum_buffer(const Variable& parameter) const;

  /// {"state": {"0": {"momentum_buffer": …}}, "param_groups": [{…, "params": [0, 1]}]}; indices run on across groups.
  Json state_dict() const override;
  /// `models` has one model per key, "0" for the first group and so on; the models in use serve groups that it does not name.
  /// Throws ValueError, and changes nothing, when groups differ in number or size, or a model is missing or of another type.
  void load_state_dict(const Json& state, const std::map<std::string, lm::ChatModelPtr>& models = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One step without an object: rewrites `params` from `gradients`, and updates `momentum_buffers`, all or nothing. One entry of
/// each per parameter; throws ValueError when the counts differ.
TGD_API std::vector<ParameterUpdate> tgd(const std::vector<Variable>& params, const std::vector<std::vector<Variable>>& gradients,
                                         std::vector<MomentumBuffer>& momentum_buffers, const TGDOptions& options);

}  // namespace tgd::optim
