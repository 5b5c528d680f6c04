#include <tgd/optim/free_proposals.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using tgd::optim::free_proposals;
using tgd::optim::FreeProposal;
using tgd::optim::FreeProposalOptions;
using tgd::optim::LabelledSample;

namespace {

std::vector<LabelledSample> tweets() {
  std::vector<LabelledSample> samples;
  for (int i = 1; i <= 10; ++i) {
    const std::string more(static_cast<std::size_t>(i), '!');
    samples.push_back({"Good day" + more, "positive"});
    samples.push_back({"Bad day" + more, "negative"});
    if (i <= 2) samples.push_back({"Day" + more, "neutral"});
  }
  return samples;
}

std::string named(const std::vector<FreeProposal>& proposals, const std::string& name) {
  const auto found =
      std::find_if(proposals.begin(), proposals.end(), [&](const auto& proposal) { return proposal.name == name; });
  return found == proposals.end() ? "" : found->value;
}

}  // namespace

TEST_CASE("Code writes a sentence on the form, examples, and both", "[optim][free]") {
  const auto proposals = free_proposals("Give the sentiment.", tweets());
  REQUIRE(proposals.size() == 4);
  CHECK(proposals[0].name == "form");
  CHECK(proposals[0].value ==
        "Give the sentiment.\n\nReply with exactly one of these and nothing else: negative, neutral, positive.");
  CHECK(proposals[1].name == "6 examples");
  CHECK(proposals[1].value ==
        "Give the sentiment.\n\nExamples:\n\n"
        "Input: Bad day!\nReply: negative\n\nInput: Day!\nReply: neutral\n\nInput: Good day!\nReply: positive\n\n"
        "Input: Bad day!!\nReply: negative\n\nInput: Day!!\nReply: neutral\n\nInput: Good day!!\nReply: positive");
  CHECK(proposals[0].kept.empty());
  CHECK_THAT(proposals[1].kept, StartsWith("Examples:\n\nInput: Bad day!") && EndsWith("Reply: positive"));
  CHECK(proposals[2].name == "16 examples");
  CHECK(proposals[3].name == "form and 16 examples");
  CHECK_THAT(proposals[3].value, StartsWith("Give the sentiment.\n\nReply with exactly one of these and nothing else: "
                                            "negative, neutral, positive.\n\nExamples:"));
}

TEST_CASE("Examples that are too few make no second proposal of the same", "[optim][free]") {
  const std::vector<LabelledSample> few{{"a day", "good"}, {"b day", "bad"}, {"c day", "good"}, {"d day", "bad"}};
  const auto proposals = free_proposals("Judge.", few);
  REQUIRE(proposals.size() == 3);
  CHECK(proposals[1].name == "4 examples");
  CHECK(proposals[2].name == "form and 4 examples");
}

TEST_CASE("As many examples are shown as the value may have", "[optim][free]") {
  const FreeProposalOptions options{.is_allowed = [](const std::string& value) { return value.size() < 140; }};
  const auto proposals = free_proposals("Give the sentiment.", tweets(), options);
  REQUIRE(proposals.size() == 2);
  CHECK(proposals[0].name == "form");
  CHECK(proposals[1].name == "3 examples");
}

TEST_CASE("The sentence says what right answers are", "[optim][free]") {
  const auto sentence = [](const std::vector<std::string>& answers) {
    std::vector<LabelledSample> samples;
    for (const std::string& answer : answers) samples.push_back({"input " + std::to_string(samples.size()), answer});
    const std::string value = named(free_proposals("P", samples), "form");
    return value.empty() ? value : value.substr(3);
  };
  CHECK(sentence({"3", "12", "7"}) == "Reply with a whole number in digits and nothing else, such as 3.");
  CHECK(sentence({"3.5", "12"}) == "Reply with a number in digits and nothing else, such as 12.");
  CHECK(sentence({"2024-05-31", "2024-06-01"}) ==
        "Reply with a date written as YYYY-MM-DD and nothing else, such as 2024-05-31.");
  CHECK(sentence({"{\"a\": 1}", "{\"a\": 2}"}) ==
        "Reply with one JSON object and nothing else. It has these keys: \"a\" (number).");
  CHECK(sentence({"[1]", "[22]"}) == "Reply with one JSON list and nothing else, such as [1].");
  CHECK(sentence({"Marie Curie", "Ada Lovelace"}) == "Reply with the answer and nothing else, in one line of at most 2 words.");
  CHECK(sentence({"One line.\nAnother.", "x"}).empty());
  CHECK(sentence({"alone"}).empty());
}

