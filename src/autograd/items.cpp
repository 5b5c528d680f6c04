#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/executor.hpp"
#include "core/rethrow.hpp"

namespace tgd::detail {

namespace {

/// Runs a task when everything it waits for has arrived: on the caller's thread if that is before finish_setup(), else on the
/// executor.
class Countdown {
 public:
  Countdown(std::size_t arrivals, std::function<void()> task) : missing_(arrivals + 1), task_(std::move(task)) {}

  void arrive() {
    if (missing_.fetch_sub(1) == 1) Executor::shared().post(std::exchange(task_, nullptr));
  }
  void finish_setup() {
    if (missing_.fetch_sub(1) == 1) std::exchange(task_, nullptr)();
  }

 private:
  std::atomic<std::size_t> missing_;
  std::function<void()> task_;
};

// What is computed at once, and so where its errors are thrown, must not depend on whether a reply happens to have arrived.
bool all_immediate(const std::vector<std::shared_ptr<Storage>>& storages) {
  return std::all_of(storages.begin(), storages.end(), [](const auto& storage) { return storage->is_immediate(); });
}

std::vector<Data> items_of(const std::vector<std::shared_ptr<Storage>>& storages, std::size_t i) {
  std::vector<Data> items;
  items.reserve(storages.size());
  for (const auto& storage : storages) items.push_back(storage->item(i));
  return items;
}

using Compute = std::function<Data(std::size_t, std::span<const Data>)>;

std::shared_ptr<Storage> compute_now(const std::vector<std::shared_ptr<Storage>>& storages, std::optional<std::size_t> batch,
                                     const Compute& compute) {
  if (!batch) return std::make_shared<Storage>(compute(0, items_of(storages, 0)));
  std::vector<Data> results;
  results.reserve(*batch);
  for (std::size_t i = 0; i < *batch; ++i) results.push_back(compute(i, items_of(storages, i)));
  return std::make_shared<Storage>(Data::list(std::move(results)));
}

std::vector<std::shared_ptr<Storage>> storages_of(std::span<const Variable> inputs) {
  std::vector<std::shared_ptr<Storage>> storages;
  storages.reserve(inputs.size());
  for (const Variable& input : inputs) storages.push_back(input.impl()->storage);
  return storages;
}

void compute_item(const Compute& compute, const std::vector<std::shared_ptr<Storage>>& storages, Storage& result, std::size_t i,
                  const std::string& operation) {
  std::optional<Data> item;
  try {
    const std::vector<Data> inputs = items_of(storages, i);
    try {
      item = compute(i, inputs);
      if (item->is_batch()) throw TypeError(fmt::format("the function returned {}; it has to return a scalar", item->description()));
    } catch (...) {
      rethrow_with_prefix(result.is_batch() ? fmt::format("{}: item {} of {}: ", operation, i, result.size()) : operation + ": ");
    }
  } catch (...) {
    return result.fail_item(i, std::current_exception());
  }
  result.set_item(i, std::move(*item));
}

std::shared_ptr<Storage> compute_later(std::string_view operation, std::span<const Variable> inputs, Compute compute,
                                       bool elsewhere) {
  const std::optional<std::size_t> batch = batch_size(operation, inputs);
  const auto storages = storages_of(inputs);
  const auto result = batch ? Storage::pending_batch(*batch) : Storage::pending_scalar();
  const auto shared = std::make_shared<const Compute>(std::move(compute));
  for (std::size_t i = 0; i < batch.value_or(1); ++i) {
    std::function<void()> task = [storages, result, shared, i, name = std::string(operation), owed = Storage::owed(result, i)] {
      compute_item(*shared, storages, *result, i, name);
    };
    if (elsewhere) task = [task = std::move(task)]() mutable { Executor::shared().post(std::exchange(task, nullptr)); };
    when_items(storages, i, std::move(task));
  }
  return result;
}

}  // namespace

std::optional<std::size_t> batch_size(std::string_view operation, std::span<const Variable> inputs) {
  const Variable* first = nullptr;
  for (const Variable& input : inputs) {
    if (!input.is_batch()) continue;
    if (first == nullptr) first = &input;
    if (input.size() != first->size()) {
      throw ValueError(fmt::format("{}: lists have to be of equal length; \"{}\" has {} items and \"{}\" {}", operation,
                                   first->role(), first->size(), input.role(), input.size()));
    }
  }
  return first != nullptr ? std::optional(first->size()) : std::nullopt;
}

void when_items(const std::vector<std::shared_ptr<Storage>>& storages, std::size_t i, std::function<void()> task) {
  const auto countdown = std::make_shared<Countdown>(storages.size(), std::move(task));
  for (const auto& storage : storages) storage->on_item(i, [countdown] { countdown->arrive(); });
  countdown->finish_setup();
}

void when_complete(const std::vector<std::shared_ptr<Storage>>& storages, std::function<void()> task) {
  std::size_t items = 0;
  for (const auto& storage : storages) items += storage->size();
  const auto countdown = std::make_shared<Countdown>(items, std::move(task));
  for (const auto& storage : storages) {
    for (std::size_t i = 0; i < storage->size(); ++i) storage->on_item(i, [countdown] { countdown->arrive(); });
  }
  countdown->finish_setup();
}

std::shared_ptr<Storage> compute_items(std::string_view operation, std::span<const Variable> inputs, Compute compute) {
  const auto storages = storages_of(inputs);
  if (!all_immediate(storages)) return compute_later(operation, inputs, std::move(compute), false);
  return compute_now(storages, batch_size(operation, inputs), compute);
}

std::shared_ptr<Storage> compute_items_elsewhere(std::string_view operation, std::span<const Variable> inputs, Compute compute) {
  return compute_later(operation, inputs, std::move(compute), true);
}

Role joined_role(std::span<const Variable> inputs) {
  Role role;
  for (const Variable& input : inputs) role = Role::both(std::move(role), input.impl()->role);
  return role;
}

std::shared_ptr<Storage> compute_whole(const std::vector<std::shared_ptr<Storage>>& inputs, std::function<Data()> compute) {
  if (all_immediate(inputs)) return std::make_shared<Storage>(compute());
  const auto result = Storage::pending_scalar();
  when_complete(inputs, [inputs, result, compute = std::move(compute), owed = Storage::owed(result, 0)] {
    try {
      result->set_item(0, compute());
    } catch (...) {
      result->fail_item(0, std::current_exception());
    }
  });
  return result;
}

std::shared_ptr<Storage> item_of(const std::shared_ptr<Storage>& batch, std::size_t i) {
  if (batch->is_immediate()) return std::make_shared<Storage>(batch->item(i));
  const auto result = Storage::pending_scalar();
  when_items({batch}, i, [batch, result, i, owed = Storage::owed(result, 0)] {
    try {
      result->set_item(0, batch->item(i));
    } catch (...) {
      result->fail_item(0, std::current_exception());
    }
  });
  return result;
}

Variable make_gradient(Data data, bool forwarded) {
  Variable gradient = make_variable(std::make_shared<Storage>(std::move(data)), Role());
  gradient.impl()->forwarded = forwarded;
  return gradient;
}

std::string feedback_text(const autograd::Gradient& gradient, std::size_t i) {
  return gradient ? gradient->data().item_text(i) : std::string();
}

}  // namespace tgd::detail
