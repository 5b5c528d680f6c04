// Storage: the data behind a Variable, there at once or arriving item by item. Immutable once it has arrived, so that
// snapshots share it.
// Each item that is on its way has owners (Owed); when the last of them is gone without having delivered, it has failed. What is
// delivered first counts: a producer that delivers twice does no harm.
// Thread-safety: all members from any thread.
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

  /// Whether the number is the mean over a batch: who adds up results weighs it by the batch's size.
  bool is_mean() const noexcept { return is_mean_; }
  /// Before others have it.
  void set_is_mean() noexcept { is_mean_ = true; }

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

  /// Do nothing when the item has arrived or failed.
  void set_item(std::size_t i, Data item);
  void fail_item(std::size_t i, std::exception_ptr error);

  /// Calls `then` when item i is there or has failed: now, or on the thread that delivers it. Has to be quick.
  void on_item(std::size_t i, std::function<void()> then);

  class Owed;
  /// For the task that has to deliver item i: to be kept by it, and by whatever it hands its duty to.
  static std::shared_ptr<const Owed> owed(std::shared_ptr<Storage> storage, std::size_t i);

 private:
  struct Pending;
  void give_up(std::size_t i);
  Storage(bool is_batch, std::size_t size);
  void settle(std::size_t i, std::optional<Data> item, std::exception_ptr error);
  void assemble();

  bool is_batch_;
  bool is_mean_ = false;
  std::size_t size_;
  std::atomic<bool> ready_;
  Data data_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace tgd::detail
