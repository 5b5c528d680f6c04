// The backward pass: one coordinator, any number of calls in flight, results committed in a fixed order.
#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <tgd/autograd.hpp>

#include "autograd/feedback.hpp"
#include "autograd/graph.hpp"
#include "core/rethrow.hpp"
#include "core/text.hpp"
#include "lm/calls_in_flight.hpp"

namespace tgd::autograd {

namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// From node to task, for graphs of millions of nodes: open addressing, no allocation per entry.
class TaskMap {
 public:
  TaskMap() : slots_(64) {}

  /// The node's task, and whether the node was new and got `task`.
  std::pair<std::size_t, bool> insert(const Node* node, std::size_t task) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = find(node);
    if (slot.node != nullptr) return {slot.task, false};
    slot = {node, task};
    ++count_;
    return {task, true};
  }

  std::size_t at(const Node* node) { return find(node).task; }

 private:
  struct Slot {
    const Node* node = nullptr;
    std::size_t task = none;
  };

  Slot& find(const Node* node) {
    const std::size_t mask = slots_.size() - 1;
    const auto address = reinterpret_cast<std::uintptr_t>(node);
    std::size_t i = ((address * 0x9E3779B97F4A7C15U) >> 32U) & mask;
    while (slots_[i].node != nullptr && slots_[i].node != node) i = (i + 1) & mask;
    return slots_[i];
  }

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.node != nullptr) find(slot.node) = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

/// A gradient on its way to a node. Those of one node form a list.
struct Incoming {
  Variable gradient;
  std::uint64_t consumer;  // its place in the order of creation
  std::size_t edge;
  std::size_t output_nr;
  std::size_t next;
};

struct Task {
  Node* node = nullptr;
  std::size_t consumers = 0;  // that have not answered yet
  std::size_t first_incoming = none;
  bool wanted = true;
};

/// A node's two halves, with the calls between them.
struct Exchange {
  std::size_t task = none;
  std::vector<Gradient> grad_outputs;
  std::vector<char> wanted;
  std::vector<lm::Reply> replies;
  std::size_t missing = 0;

  Feedback feedback() const { return {grad_outputs, wanted}; }
};

/// A gradient for a leaf or a retaining result, held back until the pass has succeeded.
struct Staged {
  std::shared_ptr<detail::VariableImpl> receiver;
  Variable gradient;
  std::uint64_t consumer;
  std::size_t edge;
};

/// Which reply of which exchange a call is for.
struct CallKey {
  std::shared_ptr<Exchange> exchange;
  std::size_t reply;
};

std::string describe(const Node& node) {
  return fmt::format("{} of \"{}\"", node.name(), detail::excerpt(node.output_role(0), 80));
}

const Variable* leaf_of(const Node& node) {
  const auto* accumulator = dynamic_cast<const AccumulateGrad*>(&node);
  return accumulator != nullptr ? &accumulator->variable() : nullptr;
}

bool ends_here(const Node& node) { return node.sequence_nr() == std::numeric_limits<std::uint64_t>::max(); }

class Pass {
 public:
  explicit Pass(const BackwardOptions& options) : options_(options), calls_(options.stop) {}

  void run(const std::shared_ptr<Node>& root, std::size_t output_nr, const Gradient& gradient);

 private:
  void collect_leaves();
  void discover(const std::shared_ptr<Node>& root);
  void mark_wanted();
  bool is_wanted(const Edge& edge);
  void work();
  void begin(std::size_t task);
  std::vector<Gradient> merge(const Task& task);
  Variable deliver(Node& node, std::size_t output_nr, Variable gradient);
  void send(const std::shared_ptr<Exchange>& exchange, std::vector<lm::Request> requests);
  void accept(const CallKey& key, lm::Outcome outcome);
  /// Second half. Returns the requests of a further round.
  std::vector<lm::Request> conclude(Exchange& exchange);
  void distribute(const Task& task, std::vector<Gradient> gradients);
  void stage(const Variable& leaf, const Variable& gradient, std::uint64_t consumer, std::size_t edge);
  void commit();
  lm::ChatModel& model();

