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

TEST_CASE("Texts that differ in how they are stored only have one plain form", "[core][fold]") {
  using tgd::detail::plain_form;
  struct Row {
    std::string text;
    std::string expected;
  };
  const std::vector<Row> rows = {{"a\r\nb\rc\n", "a\nb\nc\n"},
                                 {"a\u00A0b\u202Fc\u3000d", "a b c d"},
                                 {"a\u2028b\u0085c", "a\nb\nc"},
                                 {"e\u0301", "\u00E9"},
                                 {"\u212B", "\u00C5"},
                                 {"\uFEFFa\u00ADb\u200Bc\u200Ed", "abcd"},
                                 {"\U0001F468\u200D\U0001F469", "\U0001F468\u200D\U0001F469"},
                                 {"Ａ ﬁ ① ß", "Ａ ﬁ ① ß"},
                                 {"\xFF\r\n\xC3", "\xFF\n\xC3"},
                                 {"a\tb", "a\tb"}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(plain_form(row.text) == row.expected);
    CHECK(plain_form(row.expected) == row.expected);
  }
}

TEST_CASE("Upper and lower case, width and style are folded in every script", "[core][fold]") {
  using tgd::detail::caseless_form;
  const std::vector<std::vector<std::string>> classes = {{"STRASSE", "Straße", "strasse", "ｓｔｒａｓｓｅ"},
                                                         {"Ärger", "ÄRGER", "A\u0308rger"},
                                                         {"ПРАВДА", "правда"},
                                                         {"ΟΔΟΣ", "οδος", "οδοσ"},
                                                         {"ﬁne", "FINE"},
                                                         {"Ⅻ", "xii"},
                                                         {"ԱԲ", "աբ"}};
  for (const std::vector<std::string>& forms : classes) {
    for (const std::string& form : forms) CHECK(caseless_form(form) == caseless_form(forms.front()));
  }
  CHECK(caseless_form("élevé") != caseless_form("eleve"));
  CHECK(tgd::detail::in_lower_case("ÉLEVÉ Straße ПРАВДА \xFF") == "élevé straße правда \xFF");
  CHECK(tgd::detail::has_upper_case("élevÉ"));
  CHECK_FALSE(tgd::detail::has_upper_case("élevé 返品"));
}
