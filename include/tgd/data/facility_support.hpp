// FacilitySupport: 200 messages to a facility-support desk, with their urgency, sentiment and categories.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <tuple>

#include <tgd/data/published.hpp>
#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::data {

/// 200 messages to a facility-support desk, with their urgency, sentiment and categories.
///
/// Source: use-cases/facility-support-analyzer/dataset.json in https://github.com/meta-llama/llama-prompt-ops (MIT licence).
/// The split is the one that published results compare on: the records in the order of CPython's random.Random(0).shuffle, of
/// which the first 66 are for training, the next 66 for validation and the last 68 for testing.
/// Errors: ValueError for a file that cannot be read, ParseError for one that is not the published file; published.hpp says
/// those of downloads.
/// Thread-safety: reading is safe from any number of threads.
class TGD_API FacilitySupport {
 public:
  /// `path` is the file, or a folder that has it as facility_support/dataset.json.
  FacilitySupport(Split split, const std::filesystem::path& path, const DownloadOptions& options = {});

  std::size_t size() const noexcept;
  /// New Variables: message; urgency ("low", "medium" or "high"); sentiment ("positive", "neutral" or "negative"); categories,
  /// a JSON object of ten names and true or false.
  std::tuple<Variable, Variable, Variable, Variable> operator[](std::size_t i) const;

 private:
  struct Content;
  std::shared_ptr<const Content> content_;
};

}  // namespace tgd::data
