// TREC: questions with what they ask for, in 6 coarse and 50 fine classes; 5452 for training and 500 for testing.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <tuple>

#include <tgd/data/published.hpp>
#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::data {

/// Questions with what they ask for, in 6 coarse and 50 fine classes; 5452 for training and 500 for testing.
///
/// Source: X. Li and D. Roth, "Learning Question Classifiers", COLING 2002; train_5500.label and TREC_10.label in
/// https://cogcomp.seas.upenn.edu/Data/QA/QC/. A line is a label, a space and the question: "LOC:city What is … ?"
/// There is no part for validation: take some of train with stratified_split(). About 70 questions of train come twice.
/// Errors: ValueError for a file that cannot be read and for Split::validation, ParseError that begins with file:line: for a
/// malformed line; published.hpp says those of downloads.
/// Thread-safety: reading is safe from any number of threads.
class TGD_API TREC {
 public:
  /// `path` is a file in the published format, or a folder that has it as trec/train_5500.label or trec/TREC_10.label.
  TREC(Split split, const std::filesystem::path& path, const DownloadOptions& options = {});

  std::size_t size() const noexcept;
  /// New Variables: question; coarse class ("ABBR", "DESC", "ENTY", "HUM", "LOC" or "NUM"); fine class, such as "LOC:city".
  std::tuple<Variable, Variable, Variable> operator[](std::size_t i) const;

 private:
  struct Content;
  std::shared_ptr<const Content> content_;
};

}  // namespace tgd::data
