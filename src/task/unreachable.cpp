#include "task/unreachable.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "core/fold.hpp"
#include "core/pattern.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "task/output.hpp"
#include "task/scores.hpp"
#include "task/scoring.hpp"

namespace tgd::cli {

namespace {

using Kind = OutputStep::Kind;
using Value = nlohmann::ordered_json;

/// The next parenthesis of a group from `at` on, which is not within a class; npos where there is none.
std::size_t next_parenthesis(std::string_view pattern, std::size_t at) {
  bool in_class = false;
  for (; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\') {
      ++at;
    } else if (in_class) {
      in_class = c != ']' || pattern[at - 1] == '[';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(' || c == ')') {
      return at;
    }
  }
  return pattern.npos;
}

/// Where a group that begins at `open` ends; npos where it does not.
std::size_t group_end(std::string_view pattern, std::size_t open) {
  int depth = 0;
  std::size_t at = open;
  for (; at != pattern.npos; at = next_parenthesis(pattern, at + 1)) {
    depth += pattern[at] == '(' ? 1 : -1;
    if (depth == 0) break;
  }
  return at;
}

/// "(?i)" and the like in front, which hold for all that follows.
std::string_view flags_of(std::string_view pattern) {
  if (!pattern.starts_with("(?")) return {};
  const std::size_t end = pattern.find_first_not_of("imsU-", 2);
  return end != pattern.npos && pattern[end] == ')' ? pattern.substr(0, end + 1) : std::string_view();
}

/// What a search takes out: the first group, or all of a pattern without one.
std::string_view taken_out(std::string_view pattern) {
  for (std::size_t at = next_parenthesis(pattern, 0); at != pattern.npos; at = next_parenthesis(pattern, at + 1)) {
    const std::string_view group = pattern.substr(at);
    if (!group.starts_with('(') || (group.starts_with("(?") && !group.starts_with("(?P<"))) continue;
    const std::size_t end = group_end(pattern, at);
    return end == pattern.npos ? pattern : pattern.substr(at, end - at + 1);
  }
  return pattern;
}

/// Whether a pattern can take out a text. White space around what it takes is dropped afterwards.
class Capture {
 public:
  explicit Capture(std::string_view pattern) {
    try {
      whole_.emplace(fmt::format(R"({}\A(?:{})\z)", flags_of(pattern), taken_out(pattern)));
    } catch (const ValueError&) {
      // Then it may take out anything.
    }
  }

  bool can_be(const std::string& text) const {
    constexpr std::array<std::string_view, 3> spaces{"", " ", "\n"};
    return !whole_ || std::any_of(spaces.begin(), spaces.end(), [&](std::string_view before) {
      return std::any_of(spaces.begin(), spaces.end(), [&](std::string_view behind) {
        return whole_->is_in(std::string(before) + text + std::string(behind));
      });
    });
  }

 private:
  std::optional<detail::Pattern> whole_;
};

/// The reply to begin with, and the first step that it goes through.
struct Start {
  std::string text;
  std::size_t step = 0;
};

class Reach {
 public:
  explicit Reach(const Task& task) : evaluator_(task.evaluator), steps_(task.stages.back().output) {
    for (std::size_t first = 0; first <= steps_.size(); ++first) {
      const auto begin = steps_.begin() + static_cast<std::ptrdiff_t>(first);
      parsers_.emplace_back(std::vector<OutputStep>(begin, steps_.end()));
    }
    for (const OutputStep& step : steps_) {
      captures_.emplace_back();
      if (step.kind != Kind::regex) continue;
      captures_.back().emplace(step.argument);
    }
  }

  /// A reply that the steps make the target of. A judge and a command take any.
  std::optional<std::string> whole_reply_for(const std::string& target) {
    const bool is_judged = evaluator_.is_judged();
    if (!is_judged && !problem_with(target).empty()) return std::nullopt;
    const auto start = reply_for(target);
    if (!start || start->step > 0) return std::nullopt;
    const Output output = parsers_.front().parse(start->text);
    return output.problem || (is_judged && output.text != target) ? std::nullopt : std::optional(start->text);
  }