  const BackwardOptions& options_;
  lm::ChatModelPtr model_;
  std::unordered_set<const detail::VariableImpl*> leaves_;  // that were asked for; empty: all
  TaskMap task_of_;
  std::vector<Task> tasks_;
  std::vector<Incoming> incoming_;
  std::priority_queue<std::pair<std::uint64_t, std::size_t>> ready_;  // the latest node first
  std::vector<Staged> staged_;
  Exchange local_;  // for nodes without calls, reused
  lm::detail::CallsInFlight<CallKey> calls_;
};

void Pass::run(const std::shared_ptr<Node>& root, std::size_t output_nr, const Gradient& gradient) {
  const std::uint64_t before_all = 0;
  collect_leaves();
  if (const Variable* leaf = leaf_of(*root)) {
    stage(*leaf, *gradient, before_all, 0);
    return commit();
  }
  discover(root);
  if (!leaves_.empty()) mark_wanted();
  if (gradient) {
    incoming_.push_back({*gradient, before_all, 0, output_nr, none});
    tasks_[0].first_incoming = 0;
  }
  if (tasks_[0].wanted) ready_.push({root->sequence_nr(), 0});
  work();
  commit();
  if (!options_.retain_graph) {
    for (const Task& task : tasks_) task.node->release();
  }
}

void Pass::collect_leaves() {
  for (const Variable& input : options_.inputs) {
    if (!input.is_leaf() || !input.requires_grad()) {
      throw GraphError(fmt::format("BackwardOptions::inputs has to list leaves that require grad; \"{}\" {}", input.role(),
                                   input.requires_grad() ? "is the result of an operation" : "does not require grad"));
    }
    leaves_.insert(input.impl().get());
  }
}

void Pass::discover(const std::shared_ptr<Node>& root) {
  task_of_.insert(root.get(), 0);
  tasks_.push_back({root.get()});
  for (std::size_t next = 0; next < tasks_.size(); ++next) {
    Node& node = *tasks_[next].node;
    if (node.released()) {
      throw GraphError(fmt::format("backward() reached {}, whose history was freed by an earlier pass: set retain_graph for "
                                   "every pass but the last, or run the forward operations again",
                                   describe(node)));
    }
    for (const Edge& edge : node.next_edges()) {
      if (!edge || ends_here(*edge.function)) continue;
      const auto [task, inserted] = task_of_.insert(edge.function.get(), tasks_.size());
      if (inserted) tasks_.push_back({edge.function.get()});
      ++tasks_[task].consumers;
    }
  }
}

bool Pass::is_wanted(const Edge& edge) {
  if (!edge) return false;
  if (leaves_.empty()) return true;
  if (const Variable* leaf = leaf_of(*edge.function)) return leaves_.contains(leaf->impl().get());
  return tasks_[task_of_.at(edge.function.get())].wanted;
}

void Pass::mark_wanted() {
  std::vector<std::size_t> producers_first(tasks_.size());
  for (std::size_t i = 0; i < tasks_.size(); ++i) producers_first[i] = i;
  std::sort(producers_first.begin(), producers_first.end(), [this](std::size_t a, std::size_t b) {
    return tasks_[a].node->sequence_nr() < tasks_[b].node->sequence_nr();
  });
  for (const std::size_t task : producers_first) {
    const auto& edges = tasks_[task].node->next_edges();
    tasks_[task].wanted = std::any_of(edges.begin(), edges.end(), [this](const Edge& edge) { return is_wanted(edge); });
  }
}

void Pass::work() {
  while (!ready_.empty() || calls_.any()) {
    while (!ready_.empty()) {
      const std::size_t task = ready_.top().second;
      ready_.pop();
      begin(task);
    }
    if (!calls_.any()) continue;
    auto [key, outcome] = calls_.next();
    accept(key, std::move(outcome));
  }
}

void Pass::begin(std::size_t index) {
  const Task& task = tasks_[index];
  Node& node = *task.node;
  try {
    local_.task = index;
    local_.replies.clear();
    local_.grad_outputs = merge(task);
    const bool silent = std::none_of(local_.grad_outputs.begin(), local_.grad_outputs.end(),
                                     [](const Gradient& gradient) { return gradient.has_value(); });
    if (silent && !(index == 0 && node.starts_backward())) {
      return distribute(task, std::vector<Gradient>(node.next_edges().size()));
    }
    local_.wanted.clear();
    for (const Edge& edge : node.next_edges()) local_.wanted.push_back(is_wanted(edge) ? 1 : 0);
    std::vector<lm::Request> requests = node.ask(local_.feedback());
    if (requests.empty()) requests = conclude(local_);
    if (!requests.empty()) send(std::make_shared<Exchange>(std::move(local_)), std::move(requests));
  } catch (...) {
    detail::rethrow_with_prefix(describe(node) + ": ");
  }
}

