// Diagnosis: what code can establish about replies without asking anybody: what right answers look like, how the replies miss it,
// how many of them and which. A pure function of what it is given.
//
//   const optim::Diagnosis diagnosis = optim::diagnose(outcomes);
//   diagnosis.findings.front().kind;   // Finding::Kind::among_words, say
//   to_string(diagnosis);              // "Every right answer is exactly one of these: negative, neutral, positive.\n…"
//
// Numbers are read as people write them, and words are compared without their spelling (core). Thread-safety: value types.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/prompts.hpp>
#include <tgd/sample_outcome.hpp>

namespace tgd::optim {

/// What right answers have in common.
struct AnswerForm {
  enum class Kind {
    unknown,  ///< there are none, or too few to tell
    labels,   ///< a closed set: every one of them comes again and again
    number,
    date,
    json,  ///< an object, or a list
    text
  };
  /// A member of objects.
  struct Key {
    std::string name;
    std::string type;  ///< "text", "number", "true or false", "object", "list", "null"; several with " or " between them
    bool is_always = true;
  };

  Kind kind = Kind::unknown;
  std::size_t answers = 0;               ///< how many there were
  std::vector<std::string> labels = {};  ///< in alphabetical order
  bool is_whole = false;                 ///< numbers: none has a fraction
  std::string date_pattern = {};         ///< "YYYY-MM-DD", where all dates are written so
  std::vector<Key> keys = {};            ///< in the order of the first object
  bool is_list = false;                  ///< JSON: lists, not objects
  bool is_lower_case = false;            ///< no answer has an upper-case letter
  bool is_one_line = false;
  std::size_t most_words = 0;
  std::string example = {};  ///< the shortest answer, of these the first
};
TGD_API std::string_view to_string(AnswerForm::Kind kind);

TGD_API AnswerForm form_of(std::span<const std::string> answers);

/// One way in which replies miss the right answer. A reply that misses it counts for one of them.
struct Finding {
  enum class Kind {
    // Nothing that could be compared.
    cut,
    empty,
    refused,
    filtered,
    thinking,    ///< it ends in a thought, or begins with one
    unreadable,  ///< an output step could not read it
    // The right answer, not as it has to stand there.
    letter_case,
    blanks,
    punctuation,
    spelling,        ///< several of these three
    notation,        ///< a number or a date that is written in another way
    among_words,     ///< the right answer and other words
    several_labels,  ///< the right one among them
    among_numbers,   ///< the right number and others
    json_among_words,
    // Something else.
    other_label,   ///< details: which, and which was wanted
    no_label,      ///< none of the labels
    wrong_factor,  ///< a number that is 10, 100, 1000 … times too large or too small
    wrong_sign,
    too_high,
    too_low,
    no_number,
    other_date,
    no_date,
    no_json,
    missing_keys,  ///< details: the keys
    extra_keys,
    wrong_types,   ///< details: keys with their type, and the type that was wanted
    wrong_values,  ///< details: the keys
    other_text
  };
  struct Detail {
    std::string what;
    std::string wanted = {};  ///< in its place; empty where nothing stands for something else
    std::size_t count = 0;
  };

  Kind kind;
  std::vector<std::size_t> samples = {};  ///< by their place in what was diagnosed
  std::vector<Detail> details = {};       ///< what exactly; the most frequent first
};
TGD_API std::string_view to_string(Finding::Kind kind);

struct Diagnosis {
  AnswerForm form = {};
  std::size_t samples = 0;
  std::size_t solved = 0;
  std::vector<Finding> findings = {};   ///< the most frequent first
  std::vector<std::size_t> wordy = {};  ///< replies that are wrong and longer than any right answer
  std::vector<std::string> notes = {};  ///< further facts, in whole sentences
};

struct DiagnosisOptions {
  /// Right answers beside those of the samples, such as all of the training part.
  std::vector<std::string> answers = {};
  /// Facts that the program knows, in whole sentences: how it reads an answer out of a reply, what a metric found.
  std::vector<std::string> notes = {};
};

/// Samples without a target are counted, and looked at for what needs none.
TGD_API Diagnosis diagnose(std::span<const SampleOutcome> outcomes, const DiagnosisOptions& options = {});

/// What right answers look like, in one sentence; empty where that is not known.
TGD_API std::string to_string(const AnswerForm& form, const Prompts& prompts = {});
/// Plain sentences, one a line, for language models and people.
TGD_API std::string to_string(const Diagnosis& diagnosis, const Prompts& prompts = {});
/// {"form": {"kind": "labels", …}, "samples": 16, "solved": 3, "findings": [{"kind": "among_words", "count": 12, "samples": […]}]}
TGD_API Json to_json(const Diagnosis& diagnosis);

}  // namespace tgd::optim
