// `tgd optimize`: trains the parameters of a task, and leaves the best ones and the figures in the run folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "cli/command.hpp"

namespace tgd::cli {

struct OptimizeFlags {
  std::string task;
  ModelFlags model = {};
  std::optional<std::uint64_t> seed = {};
  std::optional<std::size_t> epochs = {};
  std::optional<std::filesystem::path> run_dir = {};
  std::optional<std::filesystem::path> prompts = {};
  OutputFlags output = {};
};

/// Throws TaskError before the first call is made, and what ended the run after it.
Status optimize(const OptimizeFlags& flags);

}  // namespace tgd::cli
