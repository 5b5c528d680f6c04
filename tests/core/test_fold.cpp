#include "core/fold.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using tgd::detail::folded;

TEST_CASE("Texts that differ in their spelling only are folded to one", "[core][fold]") {
  struct Row {
    std::string text;
    std::string expected;
  };
  const std::vector<Row> rows = {{"", ""},
                                 {"Be KIND.", "be kind."},
                                 {"a \t\n\u00A0\u3000b", "a b"},
                                 {"‘a’ ‚b‛ `c´ “d” „e‟ «f»", "'a' 'b' 'c' \"d\" \"e\" \"f\""},
                                 {"1‐2‑3–4—5−6", "1-2-3-4-5-6"},
                                 {"pa\u200Bss\u00ADwo\uFEFFrd\uFE0F\U000E0041", "password"},
                                 {"\u202Eturned\u202C", "turned"},
                                 {"Größe ÀÉÎÕÜ Łódź ÆŒ", "große aeiou lodz æœ"},
                                 {"e\u0301 = é = É", "e = e = e"},
                                 {"ＦＵＬＬ　ｗｉｄｔｈ９！", "full width9!"},
                                 {"𝐁𝐨𝐥𝐝 𝘪𝘵𝘢𝘭𝘪𝘤 𝟙𝟚", "bold italic 12"},
                                 {"ΑΩ ДОМ ЁЙ", "αω дом еи"},
                                 {"返品 한국 🙂", "返品 한국 🙂"},
                                 {"no \xFF UTF-8 \xE2\x82", "no \xFF utf-8 \xE2\x82"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(folded(row.text) == row.expected);
    CHECK(folded(row.expected) == row.expected);
  }
}
