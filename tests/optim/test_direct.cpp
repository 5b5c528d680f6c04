// Steps that ask once: facts and samples instead of a critique.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include "catch.hpp"
#include "core/variable_impl.hpp"
#include "optim/improving.hpp"
#include "support/golden.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Variable;
using tgd::autograd::Step;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;

namespace {

const std::vector<std::string> shop_texts = {"Where is my parcel?", "I was charged twice.", "Where is my invoice?",
                                             "I cannot log in.",    "My parcel is broken.", "Please refund me."};
const std::vector<std::string> desks = {"shipping", "billing", "billing", "account", "shipping", "billing"};

/// Right for parcels, one label for another elsewhere, and once in a sentence.
std::shared_ptr<Stub> shop_student() {
  return Stub::answering([](const Request& request) -> std::string {
    const std::string& text = request.messages.back().content;
    if (text.find("parcel") != std::string::npos) return "shipping";
    return text.find("log in") != std::string::npos ? "This is about the account." : "account";
  });
}

struct Shop {
  Variable prompt{"Say which desk the message is for.", "system prompt", true};
  std::shared_ptr<Stub> critic = Stub::answering([](const Request&) { return "Name the desks."; });
  std::shared_ptr<Stub> editor = tgd::test::improving();

  void backward(Step step, const Variable& reply) const {
    const auto [score, explanation] = exact_match_evaluator(reply, desks);
    score.backward({.model = critic, .step = step});
  }
  void backward(Step step) const {
    backward(step, tgd::chat_completion(shop_student(), {{"system", {prompt}}, {"user", {"{text}"}}}, {{"text", shop_texts}}));
  }
  std::string request(TGDOptions options = {}) const {
    options.model = editor;
    TGD({prompt}, options).step();
    return tgd::test::sent_text(std::vector<Request>{editor->requests().back()});
  }
};

}  // namespace

TEST_CASE("A direct step asks no critic, and shows the optimizer facts and samples", "[optim][direct]") {
  const Shop shop;
  shop.backward(Step::direct);
  CHECK(shop.critic->calls() == 0);
  REQUIRE(shop.prompt.grad().size() == 1);
  CHECK_THAT(shop.prompt.grad()[0].text(), ContainsSubstring("has to equal the expected text"));
  tgd::test::check_golden("optim/golden/direct.txt", shop.request());
  CHECK(shop.editor->calls() == 1);
  CHECK(shop.prompt.text() == "system prompt v1");
}

TEST_CASE("A critique is what it was, and begins with the facts only where that is wanted", "[optim][direct]") {
  const Shop shop;
  shop.backward(Step::critique);
  CHECK(shop.critic->calls() == 1);
  SECTION("by default it does not") {
    CHECK_THAT(shop.request(), ContainsSubstring("Name the desks.") && !ContainsSubstring("What a program has counted"));
  }
  SECTION("with the right answers of the whole part") {
    const std::string request =
        shop.request({.diagnosis = tgd::optim::DiagnosisOptions{
                          .answers = {"shipping", "billing", "account", "shipping", "billing", "account"},
                          .notes = {"The program reads the first word."}}});
    CHECK_THAT(request,
               ContainsSubstring("What a program has counted:\nEvery right answer is exactly one of these: account, billing, "
                                 "shipping.\nThe program reads the first word.\n2 of 6 replies: right.\n3 replies: "
                                 "another one of the allowed answers: account instead of billing (3).") &&
                   ContainsSubstring("Name the desks."));
  }
}

TEST_CASE("What is right for one call alone is decided by the graph", "[optim][direct]") {
  const Shop shop;
  SECTION("one call, with an output that is read") {
    const Variable reply =
        tgd::chat_completion(shop_student(), {{"system", {shop.prompt}}, {"user", {"{text}"}}}, {{"text", shop_texts}});
    shop.backward(Step::automatic, map(reply, [](const tgd::Data& item) { return item; }));
    CHECK(shop.critic->calls() == 0);
    CHECK_THAT(shop.request(), ContainsSubstring("Samples with a wrong reply"));
  }
  SECTION("two calls, one after the other: feedback has to travel") {
    const Variable facts =
        tgd::chat_completion(shop_student(), {{"system", {shop.prompt}}, {"user", {"{text}"}}}, {{"text", shop_texts}});
    Variable second("Say it again.", "second prompt", true);
    shop.backward(Step::automatic,
                  tgd::chat_completion(shop_student(), {{"system", {second}}, {"user", {"{facts}"}}}, {{"facts", facts}}));
    CHECK(shop.critic->calls() > 1);
    CHECK_THAT(shop.request({.diagnosis = tgd::optim::DiagnosisOptions{}}), !ContainsSubstring("What a program has counted"));
  }
  SECTION("no right answers") {
    const auto judge = Stub::answering([](const Request&) { return R"({"score": 0, "explanation": "It is rude."})"; });
    const Variable reply =
        tgd::chat_completion(shop_student(), {{"system", {shop.prompt}}, {"user", {"{text}"}}}, {{"text", shop_texts}});
    const auto [score, explanation] = lm_judge_evaluator(judge, {{"user", {"Judge {prediction}"}}}, reply);
    score.backward({.model = shop.critic, .step = Step::automatic});
    CHECK(shop.critic->calls() == 1);
  }
}

