// What holds for all inputs, tried with many (rapidcheck). The inputs are the same in every run; RC_PARAMS="seed=…" gives others.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <rapidcheck.h>

namespace tgd::test {

/// Says on standard error what input it does not hold for.
template <class Property>
bool holds(const std::string& what, Property&& property) {
  setenv("RC_PARAMS", "seed=20 max_success=150", 0);
  return rc::check(what, std::forward<Property>(property));
}

/// UTF-8 made of what formats trip over.
inline rc::Gen<std::string> any_text() {
  static const std::vector<std::string> pieces = {
      "a",       "word",    " ",      "  ",     "\n",     "\r\n",   "\r",
      "\t",      ",",       ";",      "\"",     "\"\"",   "'",      "\\",
      "\\n",     "{",       "}",      "[",      "]",      "{\n}\n", "\n}\n",
      "<VALUE>", "1",       "-2",     "1e9",    "null",   "é",      "e\u0301",
      "返",      "🙂",    "\u202E", "\u200B", "\uFEFF", "\u2028", std::string(1, '\0'),
      "\x7F",    "\x1B[0m", "# ",     "//"};
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces)),
                      [](const std::vector<std::string>& chosen) {
                        std::string text;
                        for (const std::string& piece : chosen) text += piece;
                        return text;
                      });
}

inline rc::Gen<std::vector<std::string>> any_texts() { return rc::gen::container<std::vector<std::string>>(any_text()); }

}  // namespace tgd::test
