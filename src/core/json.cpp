#include <tgd/json.hpp>

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/json_parser.hpp"

namespace tgd {

namespace {

using Value = nlohmann::ordered_json;

template <class Any>
bool is_within(const Any& value, int depth) {
  if (!value.is_structured()) return true;
  return depth > 0 &&
         std::all_of(value.begin(), value.end(), [depth](const Any& inner) { return is_within(inner, depth - 1); });
}

/// What a box holds can be copied, compared and written, which all recurse.
template <class Any>
const Any& shallow(const Any& value) {
  if (is_within(value, detail::deepest_nesting)) return value;
  throw ValueError("this JSON value is nested more than " + std::to_string(detail::deepest_nesting) +
                   " deep; keep what is that deep in a text");
}

std::shared_ptr<const Value> boxed(Value value) { return std::make_shared<const Value>(std::move(value)); }

const std::shared_ptr<const Value>& empty_object() {
  static const std::shared_ptr<const Value> value = boxed(Value::object());
  return value;
}

}  // namespace

Json::Json() : value_(empty_object()) {}

Json::Json(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Value object = Value::object();
  for (const auto& [key, member] : members) object[std::string(key)] = member.value();
  shallow(object);
  value_ = boxed(std::move(object));
}

Json::Json(const Value& value) : value_(boxed(shallow(value))) {}
Json::Json(Value&& value) {
  shallow(value);
  value_ = boxed(std::move(value));
}
Json::Json(std::nullptr_t) : value_(boxed(Value(nullptr))) {}
Json::Json(std::string_view text) : value_(boxed(Value(std::string(text)))) {}

Json Json::from_sorted(const nlohmann::json& value) { return Value(shallow(value)); }
Json Json::from_bool(bool flag) { return Value(flag); }
Json Json::from_integer(std::int64_t number) { return Value(number); }
Json Json::from_unsigned(std::uint64_t number) { return Value(number); }
Json Json::from_real(double number) { return Value(number); }

Json Json::array(std::initializer_list<Json> items) {
  Value array = Value::array();
  for (const Json& item : items) array.push_back(item.value());
  return array;
}

Json Json::parse(std::string_view text) {
  detail::expect_shallow(text, detail::JsonComments::refused);
  try {
    return detail::parse_shallow<Value>(text);
  } catch (const Value::parse_error& error) {
    // error.byte counts from 1 and names the character that cannot stand where it does.
    const std::string_view before = text.substr(0, std::max<std::size_t>(error.byte, 1) - 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw ParseError("not valid JSON at line " + std::to_string(line) + ", column " + std::to_string(column) + ": " +
                     error.what());
  }
}

nlohmann::ordered_json Json::value() && { return *value_; }

bool Json::empty() const { return value_->empty(); }

bool Json::contains(std::string_view key) const { return value_->is_object() && value_->contains(key); }

std::string Json::get_text(std::string_view key, std::string_view fallback) const {
  if (!contains(key)) return std::string(fallback);
  const Value& member = value_->at(std::string(key));
  return member.is_string() ? member.get<std::string>() : std::string(fallback);
}

Json Json::with(std::string_view key, const Json& value) const {
  Value copy = *value_;
  copy[std::string(key)] = value.value();
  return copy;
}

Json Json::merged(const Json& over) const {
  if (over.empty()) return *this;
  if (empty()) return over;
  Value copy = *value_;
  copy.update(over.value());
  return copy;
}

std::string Json::dump(int indent) const { return value_->dump(indent, ' ', false, Value::error_handler_t::replace); }

bool operator==(const Json& a, const Json& b) {
  const Value& left = a.value();
  const Value& right = b.value();
  if (&left == &right || left == right) return true;
  if (!left.is_object() || !right.is_object() || left.size() != right.size()) return false;
  const auto by_key = [](const Value& object) {
    std::map<std::string_view, const Value*> members;
    for (const auto& [key, member] : object.get_ref<const Value::object_t&>()) members.emplace(key, &member);
    return members;
  };
  return std::ranges::equal(by_key(left), by_key(right),
                            [](const auto& x, const auto& y) { return x.first == y.first && *x.second == *y.second; });
}

}  // namespace tgd
