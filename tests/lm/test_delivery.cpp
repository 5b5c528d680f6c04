#include "lm/delivery.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using tgd::lm::detail::Delivery;
using Occasion = Delivery::Occasion;

namespace {

// What ran, in which order. Written by the delivery thread, read after close() or wait_for().
class Log {
 public:
  Delivery::Task task(int name) {
    return [this, name](Occasion ending) {
      const std::lock_guard lock(mutex_);
      (ending == Occasion::due ? delivered_ : cancelled_).push_back(name);
    };
  }
  std::vector<int> delivered() const {
    const std::lock_guard lock(mutex_);
    return delivered_;
  }
  std::vector<int> cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<int> delivered_;
  std::vector<int> cancelled_;
};

// Waits until everything that was due before has been delivered.
void flush(Delivery& delivery, Delivery::Clock::time_point due) {
  std::promise<void> reached;
  delivery.post(due, [&](Occasion) { reached.set_value(); });
  reached.get_future().wait();
}

}  // namespace

TEST_CASE("Tasks are delivered in the order of their due times, equal ones as posted", "[lm][delivery]") {
  Log log;
  Delivery delivery;
  const auto start = Delivery::Clock::now() + 20ms;
  delivery.post(start + 2ms, log.task(3));
  delivery.post(start, log.task(1));
  delivery.post(start, log.task(2));
  flush(delivery, start + 3ms);
  CHECK(log.delivered() == std::vector{1, 2, 3});
  CHECK(Delivery::Clock::now() >= start + 3ms);
}

TEST_CASE("Closing a delivery cancels what is not due yet, in order", "[lm][delivery]") {
  Log log;
  Delivery delivery;
  const auto start = Delivery::Clock::now();
  delivery.post(start + 2h, log.task(2));
  delivery.post(start + 1h, log.task(1));
  delivery.close();
  CHECK(log.delivered().empty());
  CHECK(log.cancelled() == std::vector{1, 2});

  SECTION("and a task posted afterwards is cancelled at once") {
    delivery.post(start, log.task(3));
    CHECK(log.cancelled() == std::vector{1, 2, 3});
  }
}

TEST_CASE("A stop request cancels its own tasks only", "[lm][delivery]") {
  Log log;
  Delivery delivery;
  std::stop_source stop;
  const auto now = Delivery::Clock::now();
  delivery.post(now + 1h, log.task(1), stop.get_token());
  delivery.post(now + 2h, log.task(2));
  delivery.post(now + 3h, log.task(3), stop.get_token());

  SECTION("when it comes while they wait") {
    stop.request_stop();
    flush(delivery, Delivery::Clock::now());
    CHECK(log.cancelled() == std::vector{1, 3});
  }
  SECTION("when it comes before they are posted") {
    stop.request_stop();
    delivery.post(now + 4h, log.task(4), stop.get_token());
    flush(delivery, Delivery::Clock::now());
    CHECK(log.cancelled() == std::vector{1, 3, 4});
  }
  delivery.close();
  CHECK(log.delivered().empty());
}

TEST_CASE("A task may post further tasks", "[lm][delivery]") {
  Delivery delivery;
  std::promise<int> reached;
  std::function<void(int)> step = [&](int n) {
    if (n == 100) return reached.set_value(n);
    delivery.post(Delivery::Clock::now(), [&, n](Occasion) { step(n + 1); });
  };
  step(0);
  CHECK(reached.get_future().get() == 100);
}

TEST_CASE("A task may destroy its delivery, and the rest is cancelled", "[lm][delivery]") {
  auto delivery = std::make_unique<Delivery>();
  std::promise<Occasion> last;
  // The first task waits until the second is in the queue as well.
  std::promise<void> both_posted;
  delivery->post(Delivery::Clock::now(), [&](Occasion) {
    both_posted.get_future().wait();
    delivery.reset();
  });
  delivery->post(Delivery::Clock::now() + 1h, [&](Occasion ending) { last.set_value(ending); });
  both_posted.set_value();
  CHECK(last.get_future().get() == Occasion::cancelled);
}

TEST_CASE("Every task ends exactly once, whoever posts, stops and closes at the same time", "[lm][delivery][concurrent]") {
  constexpr int count = 400;
  std::vector<std::atomic<int>> endings(count);
  {
    Delivery delivery;
    std::stop_source stop;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < count; i += 4) {
          const auto due = Delivery::Clock::now() + std::chrono::microseconds(i % 7 * 100);
          delivery.post(
              due, [&endings, i](Occasion) { ++endings[static_cast<std::size_t>(i)]; }, stop.get_token());
          if (i == count / 2) stop.request_stop();
          if (i == count - 10) delivery.close();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  for (const std::atomic<int>& ended : endings) REQUIRE(ended == 1);
}
