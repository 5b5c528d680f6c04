// The threshold of TGDOptions::copied_words, measured on the tickets of examples/tickets.
#include <tgd/optim.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "optim/reply/word_runs.hpp"

using tgd::optim::TGDOptions;
using tgd::optim::detail::WordRuns;
using tgd::optim::detail::words_of;

namespace {

std::vector<std::string> tickets() {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/../examples/tickets/tickets.jsonl");
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) texts.push_back(nlohmann::json::parse(line).at("text"));
  return texts;
}

/// How many tickets have a run of this many words in common with another one.
std::size_t alike(const std::vector<std::string>& texts, std::size_t words) {
  return static_cast<std::size_t>(std::count_if(texts.begin(), texts.end(), [&](const std::string& text) {
    WordRuns others(words);
    for (const std::string& other : texts) {
      if (&other != &text) others.add(other);
    }
    return others.find(text).has_value();
  }));
}

std::string first_words(const std::string& text, std::size_t count) {
  const auto words = words_of(text);
  return text.substr(0, words[std::min(count, words.size()) - 1].end);
}

}  // namespace

TEST_CASE("People use the same words without copying, but hardly so many in a row", "[optim][copied][outcome]") {
  const std::vector<std::string> texts = tickets();
  REQUIRE(texts.size() == 210);
  const std::size_t threshold = TGDOptions{}.copied_words;
  CHECK(alike(texts, 3) > 100);
  CHECK(alike(texts, threshold - 2) == 0);

  WordRuns all(threshold);
  for (const std::string& text : texts) all.add(text);
  SECTION("what speaks of the tickets is no copy") {
    CHECK_FALSE(
        all.find("- billing: statement, invoice, payment, amount, price, vat, refunded\n"
                 "- technical: firmware, update, version, app, crashes, connection, fennick, difference, compared, settings\n"
                 "- account: locked, access, profile, address, verification code, delivery address, address saved\n"
                 "If several apply, prefer billing over cancellation over shipping over account over technical."));
    CHECK_FALSE(all.find("A parcel that arrived with a cracked screen goes to shipping; a screen that freezes is technical."));
    for (const std::string& text : texts) CHECK_FALSE(all.find("Such as \"" + first_words(text, threshold - 1) + "\"."));
  }
  SECTION("what holds the beginning of one is") {
    for (const std::string& text : texts) {
      CAPTURE(text);
      if (words_of(text).size() >= threshold) CHECK(all.find("Such as \"" + first_words(text, threshold) + "\"."));
    }
  }
}
