// Problem: what is wrong with one item of a batch, by its own fault.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <tgd/export.hpp>

namespace tgd {

/// What is wrong with one item of a batch, by its own fault. The item travels on as what came, with its problem: no
/// function is called for it, evaluators score it worst and say why, and it gets feedback like any other. Faults of the
/// endpoint (a wrong key, an outage, a used-up budget) are no problem of an item: they fail the operation. Thread-safety: value
/// types.
struct Problem {
  enum class Kind {
    refused,    ///< the model did not want to answer
    filtered,   ///< a filter withheld the request or the reply
    cut,        ///< a limit of tokens ended the reply
    too_long,   ///< the request does not fit the model's window
    unreadable  ///< there was no reply to be read, or a parser could not read it
  };
  Kind kind = Kind::unreadable;
  std::string text = {};   ///< what happened, in one sentence without a full stop; language models are shown it
  std::string cause = {};  ///< the error that it was, for people; empty where the text says it all
  /// false for a reply that a limit of the caller's own has cut: it scores worst, and counts as an answer.
  bool is_failure = true;

  friend bool operator==(const Problem&, const Problem&) = default;
};

/// "refused", "filtered", "cut", "too_long", "unreadable".
TGD_API std::string to_string(Problem::Kind kind);
/// For people: the cause, or else the text.
TGD_API std::string to_string(const Problem& problem);

/// What becomes of an item that fails by its own fault.
enum class OnError {
  fail,  ///< the whole operation fails
  keep   ///< the item goes on as a problem, the others as if nothing had been
};

/// Where a sample was read.
struct SampleOrigin {
  std::shared_ptr<const std::string> file = {};  ///< null: no file
  std::size_t row = 0;                           ///< from 0, as all figures of rows are
  std::size_t line = 0;                          ///< from 1; 0: not known

  friend TGD_API bool operator==(const SampleOrigin& a, const SampleOrigin& b);
};

/// "train.csv, row 17 (line 19)".
TGD_API std::string to_string(const SampleOrigin& origin);

}  // namespace tgd
