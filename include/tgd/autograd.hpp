// The textual autograd graph: nodes, edges, grad mode and the backward pass.
//
// A node computes gradients in two pure halves: ask() returns the requests to a language model that it needs (and what it wants
// to remember of them), answer() turns the replies into one gradient per input. The engine alone decides what is in flight: one
// coordinator (the calling thread), any number of calls at once, results committed in a fixed order. The same graph and the
// same replies give byte-identical prompts and gradients, whatever the latency.
//
// Errors: GraphError for misuse; what a node or its language model throws is rethrown with the node's name and role. After an
// error no gradient of any leaf has changed and the graph can be used again.
// Thread-safety: distinct graphs may run backward on distinct threads and share leaves and models.
// Sources: PyTorch autograd (engine, grad mode); TextGrad (Yuksekgonul et al., 2024) for textual gradients.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/place.hpp>
#include <tgd/problem.hpp>
#include <tgd/variable.hpp>

namespace tgd {

// A graph hands on what its nodes ask and what they are answered; only who reads or writes that needs <tgd/lm/chat_model.hpp>.
namespace lm {
class ChatModel;
using ChatModelPtr = std::shared_ptr<ChatModel>;
struct Request;
struct Reply;
}  // namespace lm

namespace detail {
struct NodeExtras;
struct NodeAccess;
}  // namespace detail

/// Whether operations on this thread record history. On by default.
TGD_API bool is_grad_enabled() noexcept;

/// Switches recording off for this thread while it lives. Nests.
class TGD_API NoGradGuard {
 public:
  NoGradGuard() noexcept;
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};

/// The model that criticises in backward passes which name none themselves. The one process-wide setting of tgd.
TGD_API void set_backward_model(lm::ChatModelPtr model, Json args = {});
/// By name, "openai/gpt-5": the provider is what stands before the first '/'. See lm::make_model.
TGD_API void set_backward_model(const std::string& name, Json args = {});
/// Throws StateError when none was set.
TGD_API lm::ChatModelPtr backward_model();

namespace autograd {

class Node;

/// No gradient at all (nullopt) is not the same as empty feedback (""), which says that all is well.
using Gradient = std::optional<Variable>;

/// Where an input of a node came from. Empty for an input that needs no gradient.
struct Edge {
  std::shared_ptr<Node> function;
  std::size_t input_nr = 0;  ///< which output of `function` the input is

  explicit operator bool() const noexcept { return function != nullptr; }
};

/// The edges of one node. Most nodes have one or two; those live in the node itself.
class TGD_API Edges {
 public:
  explicit Edges(std::size_t count) : count_(count), many_(count > few_.size() ? new Edge[count] : nullptr) {}
  std::span<Edge> view() noexcept { return {many_ ? many_.get() : few_.data(), count_}; }
  std::span<const Edge> view() const noexcept { return {many_ ? many_.get() : few_.data(), count_}; }

 private:
  std::array<Edge, 2> few_;
  std::size_t count_;
  std::unique_ptr<Edge[]> many_;
};

/// What a prompt hears of the calls that were made with it.
enum class Step {
  critique,  ///< what the backward model says of the conversations and of the evaluators' feedback
  direct,    ///< the evaluators' feedback as it is: no critic is asked, and the optimizer is shown the samples themselves
  automatic  ///< direct where the right answers are known and one call lies between prompt and evaluator; else critique
};

/// What a node works on in a backward pass.
struct Feedback {
  std::span<const Gradient> grad_outputs;  ///< one per output; nullopt for an output that got none
  std::span<const char> wanted;            ///< one flag per edge: whether anybody wants a gradient there
  /// For a node that takes_problems(): why a reply could not be had, one entry per reply; nothing for one that came.
  std::span<const std::optional<Problem>> problems = {};
  Step step = Step::critique;

  bool wants(std::size_t edge) const { return wanted[edge] != 0; }
};

/// What a node keeps between ask() and answer() of one pass: a type of its own, which nobody else looks into. The pass owns it.
class TGD_API NodeState {
 public:
  NodeState() = default;
  NodeState(const NodeState&) = delete;
  NodeState& operator=(const NodeState&) = delete;
  virtual ~NodeState();
};

/// What ask() returns.
struct TGD_API Asked {
  Asked();
  Asked(std::vector<lm::Request> asked, std::unique_ptr<NodeState> kept = nullptr, lm::ChatModelPtr whom = nullptr);
  Asked(Asked&&) noexcept;
  Asked& operator=(Asked&&) noexcept;
  ~Asked();

  std::vector<lm::Request> requests;
  std::unique_ptr<NodeState> state;
  /// Who is asked, in all rounds, where that is not the backward model; the pass's completion arguments are not for it.
  lm::ChatModelPtr model;
};

/// What answer() returns: one gradient per edge, or further requests. With requests, answer() is called again with the replies
/// to these; what it needs of earlier rounds it keeps in its state.
struct TGD_API Answer {
  Answer();
  Answer(std::vector<Gradient> given);  // NOLINT(google-explicit-constructor)
  Answer(std::vector<Gradient> given, std::vector<lm::Request> further);
  Answer(Answer&&) noexcept;
  Answer& operator=(Answer&&) noexcept;
  ~Answer();

