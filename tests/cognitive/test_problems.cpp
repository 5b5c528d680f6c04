// One item of three has a problem, of every kind: what becomes of it in each operation.
#include <tgd/cognitive/black_box.hpp>
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "lm/error_kinds.hpp"
#include "support/table.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Texts = std::vector<std::string>;
using nlohmann::json;

namespace {

/// Answers "re: <mail>", but to the mail "bad" as the case says.
std::shared_ptr<lm::Stub> student(const json& example) {
  return lm::Stub::answering_in_full([example](const lm::Request& request) -> lm::Reply {
    const std::string& mail = request.messages.back().content;
    if (mail != "bad") return {.content = "re: " + mail, .finish_reason = "stop"};
    if (example.contains("error")) throw LMError(test::kind_named(example["error"]), "the endpoint said why");
    lm::Reply reply{.content = example["reply"], .finish_reason = example["finish"]};
    reply.usage.completion_tokens = example.value("tokens", 0);
    reply.reasoning = example.value("thoughts", "");
    return reply;
  });
}

Data parsed(const Data& reply) {
  if (reply.text() == "gibberish") throw ParseError("it is gibberish");
  return "parsed " + reply.text();
}

std::shared_ptr<lm::Stub> critic() {
  auto stub = std::make_shared<lm::Stub>();
  stub->otherwise("be brief");
  return stub;
}

std::string all_text(const lm::Stub& stub) {
  std::string text;
  for (const lm::Request& request : stub.requests()) text += request.messages.back().content + "\n";
  return text;
}

struct Scene {
  explicit Scene(json given) : example(std::move(given)), model(student(example)) {}

  Variable answers(OnError on_error = OnError::keep) const {
    const json args = example.value("args", json::object());
    const Variable reply = chat_completion(model, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}},
                                           {.args = Json(args), .on_error = on_error, .role = "answer"});
    return map(reply, parsed, {}, on_error);
  }

  json example;
  std::shared_ptr<lm::Stub> model;
  Variable prompt{"Answer.", "prompt", true};
  Variable mails{Texts{"a", "bad", "c"}, "mails", true};
};

}  // namespace

TEST_CASE("An item with a problem goes on beside the others, as what came, with its problem", "[cognitive][problem]") {
  for (const json& example : test::table("cognitive/problems.json")) {
    INFO(example["name"]);
    const Scene scene(example);
    const Variable answers = scene.answers();

    // Forward, and through map.
    CHECK(answers.texts() == Texts{"parsed re: a", example["came"], "parsed re: c"});
    const std::optional<Problem> problem = answers.problem(1);
    REQUIRE(problem);
    CHECK(to_string(problem->kind) == example["kind"].get<std::string>());
    CHECK_THAT(problem->text, ContainsSubstring(example["says"].get<std::string>()));
    CHECK(problem->is_failure == example.value("is_failure", true));
    CHECK(problem->cause.empty() == (example.value("from_parser", false) || !problem->is_failure));
    CHECK_FALSE(answers.problem(0));
    CHECK(answers.problems() == std::map<std::size_t, Problem>{{1, *problem}});

    // Selections, sums, splits, casts and what users add.
    CHECK(answers[1].problem() == problem);
    CHECK_FALSE(answers[2].problem());
    CHECK((answers + Variable("!")).problem(1) == problem);
    CHECK((answers + Variable("!")).texts()[2] == "parsed re: c!");
    CHECK(sum({answers[0], answers[1]}).problem() == problem);
    CHECK(split(answers)[0].problem(1) == problem);
    CHECK(answers.detach().problem(1) == problem);
    int calls = 0;
    const autograd::ItemFunction length{.name = "Length",
                                        .forward = [&](std::span<const Data> items) -> Data {
                                          ++calls;
                                          return static_cast<int>(items[0].text().size());
                                        },
                                        .backward = [](auto, const Data&, const std::string& said) { return Texts{said}; }};
    const Variable lengths = autograd::apply(length, {answers[1]});
    CHECK(lengths.problem() == problem);
    CHECK(calls == 0);

    // A next stage is not asked about it.
    const auto next = std::make_shared<lm::Stub>();
    next->otherwise("fine");
    const Variable second = chat_completion(next, {{"user", {"{it}"}}}, {{"it", answers}});
    CHECK(second.texts() == Texts{"fine", "", "fine"});
    CHECK(second.problem(1) == problem);
    CHECK(next->calls() == 2);

    // Data that is set has no problems.
    Variable mended = answers;
    mended.set_data(Texts{"x", "y", "z"});
    CHECK(mended.problems().empty());
  }
}

