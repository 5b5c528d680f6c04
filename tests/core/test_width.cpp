#include "core/width.hpp"

#include <string>

#include "catch.hpp"

using namespace tgd::detail;

TEST_CASE("a text takes the columns that a terminal gives it", "[core][text]") {
  CHECK(display_width("") == 0);
  CHECK(display_width("plain") == 5);
  CHECK(display_width("Größe") == 5);
  CHECK(display_width("e\xCC\x81") == 1);  // e and an accent
  CHECK(display_width("分類") == 4);       // two columns each
  CHECK(display_width("a\xFFz") == 3);     // a byte that is no UTF-8 is shown as something
  CHECK(display_width("😀") == 2);
}

TEST_CASE("a text is cut where its columns end, never inside a letter", "[core][text]") {
  CHECK(first_columns("分類する", 5) == "分類");
  CHECK(first_columns("ab", 5) == "ab");
  CHECK(fitted("instructions", 12) == "instructions");
  CHECK(fitted("instructions", 6) == "instr…");
  CHECK(fitted("分類する", 5) == "分類…");
  CHECK(display_width(fitted("分類する", 4)) <= 4);
  CHECK(fitted("long", 0).empty());
}
