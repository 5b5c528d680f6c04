#include <tgd/cognitive/evaluator.hpp>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/gated_model.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::deterministic_evaluator;
using tgd::EvaluatorOptions;
using tgd::exact_match_evaluator;
using tgd::Reduction;
using tgd::TypeError;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Stub;

using Texts = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

namespace {

Variable prediction(Data data) { return {std::move(data), "label", true}; }

std::shared_ptr<Stub> silent() { return std::make_shared<Stub>(); }

double length_difference(const Data& prediction, const Data& target) {
  return static_cast<double>(prediction.text().size()) - static_cast<double>(target.text().size());
}

const std::string wrong_a =
    "The label has to equal the expected text exactly, and does not (score "
    "0).\n<EXPECTED>\nx\n</EXPECTED>\n<ACTUAL>\na\n</ACTUAL>";

}  // namespace

TEST_CASE("An evaluation has two outputs of one node", "[cognitive][evaluator]") {
  const Variable label = prediction("a");
  const auto [score, explanation] = exact_match_evaluator(label, "x");
  CHECK(score.role() == "Evaluation result score of label");
  CHECK(explanation.role() == "Evaluation result explanation of label");
  CHECK(score.grad_fn() == explanation.grad_fn());
  CHECK(score.output_nr() == 0);
  CHECK(explanation.output_nr() == 1);
  CHECK(score.grad_fn()->name() == "ExactMatchEvaluatorBackward");
  CHECK(score.grad_fn()->output_role(1) == explanation.role());
  CHECK(score.data() == Data(0));
  CHECK(explanation.text() == wrong_a);
  CHECK(deterministic_evaluator(label, "x", length_difference, "length").score.grad_fn()->name() ==
        "DeterministicEvaluatorBackward");
  CHECK(exact_match_evaluator(Variable("a"), "a").score.is_leaf());
}

TEST_CASE("exact_match compares with whatever the target is", "[cognitive][evaluator]") {
  const auto score = [](Data data, const tgd::Input& target, Reduction reduction = Reduction::none) {
    return exact_match_evaluator(prediction(std::move(data)), target, {.reduction = reduction}).score.data();
  };
  CHECK(score("a", "a") == Data(1));
  CHECK(score("a", "A") == Data(0));
  CHECK(score("a", Variable("a")) == Data(1));
  CHECK(score(Texts{"a", "b"}, "a") == Data(Integers{1, 0}));
  CHECK(score(Texts{"a", "b"}, Texts{"a", "c"}) == Data(Integers{1, 0}));
  CHECK(score(Texts{"a", "b"}, Variable(Texts{"b", "b"})) == Data(Integers{0, 1}));
  CHECK(score(Texts{"a", "b"}, std::vector<Variable>{"a", "b"}) == Data(Integers{1, 1}));
  CHECK(score(2, 2) == Data(1));
  CHECK(score(2, 2.0) == Data(1));
  CHECK(score(Integers{1, 2}, Reals{1, 2.5}) == Data(Integers{1, 0}));

  CHECK_THROWS_AS(score("2", 2), TypeError);
  CHECK_THROWS_AS(score(2, "2"), TypeError);
  CHECK_THROWS_AS(score("a", Texts{"a"}), ValueError);
  CHECK_THROWS_AS(score(Texts{"a", "b"}, Texts{"a"}), ValueError);
  CHECK_THROWS_WITH(score(Texts{"a", "b"}, std::vector<Variable>{"a"}), ContainsSubstring("1 items") && ContainsSubstring("2"));
}

