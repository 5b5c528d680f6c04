// Storage: the data behind a Variable, there at once or arriving item by item. Immutable once it has arrived, so that
// snapshots share it.
// Thread-safety: all members from any thread; each item is set or failed exactly once.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include <tgd/data.hpp>

namespace tgd::detail {

class Storage {
 public:
  /// Data that is there.
  explicit Storage(Data data);
  /// Data on its way: a scalar, or a batch of `size` items.
  static std::shared_ptr<Storage> pending_scalar();
  static std::shared_ptr<Storage> pending_batch(std::size_t size);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  bool is_batch() const noexcept { return is_batch_; }
  std::size_t size() const noexcept { return size_; }

  /// Whether the data was there from the start. Unlike ready() this never depends on timing.
  bool is_immediate() const noexcept { return pending_ == nullptr; }
  /// Whether every item has arrived or failed.
  bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }
  /// Whether every item has settled and the whole is an error.
  bool failed() const noexcept;
  void wait() const;
  /// Waits. Throws the error of the lowest item that failed.
  const Data& get() const;
  /// Waits for one item. A scalar is its own item whatever the index.
  Data item(std::size_t i) const;

  void set_item(std::size_t i, Data item);
  void fail_item(std::size_t i, std::exception_ptr error);

  /// Calls `then` when item i is there or has failed: now, or on the thread that delivers it. Has to be quick.
  void on_item(std::size_t i, std::function<void()> then);

 private:
  struct Pending;
  Storage(bool is_batch, std::size_t size);
  void settle(std::size_t i, std::optional<Data> item, std::exception_ptr error);
  void assemble();

  bool is_batch_;
  std::size_t size_;
  std::atomic<bool> ready_;
  Data data_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace tgd::detail
