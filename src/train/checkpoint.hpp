// The state of a run as one JSON document, and the values in it.
// Errors: ValueError or ParseError that names the file, the place in it and what is wrong with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tgd/data.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/cost_meter.hpp>
#include <tgd/trainer.hpp>

#include "train/chain_search.hpp"
#include "train/journal.hpp"
#include "train/score_table.hpp"

namespace tgd::detail {

/// Where a run stands: everything that the steps to come depend on, besides the agent's, the optimizers' and the sampler's state.
struct RunState {
  std::size_t epoch = 1;
  std::size_t step = 0;
  std::size_t step_in_epoch = 0;
  std::optional<std::size_t> validated_step = {};
  std::optional<ValidationReport> first = {};
  std::optional<ValidationReport> best = {};
  std::vector<Data> best_values = {};
  std::size_t since_best = 0;           // validations in a row
  std::size_t steps_without_batch = 0;  // of the steps: races
  std::int64_t calls_of_sample = 0;     // at most, in validation; 0: not known
  ScoreTable scores = {};
  SearchState search = {};
  FailedSamples failed = {};     // by all the sessions of the run
  std::size_t samples_seen = 0;  // by its steps
  double seconds = 0;
};

struct Checkpoint {
  std::filesystem::path path = {};  // where it was read
  RunState run = {};
  JournalPosition journal = {};  // which goes on from here
  std::string agent = {};
  Json agent_state = {};
  std::vector<Json> optimizers = {};  // their states, where it was read
  Json loader = {};                   // at the beginning of the epoch
  std::map<std::string, lm::Usage> usage = {};
  lm::CostReport cost = {};
  CallCounts calls = {};
};

/// Of the last one, in a run folder.
inline constexpr const char* checkpoint_name = "checkpoint.json";

/// Replaces `text`, whose memory may serve for one checkpoint after the other. The optimizers write their own state, of which
/// no tree is made.
void write_text(const Checkpoint& checkpoint, std::span<const std::shared_ptr<optim::Optimizer>> optimizers, std::string& text);
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// What a run was asked for, as config.json has it. `batches` in an epoch: nothing where it is not known.
std::string config_text(const TrainerOptions& options, std::optional<std::size_t> batches);

/// A line of metrics.jsonl, without its newline.
std::string metrics_line(const StepReport& report);
std::string metrics_line(const ValidationReport& report);

}  // namespace tgd::detail
