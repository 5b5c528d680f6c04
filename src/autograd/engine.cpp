// The backward pass: one coordinator, any number of calls in flight, results committed in a fixed order.
#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <queue>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include <tgd/autograd.hpp>
#include <tgd/lm/chat_model.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/feedback.hpp"
#include "autograd/graph.hpp"
#include "core/problem.hpp"
#include "core/rethrow.hpp"
#include "core/text.hpp"
#include "lm/calls_in_flight.hpp"

namespace tgd::autograd {

namespace {

using Index = std::uint32_t;  // of a task, an edge or a gradient: graphs have millions of them
constexpr Index none = std::numeric_limits<Index>::max();

Index index_of(std::size_t position) {
  if (position >= none) throw GraphError("the graph is too large for one backward pass: it has more than 4 billion edges");
  return static_cast<Index>(position);
}

/// From node to task: open addressing, no allocation per entry. Nodes that were made one after the other lie side by side.
class TaskMap {
 public:
  TaskMap() : slots_(64) {}

  /// The node's task, and whether the node was new and got `task`.
  std::pair<Index, bool> insert(const Node* node, Index task) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    Slot& slot = find(node);
    if (slot.node != nullptr) return {slot.task, false};
    slot = {node, task};
    ++count_;
    return {task, true};
  }

  Index at(const Node* node) { return find(node).task; }

 private:
  struct Slot {
    const Node* node = nullptr;
    Index task = none;
  };

  Slot& find(const Node* node) {
    const std::size_t mask = slots_.size() - 1;
    const std::uint64_t number = node->sequence_nr();
    const std::uint64_t block = ((number >> 3U) * 0x9E3779B97F4A7C15U) >> 32U;
    std::size_t i = (block << 3U | (number & 7U)) & mask;
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
  Index edge;
  Index output_nr;
  Index next;
};

struct Task {
  Node* node = nullptr;
  Index first_edge = 0;  // where the tasks of its edges stand in edge_tasks_
  Index consumers = 0;   // that have not answered yet
  Index first_incoming = none;
  bool wanted = true;
  bool starts_itself = false;  // a root without a gradient
};

/// A node's two halves, with the calls between them.
struct Exchange {
  Index task = none;
  std::vector<Gradient> grad_outputs;
  std::vector<char> wanted;
  std::unique_ptr<NodeState> state;
  lm::ChatModelPtr model;          // null: that of the pass
  std::vector<lm::Reply> replies;  // of the round under way
  std::vector<std::optional<Problem>> problems;
  std::vector<std::string> asked;  // the requests' texts of all rounds, in anomaly mode
  std::vector<lm::Reply> heard;    // the replies of earlier rounds, in anomaly mode
  std::size_t missing = 0;
  Step step = Step::critique;

