// Builds a chain of local nodes, runs backward and destroys it; against the same in plain C++: shared_ptr nodes with a
// std::function each and an iterative traversal.
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>

#include <tgd/functions.hpp>

#include "bench.hpp"

namespace {

using namespace tgd;

struct PlainNode {
  long value = 0;
  std::vector<std::shared_ptr<PlainNode>> inputs;
  std::function<void(const std::shared_ptr<const std::string>&)> backward;
  std::vector<std::shared_ptr<const std::string>> gradients;
};

std::shared_ptr<PlainNode> plain_add(const std::shared_ptr<PlainNode>& a, const std::shared_ptr<PlainNode>& b) {
  auto result = std::make_shared<PlainNode>();
  result->value = a->value + b->value;
  result->inputs = {a, b};
  result->backward = [a = a.get(), b = b.get()](const std::shared_ptr<const std::string>& gradient) {
    a->gradients.push_back(gradient);
    b->gradients.push_back(gradient);
  };
  return result;
}

void plain_backward(const std::shared_ptr<PlainNode>& root) {
  std::unordered_map<PlainNode*, std::size_t> consumers{{root.get(), 0}};
  std::vector<PlainNode*> stack{root.get()};
  while (!stack.empty()) {
    PlainNode* node = stack.back();
    stack.pop_back();
    for (const auto& input : node->inputs) {
      if (consumers[input.get()]++ == 0) stack.push_back(input.get());
    }
  }
  root->gradients.push_back(std::make_shared<const std::string>("feedback"));
  stack.push_back(root.get());
  while (!stack.empty()) {
    PlainNode* node = stack.back();
    stack.pop_back();
    if (node->backward) node->backward(node->gradients.front());
    for (const auto& input : node->inputs) {
      if (--consumers[input.get()] == 0) stack.push_back(input.get());
    }
  }
}

void destroy(std::shared_ptr<PlainNode> root) {
  std::vector<std::shared_ptr<PlainNode>> doomed{std::move(root)};
  while (!doomed.empty()) {
    const std::shared_ptr<PlainNode> node = std::move(doomed.back());
    doomed.pop_back();
    if (node.use_count() != 1) continue;
    for (auto& input : node->inputs) doomed.push_back(std::move(input));
    node->inputs.clear();
  }
}

double plain_run(std::size_t nodes) {
  return bench::seconds([nodes] {
    const auto leaf = std::make_shared<PlainNode>();
    const auto one = std::make_shared<PlainNode>();
    auto value = leaf;
    for (std::size_t i = 0; i < nodes; ++i) value = plain_add(value, one);
    plain_backward(value);
    destroy(std::move(value));
  });
}

std::size_t bytes_in_use() { return mallinfo2().uordblks; }

struct Run {
  double seconds = 0;
  double bytes_per_node = 0;
};

Run tgd_run(std::size_t nodes) {
  Run run;
  run.seconds = bench::seconds([&] {
    const std::size_t before = bytes_in_use();
    const Variable leaf(0, "count", true);
    const Variable one(1, "one", true);
    Variable value = leaf;
    for (std::size_t i = 0; i < nodes; ++i) value = value + one;
    run.bytes_per_node = static_cast<double>(bytes_in_use() - before) / static_cast<double>(nodes);
    value.backward("feedback");
  });
  return run;
}

}  // namespace

int main() {
  fmt::print("build + backward + destroy of a chain of additions; medians of 5 runs\n");
  fmt::print("{:>9} {:>12} {:>12} {:>8} {:>14}\n", "nodes", "tgd ns/node", "plain", "ratio", "bytes/node");
  for (const std::size_t nodes : {1'000U, 10'000U, 100'000U, 1'000'000U}) {
    std::vector<double> ours;
    std::vector<double> plain;
    double bytes = 0;
    for (int i = 0; i < 5; ++i) {
      const Run run = tgd_run(nodes);
      ours.push_back(run.seconds);
      bytes = run.bytes_per_node;
      plain.push_back(plain_run(nodes));
    }
    const double per_node = 1e9 / static_cast<double>(nodes);
    fmt::print("{:>9} {:>12.0f} {:>12.0f} {:>8.2f} {:>14.0f}\n", nodes, bench::median(ours) * per_node,
               bench::median(plain) * per_node, bench::median(ours) / bench::median(plain), bytes);
  }
}
