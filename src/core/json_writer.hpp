// One description of a document in JSON, and two things to make of it: the tree, or at once the text. A description calls object()
// and array() with what fills them, key() before each member and value() for what is neither object nor array.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/json_text.hpp"

namespace tgd::detail {

/// Adds a member whose key the object does not have. Ordered objects look for it among all members otherwise.
inline void append_member(nlohmann::ordered_json& object, std::string key, nlohmann::ordered_json value) {
  std::vector<nlohmann::ordered_json::object_t::value_type>& members = object.get_ref<nlohmann::ordered_json::object_t&>();
  members.emplace_back(std::move(key), std::move(value));
}

class JsonTree {
 public:
  template <class Fill>
  void object(const Fill& fill) {
    nest(nlohmann::ordered_json::object(), fill);
  }
  template <class Fill>
  void array(const Fill& fill) {
    nest(nlohmann::ordered_json::array(), fill);
  }
  void key(std::string_view key) { key_ = key; }
  void value(nlohmann::ordered_json value) {
    if (inner_.is_object()) {
      append_member(inner_, std::move(key_), std::move(value));
    } else {
      inner_.push_back(std::move(value));
    }
  }

  /// The document.
  nlohmann::ordered_json take() { return std::move(inner_.front()); }

 private:
  template <class Fill>
  void nest(nlohmann::ordered_json empty, const Fill& fill) {
    nlohmann::ordered_json outer = std::exchange(inner_, std::move(empty));
    std::string key = std::move(key_);
    fill();
    nlohmann::ordered_json filled = std::exchange(inner_, std::move(outer));
    key_ = std::move(key);
    value(std::move(filled));
  }

  nlohmann::ordered_json inner_ = nlohmann::ordered_json::array();
  std::string key_;
};

/// Appends what append_json() gives for the tree, byte for byte.
class JsonText {
 public:
  explicit JsonText(std::string& text, std::size_t indent = 0) : text_(text), indent_(indent) {}

  template <class Fill>
  void object(const Fill& fill) {
    nest('{', '}', fill);
  }
  template <class Fill>
  void array(const Fill& fill) {
    nest('[', ']', fill);
  }
  void key(std::string_view key) {
    next_line();
    append_json_key(text_, key);
  }
  template <class Value>
  void value(const Value& value) {
    if (in_array_) next_line();
    constexpr bool is_text = std::is_convertible_v<const Value&, std::string_view>;
    if constexpr (is_text && !std::same_as<Value, nlohmann::ordered_json> && !std::same_as<Value, std::nullptr_t>) {
      append_json_string(text_, value);
    } else {
      append_json(text_, value, indent_);
    }
  }

 private:
  template <class Fill>
  void nest(char open, char close, const Fill& fill) {
    if (in_array_) next_line();
    text_ += open;
    indent_ += json_indent;
    const bool was_in_array = std::exchange(in_array_, open == '[');
    const bool was_empty = std::exchange(is_empty_, true);
    fill();
    indent_ -= json_indent;
    end_json_members(text_, is_empty_, indent_, close);
    in_array_ = was_in_array;
    is_empty_ = was_empty;
  }
  void next_line() { begin_json_member(text_, std::exchange(is_empty_, false), indent_ - json_indent); }

  std::string& text_;
  std::size_t indent_;
  bool in_array_ = false;
  bool is_empty_ = true;
};

}  // namespace tgd::detail