  Feedback feedback() const { return {grad_outputs, wanted, problems, step}; }
};

/// A gradient for a leaf, a result that retains its own, or one that was asked for; held back until the pass has succeeded.
struct Staged {
  std::shared_ptr<detail::VariableImpl> receiver;
  Variable gradient;
  std::uint64_t consumer;
  std::size_t edge;
};

/// What a leaf received last: feedback that was forwarded to it on many paths is put into words once.
struct Received {
  const detail::VariableImpl* receiver = nullptr;
  Gradient given;
  Gradient received;
};

/// Which reply of which exchange a call is for.
struct CallKey {
  std::shared_ptr<Exchange> exchange;
  std::size_t reply;
};

std::string describe(const Node& node) {
  std::string text = fmt::format("{} of \"{}\"", node.name(), detail::excerpt(node.output_role(0), 80));
  if (node.place().file != nullptr) text += ", called at " + node.place().text();
  return text;
}

std::string text_of(const lm::Request& request) {
  std::string text;
  for (const lm::Message& message : request.messages) text.append(message.content).push_back('\n');
  return text;
}

const Variable* leaf_of(const Node& node) {
  const auto* accumulator = dynamic_cast<const AccumulateGrad*>(&node);
  return accumulator != nullptr ? &accumulator->variable() : nullptr;
}

bool ends_here(const Node& node) { return node.sequence_nr() == std::numeric_limits<std::uint64_t>::max(); }

using Hook = std::function<Variable(const Variable&)>;

std::vector<Hook> hooks_of(const detail::VariableImpl& leaf) {
  const std::lock_guard lock(detail::mutex_of(leaf));
  return leaf.extras ? leaf.extras->hooks : std::vector<Hook>{};
}

/// The gradient that a hook returned, still known as what it was.
Variable hooked(const Hook& hook, const Variable& gradient, const detail::Role& receiver) {
  const auto named = [&](const Variable& data) {
    Variable result =
        detail::make_variable(tgd::detail::impl_of(data)->storage, detail::Role::prefixed("feedback to ", receiver));
    tgd::detail::impl_of(result)->forwarded = tgd::detail::impl_of(gradient)->forwarded;
    detail::add_context(*tgd::detail::impl_of(gradient), *tgd::detail::impl_of(result));
    return result;
  };
  return named(hook(named(gradient)));
}

void check_shape(const Variable& leaf, const Variable& gradient) {
  if (!gradient.is_batch() || (leaf.is_batch() && gradient.size() == leaf.size())) return;
  throw GraphError(fmt::format("the gradient for \"{}\" is a list of {} items, but its data is {}", leaf.role(),
                               gradient.size(), leaf.data().description()));
}

struct Root {
  Edge edge;
  Gradient gradient;
};

class Pass {
 public:
  explicit Pass(const BackwardOptions& options) : options_(options), calls_(options.stop) {}

  /// Only `receivers` get gradients; none: all leaves and retaining results do.
  void run(const std::vector<Root>& roots, const std::vector<Variable>& receivers = {});

  /// After run(): hands the gradients to their receivers,
  void commit();
  /// or to the caller, one list per receiver.
  std::vector<std::vector<Variable>> collect(const std::vector<Variable>& receivers);

 private:
  void note_receivers(const std::vector<Variable>& receivers);
  void discover(const std::vector<Root>& roots);
  Index enter(Node& node);
  void mark_wanted();
  void seed(const std::vector<Root>& roots);
  void sort_and_hook();
  bool is_wanted(const Edge& edge);
  void work();
  void begin(Index task);
  void merge(const Task& task, std::vector<Gradient>& merged);
  Variable deliver(Node& node, std::size_t output_nr, Variable gradient);
  void send(const std::shared_ptr<Exchange>& exchange, std::vector<lm::Request> requests);
  void accept(const CallKey& key, lm::Outcome outcome);
  /// Second half. Returns the requests of a further round.
  std::vector<lm::Request> conclude(Exchange& exchange);
  void push_incoming(Task& task, Variable gradient, std::uint64_t consumer, std::size_t edge, std::size_t output_nr);
  void distribute(const Task& task, std::vector<Gradient> gradients);
  void stage(const Variable& leaf, const Variable& gradient, std::uint64_t consumer, std::size_t edge);
  Variable receive(const Variable& leaf, const Variable& gradient);
  lm::ChatModel& model();