TEST_CASE("The score of a batch is its reduction, or the list", "[cognitive][evaluator][concurrent]") {
  const Variable labels = prediction(Texts{"a", "b", "c", "d"});
  const Texts targets{"a", "x", "c", "d"};
  const auto evaluate = [&](Reduction reduction) { return exact_match_evaluator(labels, targets, {.reduction = reduction}); };
  CHECK(exact_match_evaluator(labels, targets).score.data() == Data(3));
  CHECK(evaluate(Reduction::sum).score.data() == Data(3));
  CHECK(evaluate(Reduction::mean).score.data() == Data(0.75));
  CHECK(evaluate(Reduction::none).score.data() == Data(Integers{1, 0, 1, 1}));
  CHECK(evaluate(Reduction::none).explanation.size() == 4);
  CHECK(evaluate(Reduction::none).explanation[0].data() == Data("Score: 1."));
  CHECK_FALSE(evaluate(Reduction::mean).explanation.is_batch());
  CHECK_THAT(evaluate(Reduction::sum).explanation.text(), ContainsSubstring("3 of 4"));
  CHECK(exact_match_evaluator(prediction("a"), "a", {.reduction = Reduction::mean}).score.data() == Data(1));

  SECTION("of nothing as well") {
    const Variable none = prediction(Texts{});
    CHECK(exact_match_evaluator(none, "a", {.reduction = Reduction::sum}).score.data().real() == 0);
    CHECK(exact_match_evaluator(none, "a", {.reduction = Reduction::mean}).score.data().real() == 0);
    CHECK(exact_match_evaluator(none, "a", {.reduction = Reduction::none}).score.size() == 0);
    exact_match_evaluator(none, "a").score.backward();
    CHECK(none.grad().size() == 1);
  }
}

TEST_CASE("The prediction is told what was expected, what came and how it scored, without any call", "[cognitive][evaluator]") {
  const auto model = silent();
  SECTION("a scalar") {
    const Variable label = prediction("a");
    exact_match_evaluator(label, "x").score.backward({.model = model});
    REQUIRE(label.grad().size() == 1);
    CHECK(label.grad()[0].text() == wrong_a);
    CHECK(label.grad()[0].role() == "feedback to label");
  }
  SECTION("a batch, with nothing for items that are fine") {
    const Variable labels = prediction(Texts{"a", "x"});
    exact_match_evaluator(labels, "x").explanation.backward({.model = model});
    REQUIRE(labels.grad().size() == 1);
    CHECK(labels.grad()[0].texts() == Texts{wrong_a, ""});
  }
  SECTION("all is fine: one empty gradient") {
    const Variable labels = prediction(Texts{"x", "x"});
    exact_match_evaluator(labels, "x").score.backward({.model = model});
    REQUIRE(labels.grad().size() == 1);
    CHECK(labels.grad()[0].data() == Data(""));
  }
  SECTION("one without a role is a result") {
    const Variable label("a", "", true);
    exact_match_evaluator(label, "x").score.backward({.model = model});
    CHECK_THAT(label.grad().at(0).text(), ContainsSubstring("The result has to equal"));
  }
  CHECK(model->calls() == 0);
}

TEST_CASE("A deterministic evaluator scores with a function and says what it measures", "[cognitive][evaluator]") {
  const Variable labels = prediction(Texts{"aaa", "a", ""});
  const auto [score, explanation] =
      deterministic_evaluator(labels, "a", length_difference, "the excess of letters", {.higher_is_better = false});
  CHECK(score.data() == Data(1.0));
  score.backward({.model = silent()});
  REQUIRE(labels.grad().size() == 1);
  CHECK(labels.grad()[0].texts() == Texts{"The label was judged by the excess of letters. Score: 2 (lower is "
                                          "better).\n<EXPECTED>\na\n</EXPECTED>\n<ACTUAL>\naaa\n</ACTUAL>",
                                          "", ""});

  SECTION("success may be whatever one likes") {
    tgd::detail::impl_of(labels);
    Variable(labels).clear_grad();
    const auto strict =
        deterministic_evaluator(labels, "a", length_difference, "p", {.success = [](double value) { return value == 0; }});
    strict.score.backward();
    const Texts feedback = labels.grad().at(0).texts();
    CHECK_FALSE(feedback[0].empty());
    CHECK(feedback[1].empty());
    CHECK_FALSE(feedback[2].empty());
  }
  SECTION("higher is better unless one says otherwise") {
    const auto succeeds = [](double value, bool higher) {
      const Variable label = prediction("a");
      deterministic_evaluator(label, "", [value](const Data&, const Data&) { return value; }, "p", {.higher_is_better = higher})
          .score.backward();
      return label.grad().at(0).text().empty();
    };
    CHECK(succeeds(1, true));
    CHECK(succeeds(2, true));
    CHECK_FALSE(succeeds(0.99, true));
    CHECK(succeeds(0, false));
    CHECK(succeeds(-1, false));
    CHECK_FALSE(succeeds(0.01, false));
    CHECK_THROWS_WITH(succeeds(std::numeric_limits<double>::quiet_NaN(), true),
                      ContainsSubstring("deterministic_evaluator") && ContainsSubstring("nan"));
    CHECK_THROWS_WITH(succeeds(std::numeric_limits<double>::infinity(), false), ContainsSubstring("inf"));
  }
  SECTION("it needs a function, and what that throws appears where the score is read, with the item") {
    CHECK_THROWS_AS(deterministic_evaluator(labels, "a", nullptr, "p"), ValueError);
    const auto broken = deterministic_evaluator(
        labels, "a",
        [](const Data& item, const Data&) -> double {
          if (item == Data("a")) throw std::runtime_error("broken");
          return 1;
        },
        "p");
    CHECK_THROWS_WITH(broken.score.data(), ContainsSubstring("deterministic_evaluator") && ContainsSubstring("item 1") &&
                                               ContainsSubstring("broken"));
    CHECK_THROWS_AS(broken.score.backward(), tgd::Error);
  }
}