TEST_CASE("Where the program reads the answer out of a reply, the reply is what is shown", "[optim][free]") {
  const FreeProposalOptions options{.reply_to = [](const std::string& answer) { return R"({"label":")" + answer + "\"}"; }};
  const auto proposals = free_proposals("P", tweets(), options);
  CHECK(named(proposals, "form") ==
        "P\n\nReply with one JSON object such as {\"label\":\"positive\"} and nothing else. The value of \"label\" is exactly "
        "one of "
        "these: negative, neutral, positive.");
  CHECK_THAT(named(proposals, "6 examples"), ContainsSubstring("Input: Bad day!\nReply: {\"label\":\"negative\"}"));
  CHECK(free_proposals("P", tweets(), {.reply_to = [](const std::string&) { return std::nullopt; }}).empty());
}

TEST_CASE("What is added stands in front of the paragraph with the sample", "[optim][free]") {
  const FreeProposalOptions options{.examples = {}, .placeholders = {"tweet"}};
  const std::string sentence = "Reply with exactly one of these and nothing else: negative, neutral, positive.";
  const auto value = [&](const std::string& before) { return named(free_proposals(before, tweets(), options), "form"); };
  CHECK(value("Judge this.\n\nTweet: {tweet}\nSentiment:") == "Judge this.\n\n" + sentence + "\n\nTweet: {tweet}\nSentiment:");
  CHECK(value("Judge {tweet}.") == sentence + "\n\nJudge {tweet}.");
  CHECK(value("Judge.") == "Judge.\n\n" + sentence);
  CHECK(value("Judge.\n") == "Judge.\n\n" + sentence);
  CHECK(value("") == sentence);
}

TEST_CASE("Nothing is put into parts that stay", "[optim][free]") {
  const std::string sentence = "Reply with exactly one of these and nothing else: negative, neutral, positive.";
  FreeProposalOptions options{.examples = {}, .placeholders = {"tweet"}};
  SECTION("between marks") {
    const std::string value = "Judge.\n\n<FROZEN>Be kind.\n\nTweet: {tweet}</FROZEN>";
    CHECK(named(free_proposals(value, tweets(), options), "form") ==
          "Judge.\n\n" + sentence + "\n\n<FROZEN>Be kind.\n\nTweet: {tweet}</FROZEN>");
  }
  SECTION("named") {
    options.frozen = {"Be kind.\n\nTweet: {tweet}"};
    CHECK(named(free_proposals("Judge.\n\nBe kind.\n\nTweet: {tweet}", tweets(), options), "form") ==
          "Judge.\n\n" + sentence + "\n\nBe kind.\n\nTweet: {tweet}");
  }
}

TEST_CASE("A sample that would be taken for something else is no example", "[optim][free]") {
  std::vector<LabelledSample> samples = tweets();
  samples.insert(samples.begin(), {{"{tweet}", "neutral"}, {"<FROZEN>", "neutral"}, {"", "neutral"}, {"Day!", "negative"}});
  const std::string value = named(free_proposals("P", samples, {.placeholders = {"tweet"}}), "6 examples");
  CHECK_THAT(value, !ContainsSubstring("{tweet}") && !ContainsSubstring("FROZEN") && !ContainsSubstring("Input: \n"));
  CHECK_THAT(value, ContainsSubstring("Input: Day!\nReply: negative") && !ContainsSubstring("Input: Day!\nReply: neutral"));
}

TEST_CASE("What the value says already is not said again", "[optim][free]") {
  const std::string value = named(free_proposals("P", tweets()), "form");
  CHECK(named(free_proposals(value, tweets()), "form").empty());
}

TEST_CASE("Without right answers there is nothing to write", "[optim][free]") {
  CHECK(free_proposals("P", {}).empty());
  CHECK(free_proposals("P", std::vector<LabelledSample>{{"a", ""}, {"b", " "}}).empty());
}
