#include "core/text.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

using namespace tgd::detail;

namespace {

std::string repeated(std::string_view text, std::size_t count) {
  std::string repeated;
  for (std::size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

}  // namespace

TEST_CASE("Characters are counted and cut as code points", "[core][text]") {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";  // a, ä, €, a smiley, z
  CHECK(count_characters(text) == 5);
  CHECK(count_characters("") == 0);

  const std::vector<std::size_t> first_bytes{0, 1, 3, 6, 10, 11, 11};
  const std::vector<std::size_t> last_bytes{0, 1, 5, 8, 10, 11, 11};
  for (std::size_t count = 0; count < first_bytes.size(); ++count) {
    CAPTURE(count);
    CHECK(first_characters(text, count) == text.substr(0, first_bytes[count]));
    CHECK(last_characters(text, count) == text.substr(text.size() - last_bytes[count]));
  }
}

TEST_CASE("Cutting broken UTF-8 ends inside the text", "[core][text]") {
  const std::string text = "\x80\x80\xC3";
  CHECK(first_characters(text, 1).size() <= text.size());
  CHECK(last_characters(text, 9) == text);
  CHECK(first_characters(text, 9) == text);
}

TEST_CASE("A text of more than 40 characters is shortened in the middle", "[core][text]") {
  CHECK(shorten(std::string(40, 'x')) == std::string(40, 'x'));
  CHECK(shorten(std::string(20, 'a') + "!" + std::string(20, 'b')) == std::string(20, 'a') + "..." + std::string(20, 'b'));
  const std::string umlauts = repeated("\xC3\xBC", 40);
  CHECK(shorten(umlauts) == umlauts);
  CHECK(shorten(umlauts + "!") == repeated("\xC3\xBC", 20) + "..." + repeated("\xC3\xBC", 19) + "!");
}

TEST_CASE("An excerpt is the beginning", "[core][text]") {
  CHECK(excerpt("abc", 3) == "abc");
  CHECK(excerpt("abcd", 3) == "abc...");
  CHECK(excerpt("\xC3\xA4\xC3\xB6\xC3\xBC", 2) == "\xC3\xA4\xC3\xB6...");
}

TEST_CASE("Trimming takes white space from both ends", "[core][text]") {
  CHECK(trim(" \t\r\n a b \f\v") == "a b");
  CHECK(trim("") == "");
  CHECK(trim(" \n") == "");
}

TEST_CASE("Texts are joined", "[core][text]") {
  CHECK(join(std::vector<std::string>{}, ", ") == "");
  CHECK(join(std::vector<std::string>{"a"}, ", ") == "a");
  CHECK(join(std::vector<std::string>{"a", "", "b"}, ", ") == "a, , b");
  CHECK(join_items(std::vector<std::string>{"a"}) == "a");
  CHECK(join_items(std::vector<std::string>{"a", "b"}) == "<ITEM>a</ITEM><ITEM>b</ITEM>");
}

TEST_CASE("The nearest candidate differs in at most a third of the word", "[core][text]") {
  const std::vector<std::string_view> names{"tgd_user", "tgd_system", "backward_user"};
  CHECK(nearest("tgd_usr", names) == "tgd_user");
  CHECK(nearest("tgd_sistem", names) == "tgd_system");
  CHECK(nearest("backwards_user", names) == "backward_user");
  CHECK(nearest("lable", std::vector<std::string_view>{"text", "label"}) == "label");
  CHECK(nearest("completely different", names) == "");
  CHECK(nearest("x", {}) == "");
}
