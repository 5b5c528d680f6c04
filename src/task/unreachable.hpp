// Targets that no reply can score best against, such as "Praise" where the output is made lower case, or "12 %" where a number is
// expected: found before a run is paid for.
// Thread-safety: a function of its arguments.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "task/data.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct UnreachableTarget {
  std::size_t row;     ///< in its file, from 0
  std::string target;  ///< without white space around it
  std::string reason;  ///< and what to do
};

/// For each sample the reply that gives its target is made up, as far as the last stage's output steps can be gone backward, and
/// scored. Empty where there is no target, and where a judge decides.
std::vector<UnreachableTarget> unreachable_targets(const Task& task, const DataPart& part);

/// The reply that the last stage's output steps make a target of; nothing where there is none, or a pattern hides what it is. The
/// task has to outlive it.
std::function<std::optional<std::string>(const std::string& target)> target_replies(const Task& task);

}  // namespace tgd::cli
