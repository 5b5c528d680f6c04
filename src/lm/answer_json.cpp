#include "lm/answer_json.hpp"

#include <algorithm>
#include <utility>

#include "core/brackets.hpp"
#include "lm/lenient_json.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::ordered_json;

/// How likely it is that a value is an answer.
enum class Rank { reference, plain, fenced };

bool is_reference(const Value& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Value& item) { return item.is_number_integer(); });
}

/// Says of each place in a text, asked from left to right, whether a code fence is open there.
class Fences {
 public:
  explicit Fences(std::string_view text) : text_(text) {}

  bool is_open_at(std::size_t place) {
    for (std::size_t fence = text_.find("```", seen_); fence < place; fence = text_.find("```", seen_)) {
      is_open_ = !is_open_;
      seen_ = fence + 3;
    }
    return is_open_;
  }

 private:
  std::string_view text_;
  std::size_t seen_ = 0;
  bool is_open_ = false;
};

}  // namespace

std::optional<Value> answer_json(std::string_view text, const std::string& pointer) {
  if (auto whole = parse_json<Value>(text)) return whole;
  const Value::json_pointer place(pointer);
  std::optional<Value> best;
  std::pair<bool, Rank> best_rank{false, Rank::reference};
  Fences fences(text);
  tgd::detail::BracketedParts parts(text, "{[");
  while (const auto part = parts.next()) {
    if (part->empty()) continue;
    auto value = parse_json<Value>(*part);
    if (!value) continue;
    parts.skip();
    const bool is_fenced = fences.is_open_at(static_cast<std::size_t>(part->data() - text.data()));
    const Rank kind = is_fenced ? Rank::fenced : is_reference(*value) ? Rank::reference : Rank::plain;
    const std::pair rank{value->contains(place), kind};
    if (best && rank < best_rank) continue;
    best = std::move(value);
    best_rank = rank;
  }
  return best;
}

}  // namespace tgd::lm::detail
