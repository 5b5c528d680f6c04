// FeedbackOptions: how a language model is asked for feedback in a backward pass.
#pragma once

#include <cstddef>

#include <tgd/notice.hpp>
#include <tgd/prompts.hpp>

namespace tgd {

/// How a language model is asked for feedback in a backward pass, for all operations and evaluators alike. A value type.
struct FeedbackOptions {
  /// How many samples one request shows, for a Variable that all items share. At least 1.
  std::size_t samples_per_request = 8;
  /// The most characters (as UTF-8 bytes) of one request. The default fits models of 32k tokens. Samples that do not fit
  /// together go into several requests; a single one that does not fit is cut, visibly, and reported.
  std::size_t context_budget = 72'000;
  /// Condense several critiques of a shared Variable into one, by a tree of further calls.
  bool summarize = false;
  OnNotice on_notice = {};
  Prompts prompts = {};
};

}  // namespace tgd
