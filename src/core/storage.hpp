// Storage: the data behind a Variable, there at once or arriving item by item. Immutable once it has arrived, so that
// snapshots share it.
// Each item that is on its way has owners (Owed); when the last of them is gone without having delivered, it has failed. What
// is delivered first counts: a producer that delivers twice does no harm. Thread-safety: all members from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/data.hpp>
#include <tgd/problem.hpp>

namespace tgd::detail {

/// What is wrong with an item; null for a value. One problem is shared by all that the item passes.
using ProblemPtr = std::shared_ptr<const Problem>;
/// By item; none are null.
using Problems = std::map<std::size_t, ProblemPtr>;
/// One for each item.
using Origins = std::shared_ptr<const std::vector<SampleOrigin>>;

/// A value, or what came in its place and what is wrong with it.
struct Item {
  Data data;
  ProblemPtr problem = nullptr;
};

/// A list of items. Where the values are numbers and an item with a problem is a text, 0 stands for it; among texts "" for a
/// number.
Data whole_of(std::vector<Item> items);

class Storage {
 public:
  /// Data that is there.
  explicit Storage(Data data, Problems problems = {});
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

  /// Where the items were read; null where that is not known.
  const Origins& origins() const noexcept { return origins_; }
  /// Before others have it.
  void set_origins(Origins origins) noexcept { origins_ = std::move(origins); }
  const SampleOrigin* origin(std::size_t i) const;
  /// "train.csv, row 17 (line 19)", or else "item 3 of 12"; empty for a scalar of unknown origin.
  std::string item_name(std::size_t i) const;

  /// A number that was made of many items remembers them: their problems are its own.
  void set_parts(std::shared_ptr<const Storage> parts) noexcept { parts_ = std::move(parts); }
  /// These, or else this.
  const Storage& parts() const noexcept { return parts_ ? *parts_ : *this; }

  /// Of each item, beside its data: further figures, which are there when the item is.
  using Metrics = std::map<std::string, double>;
  /// To those that it has; the same name counts once, the first time. Before others have it.
  void add_metrics(std::function<Metrics(std::size_t)> metrics);
  /// Waits for the item, and throws its error.
  Metrics metrics(std::size_t i) const;

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
  /// Waits for the item and throws its error, as item() does.
  ProblemPtr problem(std::size_t i) const;
  /// Waits for all, as get() does.
  Problems problems() const;

  /// Do nothing when the item has arrived or failed.
  void set_item(std::size_t i, Data item, ProblemPtr problem = nullptr);
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
  void settle(std::size_t i, std::optional<Item> item, std::exception_ptr error);
  Item settled_item(std::size_t i) const;
  void assemble();
  Data take_whole();

  bool is_batch_;
  bool is_mean_ = false;
  std::size_t size_;
  std::atomic<bool> ready_;
  Data data_;
  Problems problems_;  // of data that was there from the start
  Origins origins_;
  std::shared_ptr<const Storage> parts_;
  std::function<Metrics(std::size_t)> metrics_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace tgd::detail
