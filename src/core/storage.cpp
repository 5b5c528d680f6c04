#include "core/storage.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include <tgd/error.hpp>

#include "core/executor.hpp"

namespace tgd::detail {

/// Whoever has the last of these and has not delivered fails the item.
class Storage::Owed {
 public:
  Owed(std::shared_ptr<Storage> storage, std::size_t i) : storage_(std::move(storage)), item_(i) {}
  ~Owed() { storage_->give_up(item_); }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;

 private:
  std::shared_ptr<Storage> storage_;
  std::size_t item_;
};

struct Storage::Pending {
  struct Slot {
    std::optional<Data> item;
    std::exception_ptr error;
    std::vector<std::function<void()>> waiting;
    bool settled() const { return item || error; }
  };

  mutable std::mutex mutex;
  mutable std::condition_variable arrived;
  std::vector<Slot> slots;
  std::size_t missing = 0;
  std::exception_ptr error;  // of the whole, once nothing is missing
};

Storage::Storage(Data data) : is_batch_(data.is_batch()), size_(data.size()), ready_(true), data_(std::move(data)) {}

Storage::Storage(bool is_batch, std::size_t size)
    : is_batch_(is_batch), size_(size), ready_(size == 0), pending_(std::make_unique<Pending>()) {
  pending_->slots.resize(size);
  pending_->missing = size;
  if (size == 0) data_ = std::vector<std::string>{};
}

Storage::~Storage() = default;

std::shared_ptr<Storage> Storage::pending_scalar() { return std::shared_ptr<Storage>(new Storage(false, 1)); }
std::shared_ptr<Storage> Storage::pending_batch(std::size_t size) {
  return std::shared_ptr<Storage>(new Storage(true, size));
}

bool Storage::failed() const noexcept { return ready() && pending_ && pending_->error; }

void Storage::wait() const {
  if (ready()) return;
  const Executor::Blocking blocking(pending_->mutex, pending_->arrived);
  std::unique_lock lock(pending_->mutex);
  pending_->arrived.wait(lock, [&] { return ready() || blocking.interrupted(); });
  if (!ready()) blocking.check();
}

const Data& Storage::get() const {
  wait();
  if (failed()) std::rethrow_exception(pending_->error);
  return data_;
}

Data Storage::item(std::size_t i) const {
  const std::size_t index = is_batch_ ? i : 0;
  if (!pending_ || index >= size_) return data_.item(index);
  if (!ready()) {
    const Executor::Blocking blocking(pending_->mutex, pending_->arrived);
    std::unique_lock lock(pending_->mutex);
    const Pending::Slot& slot = pending_->slots[index];
    pending_->arrived.wait(lock, [&] { return slot.settled() || blocking.interrupted(); });
    if (!slot.settled()) blocking.check();
    if (slot.error) std::rethrow_exception(slot.error);
    return *slot.item;
  }
  const Pending::Slot& slot = pending_->slots[index];
  if (slot.error) std::rethrow_exception(slot.error);
  return *slot.item;
}

void Storage::set_item(std::size_t i, Data item) { settle(i, std::move(item), nullptr); }
void Storage::fail_item(std::size_t i, std::exception_ptr error) { settle(i, std::nullopt, std::move(error)); }

void Storage::settle(std::size_t i, std::optional<Data> item, std::exception_ptr error) {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(pending_->mutex);
    Pending::Slot& slot = pending_->slots[i];
    if (slot.settled()) return;
    slot.item = std::move(item);
    slot.error = std::move(error);
    waiting.swap(slot.waiting);
    if (--pending_->missing == 0) assemble();
    // Under the lock: a waiter that wakes may drop the last handle to this storage.
    pending_->arrived.notify_all();
  }
  for (const auto& then : waiting) then();
}

std::shared_ptr<const Storage::Owed> Storage::owed(std::shared_ptr<Storage> storage, std::size_t i) {
  return std::make_shared<const Owed>(std::move(storage), i);
}

void Storage::give_up(std::size_t i) {
  {
    const std::lock_guard lock(pending_->mutex);
    if (pending_->slots[i].settled()) return;
  }
  fail_item(i, std::make_exception_ptr(StateError("nothing will arrive here: what was to deliver it ended without doing so, because no "
                                                  "thread could be started for it or because the program ended")));
}

void Storage::assemble() {
  std::vector<Data> items;
  items.reserve(size_);
  for (const Pending::Slot& slot : pending_->slots) {
    if (slot.error && !pending_->error) pending_->error = slot.error;
    if (slot.item) items.push_back(*slot.item);
  }
  if (!pending_->error) {
    try {
      data_ = is_batch_ ? Data::list(std::move(items)) : std::move(items.front());
    } catch (...) {
      pending_->error = std::current_exception();
    }
  }
  ready_.store(true, std::memory_order_release);
}

void Storage::on_item(std::size_t i, std::function<void()> then) {
  const std::size_t index = is_batch_ ? i : 0;
  if (pending_ && !ready()) {
    const std::lock_guard lock(pending_->mutex);
    Pending::Slot& slot = pending_->slots[index];
    if (!slot.settled()) {
      slot.waiting.push_back(std::move(then));
      return;
    }
  }
  then();
}

}  // namespace tgd::detail
