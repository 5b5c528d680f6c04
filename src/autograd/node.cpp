#include <algorithm>
#include <atomic>
#include <iterator>
#include <limits>
#include <mutex>
#include <utility>

#include <tgd/autograd.hpp>

#include "autograd/graph.hpp"

namespace tgd::autograd {

namespace {

std::uint64_t next_sequence_nr() {
  static std::atomic<std::uint64_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void Edges::push_back(Edge edge) {
  if (many_.empty() && count_ < few_.size()) {
    few_[count_++] = std::move(edge);
    return;
  }
  if (many_.empty()) std::move(few_.begin(), few_.end(), std::back_inserter(many_));
  many_.push_back(std::move(edge));
}

void Edges::move_to(std::vector<Edge>& target) {
  for (Edge& edge : few_) {
    if (edge) target.push_back(std::move(edge));
  }
  std::move(many_.begin(), many_.end(), std::back_inserter(target));
  many_.clear();
  count_ = 0;
}

Node::Node(std::span<const Variable> inputs) : sequence_nr_(next_sequence_nr()) {
  edges_.reserve(inputs.size());
  for (const Variable& input : inputs) edges_.push_back(detail::gradient_edge(input));
}

// The outermost destructor on a thread lets go of the edges of all nodes that end because of it. No reference count is looked
// at: another thread may let go of the same node at the same time.
Node::~Node() {
  thread_local std::vector<Edge>* outermost = nullptr;
  if (outermost != nullptr) {
    edges_.move_to(*outermost);
    return;
  }
  std::vector<Edge> doomed;
  edges_.move_to(doomed);
  outermost = &doomed;
  while (!doomed.empty()) {
    const Edge edge = std::move(doomed.back());
    doomed.pop_back();
  }
  outermost = nullptr;
}

std::vector<lm::Request> Node::ask(const Feedback&) const { return {}; }

void Node::release() {
  released_ = true;
  release_saved();
}

void Node::add_watch(Watch watch) {
  if (!watches_) watches_ = std::make_unique<std::vector<Watch>>();
  watches_->push_back(std::move(watch));
}

std::span<const Node::Watch> Node::watches() const noexcept {
  return watches_ ? std::span<const Watch>(*watches_) : std::span<const Watch>();
}

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
