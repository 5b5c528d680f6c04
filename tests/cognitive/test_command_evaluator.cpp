#include <tgd/cognitive/command_evaluator.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using tgd::CommandEvaluator;
using tgd::CommandOptions;
using tgd::CommandScoring;
using tgd::Data;
using tgd::OnError;
using tgd::Reduction;
using tgd::Variable;

using Texts = std::vector<std::string>;
using Reals = std::vector<double>;

namespace {

/// A command in sh that answers each line with what `answer` prints behind the id.
CommandOptions answering(const std::string& answer) {
  return {.run = {"sh", "-c",
                  "while IFS= read -r line; do id=${line#*'\"id\":'}; id=${id%%,*}\nprintf '{\"id\":%s,' \"$id\"\n" + answer +
                      "\ndone"}};
}

const std::string right_if_expected = R"(
case $line in
  *'"prediction":"right"'*) echo '"score":1}';;
  *'"prediction":"dumb"'*) echo '"score":0.25}';;
  *) echo '"score":0.5,"feedback":"the unit is missing"}';;
esac)";

Variable predictions(Data data) { return {std::move(data), "answer", true}; }

std::string feedback_to(const Variable& prediction, std::size_t item) { return prediction.grad().at(0).data().item_text(item); }

}  // namespace

TEST_CASE("A command scores predictions, and its feedback is theirs", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric(answering(right_if_expected));
  const Variable prediction = predictions(Texts{"right", "7", "dumb"});
  const auto [score, explanation] =
      metric(prediction, Texts{"right", "7 kg", "8 kg"}, {}, {.evaluator = {.reduction = Reduction::none}});
  CHECK(score.data() == Data(Reals{1, 0.5, 0.25}));
  CHECK(score.grad_fn()->name() == "CommandEvaluatorBackward");
  CHECK(explanation.data().texts()[1] == "the unit is missing");
  CHECK_THAT(explanation.data().texts()[2], ContainsSubstring("0.25"));
  explanation.backward();
  CHECK(feedback_to(prediction, 0).empty());
  CHECK_THAT(feedback_to(prediction, 1), ContainsSubstring("0.5") && ContainsSubstring("the unit is missing"));
  CHECK_THAT(feedback_to(prediction, 2), ContainsSubstring("8 kg") && ContainsSubstring("dumb"));

  CHECK(metric(predictions("7"), "7 kg").score.data() == Data(0.5));
  CHECK(metric(predictions(Texts{"right", "right"})).score.data() == Data(2.0));
}

TEST_CASE("A command is shown the prediction, the target, the inputs and the sample", "[cognitive][evaluator][concurrent]") {
  // It says what it was shown.
  const CommandEvaluator metric(
      answering(R"(shown=$(printf %s "$line" | tr '"' "'"); printf '"score":0,"feedback":"%s"}\n' "$shown")"));
  const auto shown = [&](const Variable& prediction, const std::optional<tgd::Input>& target, const tgd::Inputs& inputs) {
    return metric(prediction, target, inputs).explanation.text();
  };
  CHECK(shown("a", "b", {{"question", "why?"}, {"count", 3}}) ==
        "{'id':1,'prediction':'a','target':'b','sample':null,'inputs':{'question':'why?','count':3}}");
  CHECK(shown(2.5, std::nullopt, {}) == "{'id':2,'prediction':2.5,'target':null,'sample':null,'inputs':{}}");
}

TEST_CASE("An answer that is no score is the item's problem", "[cognitive][evaluator][concurrent]") {
  const auto [answer, words] =
      GENERATE(table<std::string, std::string>({{R"("score":"1"})", "its \"score\" is no number"},
                                                {R"("score":true})", "its \"score\" is no number"},
                                                {R"("score":null})", "its \"score\" is no number"},
                                                {R"("score":NaN})", "NaN and Infinity are no JSON"},
                                                {R"("score":1e999})", "the command"},
                                                {R"("score":1.5})", "1.5, is better than \"best_score\", 1"},
                                                {R"("points":1})", "has no \"score\""},
                                                {R"("score":0,"feedback":[1]})", "its \"feedback\" is no text"},
                                                {R"("score":0,"metrics":[1]})", "its \"metrics\" are no object"},
                                                {R"("score":0,"metrics":{"n":"1"}})", "its metric \"n\" is no number"}}));
  INFO(answer);
  const CommandEvaluator metric(answering("case $line in *odd*) echo '" + answer + "';; *) echo '\"score\":1}';; esac"));
  const Variable prediction = predictions(Texts{"even", "odd"});
  SECTION("kept, it scores worst, and nothing is said against the prediction") {
    const auto [score, explanation] =
        metric(prediction, Texts{"x", "y"}, {},
               {.evaluator = {.reduction = Reduction::none, .worst_score = -3.0, .on_error = OnError::keep}});
    CHECK(score.data() == Data(Reals{1, -3}));
    REQUIRE(score.problem(1));
    CHECK_THAT(score.problem(1)->text, ContainsSubstring(words));
    CHECK_FALSE(score.problem(0));
    explanation.backward();
    CHECK(feedback_to(prediction, 0).empty());
  }
  SECTION("or it fails the evaluation") {
    CHECK_THROWS_WITH(metric(prediction, Texts{"x", "y"}).score.data(),
                      ContainsSubstring(words) && ContainsSubstring("item 1 of 2"));
  }
}