TEST_CASE("An item with a problem fails the call where that is asked for, unless the caller's own limit has cut it",
          "[cognitive][problem]") {
  for (const json& example : test::table("cognitive/problems.json")) {
    INFO(example["name"]);
    const Scene scene(example);
    const Variable answers = scene.answers(OnError::fail);
    if (example.value("is_failure", true)) {
      CHECK_THROWS_WITH(answers.data(), ContainsSubstring("item 1 of 3"));
    } else {
      CHECK(answers.problem(1)->kind == Problem::Kind::cut);
    }
  }
}

TEST_CASE("What is the endpoint's fault is no item's problem, also where an answer tells of it", "[cognitive][problem]") {
  for (const char* kind : {"malformed", "transport", "status"}) {
    INFO(kind);
    const Scene scene({{"error", kind}});
    CHECK_THROWS_AS(scene.answers(OnError::keep).data(), LMError);
  }
}

TEST_CASE("An item with a problem scores worst, and its feedback says what was wrong", "[cognitive][problem]") {
  for (const json& example : test::table("cognitive/problems.json")) {
    INFO(example["name"]);
    const Scene scene(example);
    const Variable answers = scene.answers();
    const std::string says = example["says"];

    const auto [score, explanation] =
        exact_match_evaluator(answers, Texts{"parsed re: a", example["came"], "x"}, {.reduction = Reduction::none});
    CHECK(score.data() == Data(std::vector<int>{1, 0, 0}));
    CHECK(score.problem(1) == answers.problem(1));
    CHECK_THAT(explanation.texts()[1], ContainsSubstring(says));
    CHECK(exact_match_evaluator(answers, "x").score.problems().size() == 1);
    CHECK_THAT(exact_match_evaluator(answers, "x").explanation.text(), ContainsSubstring("1 could not be scored"));

    int calls = 0;
    const auto distance = [&](const Data&, const Data&) {
      ++calls;
      return 3.0;
    };
    const EvaluatorOptions lower{.reduction = Reduction::none, .higher_is_better = false, .worst_score = 99};
    CHECK(deterministic_evaluator(answers[1], "x", distance, "the distance", lower).score.data() == Data(99));
    CHECK(calls == 0);

    const auto judge = std::make_shared<lm::Stub>();
    judge->otherwise(R"({"score": 5, "explanation": "good"})");
    const Evaluation judged = lm_judge_evaluator(judge, {{"user", {"{prediction}"}}}, answers, {}, {},
                                                 {.evaluator = {.reduction = Reduction::none}, .best_score = 5});
    CHECK(judged.score.data().as_reals() == std::vector<double>{5, 0, 5});
    CHECK(judged.score.problem(1) == answers.problem(1));
    CHECK(judge->calls() == 2);

    // Backward: through the parser to the model's critic, who sees what came and what was wrong with it.
    const auto critical = critic();
    explanation.backward({.model = critical});
    REQUIRE(scene.prompt.grad().size() == 1);
    const std::string seen = all_text(*critical);
    CHECK_THAT(seen, ContainsSubstring(says));
    CHECK_THAT(seen, ContainsSubstring("worst score"));
    if (!example.value("from_parser", false)) {
      const std::string came = example["came"];
      CHECK_THAT(seen, ContainsSubstring(came.empty() ? "[There is none: " : came + "\n["));
    }
    // What a filter withheld would be withheld from the critic, too.
    const bool shows_mail = seen.find("\nbad\n") != std::string::npos;
    CHECK(shows_mail != example.value("withheld", false));
  }
}