  /// Why a target is out of reach; empty when it is not.
  const std::string& problem_with(const std::string& target) {
    const auto [entry, is_new] = known_.try_emplace(target);
    if (is_new) entry->second = find_problem(target);
    return entry->second;
  }

 private:
  std::string find_problem(const std::string& target) const {
    const auto start = reply_for(target);
    if (!start)
      return fmt::format("no text that a \"regex\" of the output takes out can be this; change the pattern or the target");
    const Output output = parsers_[start->step].parse(start->text);
    if (score_of(evaluator_, output.text, target) >= 1 && !output.problem) return {};
    if (output.problem)
      return fmt::format("in the reply that says so, {}; change the output steps or the target", *output.problem);
    return output.text == target ? wrong_for_evaluator(target) : changed(output.text, target);
  }

  /// Goes the steps backward. A search can hardly be: what follows it begins with what it takes out.
  std::optional<Start> reply_for(const std::string& target) const {
    std::string text = target;
    for (std::size_t i = steps_.size(); i-- > 0;) {
      switch (steps_[i].kind) {
        case Kind::text:
        case Kind::lower_case:
        case Kind::number:
        case Kind::comma_number:
          break;
        case Kind::fenced_json:
          text = Value(text).dump(-1, ' ', false, Value::error_handler_t::replace);
          break;
        case Kind::json_pointer:
          if (!put_into_json(text, steps_[i].argument)) return Start{text, i + 1};
          break;
        case Kind::regex:
          if (!captures_[i]->can_be(text) || (was_lowered(i) && detail::has_upper_case(text))) return std::nullopt;
          if (detail::Pattern(steps_[i].argument).find(text) != text) return Start{text, i + 1};
          break;
      }
    }
    return Start{text, 0};
  }

  static bool put_into_json(std::string& text, const std::string& pointer) {
    try {
      Value json;
      json[Value::json_pointer(pointer)] = text;
      text = json.dump(-1, ' ', false, Value::error_handler_t::replace);
      return true;
    } catch (const Value::exception&) {
      return false;
    }
  }

  bool was_lowered(std::size_t step) const {
    const auto end = steps_.begin() + static_cast<std::ptrdiff_t>(step);
    return std::any_of(steps_.begin(), end, [](const OutputStep& before) { return before.kind == Kind::lower_case; });
  }

  static std::string changed(const std::string& output, const std::string& target) {
    const std::string cure = detail::in_lower_case(target) == output
                                 ? R"(leave "lower_case" out, or set "ignore_case" in the evaluator)"
                                 : "change the output steps or the target";
    return fmt::format("the output steps make \"{}\" of it; {}", detail::excerpt(output), cure);
  }

  std::string wrong_for_evaluator(const std::string& target) const {
    switch (evaluator_.type) {
      case EvaluatorSpec::Type::number:
        return "there is no number in it, and the evaluator compares numbers only; write one (\"1200\", \"3.5\"), or take "
               "another evaluator";
      case EvaluatorSpec::Type::json_fields:
        return lm::detail::parse_json(target)
                   ? "its JSON lacks a field that the evaluator looks at; see \"fields\" in the evaluator"
                   : "it is not JSON, and the evaluator compares fields of JSON";
      default:
        return "the evaluator does not take it for itself";
    }
  }

  const EvaluatorSpec& evaluator_;
  const std::vector<OutputStep>& steps_;
  std::vector<OutputParser> parsers_;  // by the first of the steps that it takes
  std::vector<std::optional<Capture>> captures_;
  std::map<std::string, std::string> known_;
};

}  // namespace

std::function<std::optional<std::string>(const std::string& target)> target_replies(const Task& task) {
  return [reach = std::make_shared<Reach>(task)](const std::string& target) { return reach->whole_reply_for(target); };
}

std::vector<UnreachableTarget> unreachable_targets(const Task& task, const DataPart& part) {
  std::vector<UnreachableTarget> found;
  if (!task.data.has_target() || task.evaluator.is_judged()) return found;
  Reach reach(task);
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::string target(detail::trim(part[i].at(target_name).item_text()));
    const std::string& problem = reach.problem_with(target);
    if (!problem.empty()) found.push_back({part.rows()[i], target, problem});
  }
  return found;
}

}  // namespace tgd::cli
