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
  if (const Place called = detail::called_place(); called.file != nullptr) make_extras().place = called;
}

Node::~Node() {
  detail::Doomed<std::shared_ptr<Node>>::let_go([this](auto& doomed) {
    for (Edge& edge : edges_.view()) doomed.push(std::move(edge.function));
  });
}

NodeState::~NodeState() = default;

Asked Node::ask(const Feedback&) const { return {}; }

void Node::release() {
  released_ = true;
  release_saved();
}

Node::Extras& Node::make_extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

void Node::add_watch(Watch watch) { make_extras().watches.push_back(std::move(watch)); }

std::span<const Node::Watch> Node::watches() const noexcept {
  return extras_ ? std::span<const Watch>(extras_->watches) : std::span<const Watch>();
}

Place Node::place() const noexcept { return extras_ ? extras_->place : Place(); }

AccumulateGrad::AccumulateGrad(Variable leaf) : Node(std::numeric_limits<std::uint64_t>::max()), leaf_(std::move(leaf)) {}

}  // namespace tgd::autograd

namespace tgd::detail {

namespace {

std::shared_ptr<autograd::Node> accumulator_of(const Variable& leaf) {
  VariableImpl& impl = *leaf.impl();
  const std::lock_guard lock(mutex_of(impl));
  std::shared_ptr<autograd::Node> accumulator = impl.accumulator.lock();
  if (!accumulator) {
    accumulator = std::make_shared<autograd::AccumulateGrad>(leaf);
    impl.accumulator = accumulator;
  }
  return accumulator;
}

}  // namespace

autograd::Edge gradient_edge(const Variable& variable) {
  const VariableImpl& impl = *variable.impl();
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

Variable make_result(std::shared_ptr<Storage> storage, Role role, std::shared_ptr<autograd::Node> node,
                     std::size_t output_nr) {
  auto impl = std::make_shared<VariableImpl>();
  impl->storage = std::move(storage);
  impl->role = std::move(role);
  impl->requires_grad = node != nullptr;
  impl->grad_fn = std::move(node);
  impl->output_nr = static_cast<std::uint32_t>(output_nr);
  return Variable(std::move(impl));
}

}  // namespace tgd::detail
