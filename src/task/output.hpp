// OutputParser: what becomes of a reply before it is compared, shown or given to the next stage.
// Thread-safety: parse() may be called from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pattern.hpp"
#include "task/task.hpp"

namespace tgd::cli {

struct Output {
  std::string text;
  /// Why the reply could not be parsed. `text` is then the reply itself, so that it is scored, and criticised, as it came.
  std::optional<std::string> problem = {};
};

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
