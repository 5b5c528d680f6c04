// What the simulated editor understands of constraints and of complaints about an earlier reply.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tgd::lm::detail {

struct Constraints {
  std::optional<std::size_t> max_characters;
  std::optional<std::size_t> max_words;
  std::vector<std::string> required;      ///< texts that the value has to contain, placeholders among them
  std::vector<std::string> forbidden;     ///< texts that it must not contain, whatever their case
  std::vector<std::string> instructions;  ///< sentences that the value has to say: "Answer in French."

  void add(std::string_view constraint);
  /// "The placeholder {text} is missing", "It is 1720 characters long; at most 1500 are allowed". `reply_size` is the size of
  /// the reply that it is about.
  void add_complaint(std::string_view complaint, std::size_t reply_size);
  bool is_too_long(std::string_view text) const;
  /// The text without what is forbidden and with what is required.
  std::string applied_to(std::string text) const;

 private:
  void add_limits(std::string_view text);
};

/// The `{names}` in a text, with their braces.
std::vector<std::string> placeholders_in(std::string_view text);

}  // namespace tgd::lm::detail
