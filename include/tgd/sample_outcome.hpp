// SampleOutcome: what became of one sample. A gradient carries those of the samples that it comes from, solved ones among them, so
// that an optimizer can count and show them. Thread-safety: value types.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tgd/problem.hpp>

namespace tgd {

struct SampleOutcome {
  /// The sample's own part of what the model was given, without the prompt that all samples share. Empty: not known.
  std::string input = {};
  std::string reply = {};   ///< as it came
  std::string answer = {};  ///< what the program made of the reply, and what was compared
  std::optional<std::string> target = {};
  double score = 0;
  bool is_solved = false;
  std::shared_ptr<const Problem> problem = nullptr;  ///< null where there is none
};

/// Those of one evaluation, in the order of its batch.
struct SampleOutcomes {
  std::vector<SampleOutcome> samples = {};
  /// How many calls of a model lie between the evaluation and the receiver of the feedback. With one call the replies are those to the
  /// receiver itself.
  std::size_t calls = 0;
};

}  // namespace tgd
