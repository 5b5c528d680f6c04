#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/stub.hpp>

#include "autograd/asking_node.hpp"
#include "catch.hpp"

using tgd::Variable;
using tgd::lm::Stub;
using tgd::test::ask_one;
using tgd::test::gradient_texts;
using tgd::test::parameter;

namespace {

constexpr int thread_count = 4;
constexpr int passes = 20;

void on_threads(const std::function<void(int)>& action) {
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) threads.emplace_back(action, i);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("Graphs on several threads share leaves, results, models and the backward model", "[autograd][threads][concurrent]") {
  const auto stub = Stub::answering([](const tgd::lm::Request& request) { return request.messages[0].content; });
  stub->shuffled(1, std::chrono::microseconds(200));
  tgd::set_backward_model(stub);
  const Variable shared = parameter("shared");
  const Variable constant("c", "constant");
  on_threads([&](int thread) {
    const Variable own = parameter("own");
    for (int i = 0; i < passes; ++i) {
      const Variable sum = shared + constant;
      const Variable root = ask_one({sum, own, shared}, "root " + std::to_string(thread));
      root.backward("no");
    }
    if (gradient_texts(own).size() != passes) throw std::runtime_error("gradients were lost");
  });
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
  CHECK(shared.grad().size() == 2 * thread_count * passes);
  CHECK(stub->calls() == 3 * thread_count * passes);
}

TEST_CASE("Graphs that grow on one result from several threads end on any of them", "[autograd][threads]") {
  for (int round = 0; round < 50; ++round) {
    const Variable leaf = parameter("leaf");
    Variable shared = leaf + "x";
    for (int i = 0; i < 20; ++i) shared = shared + "y";
    std::vector<Variable> handles(thread_count, shared);
    shared = Variable();
    on_threads([&handles](int thread) {
      Variable mine = std::move(handles[static_cast<std::size_t>(thread)]);
      mine = mine + "z";
      if (mine.role() != "leaf") throw std::runtime_error("wrong role");
      mine = Variable();
    });
  }
  SUCCEED();
}

TEST_CASE("Leaves with hooks are shared by passes on several threads", "[autograd][threads]") {
  Variable leaf = parameter("leaf");
  std::atomic<int> called{0};
  on_threads([&](int) {
    for (int i = 0; i < passes; ++i) {
      leaf.register_hook([&called](const Variable& gradient) {
        ++called;
        return gradient;
      });
      (leaf + "x").backward("no");
      if (leaf.grad().empty()) throw std::runtime_error("the gradient was lost");
    }
  });
  CHECK(leaf.grad().size() == thread_count * passes);
  CHECK(called >= thread_count * passes);
}