TEST_CASE("All that is promised of steps holds for direct ones", "[optim][direct]") {
  Shop shop;
  SECTION("constraints, momentum and what was rejected are shown") {
    TGD optimizer({shop.prompt}, {.model = shop.editor, .constraints = {"Stay polite."}, .momentum = 2});
    shop.backward(Step::direct);
    optimizer.step();
    optimizer.reject("it scored less");
    optimizer.clear_grad();
    shop.backward(Step::direct);
    optimizer.step();
    const std::string request = tgd::test::sent_text(std::vector<Request>{shop.editor->requests().back()});
    CHECK_THAT(request, ContainsSubstring("Stay polite.") && ContainsSubstring("it scored less"));
    CHECK(optimizer.momentum_buffer(shop.prompt).size() == 1);
  }
  SECTION("a value that copies a sample is asked for again") {
    shop.editor =
        Stub::scripted({tgd::test::tagged("Reply billing to: I was charged twice."), tgd::test::tagged("Name one desk.")});
    shop.backward(Step::direct);
    TGD optimizer({shop.prompt}, {.model = shop.editor, .copied_words = 4});
    optimizer.step();
    CHECK(shop.editor->calls() == 2);
    CHECK(shop.prompt.text() == "Name one desk.");
    CHECK(optimizer.last_updates()[0].problems[0].problem == tgd::optim::UnusableReply::Problem::copied);
  }
  SECTION("all is well: no call, no change") {
    const auto [score, explanation] = exact_match_evaluator(
        tgd::chat_completion(Stub::answering([](const Request&) { return "yes"; }), {{"system", {shop.prompt}}}), "yes");
    score.backward({.model = shop.critic, .step = Step::direct});
    TGD({shop.prompt}, {.model = shop.editor}).step();
    CHECK(shop.editor->calls() == 0);
  }
}

TEST_CASE("A direct request is cut to its budget, samples first", "[optim][direct]") {
  const Shop shop;
  shop.backward(Step::direct);
  std::vector<std::string> notices;
  const std::string request =
      shop.request({.context_budget = 1400, .on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice.text); }});
  CHECK(notices.size() == 1);
  CHECK_THAT(request, ContainsSubstring("What a program has counted") && ContainsSubstring("Samples with a wrong reply"));
}

TEST_CASE("What a suggestion keeps is neither shown nor rewritten, and stands behind each new value", "[optim][suggest]") {
  Variable prompt = tgd::test::parameter("prompt");
  const auto editor = tgd::test::improving();
  TGD optimizer({prompt}, {.model = editor, .momentum = 3});
  const std::string examples = "Examples:\n\nInput: late parcel\nReply: shipping";
  const std::string both = "old prompt\n\n" + examples;
  optimizer.commit(optimizer.suggest({{prompt, both, examples}}));
  CHECK(prompt.text() == both);
  tgd::test::step(optimizer, "Be brief.");
  CHECK(prompt.text() == "prompt v1\n\n" + examples);
  tgd::test::step(optimizer, "Be brief.");
  CHECK(prompt.text() == "prompt v2\n\n" + examples);
  CHECK_THAT(tgd::test::sent_text(editor->requests()), !ContainsSubstring("late parcel") && ContainsSubstring("prompt v1"));

  SECTION("it is part of the state") {
    Variable other = tgd::test::parameter("prompt");
    other.set_data(prompt.text());
    TGD loaded({other}, {.model = editor, .momentum = 3});
    loaded.load_state_dict(optimizer.state_dict());
    CHECK(loaded.state_dict() == optimizer.state_dict());
    tgd::test::step(loaded, "Be brief.");
    CHECK(other.text() == "prompt v3\n\n" + examples);
  }
  SECTION("it goes when the suggestion is taken back") {
    for (int i = 0; i < 3; ++i) optimizer.undo(prompt);
    CHECK(prompt.text() == "old prompt");
    tgd::test::step(optimizer, "Be brief.");
    CHECK(prompt.text() == "prompt v3");
  }
  SECTION("it goes when the program sets another value") {
    prompt.set_data("mine");
    tgd::test::step(optimizer, "Be brief.");
    CHECK(prompt.text() == "prompt v3");
  }
  SECTION("a copy guard does not take it for one of a sample") {
    tgd::detail::impl_of(prompt.grad()[0])->make_extras().contexts = {
        std::make_shared<const std::string>("<SAMPLE>\n<USER>\nInput: late parcel\nReply: shipping\n</USER>\n</SAMPLE>")};
    optimizer.step();
    CHECK(prompt.text() == "prompt v3\n\n" + examples);
  }
  SECTION("a value has to end with it") { CHECK_THROWS_AS(optimizer.suggest({{prompt, "x", examples}}), tgd::ValueError); }
}

