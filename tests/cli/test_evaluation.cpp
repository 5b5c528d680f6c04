#include <string>
#include <vector>

#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "task/scoring.hpp"
#include "task/scores.hpp"
#include "task/parts.hpp"
#include "support/table.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Type = cli::EvaluatorSpec::Type;

namespace {

cli::Batch batch_of(const std::vector<std::string>& targets) { return {{cli::target_name, Variable(Data(targets), "target")}}; }

}  // namespace

TEST_CASE("each evaluator scores what is meant: at least forty pairs for each", "[cli][scores]") {
  for (const std::string type : {"exact_match", "contains", "number", "json_fields", "f1"}) {
    const nlohmann::json pairs = test::table("cli/scores/" + type + ".json");
    REQUIRE(pairs.size() >= 40);
    for (const nlohmann::json& pair : pairs) {
      nlohmann::json json = pair.value("spec", nlohmann::json::object());
      json["type"] = type;
      const cli::EvaluatorSpec spec = cli::read_evaluator(cli::TaskDocument("spec.json", json.dump()).root());
      INFO(pair.dump());
      CHECK(cli::score_of(spec, pair["prediction"], pair["target"]) == Approx(pair["score"].get<double>()));
    }
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
                                                           ContainsSubstring("is the expected number"));
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
