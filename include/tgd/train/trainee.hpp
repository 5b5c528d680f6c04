// An agent and its loaders, whose types the Trainer forgets.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/cognitive/module.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/optim/optimizer.hpp>
#include <tgd/train/reports.hpp>
#include <tgd/variable.hpp>

namespace tgd {

namespace detail {

/// A batch whose type is forgotten: what remains is to run the agent's step on it.
struct BatchStep {
  std::size_t samples = 0;
  std::function<std::optional<StepResult>()> run;
  /// On some of its samples; null where nobody knows how to take a batch apart.
  std::function<std::optional<StepResult>(std::span<const std::size_t> samples)> run_part = {};
};

/// One epoch of a loader.
struct Pass {
  std::optional<std::size_t> batches = {};  // nothing: unknown, as of a stream
  std::size_t samples = 0;                  // 0: unknown
  /// Calls `visit` for each batch from number `first` on, until it returns false.
  std::function<void(std::size_t first, const std::function<bool(const BatchStep&)>& visit)> each;
  /// What the order of the epochs to come depends on, and back.
  std::function<Json()> state = {};
  std::function<void(const Json&)> load_state = {};
};

/// An agent whose type is forgotten.
struct Trainee {
  Module* module = nullptr;  // null: the agent is no Module
  std::vector<std::shared_ptr<optim::Optimizer>> optimizers;
  std::function<void(bool training)> set_mode;
  bool automatic = true;  // the trainer calls backward and step
};

inline std::size_t sample_count(const Variable& batch) { return batch.size(); }
inline std::size_t sample_count(const std::map<std::string, Variable>& batch) {
  return batch.empty() ? 0 : batch.begin()->second.size();
}
template <class First, class... Rest>
std::size_t sample_count(const std::tuple<First, Rest...>& batch) {
  return sample_count(std::get<0>(batch));
}

/// Some of the samples of a batch.
TGD_API Variable part_of(const Variable& batch, std::span<const std::size_t> samples);
inline std::map<std::string, Variable> part_of(const std::map<std::string, Variable>& batch,
                                               std::span<const std::size_t> samples) {
  std::map<std::string, Variable> part;
  for (const auto& [name, column] : batch) part.emplace(name, part_of(column, samples));
  return part;
}
template <std::same_as<Variable>... Columns>
std::tuple<Columns...> part_of(const std::tuple<Columns...>& batch, std::span<const std::size_t> samples) {
  return std::apply([&](const auto&... columns) { return std::tuple(part_of(columns, samples)...); }, batch);
}

template <class Agent, class Batch>
std::optional<StepResult> validation_step(Agent& agent, Batch& batch) {
  if constexpr (requires { agent.validation_step(batch); }) {
    return agent.validation_step(batch);
  } else {
    return agent.training_step(batch);
  }
}

template <class Agent, class Batch>
std::optional<StepResult> test_step(Agent& agent, Batch& batch) {
  if constexpr (requires { agent.test_step(batch); }) {
    return agent.test_step(batch);
  } else {
    return detail::validation_step(agent, batch);
  }
}

/// What a loop over a loader holds: a step may write to its batch, so one of a constant range is copied.
template <class T>
using writable_t = std::conditional_t<std::is_const_v<T>, std::remove_const_t<T>, T&>;

template <class Loader, class Step>
Pass pass_over(const Loader& loader, Step step) {
  Pass pass;
  if constexpr (requires { loader.size(); }) pass.batches = loader.size();
  if constexpr (requires { loader.samples(); }) pass.samples = loader.samples();
  pass.each = [&loader, step](std::size_t first, const std::function<bool(const BatchStep&)>& visit) {
    const auto run = [&](auto&& batches, std::size_t skipped) {
      for (auto&& given : batches) {
        if (skipped > 0) {
          --skipped;
          continue;
        }
        writable_t<std::remove_reference_t<decltype(given)>> batch = given;
        BatchStep own{sample_count(batch), [&batch, &step]() -> std::optional<StepResult> { return step(batch); }};
        if constexpr (requires(std::span<const std::size_t> samples) {
                        { part_of(batch, samples) } -> std::same_as<std::remove_cvref_t<decltype(batch)>>;
                      }) {
          own.run_part = [&batch, &step](std::span<const std::size_t> samples) -> std::optional<StepResult> {
            auto part = part_of(batch, samples);
            return step(part);
          };
        }
        if (!visit(own)) return;
      }
    };
    if constexpr (requires { loader.from(first); }) {
      run(loader.from(first), 0);
    } else {
      run(loader, first);
    }
  };
  if constexpr (requires { loader.state_dict(); }) pass.state = [&loader] { return loader.state_dict(); };
  if constexpr (requires(const Json& saved) { loader.load_state_dict(saved); }) {
    pass.load_state = [&loader](const Json& saved) { loader.load_state_dict(saved); };
  }
  return pass;
}

template <class Agent>
std::function<void(bool)> mode_of(Agent& agent) {
  if constexpr (requires { agent.train(true); }) {
    return [&agent](bool training) { agent.train(training); };
  } else {
    return [](bool) {};
  }
}

/// The one or the several optimizers of an agent.
inline std::vector<std::shared_ptr<optim::Optimizer>> optimizers_of(std::shared_ptr<optim::Optimizer> one) {
  return {std::move(one)};
}
template <class T>
std::vector<std::shared_ptr<optim::Optimizer>> optimizers_of(const std::vector<std::shared_ptr<T>>& several) {
  return {several.begin(), several.end()};
}

template <class Agent>
Trainee trainee_of(Agent& agent) {
  Trainee trainee{.optimizers = optimizers_of(agent.configure_optimizers()), .set_mode = mode_of(agent)};
  if constexpr (std::derived_from<Agent, Module>) trainee.module = &agent;
  if constexpr (requires { static_cast<bool>(agent.automatic_optimization); }) trainee.automatic = agent.automatic_optimization;
  return trainee;
}

}  // namespace detail

}  // namespace tgd
