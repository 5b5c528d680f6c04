// Constraint: a rule that every new value of a parameter has to keep.
// Errors: ValueError for a rule that no value could keep or break.
// Thread-safety: a value type; a check may be called from the thread that runs the step.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::optim {

/// The text goes to the language model; a check, where there is one, decides: a value that fails it is never taken.
class TGD_API Constraint {
 public:
  /// What is wrong with a value, as a sentence for the language model; nullopt when nothing is.
  using Check = std::function<std::optional<std::string>(const std::string& value)>;

  Constraint(const char* text) : text_(Variable(text)) {}             // NOLINT(google-explicit-constructor)
  Constraint(std::string text) : text_(Variable(std::move(text))) {}  // NOLINT(google-explicit-constructor)
  Constraint(Variable text) : text_(std::move(text)) {}               // NOLINT(google-explicit-constructor)
  Constraint(std::string text, Check check) : text_(Variable(std::move(text))), check_(std::move(check)) {}

  /// Each {name} of `names` stays in the value.
  static Constraint keeps_placeholders(std::vector<std::string> names);
  static Constraint forbids(std::string text);
  /// The text stands in the value, character for character.
  static Constraint contains(std::string text);
  /// Regular expression in RE2 syntax (no look-around, no back-references), searched for anywhere, in linear time. Throws
  /// ValueError when it is none.
  static Constraint forbids_pattern(const std::string& pattern);
  /// Unit: characters (Unicode code points).
  static Constraint max_length(std::size_t characters);
  static Constraint valid_json();

  const Variable& variable() const& noexcept { return text_; }
  Variable variable() && { return text_; }
  std::optional<std::string> violation(const std::string& value) const;
  bool has_check() const noexcept { return check_ != nullptr; }

 private:
  Variable text_;
  Check check_;
};

}  // namespace tgd::optim
