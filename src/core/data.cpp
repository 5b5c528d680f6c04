#include <tgd/data.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/number_of_text.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

const char* kind_name(Data::Kind kind) {
  switch (kind) {
    case Data::Kind::text:
      return "text";
    case Data::Kind::integer:
      return "integer";
    case Data::Kind::real:
      return "real";
  }
  return "?";
}

[[noreturn]] void throw_expected(const char* expected, const Data& given) {
  throw TypeError(fmt::format("the data is {}, expected {}", given.description(), expected));
}

template <class T>
T parse_number(const std::string& text) {
  const std::string_view digits = detail::trim(text);
  const auto number = detail::number_of_text<T>(digits);
  if (!number) {
    throw ValueError(fmt::format("\"{}\" is not {}", detail::shorten(text),
                                 std::is_integral_v<T> ? "a whole number of 64 bits" : "a number"));
  }
  return *number;
}

std::int64_t whole_part(double number) {
  if (!(std::abs(number) < 9.2e18)) throw ValueError(fmt::format("{} does not fit a whole number of 64 bits", number));
  return static_cast<std::int64_t>(number);
}

struct ToText {
  std::string operator()(const std::string& text) const { return text; }
  std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
  std::string operator()(double number) const { return fmt::format("{}", number); }
};
struct ToInteger {
  std::int64_t operator()(const std::string& text) const { return parse_number<std::int64_t>(text); }
  std::int64_t operator()(std::int64_t number) const { return number; }
  std::int64_t operator()(double number) const { return whole_part(number); }
};
struct ToReal {
  double operator()(const std::string& text) const { return parse_number<double>(text); }
  double operator()(std::int64_t number) const { return static_cast<double>(number); }
  double operator()(double number) const { return number; }
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class Convert, class Value>
Data convert(const Value& value, Convert one) {
  if constexpr (IsVector<Value>::value) {
    std::vector<decltype(one(value.front()))> converted;
    converted.reserve(value.size());
    for (const auto& item : value) converted.push_back(one(item));
    return converted;
  } else {
    return one(value);
  }
}

template <class T, class Get>
std::vector<T> collect(std::vector<Data>& items, Get get) {
  std::vector<T> values;
  values.reserve(items.size());
  for (Data& item : items) values.push_back(get(item));
  return values;
}

Data scalar_from_json(const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    return value.get<double>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  throw TypeError(fmt::format("data has to be text, a number or a list of one of these; got {}: {}", value.type_name(),
                              detail::shorten(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace))));
}

}  // namespace

Data Data::list(std::vector<Data> items) {
  bool any_text = false;
  bool any_number = false;
  bool any_real = false;
  for (const Data& item : items) {
    if (item.is_batch()) throw TypeError("a list of lists is no data: items have to be texts or numbers");
    (item.is_text() ? any_text : any_number) = true;
    any_real = any_real || item.kind() == Kind::real;
  }
  if (any_text && any_number) {
    throw TypeError("a list mixes texts and numbers: all items have to be texts, or all numbers");
  }
  if (any_real) return collect<double>(items, [](const Data& item) { return item.real(); });
  if (any_number) return collect<std::int64_t>(items, [](const Data& item) { return item.integer(); });
  return collect<std::string>(items, [](Data& item) { return std::move(std::get<std::string>(item.value_)); });
}

Data Data::from_json(const Json& json) {
  const nlohmann::ordered_json& value = json.value();
  if (!value.is_array()) return scalar_from_json(value);
  std::vector<Data> items;
  items.reserve(value.size());
  for (const nlohmann::ordered_json& item : value) items.push_back(scalar_from_json(item));
  return list(std::move(items));
}

Json Data::to_json() const {
  if (kind() == Kind::real) {
    for (const double number : as_reals()) {
      if (!std::isfinite(number))
        throw ValueError(fmt::format("{} cannot be written as JSON, which has no such number", number));
    }
  }
  return std::visit([](const auto& value) { return Json(nlohmann::ordered_json(value)); }, value_);
}

std::size_t Data::size() const noexcept {
  return std::visit(
      []<class T>(const T& value) -> std::size_t {
        if constexpr (IsVector<T>::value) {
          return value.size();
        } else {
          return 1;
        }
      },
      value_);
}

const std::string& Data::text() const& {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  throw_expected("a text", *this);
}

std::int64_t Data::integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  throw_expected("an integer", *this);
}

double Data::real() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  throw_expected("a number", *this);
}

const std::vector<std::string>& Data::texts() const& {
  if (const auto* value = std::get_if<std::vector<std::string>>(&value_)) return *value;
  throw_expected("a list of texts", *this);
}

const std::vector<std::int64_t>& Data::integers() const& {
  if (const auto* value = std::get_if<std::vector<std::int64_t>>(&value_)) return *value;
  throw_expected("a list of integers", *this);
}

const std::vector<double>& Data::reals() const& {
  if (const auto* value = std::get_if<std::vector<double>>(&value_)) return *value;
  throw_expected("a list of reals", *this);
}

bool is_same_number(const Data& a, const Data& b) {
  const double real_a = a.real();  // not exact for large integers, but monotonic: different reals are different numbers
  const double real_b = b.real();
  if (real_a != real_b) return false;
  const auto* whole_a = std::get_if<std::int64_t>(&a.value_);
  const auto* whole_b = std::get_if<std::int64_t>(&b.value_);
  if (whole_a != nullptr && whole_b != nullptr) return *whole_a == *whole_b;
  if (whole_a == nullptr && whole_b == nullptr) return true;
  constexpr double beyond = 9223372036854775808.0;  // the largest integers round up to it
  return real_a < beyond && static_cast<std::int64_t>(real_a) == (whole_a != nullptr ? *whole_a : *whole_b);
}

Data Data::item(std::size_t i) const {
  if (i >= size()) throw ValueError(fmt::format("there is no item {}: the data is {}", i, description()));
  return std::visit(
      [i]<class T>(const T& value) -> Data {
        if constexpr (IsVector<T>::value) {
          return value[i];
        } else {
          return value;
        }
      },
      value_);
}

std::string Data::item_text(std::size_t i) const {
  return is_batch() ? item(i).to<std::string>().text() : to<std::string>().text();
}

std::vector<double> Data::as_reals() const {
  if (is_text()) throw_expected("numbers", *this);
  if (!is_batch()) return {real()};
  return to<double>().reals();
}

template <>
Data Data::to<std::string>() const {
  return std::visit([](const auto& value) { return convert(value, ToText{}); }, value_);
}

template <>
Data Data::to<std::int64_t>() const {
  return std::visit([](const auto& value) { return convert(value, ToInteger{}); }, value_);
}

template <>
Data Data::to<double>() const {
  return std::visit([](const auto& value) { return convert(value, ToReal{}); }, value_);
}

std::string Data::description() const {
  const char* name = kind_name(kind());
  if (!is_batch()) return name;
  return fmt::format("a list of {} {}{}", size(), name, size() == 1 ? "" : "s");
}

}  // namespace tgd
