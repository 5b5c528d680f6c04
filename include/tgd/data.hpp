// Data: text, integer or real, or a list (batch) of one of these.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>

namespace tgd {

/// Text, integer or real, or a list (batch) of one of these.
/// Thread-safety: a value type.
class TGD_API Data {
 public:
  enum class Kind { text, integer, real };

  /// The empty text.
  Data() = default;
  // A whole number above the range of 64 bits with sign becomes real.
  Data(std::string text) : value_(std::move(text)) {}           // NOLINT(google-explicit-constructor)
  Data(std::string_view text) : value_(std::string(text)) {}    // NOLINT(google-explicit-constructor)
  Data(const char* text) : value_(std::string(text)) {}         // NOLINT(google-explicit-constructor)
  template <std::integral I>
    requires(!std::same_as<I, bool> && !std::same_as<I, char>)
  Data(I number) : value_(static_cast<std::int64_t>(number)) {  // NOLINT(google-explicit-constructor)
    if (std::cmp_greater(number, std::numeric_limits<std::int64_t>::max())) value_ = static_cast<double>(number);
  }
  template <std::floating_point F>
  Data(F number) : value_(static_cast<double>(number)) {}  // NOLINT(google-explicit-constructor)
  Data(bool) = delete;                                      // neither text nor a number: say 0 or 1
  Data(char) = delete;

  Data(std::vector<std::string> texts) : value_(std::move(texts)) {}      // NOLINT(google-explicit-constructor)
  Data(std::vector<std::int64_t> numbers) : value_(std::move(numbers)) {}  // NOLINT(google-explicit-constructor)
  Data(const std::vector<int>& numbers)                                    // NOLINT(google-explicit-constructor)
      : value_(std::vector<std::int64_t>(numbers.begin(), numbers.end())) {}
  Data(std::vector<double> numbers) : value_(std::move(numbers)) {}  // NOLINT(google-explicit-constructor)

  /// A list of scalars of one kind; integers among reals become real. No items: an empty list of texts.
  /// Throws TypeError when an item is a list or texts and numbers are mixed.
  static Data list(std::vector<Data> items);
  /// From a JSON text, number or array of these. Throws TypeError for anything else.
  static Data from_json(const Json& json);
  /// Throws ValueError for a number that JSON cannot hold (infinite or not a number).
  Json to_json() const;

  Kind kind() const noexcept { return static_cast<Kind>(value_.index() % 3); }
  bool is_text() const noexcept { return kind() == Kind::text; }
  bool is_batch() const noexcept { return value_.index() >= 3; }
  /// 1 for a scalar.
  std::size_t size() const noexcept;

  /// The scalar; TypeError for a batch or another kind. real() also accepts an integer.
  const std::string& text() const&;
  std::string text() && { return text(); }
  std::int64_t integer() const;
  double real() const;
  /// The batch; TypeError for a scalar or another kind.
  const std::vector<std::string>& texts() const&;
  std::vector<std::string> texts() && { return texts(); }
  const std::vector<std::int64_t>& integers() const&;
  std::vector<std::int64_t> integers() && { return integers(); }
  const std::vector<double>& reals() const&;
  std::vector<double> reals() && { return reals(); }

  /// Item i of a batch, or the scalar itself for i = 0. Throws ValueError when out of range.
  Data item(std::size_t i) const;
  /// Item i as it appears in a prompt: text as it is, numbers in their shortest form. Scalars ignore i.
  std::string item_text(std::size_t i = 0) const;
  /// Every item as a real. TypeError for texts.
  std::vector<double> as_reals() const;

  /// Elementwise cast to std::string, std::int64_t or double. Throws ValueError for text that is no number.
  template <class T>
  Data to() const;

  /// "text", "list of 3 integers", … for error messages.
  std::string description() const;

  friend bool operator==(const Data&, const Data&) = default;
  /// Whether two numbers have the same value, an integer compared with a real exactly. TypeError for texts and lists.
  friend TGD_API bool is_same_number(const Data& a, const Data& b);

 private:
  std::variant<std::string, std::int64_t, double, std::vector<std::string>, std::vector<std::int64_t>, std::vector<double>>
      value_;
};

TGD_API bool is_same_number(const Data& a, const Data& b);

template <>
TGD_API Data Data::to<std::string>() const;
template <>
TGD_API Data Data::to<std::int64_t>() const;
template <>
TGD_API Data Data::to<double>() const;

}  // namespace tgd