  std::vector<Gradient> gradients;
  std::vector<lm::Request> requests;
};

/// A function in the graph: where its inputs came from, and how feedback on its outputs becomes feedback on them.
///
/// Shapes: one edge an input, one gradient an edge; a gradient is a Variable of the input's shape or empty.
/// Errors: what ask() or answer() throws fails the pass, with the node's name and role in front; GraphError for promises not
/// kept.
/// Thread-safety: the coordinator of a pass calls one member at a time; different passes may use a node at once.
/// Model: torch/csrc/autograd/function.h, and its groups.
class TGD_API Node {
 public:
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  /// Long histories are destroyed without recursion.
  virtual ~Node();

  // ---- Connectivity ----

  /// One edge per Variable input.
  std::span<const Edge> next_functions() const noexcept { return edges_.view(); }
  virtual std::size_t output_count() const { return 1; }
  /// Nodes made later have higher numbers; leaves' nodes the highest.
  std::uint64_t sequence_nr() const noexcept { return sequence_nr_; }

  // ---- Hooks ----
  // Those on a Variable see and replace the gradients of the node's outputs: Variable::register_hook(), retain_grad().

  // ---- Customization ----

  /// "<Op>Backward", or "AccumulateGrad" at a leaf.
  virtual std::string name() const = 0;
  /// The role of an output, for messages and prompts.
  virtual std::string output_role(std::size_t output_nr) const = 0;
  /// First half: the requests whose replies answer() needs; none by default.
  virtual Asked ask(const Feedback& feedback) const;
  /// Second half: one gradient per edge, nullopt where none is wanted. `state` is what ask() returned beside its requests.
  virtual Answer answer(NodeState* state, const Feedback& feedback, std::span<const lm::Reply> replies) const = 0;
  /// Whether answer() copes with a reply that could not be had by the fault of its own request (see tgd/problem.hpp): it is
  /// empty then. Else such a reply ends the pass.
  virtual bool takes_problems() const { return false; }
  /// Whether backward may start here without a gradient: an evaluator knows its own feedback.
  virtual bool starts_backward() const { return false; }
  /// Whether answer() hands feedback on as it is; then it is the final receiver who is told where it came from.
  virtual bool forwards_feedback() const { return false; }

  // ---- Saved state ----

  /// Frees what was saved for the backward pass; a second pass is refused from now on.
  void release();
  bool released() const noexcept { return released_; }
  /// Where the operation was called, if that was under an AnomalyGuard.
  Place place() const noexcept;

 protected:
  /// Edges to the producers of `inputs`, for those that require grad.
  explicit Node(std::span<const Variable> inputs);
  /// For leaves' nodes.
  explicit Node(std::uint64_t sequence_nr);

  virtual void release_saved() {}

 private:
  friend struct detail::NodeAccess;

  Edges edges_;
  std::uint64_t sequence_nr_;
  std::unique_ptr<detail::NodeExtras> extras_;  // what few nodes have
  bool released_ = false;
};

/// The end of every path: appends gradients to a leaf.
class TGD_API AccumulateGrad : public Node {
 public:
  explicit AccumulateGrad(Variable leaf);
  std::string name() const override { return "AccumulateGrad"; }
  std::string output_role(std::size_t) const override { return leaf_.role(); }
  Answer answer(NodeState* state, const Feedback& feedback, std::span<const lm::Reply> replies) const override;
  const Variable& variable() const noexcept { return leaf_; }

 private:
  Variable leaf_;
};

/// What holds for one backward pass; see Variable::backward().
struct BackwardOptions {
  bool retain_graph = false;          ///< keep the history for another pass
  std::vector<Variable> inputs = {};  ///< leaves: only they receive gradients, and nothing else costs a call
  lm::ChatModelPtr model = nullptr;   ///< criticises instead of the model of set_backward_model()
  Json args = {};                     ///< completion arguments laid over those of the requests
  std::stop_token stop = {};          ///< ends the pass with an LMError of kind cancelled
  Step step = Step::critique;         ///< how feedback gets past a call to the prompts that it was made with
};

/// Runs the graph backward from `root`; Variable::backward() by another name. A scalar gradient is accepted for a batch and
/// means every item.
TGD_API void backward(const Variable& root, Gradient gradient = std::nullopt, const BackwardOptions& options = {});

/// Runs one pass backward from all `outputs` and returns the gradients of `inputs`, leaves or results, without accumulating
/// them anywhere: one list per input, empty where nothing reaches it. `gradients` has one entry per output, or is empty when
/// all outputs are an evaluator's.
TGD_API std::vector<std::vector<Variable>> grad(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                                                const std::vector<Gradient>& gradients = {},
                                                const BackwardOptions& options = {});

/// The graph behind a Variable as a drawing: roles, shortened data and gradients. Graphviz DOT and Mermaid.
TGD_API std::string to_dot(const Variable& root);
TGD_API std::string to_mermaid(const Variable& root);

}  // namespace autograd

}  // namespace tgd
