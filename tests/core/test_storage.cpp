#include "core/storage.hpp"

#include <algorithm>
#include <future>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tgd/error.hpp>

#include "catch.hpp"

using tgd::Data;
using tgd::TypeError;
using tgd::detail::Storage;

namespace {

std::exception_ptr error(const std::string& text) { return std::make_exception_ptr(std::runtime_error(text)); }

std::vector<std::size_t> shuffled(std::size_t count, std::uint32_t seed) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}

}  // namespace

TEST_CASE("Data that is there is ready", "[core][storage]") {
  const Storage storage{Data(std::vector<std::string>{"a", "b"})};
  CHECK(storage.ready());
  CHECK(storage.is_batch());
  CHECK(storage.size() == 2);
  CHECK(storage.get() == Data(std::vector<std::string>{"a", "b"}));
  CHECK(storage.item(1) == Data("b"));
}

TEST_CASE("A scalar on its way is its own item whatever the index", "[core][storage]") {
  const auto storage = Storage::pending_scalar();
  CHECK_FALSE(storage->ready());
  CHECK_FALSE(storage->is_batch());
  CHECK(storage->size() == 1);
  storage->set_item(0, "x");
  CHECK(storage->ready());
  CHECK(storage->get() == Data("x"));
  CHECK(storage->item(7) == Data("x"));
}

TEST_CASE("An empty batch has arrived at once", "[core][storage]") {
  const auto storage = Storage::pending_batch(0);
  CHECK(storage->ready());
  CHECK(storage->get() == Data(std::vector<std::string>{}));
}

TEST_CASE("Items may arrive in any order", "[core][storage]") {
  const auto seed = GENERATE(range(0U, 10U));
  const auto storage = Storage::pending_batch(8);
  for (const std::size_t i : shuffled(8, seed)) {
    CHECK_FALSE(storage->ready());
    storage->set_item(i, static_cast<std::int64_t>(i));
    CHECK(storage->item(i) == Data(static_cast<std::int64_t>(i)));
  }
  CHECK(storage->ready());
  CHECK(storage->get() == Data(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_CASE("Integers among reals become real, whatever came first", "[core][storage]") {
  const auto storage = Storage::pending_batch(2);
  storage->set_item(1, 0.5);
  storage->set_item(0, 1);
  CHECK(storage->get() == Data(std::vector<double>{1, 0.5}));
}

TEST_CASE("The lowest item that failed gives its error to the whole", "[core][storage]") {
  const auto storage = Storage::pending_batch(3);
  storage->fail_item(2, error("second"));
  CHECK_FALSE(storage->failed());
  storage->fail_item(1, error("first"));
  storage->set_item(0, "fine");
  CHECK(storage->ready());
  CHECK(storage->failed());
  CHECK_THROWS_WITH(storage->get(), "first");
  CHECK_THROWS_WITH(storage->get(), "first");
  CHECK_THROWS_WITH(storage->item(2), "second");
  CHECK(storage->item(0) == Data("fine"));
}

TEST_CASE("Items that make no list fail the whole, not each", "[core][storage]") {
  const auto storage = Storage::pending_batch(2);
  storage->set_item(0, "text");
  storage->set_item(1, 1);
  CHECK(storage->ready());
  CHECK(storage->failed());
  CHECK_THROWS_AS(storage->get(), TypeError);
  CHECK(storage->item(1) == Data(1));
}

TEST_CASE("What waits for an item is called once, when it has arrived or failed", "[core][storage]") {
  const auto storage = Storage::pending_batch(3);
  std::vector<std::string> called;
  const auto note = [&called](std::string what) { return [&called, what] { called.push_back(what); }; };
  storage->on_item(0, note("0"));
  storage->on_item(0, note("0 again"));
  storage->on_item(1, note("1"));
  CHECK(called.empty());
  storage->fail_item(1, error("x"));
  CHECK(called == std::vector<std::string>{"1"});
  storage->set_item(0, "x");
  CHECK(called == std::vector<std::string>{"1", "0", "0 again"});
  storage->on_item(1, note("1 late"));
  CHECK(called.back() == "1 late");
  storage->set_item(2, "x");
  storage->on_item(2, note("2 late"));
  CHECK(called.size() == 5);
  CHECK(called.back() == "2 late");
}

TEST_CASE("What is called for an item finds it there", "[core][storage]") {
  const auto storage = Storage::pending_batch(2);
  Data seen;
  storage->on_item(1, [&] { seen = storage->item(1); });
  storage->set_item(1, "x");
  CHECK(seen == Data("x"));
}

TEST_CASE("Items arrive from several threads while others wait", "[core][storage][concurrent]") {
  constexpr std::size_t count = 64;
  const auto seed = GENERATE(range(0U, 5U));
  const auto storage = Storage::pending_batch(count);
  std::atomic<std::size_t> called{0};
  for (std::size_t i = 0; i < count; ++i) storage->on_item(i, [&called] { ++called; });

  std::vector<std::future<Data>> readers;
  for (std::size_t i = 0; i < 4; ++i) {
    readers.push_back(std::async(std::launch::async, [&storage, i] { return storage->item(i * 16); }));
    readers.push_back(std::async(std::launch::async, [&storage] { return storage->get().item(3); }));
  }
  const std::vector<std::size_t> order = shuffled(count, seed);
  std::vector<std::thread> writers;
  for (std::size_t writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (std::size_t i = writer; i < count; i += 4) storage->set_item(order[i], static_cast<std::int64_t>(order[i]));
    });
  }
  for (std::thread& writer : writers) writer.join();
  storage->wait();
  CHECK(called == count);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    CHECK(readers[i].get() == Data(static_cast<std::int64_t>(i % 2 == 0 ? i / 2 * 16 : 3)));
  }
  for (std::size_t i = 0; i < count; ++i) REQUIRE(storage->get().integers()[i] == static_cast<std::int64_t>(i));
}

TEST_CASE("Waiting for one item does not wait for the others", "[core][storage]") {
  const auto storage = Storage::pending_batch(2);
  auto reader = std::async(std::launch::async, [&storage] { return storage->item(1); });
  storage->set_item(1, "x");
  CHECK(reader.get() == Data("x"));
  CHECK_FALSE(storage->ready());
}

TEST_CASE("An item that nobody is left to deliver has failed, and what is delivered first counts") {
  const auto storage = Storage::pending_batch(3);
  auto first = Storage::owed(storage, 0);
  auto handed_on = first;
  const auto second = Storage::owed(storage, 1);
  first.reset();
  storage->set_item(1, "one");
  storage->set_item(1, "another");
  storage->fail_item(1, error("too late"));
  CHECK(storage->item(1) == Data("one"));
  CHECK_FALSE(storage->ready());
  handed_on.reset();
  CHECK_THROWS_AS(storage->item(0), tgd::StateError);
  storage->set_item(2, "two");
  CHECK(storage->failed());
}
