// The complete text of every request for a critique.
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/lm/stub.hpp>

#include <string>
#include <vector>

#include "catch.hpp"
#include "support/golden.hpp"

using tgd::chat_completion;
using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::test::check_golden;
using tgd::test::sent_text;

using Texts = std::vector<std::string>;

namespace {

std::shared_ptr<Stub> student() {
  return Stub::answering([](const Request& request) { return "reply to: " + request.messages.back().content; });
}

std::shared_ptr<Stub> one_critique() {
  return Stub::answering([](const Request&) { return "critique"; });
}

}  // namespace

TEST_CASE("Requests for critiques are as they are written down", "[cognitive][golden][concurrent]") {
  const Variable prompt("Classify the ticket.\nReply like {\"label\": \"...\"}.", "system prompt", true);
  const auto asked = one_critique();
  SECTION("of a scalar call") {
    const Variable ticket("My invoice is wrong.", "ticket", true);
    chat_completion(student(), {{"system", {prompt}}, {"user", {"Ticket: {ticket}"}}}, {{"ticket", ticket}})
        .backward("The label is missing.", {.model = asked, .args = {{"model", "critic"}, {"temperature", 0}}});
    check_golden("cognitive/golden/critique_scalar.txt", sent_text(asked->requests()));
  }
  SECTION("of a template, with its inputs") {
    const Variable ask("Classify: {ticket}\nLabels: {labels}", "user prompt", true);
    const Variable ticket("My invoice is wrong. {labels}", "ticket", true);
    chat_completion(student(), {{"user", {ask, "Thanks for {ticket}"}}}, {{"ticket", ticket}, {"labels", "billing, other"}})
        .backward("The label is missing.", {.model = asked});
    check_golden("cognitive/golden/critique_template.txt", sent_text(asked->requests()));
  }
  SECTION("of a batch") {
    const Variable tickets(Texts{"My invoice is wrong.", "It crashes.", "Hello?"}, "tickets", true);
    chat_completion(student(), {{"system", {prompt}}, {"user", {"Ticket: {ticket}"}}}, {{"ticket", tickets}})
        .backward(Texts{"Should be billing.", "", "Should be other."}, {.model = asked});
    check_golden("cognitive/golden/critique_batch.txt", sent_text(asked->requests()));
  }
  SECTION("of more samples than go into one request") {
    chat_completion(student(), {{"system", {prompt}}, {"user", {"{ticket}"}}},
                    {{"ticket", Texts{"one", "two", "three", "four", "five"}}}, {.feedback = {.samples_per_request = 2}})
        .backward(Texts{"1", "2", "", "4", "5"}, {.model = asked});
    check_golden("cognitive/golden/critique_groups.txt", sent_text(asked->requests()));
  }
  SECTION("summarized") {
    chat_completion(student(), {{"system", {prompt}}, {"user", {"{ticket}"}}}, {{"ticket", Texts{"one", "two"}}},
                    {.feedback = {.samples_per_request = 1, .summarize = true}})
        .backward("wrong", {.model = asked});
    check_golden("cognitive/golden/critique_summarized.txt", sent_text(asked->requests()));
  }
  SECTION("of an evaluator's feedback") {
    const Variable labels =
        chat_completion(student(), {{"system", {prompt}}, {"user", {"{ticket}"}}}, {{"ticket", Texts{"one", "two"}}});
    exact_match_evaluator(labels, Texts{"reply to: one", "other"}).score.backward({.model = asked});
    check_golden("cognitive/golden/critique_exact_match.txt", sent_text(asked->requests()));
  }
  SECTION("worded by the backward model") {
    const Variable label("billing", "label", true);
    exact_match_evaluator(label, "other", {.critique = tgd::Critique::lm}).score.backward({.model = asked});
    check_golden("cognitive/golden/evaluator_critique.txt", sent_text(asked->requests()));
  }
}

TEST_CASE("The requests of a judge are as they are written down", "[cognitive][golden]") {
  const auto judge = Stub::scripted({"no JSON", R"({"score": 0.5, "explanation": "half right"})"});
  const Variable prediction("Paris, I think", "answer", true);
  const tgd::Messages messages{{"system", {"Judge the answer."}},
                               {"user", {"Answer: {prediction}\nRight: {target}\nRule: {rule}"}}};
  const auto [score, explanation] = lm_judge_evaluator(judge, messages, prediction, "Paris", {{"rule", "be strict"}});
  score.wait();
  check_golden("cognitive/golden/judge.txt", sent_text(judge->requests()));
  score.backward({.model = one_critique()});
  check_golden("cognitive/golden/judge_feedback.txt", prediction.grad().at(0).text() + "\n");
}