  const BackwardOptions& options_;
  lm::ChatModelPtr model_;
  bool all_receive_ = true;
  std::unordered_set<const detail::VariableImpl*> receivers_;                                     // where not all do
  std::map<std::pair<const Node*, std::size_t>, std::shared_ptr<detail::VariableImpl>> results_;  // receivers that are results
  TaskMap task_of_;
  std::vector<Task> tasks_;
  std::vector<Index> edge_tasks_;
  std::vector<Incoming> incoming_;
  std::vector<Index> free_incoming_;                            // places in it that can be used again
  std::priority_queue<std::pair<std::uint64_t, Index>> ready_;  // the latest node first
  std::vector<Staged> staged_;
  std::array<Received, 16> received_;  // by the receiver's address
  Exchange local_;                     // for nodes without calls, reused
  std::shared_ptr<const detail::AnomalyMode> anomalies_ = detail::anomaly_mode();
  lm::detail::CallsInFlight<CallKey> calls_;
};

constexpr std::uint64_t before_all = 0;  // a given gradient's place in the order of consumers

void Pass::run(const std::vector<Root>& roots, const std::vector<Variable>& receivers) {
  note_receivers(receivers);
  discover(roots);
  if (!all_receive_) mark_wanted();
  seed(roots);
  work();
  sort_and_hook();
  if (!options_.retain_graph) {
    for (const Task& task : tasks_) task.node->release();
  }
}

void Pass::note_receivers(const std::vector<Variable>& receivers) {
  all_receive_ = receivers.empty();
  for (const Variable& receiver : receivers) {
    receivers_.insert(tgd::detail::impl_of(receiver).get());
    if (receiver.grad_fn()) results_.insert({{receiver.grad_fn().get(), receiver.output_nr()}, tgd::detail::impl_of(receiver)});
  }
}

Index Pass::enter(Node& node) {
  const auto [task, inserted] = task_of_.insert(&node, index_of(tasks_.size()));
  if (inserted) tasks_.push_back({&node});
  ++tasks_[task].consumers;
  return task;
}

void Pass::discover(const std::vector<Root>& roots) {
  for (const Root& root : roots) {
    if (!ends_here(*root.edge.function)) enter(*root.edge.function);
  }
  std::size_t paths = 0;  // that end at a leaf
  for (std::size_t next = 0; next < tasks_.size(); ++next) {
    const Node& node = *tasks_[next].node;
    if (node.released()) {
      throw GraphError(
          fmt::format("backward() reached {}, whose history was freed by an earlier pass: set retain_graph for "
                      "every pass but the last, or run the forward operations again",
                      describe(node)));
    }
    tasks_[next].first_edge = index_of(edge_tasks_.size());
    for (const Edge& edge : node.next_functions()) {
      const bool is_leaf = edge && ends_here(*edge.function);
      if (is_leaf) ++paths;
      edge_tasks_.push_back(edge && !is_leaf ? enter(*edge.function) : none);
    }
  }
  if (all_receive_) staged_.reserve(paths);
}

bool Pass::is_wanted(const Edge& edge) {
  if (!edge) return false;
  if (all_receive_) return true;
  if (const Variable* leaf = leaf_of(*edge.function)) return receivers_.contains(tgd::detail::impl_of(*leaf).get());
  return tasks_[task_of_.at(edge.function.get())].wanted;
}

void Pass::mark_wanted() {
  std::vector<std::size_t> producers_first(tasks_.size());
  for (std::size_t i = 0; i < tasks_.size(); ++i) producers_first[i] = i;
  std::sort(producers_first.begin(), producers_first.end(),
            [this](std::size_t a, std::size_t b) { return tasks_[a].node->sequence_nr() < tasks_[b].node->sequence_nr(); });
  for (const std::size_t task : producers_first) {
    const Node& node = *tasks_[task].node;
    const std::span<const Edge> edges = node.next_functions();
    tasks_[task].wanted =
        std::any_of(results_.begin(), results_.end(), [&](const auto& result) { return result.first.first == &node; }) ||
        std::any_of(edges.begin(), edges.end(), [this](const Edge& edge) { return is_wanted(edge); });
  }
}

// The caller is one more consumer of each root.
void Pass::seed(const std::vector<Root>& roots) {
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto& [edge, gradient] = roots[i];
    if (const Variable* leaf = leaf_of(*edge.function)) {
      if (gradient && is_wanted(edge)) stage(*leaf, *gradient, before_all, i);
      continue;
    }
    const Index index = task_of_.at(edge.function.get());
    Task& task = tasks_[index];
    task.starts_itself = task.starts_itself || !gradient;
    if (gradient) push_incoming(task, *gradient, before_all, i, edge.input_nr);
    if (--task.consumers == 0 && task.wanted) ready_.push({task.node->sequence_nr(), index});
  }
}

void Pass::push_incoming(Task& task, Variable gradient, std::uint64_t consumer, std::size_t edge, std::size_t output_nr) {
  Incoming incoming{std::move(gradient), consumer, index_of(edge), index_of(output_nr), task.first_incoming};
  if (free_incoming_.empty()) {
    task.first_incoming = index_of(incoming_.size());
    incoming_.push_back(std::move(incoming));
  } else {
    task.first_incoming = free_incoming_.back();
    free_incoming_.pop_back();
    incoming_[task.first_incoming] = std::move(incoming);
  }
}

void Pass::work() {
  while (!ready_.empty() || calls_.any()) {
    while (!ready_.empty()) {
      const Index task = ready_.top().second;
      ready_.pop();
      begin(task);
    }
    if (!calls_.any()) continue;
    auto [key, outcome] = calls_.next();
    accept(key, std::move(outcome));
  }
}

void Pass::begin(Index index) {
  if (options_.stop.stop_requested()) throw LMError(LMError::Kind::cancelled, "the backward pass was stopped on request");
  const Task& task = tasks_[index];
  Node& node = *task.node;
  try {
    local_.task = index;
    local_.step = options_.step;
    local_.state.reset();
    local_.replies.clear();
    local_.problems.clear();
    merge(task, local_.grad_outputs);
    const bool silent = std::none_of(local_.grad_outputs.begin(), local_.grad_outputs.end(),
                                     [](const Gradient& gradient) { return gradient.has_value(); });
    if (silent && !task.starts_itself) {
      return distribute(task, std::vector<Gradient>(node.next_functions().size()));
    }
    local_.wanted.clear();
    for (const Edge& edge : node.next_functions()) local_.wanted.push_back(is_wanted(edge) ? 1 : 0);
    auto [requests, state, model] = node.ask(local_.feedback());
    local_.state = std::move(state);
    local_.model = std::move(model);
    if (requests.empty()) requests = conclude(local_);
    if (!requests.empty()) send(std::make_shared<Exchange>(std::move(local_)), std::move(requests));
  } catch (...) {
    detail::rethrow_with_prefix(describe(node) + ": ");
  }
}

void Pass::merge(const Task& task, std::vector<Gradient>& merged) {
  merged.assign(task.node->output_count(), std::nullopt);
  if (task.first_incoming == none) return;
  if (Incoming& only = incoming_[task.first_incoming]; only.next == none) {
    free_incoming_.push_back(task.first_incoming);
    merged[only.output_nr] = deliver(*task.node, only.output_nr, std::move(only.gradient));
    return;
  }
  std::vector<const Incoming*> arrived;
  for (Index i = task.first_incoming; i != none; i = incoming_[i].next) arrived.push_back(&incoming_[i]);
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
}

Variable Pass::deliver(Node& node, std::size_t output_nr, Variable gradient) {
  for (const detail::GradientWatch& watch : detail::NodeAccess::watches(node)) {
    if (watch.output_nr != output_nr) continue;
    if (watch.hook) gradient = hooked(watch.hook, gradient, detail::Role(node.output_role(output_nr)));
    const auto variable = watch.retain.lock();
    if (variable && all_receive_) {
      staged_.push_back({variable, detail::receive_gradient(gradient, variable->role), node.sequence_nr(), output_nr});
    }
  }
  if (const auto result = results_.empty() ? results_.end() : results_.find({&node, output_nr}); result != results_.end()) {
    staged_.push_back(
        {result->second, detail::receive_gradient(gradient, result->second->role), node.sequence_nr(), output_nr});
  }
  if (!tgd::detail::impl_of(gradient)->forwarded || node.forwards_feedback()) return gradient;
  return detail::receive_gradient(gradient, detail::Role(node.output_role(output_nr)));
}

lm::ChatModel& Pass::model() {
  if (!model_) model_ = options_.model ? options_.model : backward_model();
  return *model_;
}

void Pass::send(const std::shared_ptr<Exchange>& exchange, std::vector<lm::Request> requests) {
  const Node& node = *tasks_[exchange->task].node;
  lm::ChatModel& model = exchange->model ? *exchange->model : this->model();
  if (anomalies_) std::move(exchange->replies.begin(), exchange->replies.end(), std::back_inserter(exchange->heard));
  exchange->replies.assign(requests.size(), {});
  exchange->problems.assign(node.takes_problems() ? requests.size() : 0, std::nullopt);
  exchange->missing = requests.size();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    lm::Request& request = requests[i];
    if (anomalies_) exchange->asked.push_back(text_of(request));
    if (!exchange->model) request.args = request.args.merged(options_.args);
    if (request.info.purpose.empty()) request.info.purpose = "backward";
    request.info.node = node.name();
    calls_.start(model, std::move(request), {exchange, i});
  }
}

