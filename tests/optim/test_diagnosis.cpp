#include <tgd/optim/diagnosis.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/problem.hpp"
#include "support/golden.hpp"
#include "support/table.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Problem;
using tgd::SampleOutcome;
using tgd::optim::diagnose;
using tgd::optim::Diagnosis;
using tgd::optim::Finding;

namespace {

SampleOutcome outcome_of(const nlohmann::json& c) {
  SampleOutcome outcome{.reply = c.at("reply"), .answer = c.at("reply")};
  if (c.contains("target")) outcome.target = c.at("target").get<std::string>();
  outcome.is_solved = outcome.target == outcome.answer;
  if (c.contains("problem")) {
    Problem problem{.kind = *tgd::detail::problem_kind(c.at("problem").get<std::string>()), .text = "there is no JSON in it"};
    outcome.problem = std::make_shared<const Problem>(std::move(problem));
  }
  return outcome;
}

std::vector<SampleOutcome> replies(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<SampleOutcome> outcomes;
  for (const auto& [target, reply] : pairs)
    outcomes.push_back({.reply = reply, .answer = reply, .target = target, .is_solved = target == reply});
  return outcomes;
}

}  // namespace

TEST_CASE("What a reply misses is told from what is right", "[optim][diagnosis]") {
  const nlohmann::json table = tgd::test::table("optim/diagnoses.json");
  std::size_t situations = 0;
  std::set<std::string> kinds;
  for (const nlohmann::json& group : table) {
    const std::vector<std::string> answers = group.at("answers");
    for (const nlohmann::json& c : group.at("cases")) {
      CAPTURE(group.at("name").get<std::string>(), c.dump());
      ++situations;
      const std::vector<SampleOutcome> outcomes{outcome_of(c)};
      const Diagnosis diagnosis = diagnose(outcomes, {.answers = answers});
      CHECK(to_string(diagnosis.form.kind) == group.at("form").get<std::string>());
      if (c.at("kind").is_null()) {
        CHECK(diagnosis.findings.empty());
        continue;
      }
      REQUIRE(diagnosis.findings.size() == 1);
      const Finding& finding = diagnosis.findings.front();
      CHECK(to_string(finding.kind) == c.at("kind").get<std::string>());
      CHECK(finding.samples == std::vector<std::size_t>{0});
      kinds.emplace(to_string(finding.kind));
      if (c.contains("what")) CHECK(finding.details.at(0).what == c.at("what").get<std::string>());
      if (c.contains("wanted")) CHECK(finding.details.at(0).wanted == c.at("wanted").get<std::string>());
    }
  }
  CHECK(situations >= 75);
  CHECK(kinds.size() == 30);  // each of them
}

TEST_CASE("What right answers have in common is told in a sentence", "[optim][diagnosis]") {
  const nlohmann::json table = tgd::test::table("optim/forms.json");
  REQUIRE(table.size() >= 25);
  for (const nlohmann::json& c : table) {
    CAPTURE(c.dump());
    const tgd::optim::AnswerForm form = tgd::optim::form_of(c.at("answers").get<std::vector<std::string>>());
    CHECK(to_string(form.kind) == c.at("kind").get<std::string>());
    CHECK(to_string(form) == c.at("text").get<std::string>());
  }
}

TEST_CASE("A diagnosis says in a few sentences what happened how often", "[optim][diagnosis]") {
  std::string texts;
  for (const nlohmann::json& group : tgd::test::table("optim/diagnoses.json")) {
    std::vector<SampleOutcome> outcomes;
    for (const nlohmann::json& c : group.at("cases")) outcomes.push_back(outcome_of(c));
    const Diagnosis diagnosis = diagnose(outcomes, {.answers = group.at("answers").get<std::vector<std::string>>()});
    texts +=
        "== " + group.at("name").get<std::string>() + "\n" + to_string(diagnosis) + "\n" + to_json(diagnosis).dump() + "\n\n";
  }
  tgd::test::check_golden("optim/golden/diagnoses.txt", texts);
}

TEST_CASE("A diagnosis counts, and names the samples and the confusions, the most frequent first", "[optim][diagnosis]") {
  const Diagnosis diagnosis = diagnose(replies({{"billing", "shipping"},
                                                {"billing", "billing"},
                                                {"shipping", "account"},
                                                {"billing", "shipping"},
                                                {"shipping", "It is about shipping."},
                                                {"account", "account"},
                                                {"account", "account"}}));
  CHECK(diagnosis.samples == 7);
  CHECK(diagnosis.solved == 3);
  REQUIRE(diagnosis.findings.size() == 2);
  CHECK(diagnosis.findings[0].kind == Finding::Kind::other_label);
  CHECK(diagnosis.findings[0].samples == std::vector<std::size_t>{0, 2, 3});
  CHECK(diagnosis.findings[0].details[0].what == "shipping");
  CHECK(diagnosis.findings[0].details[0].wanted == "billing");
  CHECK(diagnosis.findings[0].details[0].count == 2);
  CHECK(to_string(diagnosis) ==
        "Every right answer is exactly one of these: account, billing, shipping.\n"
        "3 of 7 replies: right.\n"
        "3 replies: another one of the allowed answers: shipping instead of billing (2), account instead of shipping (1).\n"
        "1 reply: the right answer stood among other words. It has to stand alone.");
}

TEST_CASE("What a program knows besides stands among the facts", "[optim][diagnosis]") {
  const Diagnosis diagnosis = diagnose(replies({{"a", "b"}, {"b", "a"}}), {.notes = {"The program makes it lower case."}});
  CHECK_THAT(to_string(diagnosis), ContainsSubstring("The program makes it lower case.\nNone of 2 replies was right."));
}

TEST_CASE("The right answer to a sample is known from the part that it is in alone", "[optim][diagnosis]") {
  // Nothing but what is given reaches the text: here a label that only the validation part has.
  const Diagnosis diagnosis = diagnose(replies({{"a", "secret"}, {"b", "b"}}), {.answers = {"a", "b", "a", "b"}});
  CHECK_THAT(to_string(diagnosis), !ContainsSubstring("secret"));
  CHECK(diagnosis.findings.at(0).kind == Finding::Kind::no_label);
}

TEST_CASE("Nothing to diagnose is said in no sentence", "[optim][diagnosis]") {
  CHECK(to_string(diagnose({})).empty());
  CHECK(to_json(diagnose({})).value()["samples"] == 0);
}
