#include "core/json_parser.hpp"

#include <algorithm>
#include <concepts>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/text.hpp"

namespace tgd::detail {

namespace {

using Ordered = nlohmann::ordered_json;

/// Makes a value of what nlohmann's parser reports.
class OrderedBuilder {
 public:
  using number_integer_t = Ordered::number_integer_t;
  using number_unsigned_t = Ordered::number_unsigned_t;
  using number_float_t = Ordered::number_float_t;
  using string_t = Ordered::string_t;
  using binary_t = Ordered::binary_t;

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(number_integer_t value) { return add(value); }
  bool number_unsigned(number_unsigned_t value) { return add(value); }
  bool number_float(number_float_t value, const string_t&) { return add(value); }
  bool string(string_t& value) { return add(std::move(value)); }
  bool binary(binary_t& value) { return add(std::move(value)); }
  bool start_object(std::size_t) { return open(Ordered::object()); }
  bool start_array(std::size_t) { return open(Ordered::array()); }
  bool key(string_t& value) {
    members_of(*open_.back()).emplace_back(std::move(value), nullptr);
    return true;
  }
  bool end_object() {
    keep_last_of_each_key(members_of(*open_.back()));
    open_.pop_back();
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  template <class Error>
  [[noreturn]] bool parse_error(std::size_t, const std::string&, const Error& error) {
    throw error;
  }

  Ordered take() { return std::move(root_); }

 private:
  using Members = std::vector<Ordered::object_t::value_type>;

  static Members& members_of(Ordered& object) { return object.get_ref<Ordered::object_t&>(); }

  /// Where the next value belongs. What holds it grows only when it is closed, so that it stays where it is.
  Ordered& place() {
    if (open_.empty()) return root_;
    if (open_.back()->is_array()) return open_.back()->emplace_back();
    return members_of(*open_.back()).back().second;
  }
  template <class Value>
  bool add(Value&& value) {
    place() = Ordered(std::forward<Value>(value));
    return true;
  }
  bool open(Ordered empty) {
    Ordered& value = place();
    value = std::move(empty);
    open_.push_back(&value);
    return true;
  }

  /// For few, which most objects have.
  static bool is_any_twice(const Members& members) {
    for (std::size_t i = 1; i < members.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (members[i].first == members[j].first) return true;
      }
    }
    return false;
  }

  static void keep_last_of_each_key(Members& members) {
    if (members.size() < 2 || (members.size() <= 8 && !is_any_twice(members))) return;
    std::vector<std::size_t> by_key(members.size());
    std::iota(by_key.begin(), by_key.end(), std::size_t{0});
    std::ranges::stable_sort(by_key, std::less<>(), [&](std::size_t i) -> const std::string& { return members[i].first; });
    std::vector<bool> is_first(members.size());
    for (std::size_t i = 0, first = 0; i < by_key.size(); ++i) {
      const bool is_same = i > 0 && members[by_key[i]].first == members[by_key[first]].first;
      if (!is_same) {
        first = i;
        is_first[by_key[i]] = true;
      } else {
        members[by_key[first]].second = std::move(members[by_key[i]].second);
      }
    }
    if (std::ranges::find(is_first, false) == is_first.end()) return;
    Members kept;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (is_first[i]) kept.push_back(std::move(members[i]));
    }
    members = std::move(kept);
  }

  Ordered root_;
  std::vector<Ordered*> open_;
};

}  // namespace

template <class Value>
Value parse_shallow(std::string_view text, JsonComments comments) {
  const bool has_comments = comments == JsonComments::allowed;
  if constexpr (std::same_as<Value, Ordered>) {
    OrderedBuilder builder;
    Ordered::sax_parse(text, &builder, Ordered::input_format_t::json, true, has_comments);
    return builder.take();
  } else {
    return Value::parse(text, nullptr, true, has_comments);
  }
}

template nlohmann::json parse_shallow(std::string_view, JsonComments);
template Ordered parse_shallow(std::string_view, JsonComments);

template <class Value>
Value parse_or_discard(std::string_view text, JsonComments comments) {
  if (too_deep_at(text, comments == JsonComments::allowed)) return Value(Value::value_t::discarded);
  try {
    return parse_shallow<Value>(text, comments);
  } catch (const nlohmann::json::exception&) {
    return Value(Value::value_t::discarded);
  }
}

template nlohmann::json parse_or_discard(std::string_view, JsonComments);
template Ordered parse_or_discard(std::string_view, JsonComments);

void expect_shallow(std::string_view text, JsonComments comments, std::string_view file) {
  const auto at = too_deep_at(text, comments == JsonComments::allowed);
  if (!at) return;
  const std::string_view before = text.substr(0, *at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t column = 1 + count_characters(before.substr(before.rfind('\n') + 1));  // npos + 1 is 0
  const std::string place = file.empty() ? fmt::format("not valid JSON at line {}, column {}", line, column)
                                         : fmt::format("{}:{}:{}", file, line, column);
  throw ParseError(fmt::format("{}: brackets are nested more than {} deep here", place, deepest_nesting));
}

}  // namespace tgd::detail