void Pass::accept(const CallKey& key, lm::Outcome outcome) {
  Exchange& exchange = *key.exchange;
  const Node& node = *tasks_[exchange.task].node;
  try {
    auto problem = outcome.ok() || exchange.problems.empty() ? std::nullopt : detail::own_fault(outcome.error());
    if (problem) {
      exchange.problems[key.reply] = std::move(problem);
    } else {
      exchange.replies[key.reply] = std::move(outcome).value();
    }
    if (--exchange.missing > 0) return;
    std::vector<lm::Request> requests = conclude(exchange);
    if (!requests.empty()) send(key.exchange, std::move(requests));
  } catch (...) {
    detail::rethrow_with_prefix(describe(node) + ": ");
  }
}

std::vector<lm::Request> Pass::conclude(Exchange& exchange) {
  const Task& task = tasks_[exchange.task];
  Answer answer = task.node->answer(exchange.state.get(), exchange.feedback(), exchange.replies);
  if (!answer.requests.empty()) return std::move(answer.requests);
  if (answer.gradients.size() != task.node->next_functions().size()) {
    throw GraphError(
        fmt::format("the node returned {} gradients for its {} inputs: there has to be one for each, nullopt where "
                    "none is wanted",
                    answer.gradients.size(), task.node->next_functions().size()));
  }
  if (anomalies_) {
    std::move(exchange.replies.begin(), exchange.replies.end(), std::back_inserter(exchange.heard));
    detail::check_feedback(*anomalies_, *task.node, exchange.feedback(), exchange.asked, exchange.heard, answer.gradients);
  }
  distribute(task, std::move(answer.gradients));
  return {};
}

