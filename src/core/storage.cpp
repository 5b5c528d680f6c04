#include "core/storage.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

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
    std::optional<Item> item;  // until the whole is there; then only what has a problem
    std::exception_ptr error;
    std::vector<std::function<void()>> waiting;
    bool has_come = false;
    bool settled() const { return has_come || error; }
  };

  mutable std::mutex mutex;
  mutable std::condition_variable arrived;
  std::vector<Slot> slots;
  std::size_t missing = 0;
  std::exception_ptr error;  // of the whole, once nothing is missing
};

Storage::Storage(Data data, Problems problems)
    : is_batch_(data.is_batch()), size_(data.size()), ready_(true), data_(std::move(data)), problems_(std::move(problems)) {}

Storage::Storage(bool is_batch, std::size_t size)
    : is_batch_(is_batch), size_(size), ready_(size == 0), pending_(std::make_unique<Pending>()) {
  pending_->slots.resize(size);
  pending_->missing = size;
  if (size == 0) data_ = std::vector<std::string>{};
}

Storage::~Storage() = default;

Data whole_of(std::vector<Item> items) {
  const auto value = std::find_if(items.begin(), items.end(), [](const Item& item) { return !item.problem; });
  const bool has_values = value != items.end();
  const bool are_texts = has_values && value->data.is_text();
  std::vector<Data> data;
  data.reserve(items.size());
  for (Item& item : items) {
    const bool fits = !item.problem || !has_values || item.data.is_text() == are_texts;
    if (!fits) item.data = are_texts ? Data("") : Data(0);
    data.push_back(std::move(item.data));
  }
  return Data::list(std::move(data));
}

const SampleOrigin* Storage::origin(std::size_t i) const {
  const std::size_t index = is_batch_ ? i : 0;
  return origins_ && index < origins_->size() ? &(*origins_)[index] : nullptr;
}

std::string Storage::item_name(std::size_t i) const {
  if (const SampleOrigin* known = origin(i)) return to_string(*known);
  return is_batch_ ? fmt::format("item {} of {}", i, size_) : std::string();
}

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

Item Storage::settled_item(std::size_t index) const {
  const Pending::Slot& slot = pending_->slots[index];
  if (!ready()) {
    const Executor::Blocking blocking(pending_->mutex, pending_->arrived);
    std::unique_lock lock(pending_->mutex);
    pending_->arrived.wait(lock, [&] { return slot.settled() || blocking.interrupted(); });
    if (!slot.settled()) blocking.check();
    if (slot.error) std::rethrow_exception(slot.error);
    if (slot.item) return *slot.item;  // copied under the lock: it may become part of the whole
  }
  if (slot.error) std::rethrow_exception(slot.error);
  return slot.item ? *slot.item : Item{data_.item(index)};
}

Data Storage::item(std::size_t i) const {
  const std::size_t index = is_batch_ ? i : 0;
  return pending_ && index < size_ ? settled_item(index).data : data_.item(index);
}

void Storage::add_metrics(std::function<Metrics(std::size_t)> metrics) {
  if (!metrics_) {
    metrics_ = std::move(metrics);
    return;
  }
  metrics_ = [first = std::move(metrics_), second = std::move(metrics)](std::size_t i) {
    Metrics all = first(i);
    all.merge(second(i));
    return all;
  };
}

Storage::Metrics Storage::metrics(std::size_t i) const {
  problem(i);
  return metrics_ ? metrics_(is_batch_ ? i : 0) : Metrics();
}

ProblemPtr Storage::problem(std::size_t i) const {
  const std::size_t index = is_batch_ ? i : 0;
  if (pending_ && index < size_) {
    if (!ready()) return settled_item(index).problem;
    const Pending::Slot& slot = pending_->slots[index];
    if (slot.error) std::rethrow_exception(slot.error);
    return slot.item ? slot.item->problem : nullptr;
  }
  const auto found = problems_.find(index);
  return found != problems_.end() ? found->second : nullptr;
}

Problems Storage::problems() const {
  get();
  if (!pending_) return problems_;
  Problems problems;
  for (std::size_t i = 0; i < size_; ++i) {
    if (const auto& item = pending_->slots[i].item; item && item->problem) problems.emplace(i, item->problem);
  }
  return problems;
}

void Storage::set_item(std::size_t i, Data item, ProblemPtr problem) {
  settle(i, Item{std::move(item), std::move(problem)}, nullptr);
}
void Storage::fail_item(std::size_t i, std::exception_ptr error) { settle(i, std::nullopt, std::move(error)); }

void Storage::settle(std::size_t i, std::optional<Item> item, std::exception_ptr error) {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(pending_->mutex);
    Pending::Slot& slot = pending_->slots[i];
    if (slot.settled()) return;
    slot.item = std::move(item);
    slot.has_come = slot.item.has_value();
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
  for (const Pending::Slot& slot : pending_->slots) {
    if (slot.error && !pending_->error) pending_->error = slot.error;
  }
  if (!pending_->error) {
    try {
      data_ = take_whole();
    } catch (...) {
      pending_->error = std::current_exception();
    }
  }
  ready_.store(true, std::memory_order_release);
}

// Each text is kept once: as part of the whole. Numbers stay as they came, since in a list they may be of another kind.
Data Storage::take_whole() {
  std::vector<Item> items;
  items.reserve(size_);
  const bool are_texts = std::all_of(pending_->slots.begin(), pending_->slots.end(), [](const Pending::Slot& slot) {
    return slot.item->data.is_text() && !slot.item->data.is_batch();
  });
  for (Pending::Slot& slot : pending_->slots) {
    const bool moves = are_texts && !slot.item->problem;
    items.push_back(moves ? std::move(*slot.item) : *slot.item);
    if (moves) slot.item.reset();
  }
  return is_batch_ ? whole_of(std::move(items)) : std::move(items.front().data);
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
