#include "core/executor.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/storage.hpp"

using tgd::Data;
using tgd::detail::Executor;
using tgd::detail::Storage;

TEST_CASE("An executor runs every task on a thread of its own", "[core][executor][concurrent]") {
  Executor executor(3);
  constexpr int count = 200;
  std::mutex mutex;
  std::set<std::thread::id> threads;
  int ran = 0;
  std::promise<void> all;
  for (int i = 0; i < count; ++i) {
    executor.post([&] {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
      if (++ran == count) all.set_value();
    });
  }
  all.get_future().wait();
  const std::lock_guard lock(mutex);
  CHECK(threads.size() <= 3);
  CHECK_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_CASE("Tasks run at the same time, as many as the executor is wide", "[core][executor]") {
  Executor executor(3);
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::vector<std::promise<void>> started(3);
  for (auto& start : started) {
    executor.post([&start, open] {
      start.set_value();
      open.wait();
    });
  }
  for (auto& start : started) start.get_future().wait();
  gate.set_value();
}

TEST_CASE("Tasks that wait for tasks cannot use up the threads", "[core][executor]") {
  Executor executor(1);
  constexpr std::size_t depth = 20;
  std::vector<std::shared_ptr<Storage>> results;
  for (std::size_t i = 0; i <= depth; ++i) results.push_back(Storage::pending_scalar());
  // Each waits for the next, and the last is posted last.
  for (std::size_t i = 0; i < depth; ++i) {
    executor.post([&results, i] { results[i]->set_item(0, results[i + 1]->item(0).integer() + 1); });
  }
  executor.post([&results] { results[depth]->set_item(0, 0); });
  CHECK(results[0]->get() == Data(static_cast<std::int64_t>(depth)));
}

TEST_CASE("Tasks may post tasks", "[core][executor]") {
  Executor executor(2);
  std::promise<int> last;
  std::function<void(int)> next = [&](int i) {
    if (i == 100) return last.set_value(i);
    executor.post([&next, i] { next(i + 1); });
  };
  next(0);
  CHECK(last.get_future().get() == 100);
}

TEST_CASE("A task is destroyed once it has run", "[core][executor]") {
  Executor executor(1);
  auto owned = std::make_shared<int>(1);
  std::promise<void> second;
  executor.post([owned] {});
  executor.post([&second] { second.set_value(); });
  second.get_future().wait();
  CHECK(owned.use_count() == 1);
}

TEST_CASE("The end of an executor waits for running tasks and drops the others", "[core][executor]") {
  auto executor = std::make_unique<Executor>(1);
  Executor* ending = executor.get();
  std::promise<void> gate;
  std::promise<void> started;
  std::atomic<bool> finished = false;
  std::atomic<bool> ran = false;
  executor->post([&] {
    started.set_value();
    gate.get_future().wait();
    finished = true;
  });
  started.get_future().wait();
  executor->post([&ran] { ran = true; });
  std::thread end([&executor] { executor.reset(); });
  // Once the end has begun, tasks are dropped at once.
  const auto is_dropped = [ending] {
    const auto owned = std::make_shared<int>(0);
    ending->post([owned] {});
    return owned.use_count() == 1;
  };
  while (!is_dropped()) std::this_thread::yield();
  CHECK_FALSE(finished);
  gate.set_value();
  end.join();
  CHECK(finished);
  CHECK_FALSE(ran);
}

TEST_CASE("Waiting outside an executor is nobody's business", "[core][executor]") {
  const Executor::Blocking outer;
  const Executor::Blocking inner;
  SUCCEED();
}

TEST_CASE("What dropped tasks owe has failed, and threads that wait for it go on", "[core][executor]") {
  const auto result = Storage::pending_scalar();
  const auto never = Storage::pending_scalar();
  std::promise<void> begun;
  std::atomic<int> given_up = 0;
  {
    Executor executor(1);
    executor.post([&] {
      begun.set_value();
      const Executor::Blocking other_threads_may_not_help;
      for (const auto& awaited : {result, never}) {
        try {
          awaited->wait();
          awaited->get();
        } catch (const tgd::StateError&) {
          ++given_up;
        }
      }
    });
    begun.get_future().wait();
    std::promise<void> busy;
    executor.post([&] {
      busy.set_value();
      try {
        never->wait();
      } catch (const tgd::StateError&) {
        ++given_up;
      }
    });
    busy.get_future().wait();
    for (int i = 0; i < 3; ++i) executor.post([owed = Storage::owed(result, 0)] {});
  }
  CHECK(result->ready());
  CHECK_FALSE(never->ready());
  CHECK(given_up >= 2);
}