void Pass::distribute(const Task& task, std::vector<Gradient> gradients) {
  const std::uint64_t consumer = task.node->sequence_nr();
  const std::span<const Edge> edges = task.node->next_functions();
  // Backwards, as the nodes go: what is staged is then in the reverse of its final order, unless calls were waited for.
  for (std::size_t i = edges.size(); i-- > 0;) {
    if (!is_wanted(edges[i])) continue;
    Node& producer = *edges[i].function;
    if (ends_here(producer)) {
      if (gradients[i]) stage(*leaf_of(producer), *gradients[i], consumer, i);
      continue;
    }
    const Index index = edge_tasks_[task.first_edge + i];
    Task& next = tasks_[index];
    if (gradients[i]) push_incoming(next, std::move(*gradients[i]), consumer, i, edges[i].input_nr);
    if (--next.consumers == 0) ready_.push({producer.sequence_nr(), index});
  }
}

void Pass::stage(const Variable& leaf, const Variable& gradient, std::uint64_t consumer, std::size_t edge) {
  check_shape(leaf, gradient);
  staged_.push_back({tgd::detail::impl_of(leaf), receive(leaf, gradient), consumer, edge});
}

Variable Pass::receive(const Variable& leaf, const Variable& gradient) {
  const detail::VariableImpl* receiver = tgd::detail::impl_of(leaf).get();
  Received& last = received_[reinterpret_cast<std::uintptr_t>(receiver) / sizeof(detail::VariableImpl) % received_.size()];
  if (last.receiver != receiver || !is_same(*last.given, gradient)) {
    last = {receiver, gradient, detail::receive_gradient(gradient, receiver->role)};
  }
  return last.received->detach();
}

void Pass::sort_and_hook() {
  const auto before = [](const Staged& a, const Staged& b) {
    return std::tie(a.consumer, a.edge) < std::tie(b.consumer, b.edge);
  };
  std::reverse(staged_.begin(), staged_.end());
  if (!std::is_sorted(staged_.begin(), staged_.end(), before)) std::stable_sort(staged_.begin(), staged_.end(), before);
  for (Staged& staged : staged_) {
    if (staged.receiver->grad_fn) continue;  // the hooks of results have run already
    for (const auto& hook : hooks_of(*staged.receiver)) {
      try {
        staged.gradient = hooked(hook, staged.gradient, staged.receiver->role);
        check_shape(detail::variable_of(staged.receiver), staged.gradient);
      } catch (...) {
        detail::rethrow_with_prefix(fmt::format("hook of \"{}\": ", staged.receiver->role.text()));
      }
    }
  }
}

