#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <utility>

#include <tgd/autograd.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "core/doomed.hpp"

namespace tgd::autograd {

namespace {

std::uint64_t next_sequence_nr() {
  static std::atomic<std::uint64_t> next{1};  // 0 is before all
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Node::Node(std::span<const Variable> inputs) : edges_(inputs.size()), sequence_nr_(next_sequence_nr()) {
  std::transform(inputs.begin(), inputs.end(), edges_.view().begin(), detail::gradient_edge);
  if (const Place called = detail::called_place(); called.file != nullptr)
    detail::NodeAccess::make_extras(*this).place = called;
}

Node::Node(std::uint64_t sequence_nr) : edges_(0), sequence_nr_(sequence_nr) {}

Node::~Node() {
  detail::Doomed<std::shared_ptr<Node>>::let_go([this](auto& doomed) {
    for (Edge& edge : edges_.view()) doomed.push(std::move(edge.function));
  });
}

NodeState::~NodeState() = default;

Asked::Asked() = default;
Asked::Asked(std::vector<lm::Request> asked, std::unique_ptr<NodeState> kept, lm::ChatModelPtr whom)
    : requests(std::move(asked)), state(std::move(kept)), model(std::move(whom)) {}
Asked::Asked(Asked&&) noexcept = default;
Asked& Asked::operator=(Asked&&) noexcept = default;
Asked::~Asked() = default;

Answer::Answer() = default;
Answer::Answer(std::vector<Gradient> given) : gradients(std::move(given)) {}
Answer::Answer(std::vector<Gradient> given, std::vector<lm::Request> further)
    : gradients(std::move(given)), requests(std::move(further)) {}
Answer::Answer(Answer&&) noexcept = default;
Answer& Answer::operator=(Answer&&) noexcept = default;
Answer::~Answer() = default;

Asked Node::ask(const Feedback&) const { return {}; }

void Node::release() {
  released_ = true;
  release_saved();
}

Place Node::place() const noexcept { return extras_ ? extras_->place : Place(); }

AccumulateGrad::AccumulateGrad(Variable leaf) : Node(std::numeric_limits<std::uint64_t>::max()), leaf_(std::move(leaf)) {}

Answer AccumulateGrad::answer(NodeState*, const Feedback&, std::span<const lm::Reply>) const { return {}; }

}  // namespace tgd::autograd

namespace tgd::detail {

namespace {

std::shared_ptr<autograd::Node> accumulator_of(const Variable& leaf) {
  VariableImpl& impl = *tgd::detail::impl_of(leaf);
  const std::lock_guard lock(mutex_of(impl));
  std::shared_ptr<autograd::Node> accumulator = impl.accumulator.lock();
  if (!accumulator) {
    accumulator = std::make_shared<autograd::AccumulateGrad>(leaf);
    impl.accumulator = accumulator;
  }
  return accumulator;
}

}  // namespace

NodeExtras& NodeAccess::make_extras(autograd::Node& node) {
  if (!node.extras_) node.extras_ = std::make_unique<NodeExtras>();
  return *node.extras_;
}

std::span<const GradientWatch> NodeAccess::watches(const autograd::Node& node) noexcept {
  return node.extras_ ? std::span<const GradientWatch>(node.extras_->watches) : std::span<const GradientWatch>();
}

autograd::Edge gradient_edge(const Variable& variable) {
  const VariableImpl& impl = *tgd::detail::impl_of(variable);
  if (!impl.requires_grad) return {};
  if (impl.grad_fn) return {impl.grad_fn, impl.output_nr};
  return {accumulator_of(variable), 0};
}

bool records_history(std::span<const Variable> inputs) {
  if (!is_grad_enabled()) return false;
  for (const Variable& input : inputs) {
    if (input.requires_grad()) return true;
  }
  return false;
}

Variable make_result(std::shared_ptr<Storage> storage, Role role, std::shared_ptr<autograd::Node> node, std::size_t output_nr) {
  auto impl = std::make_shared<VariableImpl>();
  impl->storage = std::move(storage);
  impl->role = std::move(role);
  impl->requires_grad = node != nullptr;
  impl->grad_fn = std::move(node);
  impl->output_nr = static_cast<std::uint32_t>(output_nr);
  return variable_of(std::move(impl));
}

}  // namespace tgd::detail