TEST_CASE("Feedback to what could not be done for want of an input goes to that input", "[cognitive][problem]") {
  const auto first = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.messages.back().content == "bad") throw LMError(LMError::Kind::refused, "no");
    return "facts";
  });
  const auto second = std::make_shared<lm::Stub>();
  second->otherwise("reply");
  const Variable plan("Find facts.", "plan", true);
  const Variable style("Be kind.", "style", true);
  const Variable facts = chat_completion(first, {{"system", {plan}}, {"user", {"{mail}"}}}, {{"mail", Texts{"good", "bad"}}},
                                         {.on_error = OnError::keep, .role = "facts"});
  const auto end_to_end = [&](const Variable& result) {
    const auto critical = critic();
    result.backward(Variable(Texts{"", "nothing to see"}), {.model = critical});
    REQUIRE(critical->calls() == 1);  // none for the second step, which was not taken
    CHECK_THAT(all_text(*critical), ContainsSubstring("Find facts.") && ContainsSubstring("nothing to see"));
    REQUIRE(plan.grad().size() == 1);
    CHECK(plan.grad()[0].text() == "be brief");
  };
  SECTION("a chat completion") {
    end_to_end(chat_completion(second, {{"system", {style}}, {"user", {"{facts}"}}}, {{"facts", facts}}));
    REQUIRE(style.grad().size() == 1);
    CHECK(style.grad()[0].text().empty());
  }
  SECTION("a black box") {
    end_to_end(black_box([](std::span<const Data> items) { return items[0]; }, "shows the facts", {facts}));
  }
  SECTION("a function of the user's") {
    end_to_end(autograd::apply({.name = "Shown",
                                .forward = [](std::span<const Data> items) { return items[0]; },
                                .backward = [](auto, const Data&, const std::string&) { return Texts{"not to be asked"}; }},
                               {facts}));
  }
}

TEST_CASE("A judge that gives no verdict on an item makes it a problem where that is asked for, and says nothing about it",
          "[cognitive][problem]") {
  const auto judge = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.messages.back().content == "b") throw LMError(LMError::Kind::filtered, "no");
    return R"({"score": 0, "explanation": "poor"})";
  });
  const Variable prediction(Texts{"a", "b"}, "prediction", true);
  JudgeOptions options{.evaluator = {.reduction = Reduction::none}};
  const Messages messages{{"user", {"{prediction}"}}};
  CHECK_THROWS_AS(lm_judge_evaluator(judge, messages, prediction, {}, {}, options).score.data(), LMError);

  options.evaluator.on_error = OnError::keep;
  const auto [score, explanation] = lm_judge_evaluator(judge, messages, prediction, {}, {}, options);
  CHECK(score.data().as_reals() == std::vector<double>{0, 0});
  REQUIRE(score.problem(1));
  CHECK(score.problem(1)->kind == Problem::Kind::filtered);
  explanation.backward();
  CHECK_THAT(prediction.grad().at(0).texts()[0], ContainsSubstring("poor"));
  CHECK(prediction.grad().at(0).texts()[1].empty());
}

TEST_CASE("Among numbers 0 stands for an item with a problem", "[cognitive][problem]") {
  const Variable texts(Texts{"4", "four"}, "texts");
  const auto number = [](const Data& text) -> Data {
    if (text.text() == "four") throw ParseError("no number");
    return text.to<std::int64_t>();
  };
  const Variable numbers = map(texts, number, {}, OnError::keep);
  CHECK(numbers.data() == Data(std::vector<int>{4, 0}));
  CHECK(numbers.problem(1));
  CHECK(numbers[1].text() == "four");
  CHECK_THROWS_AS(map(texts, number).data(), ParseError);
}
