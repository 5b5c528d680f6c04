// Free proposals: values that code can write from right answers, without asking a model: a sentence that says what a reply has to look
// like, and solved samples as examples. They cost nothing until they are tried; TrainerOptions::first_proposals does that.
//
//   for (const auto& [name, value, kept] : optim::free_proposals(prompt.text(), samples))
//     trainer.options().first_proposals.push_back({name, {{prompt, value, kept}}});
//
// Labels and form come from the samples that are given: give those of the training part only, and none whose text is in another
// part. A pure function. Thread-safety: value types.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/prompts.hpp>

namespace tgd::optim {

/// A training sample as the model is shown it, and its right answer.
struct LabelledSample {
  std::string input;
  std::string answer;
};

struct FreeProposal {
  std::string name;  ///< "form", "6 examples", "16 examples", "form and 16 examples"; with the number that there is
  std::string value;
  std::string kept = {};  ///< its examples, where it ends with them: see Suggestion
};

struct FreeProposalOptions {
  std::vector<std::size_t> examples = {6, 16};  ///< the last of them comes with the sentence, too
  /// The reply that a program reads an answer out of, such as {"label": "billing"} for "billing"; nothing where there is none, and
  /// then nothing is proposed. By default the answer itself.
  std::function<std::optional<std::string>(const std::string& answer)> reply_to = {};
  /// Placeholders of the value. What is added stands before the paragraph that has the first of them.
  std::vector<std::string> placeholders = {};
  std::vector<std::string> frozen = {};  ///< parts of the value that nothing is put into
  /// Whether a value may be taken: of examples as many are shown as are allowed. By default all are.
  std::function<bool(const std::string& value)> is_allowed = {};
  std::pair<std::string, std::string> frozen_marks = {"<FROZEN>", "</FROZEN>"};
  Prompts prompts = {};
};

/// Each different from the value and from the others. Examples are balanced over the answers, shortest first.
TGD_API std::vector<FreeProposal> free_proposals(const std::string& value, std::span<const LabelledSample> samples,
                                                 const FreeProposalOptions& options = {});

}  // namespace tgd::optim
