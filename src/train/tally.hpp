// Adds up the scores of batches by sample.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tgd/trainer.hpp>

namespace tgd::detail {

/// A sample that failed by its own fault.
struct FailedSample {
  std::string name;                         // "train.csv, row 17 (line 19)", or "item 3 of 12"
  std::optional<SampleOrigin> origin = {};  // nothing: the name is not the sample's own
  std::string problem;
};

/// Means, and the score of each sample in order; none where some evaluator gave a sum only.
struct Scores {
  Metrics means = {};
  std::vector<double> samples = {};
  std::vector<FailedSample> failed = {};
  std::size_t unanswered = 0;                        // failed in their call: there was no reply that could have been read
  std::map<std::string, std::size_t> measured = {};  // how many samples have each named metric
};

/// Which limit a measurement breaks: "the metric \"length\" is 412, and may be 400 at the most"; empty where it keeps all.
std::string broken_limit(const std::map<std::string, Limits>& limits, const Metrics& metrics);
/// Why so many failures are more than the share that may fail; empty: they are not, or any number may. `example`: one of them,
/// with its name and its problem.
std::string too_many_failed(std::size_t failed, std::size_t samples, std::optional<double> max_share,
                            const std::string& example);
/// Where every call fails, the fault is hardly the samples'. Empty: some were answered.
std::string none_answered(std::size_t unanswered, std::size_t samples, const std::string& example);

/// The distinct samples that have failed so far.
struct FailedSamples {
  std::set<std::string> names = {};
  std::size_t nameless = 0;  // that cannot be told apart

  std::size_t count() const { return names.size() + nameless; }
};

/// How many samples may fail before a run ends.
class FailureLimit {
 public:
  /// Throws ValueError for a share that is none.
  explicit FailureLimit(std::optional<double> max_share);

  /// `part`: the data they are of; `samples`: of how many they may be a share. Throws an Error that names one when too many
  /// have failed.
  void add(FailedSamples& all, const std::string& part, const Scores& scores, std::size_t samples) const;

 private:
  std::optional<double> max_share_;
};

class Tally {
 public:
  void add(std::size_t samples, const StepResult& result);
  void add(const Scores& part);
  Scores scores() const;

 private:
  void add_failures(const Variable& score);
  void add_metric(const std::string& name, double mean, std::size_t samples);

  Metrics sum_;
  std::map<std::string, std::size_t> measured_;  // how many samples have each named metric
  std::vector<double> samples_;
  std::vector<FailedSample> failed_;
  std::size_t unanswered_ = 0;
};

/// Of one step. Waits until nothing reads the parameters any more, also where an error ends it.
Scores settled(std::size_t samples, const StepResult& result);

enum class Choice { run, skip, end };

/// Runs the batches of a pass that `choose` wants, without gradients and in eval mode, and hands over what each scored, in
/// their order. All are started before anything is read; of a pass of unknown length, which need not fit into memory, a batch
/// waits for the earlier ones once a thousand samples are on their way. Returns when nothing is on its way any more, also where
/// an error ends it: the number of the batch where it stopped.
std::size_t run_batches(const std::function<void(bool)>& set_mode, const Pass& pass, std::size_t first,
                        const std::function<Choice(std::size_t number)>& choose,
                        const std::function<void(std::size_t number, Scores scores)>& take);
/// Throws an Error when the calls of all samples have failed, however harmless each one is.
void expect_answers(const Scores& scores);

/// The scores over a pass, without gradients and in eval mode; see run_batches() and expect_answers().
Scores measure(const std::function<void(bool)>& set_mode, const Pass& pass);

}  // namespace tgd::detail
