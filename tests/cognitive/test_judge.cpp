#include <fstream>

#include <tgd/anomaly.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cognitive/judge_reply.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;

namespace {

std::string verdict(double score, const std::string& explanation) {
  return Json{{"score", score}, {"explanation", explanation}}.dump();
}

const Messages judge_messages{{"system", {"You judge."}}, {"user", {"{prediction} against {target}"}}};

}  // namespace

TEST_CASE("A verdict is read from what judges write", "[concurrent]") {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/cognitive/verdicts.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  REQUIRE(cases.size() >= 30);
  for (const auto& example : cases) {
    const std::string reply = example.at("reply");
    CAPTURE(reply);
    const auto read = detail::read_verdict(reply);
    if (example.contains("problem")) {
      REQUIRE(std::holds_alternative<std::string>(read));
      CHECK(std::get<std::string>(read) == example.at("problem").get<std::string>());
    } else {
      REQUIRE(std::holds_alternative<detail::Verdict>(read));
      CHECK(std::get<detail::Verdict>(read).score == example.at("score").get<double>());
      CHECK(std::get<detail::Verdict>(read).explanation == example.at("explanation").get<std::string>());
    }
  }
}

TEST_CASE("A reply full of brackets is read to its end in linear time") {
  const std::string braces(50'000, '{');
  CHECK(std::holds_alternative<std::string>(detail::read_verdict(braces)));
  CHECK(std::holds_alternative<std::string>(detail::read_verdict(braces + std::string(50'000, '}'))));
  CHECK(std::holds_alternative<std::string>(detail::read_verdict(std::string(100'000, '['))));
  const auto read = detail::read_verdict(braces + R"({"score": 1, "explanation": "late"})");
  REQUIRE(std::holds_alternative<detail::Verdict>(read));
  CHECK(std::get<detail::Verdict>(read).explanation == "late");
}

TEST_CASE("A verdict nested so deeply that writing it back would overflow the stack is none") {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  CHECK(std::holds_alternative<std::string>(detail::read_verdict(R"({"score": 1, "explanation": )" + deep + "}")));
}

TEST_CASE("lm_judge_evaluator scores items and feeds back the judge's explanations") {
  const auto judge = std::make_shared<lm::Stub>();
  judge->when("good against", verdict(1, "fits")).when("bad against", verdict(0.25, "too curt"));
  const Variable prediction(Data(std::vector<std::string>{"good", "bad"}), "summary", true);
  const auto [score, explanation] = lm_judge_evaluator(judge, judge_messages, prediction, "the facts");
  CHECK(score.data() == Data(1.25));
  CHECK(score.role() == "Evaluation result score of summary");
  CHECK(score.grad_fn() == explanation.grad_fn());
  CHECK(score.grad_fn()->name() == "LMJudgeEvaluatorBackward");
  REQUIRE(judge->calls() == 2);
  CHECK(judge->requests()[0].messages[1].content == "good against the facts");
  CHECK(judge->requests()[0].info.purpose == "judge");

  explanation.backward();
  CHECK(prediction.grad().at(0).texts() ==
        std::vector<std::string>{"", "The summary was judged, with a score of 0.25. The judge explains: too curt"});
  CHECK(judge->calls() == 2);
}

TEST_CASE("The score that needs no feedback can be given") {
  const auto judge = lm::Stub::answering([](const lm::Request&) { return verdict(4, "nearly"); });
  const Variable prediction("text", "essay", true);
  JudgeOptions options;
  SECTION("best_score reached") {
    options.best_score = 4;
    lm_judge_evaluator(judge, judge_messages, prediction, "t", {}, options).score.backward();
    CHECK(prediction.grad().at(0).text().empty());
  }
  SECTION("best_score missed") {
    options.best_score = 5;
    lm_judge_evaluator(judge, judge_messages, prediction, "t", {}, options).score.backward();
    CHECK_THAT(prediction.grad().at(0).text(), EndsWith("nearly"));
  }
  SECTION("lower is better") {
    options.evaluator.higher_is_better = false;
    options.best_score = 4;
    lm_judge_evaluator(judge, judge_messages, prediction, "t", {}, options).score.backward();
    CHECK(prediction.grad().at(0).text().empty());
  }
}

TEST_CASE("A judge that cannot be read is asked again, a bounded number of times") {
  const Variable prediction("text", "essay", true);
  std::vector<Notice> notices;
  JudgeOptions options;
  options.evaluator.feedback.on_notice = [&](const Notice& notice) { notices.push_back(notice); };
  SECTION("and then read") {
    const auto judge = lm::Stub::scripted({"seven", "{\"score\": 1}", verdict(1, "at last")});
    const Evaluation result = lm_judge_evaluator(judge, judge_messages, prediction, "t", {}, options);
    CHECK(result.explanation.text() == "at last");
    const auto requests = judge->requests();
    REQUIRE(requests.size() == 3);
    REQUIRE(requests[2].messages.size() == 6);
    CHECK(requests[2].messages[2] == lm::Message{"assistant", "seven"});
    CHECK_THAT(requests[2].messages[3].content, ContainsSubstring("It holds no JSON object."));
    CHECK_THAT(requests[2].messages[5].content, ContainsSubstring("has no \"explanation\"."));
    CHECK(notices.size() == 2);
  }
  SECTION("or given up") {
    const auto judge = lm::Stub::answering([](const lm::Request&) { return "seven"; });
    const Evaluation result = lm_judge_evaluator(judge, judge_messages, prediction, "t", {}, options);
    CHECK_THROWS_AS(result.score.data(), LMError);
    CHECK_THROWS_WITH(result.score.data(), ContainsSubstring("no usable reply in 3 requests"));
    CHECK(judge->calls() == 3);
  }
}

TEST_CASE("With eval_mode off the judge itself gets the feedback") {
  const auto judge = lm::Stub::answering([](const lm::Request&) { return verdict(0.5, "hm"); });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "judge more strictly"; });
  const Variable instructions("You judge {prediction}.", "instructions of a judge", true);
  const Variable prediction(Data(std::vector<std::string>{"a", "b"}), "essay");
  JudgeOptions options;
  options.eval_mode = false;
  options.evaluator.reduction = Reduction::none;
  const Evaluation verdicts = lm_judge_evaluator(judge, {{"user", {instructions}}}, prediction, std::nullopt, {}, options);
  CHECK(verdicts.score.data() == Data(std::vector<double>{0.5, 0.5}));
  CHECK_THROWS_AS(verdicts.score.backward(), GraphError);

  const Evaluation against_people = exact_match_evaluator(verdicts.score, Variable(std::vector<double>{0.0, 0.5}));
  against_people.score.backward({.model = critic});
  REQUIRE(instructions.grad().size() == 1);
  CHECK(instructions.grad()[0].text() == "judge more strictly");
  REQUIRE(critic->calls() == 1);
  CHECK_THAT(critic->requests()[0].messages[1].content, ContainsSubstring("<EXPECTED>\n0\n</EXPECTED>"));
}

TEST_CASE("Feedback can be worded by the backward model") {
  const auto critic = lm::Stub::answering([](const lm::Request& request) {
    return request.messages[1].content.find("<ACTUAL>\nbad") != std::string::npos ? "be good" : "unexpected";
  });
  const Variable prediction(Data(std::vector<std::string>{"good", "bad", "good"}), "mood", true);
  EvaluatorOptions options;
  options.critique = Critique::lm;
  exact_match_evaluator(prediction, "good", options).score.backward({.model = critic});
  CHECK(prediction.grad().at(0).texts() == std::vector<std::string>{"", "be good", ""});
  CHECK(critic->calls() == 1);
}

TEST_CASE("Anomaly mode reports a verdict that cannot be read, with the place of the call") {
  const auto judge = lm::Stub::scripted({"It is good.", verdict(1, "fits")});
  std::vector<Notice> notices;
  const AnomalyGuard guard([&](const Notice& notice) { notices.push_back(notice); });
  const int line = __LINE__ + 1;
  const auto [score, explanation] = lm_judge_evaluator(judge, judge_messages, Variable("good", "summary", true), "the facts");
  CHECK(score.data() == Data(1.0));
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::unparsable_feedback);
  CHECK(notices[0].place == "test_judge.cpp:" + std::to_string(line));
}

TEST_CASE("A long unreadable verdict is shortened before it is sent back") {
  const std::string prose(100'000, 'x');
  const auto judge = lm::Stub::scripted({prose, verdict(1, "fits")});
  JudgeOptions options;
  options.evaluator.feedback.context_budget = 8'000;
  CHECK(lm_judge_evaluator(judge, judge_messages, Variable("good"), "the facts", {}, options).score.data() == Data(1.0));
  CHECK(judge->requests()[1].messages[2].content.size() <= 2'000);
  CHECK_THAT(judge->requests()[1].messages[2].content, ContainsSubstring("left out here"));
}

TEST_CASE("A judge's feedback with eval_mode off goes to its messages and inputs, and not to what is judged") {
  const auto student = lm::Stub::answering([](const lm::Request&) { return "an essay"; });
  const auto judge = lm::Stub::answering([](const lm::Request&) { return verdict(0.5, "hm"); });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "judge more strictly"; });
  const Variable prompt("Write.", "prompt", true);
  const Variable wanted("an answer", "target", true);
  const Variable rule("Be fair.", "rule", true);
  const Variable instructions("Judge {prediction} against {target}. {rule}", "instructions of a judge", true);
  const Variable essay = chat_completion(student, {{"user", {prompt}}});
  JudgeOptions options;
  options.eval_mode = false;
  const Evaluation verdicts = lm_judge_evaluator(judge, {{"user", {instructions}}}, essay, wanted, {{"rule", rule}}, options);
  exact_match_evaluator(verdicts.score, Variable(0.0)).score.backward({.model = critic});
  CHECK(instructions.grad().size() == 1);
  CHECK(rule.grad().size() == 1);
  CHECK(prompt.grad().empty());
  CHECK(wanted.grad().empty());
}

TEST_CASE("An item of a batch has a history, and its feedback goes to that item") {
  const auto student = lm::Stub::answering([](const lm::Request& request) { return "to " + request.messages[0].content; });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "better"; });
  const Variable prompt("p", "prompt", true);
  Variable replies =
      chat_completion(student, {{"user", {prompt, Variable(std::vector<std::string>{"q", "r", "s"})}}}, {}, {.role = "reply"});
  replies.retain_grad();
  const Variable second = replies[1];
  CHECK(second.requires_grad());
  CHECK(second.role() == "item 1 of reply");
  CHECK_FALSE(second.is_batch());
  CHECK(second.text() == "to p\nr");
  CHECK_THROWS_AS(replies[3], ValueError);

  SECTION("one critique for the one item with feedback") {
    exact_match_evaluator(second, "b").score.backward({.model = critic});
    CHECK(critic->calls() == 1);
    CHECK(prompt.grad().size() == 1);
    REQUIRE(replies.grad().size() == 1);
    CHECK(replies.grad()[0].texts()[0].empty());
    CHECK_FALSE(replies.grad()[0].texts()[1].empty());
    CHECK(replies.grad()[0].texts()[2].empty());
  }
  SECTION("none when it is as it should be") {
    exact_match_evaluator(second, second.text()).score.backward({.model = critic});
    CHECK(critic->calls() == 0);
    REQUIRE(prompt.grad().size() == 1);
    CHECK(prompt.grad()[0].text().empty());
  }
}
