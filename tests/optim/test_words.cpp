#include "optim/reply/word_runs.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <tgd/random.hpp>

#include "catch.hpp"

using tgd::optim::detail::WordDistance;
using tgd::optim::detail::WordRuns;
using tgd::optim::detail::words_of;

namespace {

/// The table of the textbook.
std::size_t plain_distance(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

}  // namespace

TEST_CASE("The edit distance counts words that are inserted, deleted or replaced", "[optim][words]") {
  CHECK(WordDistance("").to("") == 0);
  CHECK(WordDistance("").to("a b  c\n") == 3);
  CHECK(WordDistance("a b c").to("") == 3);
  CHECK(WordDistance(" a\tb ").to("a b") == 0);
  CHECK(WordDistance("a b c").to("a x c") == 1);
  CHECK(WordDistance("a b c").to("b c d") == 2);
  CHECK(WordDistance("Be kind.").to("Be kind!") == 1);
  CHECK(WordDistance("a b a b").to("b a b a") == 2);
}

TEST_CASE("The edit distance is that of the textbook for texts of every length", "[optim][words]") {
  tgd::Random random(11);
  for (const std::size_t vocabulary : {2U, 7U, 200U}) {
    for (int i = 0; i < 60; ++i) {
      const auto text = [&] {
        std::vector<std::string> words(random.randbelow(200));
        for (std::string& word : words) word = "w" + std::to_string(random.randbelow(vocabulary));
        return words;
      };
      const auto a = text();
      const auto b = text();
      REQUIRE(WordDistance(joined(a)).to(joined(b)) == plain_distance(a, b));
    }
  }
}

TEST_CASE("Words are runs of letters and digits, and ideographs", "[optim][words]") {
  const auto words = [](const std::string& text) {
    std::vector<std::string> found;
    for (const auto& word : words_of(text)) found.push_back(text.substr(word.begin, word.end - word.begin));
    return found;
  };
  using Texts = std::vector<std::string>;
  CHECK(words("") == Texts{});
  CHECK(words(" -- ") == Texts{});
  CHECK(words("It's 5 o'clock, Größe") == Texts{"It", "s", "5", "o", "clock", "Größe"});
  CHECK(words("返品したい abc") == Texts{"返", "品", "し", "た", "い", "abc"});
  CHECK(words_of("Word")[0].hash == words_of("wORD")[0].hash);
  CHECK(words_of("word")[0].hash != words_of("ward")[0].hash);
  CHECK(words("“Größe” – don’t，ok。 a\u200Bb ") == Texts{"Größe", "don", "t", "ok", "a\u200Bb"});
}

TEST_CASE("Shared runs of words are found, whatever stands between the words", "[optim][words]") {
  WordRuns runs(3);
  runs.add("My parcel never arrived, and nobody answers.");
  CHECK_FALSE(runs.find("My parcel"));
  CHECK_FALSE(runs.find("My own parcel never came"));
  CHECK(runs.find("x: \"MY PARCEL -- never\" y") == "MY PARCEL -- never");
  CHECK(runs.find("If nobody answers, say: never arrived and nobody answers. Good.") == "never arrived and nobody answers");
  const std::vector<std::string> allowed{"A parcel never arrived."};
  CHECK(runs.find("parcel never arrived", allowed) == std::nullopt);
  CHECK(runs.find("parcel never arrived and", allowed) == "never arrived and");
}

TEST_CASE("A copy is found however it is spelled", "[optim][words]") {
  WordRuns runs(5);
  runs.add("My parcel didn't arrive - nobody answers at the café.");
  for (const char* copy :
       {"MY PARCEL DIDN’T ARRIVE", "my “parcel” didn‘t arrive", "My parcel didn't  arrive — nobody",
        "My par\u200Bcel didn't arr\u00ADive", "Ｍｙ ｐａｒｃｅｌ ｄｉｄｎ＇ｔ ａｒｒｉｖｅ", "𝐌𝐲 𝐩𝐚𝐫𝐜𝐞𝐥 𝐝𝐢𝐝𝐧'𝐭 𝐚𝐫𝐫𝐢𝐯𝐞",
        "My\u00A0parcel\u00A0didn't arrive", "nobody answers at the cafe\u0301", "NOBODY ANSWERS AT THE CAFÉ"}) {
    CAPTURE(copy);
    CHECK(runs.find(copy) == copy);
  }
  CHECK_FALSE(runs.find("My parcels didn't arrive"));
}

TEST_CASE("Runs that most texts have can be told from those of one text", "[optim][words]") {
  WordRuns runs(3);
  for (const char* mail :
       {"Mail of today: the bill is wrong", "Mail of today: it crashes at night", "Mail of today: where is it now"}) {
    runs.add(mail);
  }
  CHECK(runs.find("Read the mail of today"));
  runs.drop_common();
  CHECK_FALSE(runs.find("Read the mail of today"));
  CHECK(runs.find("say that the bill is wrong") == "the bill is wrong");
}