TEST_CASE("Somebody else's values become a candidate, or the reason why they may not be taken", "[optim][suggest]") {
  Variable a = tgd::test::parameter("a");
  Variable b = tgd::test::parameter("b");
  TGD optimizer({a, b}, {.model = tgd::test::improving(), .constraints = {tgd::optim::Constraint::forbids("never")}});
  using Outcome = tgd::optim::ParameterUpdate::Outcome;
  tgd::optim::Candidate candidate = optimizer.suggest({{a, "new a"}});
  REQUIRE(candidate.updates.size() == 2);
  CHECK(candidate.updates[0].outcome == Outcome::updated);
  CHECK(candidate.updates[1].outcome == Outcome::no_feedback);
  optimizer.commit(candidate);
  CHECK(a.text() == "new a");
  CHECK(b.text() == "old b");
  CHECK(optimizer.suggest({{a, "new a"}}).updates[0].outcome == Outcome::unchanged);
  candidate = optimizer.suggest({{b, "never say so"}});
  CHECK(candidate.updates[1].outcome == Outcome::kept);
  CHECK_THAT(candidate.updates[1].reason, ContainsSubstring("never"));
  CHECK_THROWS_AS(optimizer.suggest({{Variable("x", "other", true), "y"}}), tgd::ValueError);
}

TEST_CASE("Proposals with different aims ask for different things, the most urgent of them by what code has counted",
          "[optim][direct]") {
  using tgd::optim::Aim;
  const Shop shop;
  shop.backward(Step::direct);
  TGD optimizer({shop.prompt}, {.model = shop.editor, .diagnosis = tgd::optim::DiagnosisOptions{.answers = desks}});
  SECTION("what replies miss decides") {
    const auto [step, first] = GENERATE(std::pair{Step::direct, Aim::form}, std::pair{Step::critique, Aim::form});
    Shop other;
    other.backward(step);
    std::vector<std::string> answers = desks;
    answers.insert(answers.end(), desks.begin(), desks.end());  // every desk comes again
    const TGD knows({other.prompt}, {.model = other.editor, .diagnosis = tgd::optim::DiagnosisOptions{.answers = answers}});
    CHECK(knows.aims() == std::vector{first, Aim::confusion, Aim::rule, Aim::shorter});
  }
  SECTION("nothing is counted without feedback") {
    const Variable quiet("Be kind.", "other prompt", true);
    CHECK(TGD({quiet}, {.model = shop.editor}).aims() == std::vector{Aim::rule, Aim::shorter});
  }
  SECTION("each request says its own, and the rest of it is the same") {
    const auto candidates = optimizer.propose({Aim::any, Aim::form, Aim::confusion, Aim::rule, Aim::shorter, Aim::form});
    REQUIRE(candidates.size() == 6);
    REQUIRE(shop.editor->calls() == 6);
    std::vector<std::string> texts;
    for (const Request& request : shop.editor->requests()) texts.push_back(request.messages.back().content);
    CHECK_THAT(texts[0], !ContainsSubstring("This time"));
    CHECK_THAT(texts[1], ContainsSubstring("This time, change only what the value says about the form"));
    CHECK_THAT(texts[2], ContainsSubstring("This time, change only how account and billing are told apart") ||
                             ContainsSubstring("answers that are confused with each other"));
    CHECK_THAT(texts[3], ContainsSubstring("This time, add one short rule"));
    CHECK_THAT(texts[4], ContainsSubstring("This time, make the value shorter"));
    CHECK(texts[5] == texts[1]);
    CHECK(shop.editor->requests()[5].sample == 5U);
  }
}
