// `tgd optimize`: trains the parameters of a task, and leaves the best ones and the figures in the run folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "cli/command.hpp"

namespace tgd::cli {

struct OptimizeFlags {
  std::string task = {};
  std::optional<std::filesystem::path> resume = {};  ///< a run folder, instead of a task
  ModelFlags model = {};
  bool save_model = false;
  std::optional<std::uint64_t> seed = {};
  std::optional<std::size_t> epochs = {};
  std::optional<std::int64_t> max_calls = {};
  std::optional<double> max_cost = {};
  std::optional<double> max_seconds = {};
  std::optional<std::filesystem::path> run_dir = {};
  std::optional<std::filesystem::path> prompts = {};
  bool record = false;
  OutputFlags output = {};
};

/// What a run came to.
struct OptimizeResult {
  Status status = Status::ok;
  std::filesystem::path run_folder = {};
};

/// With a cassette in replay, nothing else is asked. Throws TaskError before the first call is made, and what ended the run after it.
OptimizeResult optimize(const OptimizeFlags& flags, std::shared_ptr<lm::Cassette> replayed = nullptr);

}  // namespace tgd::cli