std::vector<Gradient> Pass::merge(const Task& task) {
  std::vector<Gradient> merged(task.node->output_count());
  std::vector<const Incoming*> arrived;
  for (std::size_t i = task.first_incoming; i != none; i = incoming_[i].next) arrived.push_back(&incoming_[i]);
  if (arrived.empty()) return merged;
  std::sort(arrived.begin(), arrived.end(), [](const Incoming* a, const Incoming* b) {
    return std::tie(a->output_nr, a->consumer, a->edge) < std::tie(b->output_nr, b->consumer, b->edge);
  });
  for (auto first = arrived.begin(); first != arrived.end();) {
    const std::size_t output_nr = (*first)->output_nr;
    const auto last = std::find_if(first, arrived.end(), [&](const Incoming* i) { return i->output_nr != output_nr; });
    std::vector<Variable> gradients;
    std::transform(first, last, std::back_inserter(gradients), [](const Incoming* i) { return i->gradient; });
    Variable gradient = gradients.size() == 1 ? gradients.front() : detail::join_gradients(gradients);
    merged[output_nr] = deliver(*task.node, output_nr, std::move(gradient));
    first = last;
  }
  return merged;
}

Variable Pass::deliver(Node& node, std::size_t output_nr, Variable gradient) {
  for (const Node::Watch& watch : node.watches()) {
    if (watch.output_nr != output_nr) continue;
    if (watch.hook) {
      const bool forwarded = gradient.impl()->forwarded;
      gradient = watch.hook(gradient).detach();
      gradient.impl()->forwarded = forwarded;
    }
    if (const auto variable = watch.retain.lock()) {
      staged_.push_back({variable, detail::receive_gradient(gradient, variable->role), node.sequence_nr(), output_nr});
    }
  }
  if (!gradient.impl()->forwarded || node.forwards_feedback()) return gradient;
  return detail::receive_gradient(gradient, detail::Role(node.output_role(output_nr)));
}

lm::ChatModel& Pass::model() {
  if (!model_) model_ = options_.model ? options_.model : backward_model();
  return *model_;
}

void Pass::send(const std::shared_ptr<Exchange>& exchange, std::vector<lm::Request> requests) {
  const Node& node = *tasks_[exchange->task].node;
  lm::ChatModel& model = this->model();
  const std::size_t first = exchange->replies.size();
  exchange->replies.resize(first + requests.size());
  exchange->missing = requests.size();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    lm::Request& request = requests[i];
    request.args = request.args.merged(options_.args);
    if (request.info.purpose.empty()) request.info.purpose = "backward";
    request.info.node = node.name();
    calls_.start(model, std::move(request), {exchange, first + i});
  }
}

void Pass::accept(const CallKey& key, lm::Outcome outcome) {
  Exchange& exchange = *key.exchange;
  const Node& node = *tasks_[exchange.task].node;
  try {
    exchange.replies[key.reply] = std::move(outcome).value();
    if (--exchange.missing > 0) return;
    std::vector<lm::Request> requests = conclude(exchange);
    if (!requests.empty()) send(key.exchange, std::move(requests));
  } catch (...) {
    detail::rethrow_with_prefix(describe(node) + ": ");
  }
}

std::vector<lm::Request> Pass::conclude(Exchange& exchange) {
  const Task& task = tasks_[exchange.task];
  Answer answer = task.node->answer(exchange.feedback(), exchange.replies);
  if (!answer.requests.empty()) return std::move(answer.requests);
  if (answer.gradients.size() != task.node->next_edges().size()) {
    throw GraphError(fmt::format("the node returned {} gradients for its {} inputs: there has to be one for each, nullopt where "
                                 "none is wanted",
                                 answer.gradients.size(), task.node->next_edges().size()));
  }
  distribute(task, std::move(answer.gradients));
  return {};
}

