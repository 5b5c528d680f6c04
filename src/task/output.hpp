// OutputParser: what becomes of a reply before it is compared, shown or given to the next stage.
// Thread-safety: parse() may be called from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include "core/pattern.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct Output {
  std::string text;
  /// Why the reply could not be parsed. `text` is then the reply itself, so that it is scored, and criticised, as it came.
  std::optional<std::string> problem = {};
};

/// The JSON in a text: all of it, or what stands there last, for drafts and quotations come before an answer. What a code fence holds
/// goes before other objects and lists, and both before lists of numbers, such as [1], which may be references. With a pointer only
/// what has it counts, where anything does.
std::optional<nlohmann::ordered_json> json_in(std::string_view text, const std::string& pointer = {});

class OutputParser {
 public:
  /// Throws ValueError for a pattern that is none; tasks are checked before.
  explicit OutputParser(const std::vector<OutputStep>& steps);

  Output parse(std::string_view reply) const;

 private:
  struct Step {
    OutputStep::Kind kind;
    std::string argument;
    std::optional<detail::Pattern> pattern;
  };
  std::vector<Step> steps_;
};

}  // namespace tgd::cli
