// Good files, damaged in every way that a disk, a crash or an editor might: what reads them has to say so, naming the file, or to
// read what is sound.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"

namespace tgd::test {

struct Damage {
  std::string what;
  std::string content;
};

namespace damage_detail {

using Tree = nlohmann::ordered_json;

/// What takes the place of each value: one of every type, and numbers that fit nowhere.
inline const std::vector<Tree>& strangers() {
  static const std::vector<Tree> values = {nullptr,
                                           true,
                                           "x",
                                           "",
                                           -1,
                                           1.5,
                                           1e300,
                                           18446744073709551615U,
                                           Tree::array(),
                                           Tree::array({1, "x"}),
                                           Tree::object(),
                                           Tree({{"x", {{"x", nullptr}}}})};
  return values;
}

/// Every place of a document, not more than `most` of the items of a list.
inline void collect_places(const Tree& value, const Tree::json_pointer& at, std::size_t most,
                           std::vector<Tree::json_pointer>& places) {
  places.push_back(at);
  if (value.is_object()) {
    for (const auto& member : value.items()) collect_places(member.value(), at / member.key(), most, places);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < std::min(most, value.size()); ++i) collect_places(value[i], at / i, most, places);
  }
}

/// The keys and types of a value, with what its "kind" says. Two that have one shape are read alike.
inline std::string shape_of(const Tree& value) {
  std::string shape = value.type_name();
  if (value.is_object()) {
    for (const auto& member : value.items()) {
      shape += " " + Tree(member.key()).dump() + ":";
      shape += member.key() == "kind" ? member.value().dump() : shape_of(member.value());
    }
  } else if (value.is_array()) {
    for (const Tree& item : value) shape += " " + shape_of(item);
  }
  return "(" + shape + ")";
}

inline void remove_at(Tree& document, const Tree::json_pointer& place) {
  Tree& parent = document.at(place.parent_pointer());
  if (parent.is_object()) {
    parent.erase(place.back());
  } else {
    parent.erase(std::stoul(place.back()));
  }
}

}  // namespace damage_detail

/// Bytes flipped and ends cut off, at `most` places spread over the content.
inline std::vector<Damage> damaged_bytes(const std::string& content, std::size_t most = 40) {
  std::vector<Damage> damages;
  const std::size_t stride = std::max<std::size_t>(1, content.size() / most);
  for (std::size_t at = 0; at < content.size(); at += stride) {
    damages.push_back({"cut at " + std::to_string(at), content.substr(0, at)});
    for (const char flip : {'\x01', '\x10', '\x80'}) {
      std::string flipped = content;
      flipped[at] = static_cast<char>(flipped[at] ^ flip);
      damages.push_back({"byte " + std::to_string(at) + " flipped", std::move(flipped)});
    }
  }
  return damages;
}

/// A JSON document in which each value in turn is taken away, is there twice, or is one of another type. Of longer lists the
/// first `most_items` only.
inline std::vector<Damage> damaged_values(const std::string& json, std::size_t most_items = 2) {
  using namespace damage_detail;
  const Tree document = Tree::parse(json);
  std::vector<Tree::json_pointer> places;
  collect_places(document, Tree::json_pointer(""), most_items, places);
  std::vector<Damage> damages;
  for (const Tree::json_pointer& place : places) {
    for (const Tree& stranger : strangers()) {
      Tree damaged = document;
      damaged[place] = stranger;
      damages.push_back({place.to_string() + " is " + stranger.dump(), damaged.dump()});
    }
    if (place.empty()) continue;
    Tree damaged = document;
    remove_at(damaged, place);
    damages.push_back({place.to_string() + " is missing", damaged.dump()});
  }
  if (document.is_object() && !document.empty()) {
    const std::string key = Tree(document.begin().key()).dump();
    for (const Tree& stranger : strangers())
      damages.push_back({key + " is there twice", "{" + key + ":" + stranger.dump() + "," + document.dump().substr(1)});
  }
  return damages;
}

/// A file of JSON lines with one line damaged in turn. Of lines that hold the same keys and types under one "kind" the first only:
/// damage to the others would be read by the same code.
inline std::vector<Damage> damaged_lines(const std::string& content) {
  std::vector<Damage> damages;
  std::set<std::string> seen;
  for (std::size_t begin = 0, number = 1; begin < content.size(); ++number) {
    const std::size_t end = content.find('\n', begin);
    if (!seen.insert(damage_detail::shape_of(damage_detail::Tree::parse(content.substr(begin, end - begin)))).second) {
      begin = end + 1;
      continue;
    }
    for (const Damage& line : damaged_values(content.substr(begin, end - begin))) {
      damages.push_back(
          {"line " + std::to_string(number) + ": " + line.what, content.substr(0, begin) + line.content + content.substr(end)});
    }
    begin = end + 1;
  }
  return damages;
}

/// Reading each either succeeds, or throws an Error that names `file`.
inline void check_damages(const std::vector<Damage>& damages, const std::string& file,
                          const std::function<void(const std::string& content)>& read) {
  std::size_t refused = 0;
  for (const Damage& damage : damages) {
    try {
      read(damage.content);
    } catch (const Error& error) {
      ++refused;
      if (std::string(error.what()).find(file) == std::string::npos) {
        CAPTURE(damage.what, error.what());
        FAIL_CHECK("the error does not name " << file);
      }
    } catch (const std::exception& error) {
      CAPTURE(damage.what, error.what());
      FAIL_CHECK("an exception that is no tgd::Error");
    }
  }
  CHECK(refused > 0);
}

}  // namespace tgd::test
