// Json: a cheap, immutable box around nlohmann::ordered_json, so that public headers need only its forward declaration.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>
#include <tgd/export.hpp>

namespace tgd {

/// A cheap, immutable box around nlohmann::ordered_json, so that public headers need only its forward declaration.
/// Members keep the order that they are given in, for a model answers a schema in the order in which it asks.
/// Copies share the value. A value that is nested more than 500 deep is a ValueError. Include <nlohmann/json.hpp> yourself to
/// look inside with value().
/// Thread-safety: a Json may be read from any thread; assigning to one needs the caller's own order.
class TGD_API Json {
 public:
  /// An empty object.
  Json();
  /// An object: Json{{"model", "gpt-4o"}, {"temperature", 0.0}}.
  Json(std::initializer_list<std::pair<std::string_view, Json>> members);  // NOLINT(google-explicit-constructor)
  Json(const nlohmann::ordered_json& value);                               // NOLINT(google-explicit-constructor)
  Json(nlohmann::ordered_json&& value);                                    // NOLINT(google-explicit-constructor)
  /// Members come in the order of their names, which is the only one that a nlohmann::json knows.
  template <std::same_as<nlohmann::json> Sorted>
  Json(const Sorted& value) : Json(from_sorted(value)) {}          // NOLINT(google-explicit-constructor)
  Json(std::nullptr_t);                                            // NOLINT(google-explicit-constructor)
  Json(const char* text) : Json(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  Json(const std::string& text) : Json(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Json(std::string_view text);                                     // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> B>
  Json(B flag) : Json(from_bool(flag)) {}  // NOLINT(google-explicit-constructor)
  template <std::integral I>
  requires(!std::same_as<I, bool>) Json(I number) : Json(from_number(number)) {}  // NOLINT(google-explicit-constructor)
  template <std::floating_point F>
  Json(F number) : Json(from_real(static_cast<double>(number))) {}  // NOLINT(google-explicit-constructor)

  static Json array(std::initializer_list<Json> items);
  /// Parses JSON text. Throws ParseError with line and column, for text that is nested more than 500 deep, too.
  static Json parse(std::string_view text);

  /// A copy of a temporary's, which ends with it.
  const nlohmann::ordered_json& value() const& noexcept { return *value_; }
  nlohmann::ordered_json value() &&;

  bool empty() const;
  bool contains(std::string_view key) const;
  /// The member as text, or `fallback` when it is absent or not a string.
  std::string get_text(std::string_view key, std::string_view fallback = "") const;
  /// A copy with one member replaced, at its place, or added at the end; the box itself never changes.
  Json with(std::string_view key, const Json& value) const;
  /// This object's members, overridden by those of `over`; those that only `over` has come last.
  Json merged(const Json& over) const;
  /// Compact text, or indented by `indent` spaces. Invalid UTF-8 is replaced by U+FFFD.
  std::string dump(int indent = -1) const;

  /// The members may come in any order; within them order counts, as it does for a model.
  friend TGD_API bool operator==(const Json& a, const Json& b);

 private:
  static Json from_sorted(const nlohmann::json& value);
  static Json from_bool(bool flag);
  static Json from_integer(std::int64_t number);
  static Json from_unsigned(std::uint64_t number);
  template <std::integral I>
  static Json from_number(I number) {
    if constexpr (std::unsigned_integral<I>) {
      return from_unsigned(number);
    } else {
      return from_integer(number);
    }
  }
  static Json from_real(double number);

  std::shared_ptr<const nlohmann::ordered_json> value_;
};

}  // namespace tgd