void Pass::commit() {
  for (Staged& staged : staged_) detail::variable_of(staged.receiver).append_grad(std::move(staged.gradient));
}

std::vector<std::vector<Variable>> Pass::collect(const std::vector<Variable>& receivers) {
  std::vector<std::vector<Variable>> collected(receivers.size());
  for (std::size_t i = 0; i < receivers.size(); ++i) {
    for (const Staged& staged : staged_) {
      if (staged.receiver == tgd::detail::impl_of(receivers[i])) collected[i].push_back(staged.gradient);
    }
  }
  return collected;
}

thread_local bool running = false;

/// One pass a thread: a node's half or a hook that starts another would wait for itself.
class RunningGuard {
 public:
  RunningGuard() {
    if (running)
      throw GraphError("backward() was called from within backward() on the same thread (a node, a hook or a parser)");
    running = true;
  }
  ~RunningGuard() { running = false; }
  RunningGuard(const RunningGuard&) = delete;
  RunningGuard& operator=(const RunningGuard&) = delete;
};

void check_gradient(const Variable& root, const Gradient& gradient) {
  if (!root.requires_grad()) {
    throw GraphError(
        fmt::format("backward() from \"{}\", which does not require grad: none of the values it was made from does, "
                    "or it was made under NoGradGuard",
                    root.role()));
  }
  if (!gradient) {
    if (root.grad_fn() && root.grad_fn()->starts_backward()) return;
    throw GraphError(
        fmt::format("backward() from \"{}\" needs a gradient: only an evaluator's output knows its own feedback. Pass "
                    "the feedback as a text, such as value.backward(\"too long\")",
                    root.role()));
  }
  if (gradient->is_batch() && (!root.is_batch() || gradient->size() != root.size())) {
    throw ValueError(fmt::format("the gradient for \"{}\" has {} items, but the value is {}", root.role(), gradient->size(),
                                 root.data().description()));
  }
}

Root make_root(const Variable& output, const Gradient& gradient) {
  check_gradient(output, gradient);
  output.data();  // an operation that failed says so here
  return {detail::gradient_edge(output), gradient ? Gradient(gradient->detach()) : std::nullopt};
}

void check_leaves(const std::vector<Variable>& inputs) {
  for (const Variable& input : inputs) {
    if (input.is_leaf() && input.requires_grad()) continue;
    throw GraphError(fmt::format("BackwardOptions::inputs has to list leaves that require grad; \"{}\" {}", input.role(),
                                 input.requires_grad() ? "is the result of an operation" : "does not require grad"));
  }
}

}  // namespace

void backward(const Variable& root, Gradient gradient, const BackwardOptions& options) {
  const RunningGuard guard;
  check_leaves(options.inputs);
  const std::vector<Root> roots{make_root(root, gradient)};
  const NoGradGuard no_grad;
  Pass pass(options);
  pass.run(roots, options.inputs);
  pass.commit();
}

std::vector<std::vector<Variable>> grad(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                                        const std::vector<Gradient>& gradients, const BackwardOptions& options) {
  const RunningGuard guard;
  if (outputs.empty() || inputs.empty()) throw ValueError("autograd::grad needs at least one output and one input");
  if (!gradients.empty() && gradients.size() != outputs.size()) {
    throw ValueError(fmt::format("autograd::grad was given {} gradients for {} outputs", gradients.size(), outputs.size()));
  }
  if (!options.inputs.empty())
    throw ValueError("autograd::grad takes its inputs as an argument; leave BackwardOptions::inputs empty");
  for (const Variable& input : inputs) {
    if (!input.requires_grad())
      throw GraphError(fmt::format("autograd::grad: the input \"{}\" does not require grad", input.role()));
  }
  std::vector<Root> roots;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    roots.push_back(make_root(outputs[i], gradients.empty() ? std::nullopt : gradients[i]));
  const NoGradGuard no_grad;
  Pass pass(options);
  pass.run(roots, inputs);
  return pass.collect(inputs);
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
