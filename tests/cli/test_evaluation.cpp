#include <string>
#include <vector>

#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "task/scoring.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Type = cli::EvaluatorSpec::Type;

namespace {

struct Case {
  cli::EvaluatorSpec spec;
  std::string prediction;
  std::string target;
  double score;
};

cli::Batch batch_of(const std::vector<std::string>& targets) { return {{cli::target_name, Variable(Data(targets), "target")}}; }

}  // namespace

TEST_CASE("each evaluator scores a prediction against its target", "[cli]") {
  const cli::EvaluatorSpec exact{.type = Type::exact_match};
  const cli::EvaluatorSpec folded{.type = Type::exact_match, .ignore_case = true};
  const cli::EvaluatorSpec contains{.type = Type::contains};
  const cli::EvaluatorSpec number{.type = Type::number, .tolerance = 0.01};
  const cli::EvaluatorSpec whole{.type = Type::number};
  const cli::EvaluatorSpec near{.type = Type::number, .tolerance = 0.5};
  const cli::EvaluatorSpec nested{.type = Type::json_fields, .fields = {"/urgency"}};
  const cli::EvaluatorSpec json{.type = Type::json_fields};
  const cli::EvaluatorSpec some_fields{.type = Type::json_fields, .fields = {"/urgency", "/tags/0"}};
  const cli::EvaluatorSpec f1{.type = Type::f1};
  const std::vector<Case> cases{
      {exact, "billing", "billing", 1},
      {exact, "Billing", "billing", 0},
      {folded, "Billing", "billing", 1},
      {contains, "It is about billing, I think.", "billing", 1},
      {contains, "It is about bills.", "billing", 0},
      {number, "3.14", "3.1415", 1},
      {number, "3.2", "3.1415", 0},
      {number, "3.14 or so", "3.14", 0},
      {number, "none", "3", 0},
      {whole, "9007199254740993", "9007199254740992", 0},
      {whole, "9007199254740993", "9007199254740993", 1},
      {whole, "9007199254740993", "9007199254740992.0", 0},
      {whole, "3.0", "3", 1},
      {whole, "-9223372036854775808", "9223372036854775807", 0},
      {near, "9007199254740993", "9007199254740992", 0},
      {near, "-9223372036854775808", "9223372036854775807", 0},
      {json, R"({"a": 9007199254740993})", R"({"a": 9007199254740992})", 0},
      {json, R"({"a": 9007199254740993})", R"({"a": 9007199254740992.0})", 0},
      {json, R"({"a": -1})", R"({"a": 18446744073709551615})", 0},
      {nested, R"({"urgency": {"a": [9007199254740993]}})", R"({"urgency": {"a": [9007199254740992.0]}})", 0},
      {nested, R"({"urgency": {"a": [1, 2.0]}})", R"({"urgency": {"a": [1.0, 2]}})", 1},
      {nested, R"({"urgency": {"a": 1}})", R"({"urgency": {"b": 1}})", 0},
      {json, R"({"a": 1, "b": {"c": true}})", R"({"b": {"c": true}, "a": 1.0})", 1},
      {json, R"({"a": 1, "b": {"c": false}})", R"({"a": 1, "b": {"c": true}})", 0.5},
      {json, "a: 1", R"({"a": 1})", 0},
      {some_fields, R"({"urgency": "low", "tags": ["x"], "other": 1})", R"({"urgency": "low", "tags": ["y"]})", 0.5},
      {f1, "the cat sat", "the cat sat", 1},
      {f1, "the the cat", "the cat sat", 2.0 * 2 / 6},
      {f1, "dog", "the cat", 0},
      {f1, "", "", 1},
  };
  for (const Case& example : cases) {
    INFO(example.prediction << " against " << example.target);
    CHECK(cli::score_of(example.spec, example.prediction, example.target) == Approx(example.score));
  }
}

TEST_CASE("evaluators give a score for each sample, and feedback that says what was measured", "[cli]") {
  Variable prediction(Data(std::vector<std::string>{"3", "5"}), "answer", true);
  const cli::EvaluatorSpec number{.type = Type::number};
  const Evaluation evaluation = cli::evaluate_predictions(number, nullptr, prediction, batch_of({"3", "4"}), {});
  CHECK(evaluation.score.data().as_reals() == std::vector<double>{1, 0});
  evaluation.explanation.backward();
  REQUIRE(prediction.grad().size() == 1);
  CHECK(prediction.grad()[0].data().item_text(0).empty());
  CHECK_THAT(prediction.grad()[0].data().item_text(1), ContainsSubstring("4") && ContainsSubstring("5") &&
                                                           ContainsSubstring("whether the answer is the expected number"));
}

TEST_CASE("a judge is asked with the prediction, the target and the inputs that its messages use", "[cli]") {
  const auto judge = lm::Stub::scripted({R"({"score": 4, "explanation": "nearly"})", R"({"score": 5, "explanation": "fine"})"});
  const cli::EvaluatorSpec spec{.type = Type::judge,
                                .messages = {{"user", {"Question: {question}\nAnswer: {prediction}\nExpected: {target}"}}},
                                .best_score = 5};
  cli::Batch batch = batch_of({"Paris", "Rome"});
  batch.emplace("question", Variable(Data(std::vector<std::string>{"France?", "Italy?"}), "question"));
  batch.emplace("unused", Variable(Data(std::vector<std::string>{"x", "y"}), "unused"));
  Variable prediction(Data(std::vector<std::string>{"Lyon", "Rome"}), "answer", true);
  const Evaluation evaluation = cli::evaluate_predictions(spec, judge, prediction, batch, {});
  CHECK(evaluation.score.data().as_reals() == std::vector<double>{4, 5});
  CHECK_THAT(judge->requests().at(0).messages.at(0).content,
             ContainsSubstring("Question: France?\nAnswer: Lyon\nExpected: Paris"));

  evaluation.explanation.backward();
  CHECK_THAT(prediction.grad().at(0).data().item_text(0), ContainsSubstring("nearly"));
  CHECK(prediction.grad().at(0).data().item_text(1).empty());
}