TEST_CASE("Feedback to the outputs of an evaluation is passed on behind its own", "[cognitive][evaluator]") {
  const Variable labels = prediction(Texts{"a", "x"});
  exact_match_evaluator(labels, "x").score.backward("be bolder");
  CHECK(labels.grad().at(0).texts() == Texts{"<ITEM>" + wrong_a + "</ITEM><ITEM>be bolder</ITEM>", "be bolder"});
}

TEST_CASE("The backward model words the feedback where that is asked for", "[cognitive][evaluator]") {
  const auto critic =
      Stub::answering([](const tgd::lm::Request& request) { return "about item " + std::to_string(*request.info.item); });
  const Variable labels = prediction(Texts{"a", "x", "b"});
  EvaluatorOptions options{.critique = tgd::Critique::lm};
  exact_match_evaluator(labels, "x", options).score.backward({.model = critic});
  CHECK(labels.grad().at(0).texts() == Texts{"about item 0", "", "about item 2"});
  CHECK(critic->calls() == 2);
  CHECK_THAT(critic->requests()[0].messages[1].content, ContainsSubstring(wrong_a));

  SECTION("but not where all is fine") {
    const Variable fine = prediction("x");
    exact_match_evaluator(fine, "x", options).score.backward({.model = critic});
    CHECK(critic->calls() == 2);
    CHECK(fine.grad().at(0).text().empty());
  }
  SECTION("and where one critique cannot be had, the evaluator's own words stay") {
    const auto cut_once = Stub::answering_in_full([](const tgd::lm::Request& request) {
      const bool is_first = *request.info.item == 0;
      return tgd::lm::Reply{.content = is_first ? "half" : "whole", .finish_reason = is_first ? "length" : "stop"};
    });
    exact_match_evaluator(labels, "x", options).score.backward({.model = cut_once});
    CHECK_THAT(labels.grad().at(1).texts()[0], ContainsSubstring(wrong_a));
    CHECK(labels.grad().at(1).texts()[2] == "whole");
  }
  SECTION("and a critic whose critiques are all cut off fails the pass") {
    const auto cut_off = Stub::answering_in_full(
        [](const tgd::lm::Request&) { return tgd::lm::Reply{.content = "half", .finish_reason = "length"}; });
    CHECK_THROWS_AS(exact_match_evaluator(labels, "x", options).score.backward({.model = cut_off}), tgd::LMError);
    CHECK(labels.grad().size() == 1);
  }
}

TEST_CASE("An evaluation is the sum of its items even when they are on their way", "[cognitive][evaluator]") {
  const auto model = std::make_shared<tgd::test::GatedModel>();
  const Variable prompt("p", "prompt", true);
  const Variable labels = tgd::chat_completion(model, {{"user", {prompt, "{x}"}}}, {{"x", Texts{"one", "two"}}});
  const auto [score, explanation] = exact_match_evaluator(labels, std::vector<Variable>{"1", "2"});
  CHECK_FALSE(score.ready());
  model->reply("two", "2");
  model->reply("one", "0");
  CHECK(score.data() == Data(1));
  CHECK_THAT(explanation.text(), ContainsSubstring("1 of 2"));
}

TEST_CASE("What the evaluator saw is a snapshot", "[cognitive][evaluator]") {
  Variable label = prediction("a");
  Variable target("x");
  const auto [score, explanation] = exact_match_evaluator(label, target);
  label.set_data("changed");
  target.set_data("changed");
  score.backward();
  CHECK(label.grad().at(0).text() == wrong_a);
}
