// Members of a document that may not be there, or be of another kind.
#pragma once

#include <optional>
#include <string>

#include "task/document.hpp"

namespace tgd::cli {

inline OrderedJson member(const OrderedJson& document, const OrderedJson::json_pointer& place) {
  return document.is_object() && document.contains(place) ? document.at(place) : OrderedJson(nullptr);
}
inline OrderedJson member(const OrderedJson& document, const char* place) {
  return member(document, OrderedJson::json_pointer(place));
}

inline std::optional<double> number(const OrderedJson& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}
inline std::string text_or(const OrderedJson& value, const std::string& fallback) {
  return value.is_string() ? value.get<std::string>() : fallback;
}

}  // namespace tgd::cli
