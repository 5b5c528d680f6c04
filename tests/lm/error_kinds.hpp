// The kinds of errors as tables of cases name them.
#pragma once

#include <map>
#include <string>

#include <tgd/error.hpp>

namespace tgd::test {

inline LMError::Kind kind_named(const std::string& name) {
  using Kind = LMError::Kind;
  static const std::map<std::string, Kind> kinds = {
      {"transport", Kind::transport}, {"status", Kind::status},     {"malformed", Kind::malformed}, {"empty", Kind::empty},
      {"unreadable", Kind::unreadable},
      {"filtered", Kind::filtered},   {"too_long", Kind::too_long}, {"refused", Kind::refused}};
  return kinds.at(name);
}

}  // namespace tgd::test
