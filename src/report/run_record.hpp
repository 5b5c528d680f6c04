// RunRecord: what a run folder says, as it was written by `tgd optimize`.
//
// Reading is tolerant, because a report is wanted most where something went wrong: files may be missing, cut off by a crash, or of
// a run that is still going on. What cannot be read is passed over and named in `notes`. Where a step stands twice (a run that was
// gone on with), the last line counts.
// Errors: TaskError where there is no run folder at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/trainer.hpp>

#include "run/folder.hpp"
#include "run/paired.hpp"
#include "task/document.hpp"

namespace tgd::cli {

/// A line "step" of metrics.jsonl. The score is that of the batch, before the step.
struct StepRecord {
  std::size_t epoch = 0;
  std::size_t step = 0;
  Metrics metrics = {};
  std::optional<GateReport> gate = {};
};

/// What became of one parameter in a step.
struct UpdateRecord {
  std::string outcome = {};
  std::optional<std::string> value = {};  ///< the new one; the proposal where `outcome` is "rejected"
  std::size_t requests = 0;
  std::optional<std::size_t> edit_distance = {};
  std::string reason = {};
  std::vector<std::pair<std::string, std::string>> problems = {};  ///< and how they were told to the model
  std::vector<std::string> feedback = {};
};

/// What became of the samples that a step learned from.
struct BatchRecord {
  std::vector<std::size_t> rows = {};
  Measurement measurement = {};
};

/// A line of versions.jsonl; that of step 0 has the first values.
struct VersionRecord {
  std::size_t epoch = 0;
  std::size_t step = 0;
  std::optional<double> seconds = {};                              ///< of the run up to then
  std::vector<std::pair<std::string, UpdateRecord>> updates = {};  ///< by parameter
  std::optional<BatchRecord> batch = {};
};

/// The race of the first proposals, a line of metrics.jsonl.
struct RaceRecord {
  std::size_t step = 0;
  RaceReport report = {};
};

/// What a search made of a step, from a line of metrics.jsonl.
struct SearchRecord {
  std::size_t step = 0;
  SearchReport report = {};
};

struct PartRecord {
  std::string name;
  std::vector<std::size_t> rows = {};
  std::vector<std::string> targets = {};  ///< empty where the task has none
  std::vector<std::string> inputs = {};
  std::string file = {};                       ///< that the rows are of; empty: not known
  std::vector<std::size_t> lines = {};         ///< where they begin in it, from 1; empty: not known
  std::map<std::size_t, Measurement> at = {};  ///< by the step whose values were measured
};

/// A line of calls.jsonl.
struct CallLine {
  double start = 0;  ///< seconds since 1970
  double latency = 0;
  std::string purpose = {};
  std::string parameter = {};
  std::string model = {};
  std::optional<std::int64_t> input_tokens = {};
  std::optional<std::int64_t> output_tokens = {};
  std::optional<double> cost = {};  ///< nothing: unknown
  std::string outcome = {};
  std::string error_type = {};
  std::string error_message = {};
  std::int64_t attempts = 1;
  bool cached = false;
};

struct RunRecord {
  std::filesystem::path folder;
  OrderedJson task = nullptr;    ///< null: none, or unreadable
  OrderedJson result = nullptr;  ///< the same
  std::vector<StepRecord> steps = {};
  std::vector<ValidationReport> validations = {};
  std::vector<RaceRecord> races = {};
  std::vector<SearchRecord> searches = {};
  std::vector<VersionRecord> versions = {};
  std::vector<PartRecord> parts = {};
  std::vector<CallLine> calls = {};     ///< in the order in which they began
  std::vector<std::string> notes = {};  ///< what could not be read, for people
};

/// How much is read.
enum class RunDetail {
  all,
  outcome  ///< what a line about the run needs: versions, samples and calls as far as its result does not say
};

RunRecord read_run(const std::filesystem::path& folder, RunDetail detail = RunDetail::all);

/// The step after which the values were best: 0 for the first ones.
std::optional<std::size_t> best_step(const RunRecord& record);

/// The measurement of a part, which has one, with the best values; while nobody knows these, the last one.
const Measurement& best_measurement(const RunRecord& record, const PartRecord& part);

/// The folders of runs in a folder, by name.
std::vector<std::filesystem::path> run_folders_in(const std::filesystem::path& folder);

}  // namespace tgd::cli