void Pass::distribute(const Task& task, std::vector<Gradient> gradients) {
  const std::uint64_t consumer = task.node->sequence_nr();
  const std::vector<Edge>& edges = task.node->next_edges();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (!is_wanted(edges[i])) continue;
    Node& producer = *edges[i].function;
    if (ends_here(producer)) {
      if (gradients[i]) stage(*leaf_of(producer), *gradients[i], consumer, i);
      continue;
    }
    const std::size_t index = task_of_.at(&producer);
    Task& next = tasks_[index];
    if (gradients[i]) {
      incoming_.push_back({std::move(*gradients[i]), consumer, i, edges[i].input_nr, next.first_incoming});
      next.first_incoming = incoming_.size() - 1;
    }
    if (--next.consumers == 0) ready_.push({producer.sequence_nr(), index});
  }
}

void Pass::stage(const Variable& leaf, const Variable& gradient, std::uint64_t consumer, std::size_t edge) {
  if (gradient.is_batch() && (!leaf.is_batch() || gradient.size() != leaf.size())) {
    throw GraphError(fmt::format("the gradient for \"{}\" is a list of {} items, but its data is {}", leaf.role(), gradient.size(),
                                 leaf.data().description()));
  }
  staged_.push_back({leaf.impl(), detail::receive_gradient(gradient, leaf.impl()->role), consumer, edge});
}

void Pass::commit() {
  std::stable_sort(staged_.begin(), staged_.end(), [](const Staged& a, const Staged& b) {
    return std::tie(a.consumer, a.edge) < std::tie(b.consumer, b.edge);
  });
  for (Staged& staged : staged_) {
    if (!staged.receiver->extras || staged.receiver->grad_fn) continue;
    for (const auto& hook : staged.receiver->extras->hooks) {
      try {
        staged.gradient = hook(staged.gradient).detach();
      } catch (...) {
        detail::rethrow_with_prefix(fmt::format("hook of \"{}\": ", staged.receiver->role.text()));
      }
    }
  }
  for (Staged& staged : staged_) Variable(staged.receiver).append_grad(std::move(staged.gradient));
}

thread_local bool running = false;

/// One pass a thread: a node's half or a hook that starts another would wait for itself.
class RunningGuard {
 public:
  RunningGuard() {
    if (running) throw GraphError("backward() was called from within backward() on the same thread (a node, a hook or a parser)");
    running = true;
  }
  ~RunningGuard() { running = false; }
  RunningGuard(const RunningGuard&) = delete;
  RunningGuard& operator=(const RunningGuard&) = delete;
};

void check_gradient(const Variable& root, const Gradient& gradient) {
  if (!root.requires_grad()) {
    throw GraphError(fmt::format("backward() from \"{}\", which does not require grad: none of the values it was made from does, "
                                 "or it was made under NoGradGuard",
                                 root.role()));
  }
  if (!gradient) {
    if (root.grad_fn() && root.grad_fn()->starts_backward()) return;
    throw GraphError(fmt::format("backward() from \"{}\" needs a gradient: only an evaluator's output knows its own feedback. Pass "
                                 "the feedback as a text, such as value.backward(\"too long\")",
                                 root.role()));
  }
  if (gradient->is_batch() && (!root.is_batch() || gradient->size() != root.size())) {
    throw ValueError(fmt::format("the gradient for \"{}\" has {} items, but the value is {}", root.role(), gradient->size(),
                                 root.data().description()));
  }
}

}  // namespace

void backward(const Variable& root, Gradient gradient, const BackwardOptions& options) {
  const RunningGuard guard;
  check_gradient(root, gradient);
  root.data();  // an operation that failed says so here
  const NoGradGuard no_grad;
  const Edge edge = detail::gradient_edge(root);
  Pass(options).run(edge.function, edge.input_nr, gradient ? Gradient(gradient->detach()) : std::nullopt);
}

}  // namespace tgd::autograd

namespace tgd {

void Variable::backward() const { autograd::backward(*this); }
void Variable::backward(const autograd::BackwardOptions& options) const { autograd::backward(*this, std::nullopt, options); }
void Variable::backward(const Variable& gradient) const { autograd::backward(*this, gradient); }
void Variable::backward(const Variable& gradient, const autograd::BackwardOptions& options) const {
  autograd::backward(*this, gradient, options);
}

}  // namespace tgd