TEST_CASE("What a command measures beside its score stays with the score", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric(
      answering(R"(case $line in *odd*) echo '"score":0}';; *) echo '"score":1,"metrics":{"length":12,"exact":0.5}}';; esac)"));
  const Variable prediction = predictions(Texts{"even", "odd"});
  using Metrics = std::map<std::string, double>;
  const auto reduction = GENERATE(Reduction::none, Reduction::mean);
  const auto score = metric(prediction, Texts{"x", "y"}, {}, {.evaluator = {.reduction = reduction}}).score;
  CHECK(score.metrics(0) == Metrics{{"exact", 0.5}, {"length", 12}});
  CHECK(score.metrics(1).empty());
  if (reduction == Reduction::none) CHECK(score[0].metrics() == Metrics{{"exact", 0.5}, {"length", 12}});
}

TEST_CASE("A named metric can be the score", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric(
      answering(R"(case $line in *odd*) echo '"metrics":{"length":3}}';; *) echo '"metrics":{"f1":0.25}}';; esac)"));
  const auto score = metric(predictions(Texts{"even", "odd"}), Texts{"x", "y"}, {},
                            {.evaluator = {.reduction = Reduction::none, .on_error = OnError::keep}, .optimize = "f1"})
                         .score;
  CHECK(score.data() == Data(Reals{0.25, 0}));
  CHECK_THAT(score.problem(1)->text, ContainsSubstring("it has no metric \"f1\", which is to be optimized"));
}

TEST_CASE("Scores of a command may be on any scale", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric(answering(R"(case $line in *far*) echo '"score":7}';; *) echo '"score":0}';; esac)"));
  const CommandScoring lower{.evaluator = {.reduction = Reduction::none, .higher_is_better = false}, .best_score = 0};
  const Variable prediction = predictions(Texts{"near", "far"});
  const auto [score, explanation] = metric(prediction, Texts{"x", "x"}, {}, lower);
  CHECK(score.data() == Data(Reals{0, 7}));
  explanation.backward();
  CHECK(feedback_to(prediction, 0).empty());
  CHECK_THAT(feedback_to(prediction, 1), ContainsSubstring("lower is better"));
}

TEST_CASE("A command that cannot be started fails the evaluation, whatever is kept", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric({.run = {"no-such-metric"}});
  CHECK_THROWS_WITH(metric(predictions(Texts{"a"}), "a", {}, {.evaluator = {.on_error = OnError::keep}}).score.data(),
                    ContainsSubstring("\"no-such-metric\" cannot be started"));
}

TEST_CASE("A prediction with a problem is not shown to a command", "[cognitive][evaluator][concurrent]") {
  const CommandEvaluator metric(answering(R"(echo '"score":1}')"));
  const auto parse = [](const Data& item) -> Data {
    if (item.text() == "bad") throw tgd::ParseError("it is bad");
    return item;
  };
  const Variable prediction = tgd::map(predictions(Texts{"good", "bad"}), parse, {}, OnError::keep);
  const auto evaluation = metric(prediction, Texts{"x", "y"}, {}, {.evaluator = {.reduction = Reduction::none}});
  CHECK(evaluation.score.data() == Data(Reals{1, 0}));
  REQUIRE(evaluation.score.problem(1));
  CHECK_THAT(evaluation.score.problem(1)->text, ContainsSubstring("it is bad"));
}

TEST_CASE("Items in flight fail when the object ends", "[cognitive][evaluator][concurrent]") {
  Variable score = "";
  {
    const CommandEvaluator metric({.run = {"sh", "-c", "sleep 100"}});
    score = metric(predictions("a"), "a").score;
  }
  CHECK_THROWS_AS(score.data(), tgd::StateError);
}

TEST_CASE("An answer that ended an evaluation is not kept for the next one", "[cognitive][evaluator][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  CommandOptions options = answering(R"([ -e asked ] && score=1 || score='"high"'
echo >> asked; echo "\"score\":$score}")");
  options.folder = folder.path();
  options.is_deterministic = true;
  const CommandEvaluator metric(options);
  CHECK_THROWS_WITH(metric("right", "right").score.data(), ContainsSubstring("its \"score\" is no number"));
  CHECK(metric("right", "right").score.data() == Data(1.0));
  CHECK(metric("right", "right").score.data() == Data(1.0));
  CHECK(std::filesystem::file_size(folder.path() / "asked") == 2);
}

TEST_CASE("Options of a command evaluator that cannot be meant are refused", "[cognitive][evaluator]") {
  CHECK_THROWS_AS(CommandEvaluator({.run = {}}), tgd::ValueError);
  CHECK_THROWS_AS(CommandEvaluator({.run = {"sh"}, .workers = 0}), tgd::ValueError);
  CHECK_THROWS_AS(CommandEvaluator({.run = {"sh"}, .timeout_seconds = -1}), tgd::ValueError);
  const CommandEvaluator metric({.run = {"sh"}});
  CHECK_THROWS_AS(metric(predictions("a"), Texts{"a", "b"}), tgd::ValueError);
  CHECK_THROWS_AS(metric(predictions("a"), "a", {{"question", Variable(Texts{"a", "b"})}}), tgd::ValueError);
}
