// Regular expressions over texts that others wrote. Private to the library; RE2 stays behind it.
// Thread-safety: a value type; copies share what was compiled, and any number of threads may search with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace tgd::detail {

/// Searches whole texts in time that grows with their length and no more, and on any stack. That rules out look-around and
/// back-references. Patterns and texts are characters, not bytes: "." is one character, and a byte that belongs to none is U+FFFD.
class Pattern {
 public:
  /// Throws ValueError with the reason, and with what can be written instead where that is known.
  explicit Pattern(std::string_view pattern);

  bool is_in(std::string_view text) const;
  /// What the first group of the first match holds, or the whole match of a pattern without groups.
  std::optional<std::string> find(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace tgd::detail
