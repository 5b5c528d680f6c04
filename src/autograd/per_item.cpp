#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/executor.hpp"
#include "core/problem.hpp"
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

using Storages = std::vector<std::shared_ptr<Storage>>;

Storages storages_of(std::span<const Variable> inputs) {
  Storages storages;
  storages.reserve(inputs.size());
  for (const Variable& input : inputs) storages.push_back(tgd::detail::impl_of(input)->storage);
  return storages;
}

/// An error of an input comes before the problem of another one.
Item compute_item(const ItemComputation& computation, const Storages& storages, std::size_t i) {
  std::vector<Data> inputs = items_of(storages, i);
  for (std::size_t input = 0; input < storages.size(); ++input) {
    ProblemPtr problem = storages[input]->problem(i);
    if (!problem) continue;
    Data data = computation.instead ? computation.instead(i, *problem) : std::move(inputs[input]);
    return {std::move(data), std::move(problem)};
  }
  std::optional<Problem> problem;
  try {
    return {computation.compute(i, inputs)};
  } catch (const ParseError& error) {
    if (computation.on_error == OnError::fail) throw;
    problem = unreadable(error.what());
  } catch (const LMError&) {
    problem = computation.on_error == OnError::keep ? own_fault(std::current_exception()) : std::nullopt;
    if (!problem) throw;
  }
  return {std::move(inputs.front()), std::make_shared<const Problem>(*std::move(problem))};
}

std::shared_ptr<Storage> compute_now(const Storages& storages, std::optional<std::size_t> batch,
                                     const ItemComputation& computation) {
  std::vector<Item> items;
  Problems problems;
  for (std::size_t i = 0; i < batch.value_or(1); ++i) {
    items.push_back(compute_item(computation, storages, i));
    if (items.back().problem) problems.emplace(i, items.back().problem);
  }
  auto result = batch ? std::make_shared<Storage>(whole_of(std::move(items)), std::move(problems))
                      : std::make_shared<Storage>(std::move(items.front().data), std::move(problems));
  inherit_origins(*result, storages);
  return result;
}

void settle_item(const ItemComputation& computation, const Storages& storages, Storage& result, std::size_t i,
                 const std::string& operation) {
  std::optional<Item> item;
  try {
    for (const auto& storage : storages) storage->problem(i);  // throws an error of theirs, which needs no other place in front
    try {
      item = compute_item(computation, storages, i);
      if (item->data.is_batch())
        throw TypeError(fmt::format("the function returned {}; it has to return a scalar", item->data.description()));
    } catch (...) {
      const std::string name = result.item_name(i);
      rethrow_with_prefix(name.empty() ? operation + ": " : fmt::format("{}: {}: ", operation, name));
    }
  } catch (...) {
    return result.fail_item(i, std::current_exception());
  }
  result.set_item(i, std::move(item->data), std::move(item->problem));
}

std::shared_ptr<Storage> compute_later(std::string_view operation, std::span<const Variable> inputs,
                                       ItemComputation computation, bool elsewhere) {
  const std::optional<std::size_t> batch = batch_size(operation, inputs);
  const Storages storages = storages_of(inputs);
  const auto result = batch ? Storage::pending_batch(*batch) : Storage::pending_scalar();
  inherit_origins(*result, storages);
  const auto shared = std::make_shared<const ItemComputation>(std::move(computation));
  for (std::size_t i = 0; i < batch.value_or(1); ++i) {
    std::function<void()> task = [storages, result, shared, i, name = std::string(operation), owed = Storage::owed(result, i)] {
      settle_item(*shared, storages, *result, i, name);
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

void inherit_origins(Storage& result, const Storages& inputs) {
  for (const auto& input : inputs) {
    if (!input->origins() || input->is_batch() != result.is_batch()) continue;
    return result.set_origins(input->origins());
  }
}

std::shared_ptr<Storage> compute_items(std::string_view operation, std::span<const Variable> inputs,
                                       ItemComputation computation) {
  const auto storages = storages_of(inputs);
  if (!all_immediate(storages)) return compute_later(operation, inputs, std::move(computation), false);
  return compute_now(storages, batch_size(operation, inputs), computation);
}

std::shared_ptr<Storage> compute_items_elsewhere(std::string_view operation, std::span<const Variable> inputs,
                                                 ItemComputation computation) {
  return compute_later(operation, inputs, std::move(computation), true);
}

Role joined_role(std::span<const Variable> inputs) {
  Role role;
  for (const Variable& input : inputs) role = Role::both(std::move(role), tgd::detail::impl_of(input)->role);
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

void pass_on(const std::shared_ptr<Storage>& source, std::size_t from, const std::shared_ptr<Storage>& target, std::size_t to) {
  when_items({source}, from, [source, from, target, to, owed = Storage::owed(target, to)] {
    try {
      target->set_item(to, source->item(from), source->problem(from));
    } catch (...) {
      target->fail_item(to, std::current_exception());
    }
  });
}

std::shared_ptr<Storage> item_of(const std::shared_ptr<Storage>& batch, std::size_t i) {
  const SampleOrigin* origin = batch->origin(i);
  const Origins origins = origin != nullptr ? std::make_shared<const std::vector<SampleOrigin>>(1, *origin) : nullptr;
  if (batch->is_immediate()) {
    const ProblemPtr problem = batch->problem(i);
    auto item = std::make_shared<Storage>(batch->item(i), problem ? Problems{{0, problem}} : Problems{});
    item->set_origins(origins);
    item->add_metrics([batch, i](std::size_t) { return batch->metrics(i); });
    return item;
  }
  auto item = Storage::pending_scalar();
  item->set_origins(origins);
  item->add_metrics([batch, i](std::size_t) { return batch->metrics(i); });
  pass_on(batch, i, item, 0);
  return item;
}

Variable make_gradient(Data data, bool forwarded) {
  Variable gradient = make_variable(std::make_shared<Storage>(std::move(data)), Role());
  tgd::detail::impl_of(gradient)->forwarded = forwarded;
  return gradient;
}

std::string feedback_text(const autograd::Gradient& gradient, std::size_t i) {
  return gradient ? gradient->data().item_text(i) : std::string();
}

}  // namespace tgd::detail
