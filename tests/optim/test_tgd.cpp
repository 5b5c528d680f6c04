#include <tgd/optim.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "optim/improving.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using tgd::Evaluation;
using tgd::LMError;
using tgd::TypeError;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Boldness;
using tgd::optim::Constraint;
using tgd::optim::MomentumBuffer;
using tgd::optim::ParameterUpdate;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::test::improving;
using tgd::test::parameter;
using tgd::test::step;
using tgd::test::tagged;

using Outcome = ParameterUpdate::Outcome;
using Texts = std::vector<std::string>;

namespace {

std::string user_message(const Request& request) { return request.messages.at(1).content; }

std::vector<Outcome> outcomes(const TGD& optimizer) {
  std::vector<Outcome> outcomes;
  for (const ParameterUpdate& update : optimizer.last_updates()) outcomes.push_back(update.outcome);
  return outcomes;
}

}  // namespace

TEST_CASE("An optimizer needs parameters, each once, and a model", "[optim][tgd]") {
  const auto model = improving();
  const TGDOptions options{.model = model};
  const Variable a = parameter("a");
  const Variable b = parameter("b");
  const Variable frozen("x", "frozen");

  CHECK(TGD({a, b}, options).parameters().size() == 2);
  CHECK_THROWS_AS(TGD(std::vector<Variable>{}, options), ValueError);
  CHECK_THROWS_AS(TGD(std::vector<TGD::Group>{}, options), ValueError);
  CHECK_THROWS_AS(TGD(std::vector<TGD::Group>{{{a}}, {{}}}, options), ValueError);
  CHECK_THROWS_AS(TGD({a, b, a}, options), ValueError);
  CHECK_THROWS_AS(TGD(std::vector<TGD::Group>{{{a}}, {{b, a}}}, options), ValueError);
  CHECK_THROWS_AS(TGD({a, frozen, frozen}, options), ValueError);
  CHECK_THROWS_AS(TGD({frozen}, options), ValueError);
  CHECK_THROWS_WITH(TGD(std::vector<TGD::Group>{{{frozen}}}, options), ContainsSubstring("requires grad"));
  CHECK_THROWS_WITH(TGD({a, a}, options), ContainsSubstring("\"a\""));
  CHECK_THROWS_AS(TGD({a}, {}), ValueError);
  CHECK_THROWS_AS(TGD({Variable(1, "number", true)}, options), TypeError);
  CHECK_THROWS_AS(TGD({Variable(Texts{"a"}, "list", true)}, options), TypeError);

  SECTION("those that do not require grad are left out") {
    const TGD optimizer({frozen, a}, options);
    REQUIRE(optimizer.parameters().size() == 1);
    CHECK(is_same(optimizer.parameters()[0], a));
  }
  SECTION("a meta-prompt that cannot work is refused") {
    const auto with = [&](tgd::Messages messages, tgd::Inputs inputs = {}) {
      TGDOptions changed{.model = model};
      changed.messages = std::move(messages);
      changed.inputs = std::move(inputs);
      return TGD({a}, changed);
    };
    CHECK_NOTHROW(with({{"user", {"{value} {feedback}"}}}));
    CHECK_THROWS_AS(with({{"user", {"{feedback}"}}}), ValueError);
    CHECK_THROWS_AS(with({{"user", {"{value}"}}}), ValueError);
    CHECK_THROWS_AS(with({{"user", {"{value} {feedback}"}}}, {{"style", "brief"}}), ValueError);
    CHECK_THROWS_AS(with({{"user", {"{value} {feedback} {style}"}}}, {{"style", Texts{"brief"}}}), ValueError);
    CHECK_THROWS_AS(with({{"user", {"{value} {feedback}"}}}, {{"value", "mine"}}), ValueError);
    CHECK_THROWS_AS(with({{"user", {"{value} {feedback} {x}"}}}, {{"x", "1"}, {"x", "2"}}), ValueError);
  }
}

TEST_CASE("Groups have options of their own over the defaults, and can be added", "[optim][tgd][concurrent]") {
  const auto first_model = improving();
  const auto second_model = improving();
  const Variable a = parameter("a", {"no"});
  const Variable b = parameter("b", {"no"});
  const Variable c = parameter("c", {"no"});
  TGD optimizer(std::vector<TGD::Group>{{{a}}, {{b}, {.model = second_model}}}, {.model = first_model});
  CHECK_THROWS_AS(optimizer.add_param_group({{a}}), ValueError);
  CHECK_THROWS_AS(optimizer.add_param_group({{}}), ValueError);
  CHECK_THROWS_AS(optimizer.add_param_group({{c}, {.model = nullptr}}), ValueError);
  CHECK(optimizer.parameters().size() == 2);
  optimizer.add_param_group({{c}});
  optimizer.step();
  CHECK(first_model->calls() == 2);
  CHECK(second_model->calls() == 1);
  CHECK(optimizer.last_updates().size() == 3);
  CHECK(is_same(optimizer.last_updates()[2].parameter, c));
}

TEST_CASE("An option that a group leaves out is the default's", "[optim][tgd]") {
  const auto model = improving();
  const Variable a = parameter("a");
  const Variable b = parameter("b");
  const Variable c = parameter("c");
  TGD optimizer({a}, {.model = model, .constraints = {"Be brief."}, .momentum = 2, .boldness = Boldness::bold, .rejected = 1});
  optimizer.add_param_group({{b}, {.momentum = 0}});
  optimizer.add_param_group(
      {{c}, {.constraints = std::vector<Constraint>{}, .boldness = std::optional<Boldness>(), .siblings = 0}});

  CHECK(optimizer.options(b).momentum == 0);
  CHECK(optimizer.options(b).constraints.size() == 1);
  CHECK(optimizer.options(b).boldness == Boldness::bold);
  CHECK(optimizer.options(b).model == model);
  CHECK(optimizer.options(c).momentum == 2);
  CHECK(optimizer.options(c).constraints.empty());
  CHECK(optimizer.options(c).boldness == std::nullopt);
  CHECK(optimizer.options(c).siblings == 0);
  CHECK(optimizer.options(c).rejected == 1);
  CHECK(optimizer.defaults().momentum == 2);
  CHECK(optimizer.defaults().boldness == Boldness::bold);

  step(optimizer, "no");
  CHECK(optimizer.momentum_buffer(a).size() == 1);
  CHECK(optimizer.momentum_buffer(b).empty());
}

TEST_CASE("Groups can be read and changed while training", "[optim][tgd]") {
  const auto model = improving();
  const Variable a = parameter("a");
  const Variable b = parameter("b");
  TGD optimizer(std::vector<TGD::Group>{{{a}}, {{b}, {.momentum = 1}}}, {.model = model, .momentum = 3, .siblings = 0});
  const auto groups = optimizer.param_groups();
  REQUIRE(groups.size() == 2);
  CHECK(is_same(groups[1].params.at(0), b));
  CHECK(groups[1].options.momentum == 1);
  const auto request_about_a = [&] {
    step(optimizer, "no");
    const auto requests = model->requests();
    return requests[requests.size() - 2].messages.back().content;
  };

  for (int i = 0; i < 3; ++i) request_about_a();
  CHECK(optimizer.momentum_buffer(a).size() == 3);
  SECTION("a lower momentum shows and keeps less, from the next step on") {
    for (auto& group : optimizer.param_groups()) group.options.momentum = 1;
    const std::string shown = request_about_a();
    CHECK_THAT(shown, !ContainsSubstring("old a") && ContainsSubstring("a v3"));
    CHECK(optimizer.momentum_buffer(a).size() == 1);
    CHECK(optimizer.momentum_buffer(b).size() == 1);
  }
  SECTION("none shows nothing") {
    optimizer.param_groups()[0].options.momentum = 0;
    CHECK_THAT(request_about_a(), !ContainsSubstring("old a") && !ContainsSubstring("a v3"));
    CHECK(optimizer.momentum_buffer(a).empty());
  }
  SECTION("boldness") {
    const std::string before = request_about_a();
    optimizer.param_groups()[0].options.boldness = Boldness::conservative;
    const std::string text = tgd::Prompts().render("tgd_boldness_conservative", {});
    CHECK_THAT(before, !ContainsSubstring(text));
    CHECK_THAT(request_about_a(), ContainsSubstring(text));
  }
  SECTION("what cannot work is refused before anything is sent") {
    optimizer.param_groups()[1].options.max_length_ratio = -1;
    const std::size_t calls = model->calls();
    CHECK_THROWS_AS(step(optimizer, "no"), ValueError);
    CHECK(model->calls() == calls);
  }
}

TEST_CASE("An optimizer prints its class and the options of each group, one a line", "[optim][tgd]") {
  const auto model = improving();
  TGD optimizer(std::vector<TGD::Group>{{{parameter("a")}}, {{parameter("b")}, {.momentum = 5, .examples = Texts{"one\ntwo"}}}},
                {.model = model, .completion_args = {{"temperature", 0.5}}, .boldness = Boldness::bold});
  const std::string text = to_string(optimizer);
  CHECK_THAT(text, StartsWith("TGD (\nParameter Group 0\n    answer_tag: \"IMPROVED_VALUE\"\n    boldness: \"bold\"\n") &&
                       EndsWith("\n)"));
  CHECK_THAT(text, ContainsSubstring("\nParameter Group 1\n    answer_tag") &&
                       ContainsSubstring("\n    completion_args: {\"temperature\":0.5}\n") &&
                       ContainsSubstring("\n    direction: null\n") && ContainsSubstring("\n    model: Stub (stub)\n"));
  const std::size_t second = text.find("Parameter Group 1");
  CHECK_THAT(text.substr(0, second), ContainsSubstring("\n    momentum: 0\n") && ContainsSubstring("\n    examples: []\n"));
  CHECK_THAT(text.substr(second),
             ContainsSubstring("\n    momentum: 5\n") && ContainsSubstring("\n    examples: [\"one\\ntwo\"]\n"));
  CHECK(fmt::format("{}", optimizer) == text);
  std::ostringstream out;
  out << static_cast<const tgd::optim::Optimizer&>(optimizer);
  CHECK(out.str() == text);
}

TEST_CASE("A step rewrites the parameters that have feedback and leaves the gradients alone", "[optim][tgd]") {
  const auto model = improving();
  const Variable a = parameter("a", {"too long"});
  const Variable untouched = parameter("untouched");
  const Variable fine = parameter("fine", {"", ""});
  TGD optimizer({a, untouched, fine}, {.model = model, .completion_args = {{"temperature", 1}}});
  CHECK_FALSE(optimizer.step());

  CHECK(a.text() == "a v1");
  CHECK(untouched.text() == "old untouched");
  CHECK(fine.text() == "old fine");
  CHECK(a.grad().size() == 1);
  CHECK(outcomes(optimizer) == std::vector<Outcome>{Outcome::updated, Outcome::no_feedback, Outcome::no_feedback});
  const ParameterUpdate& update = optimizer.last_updates()[0];
  CHECK(update.old_value == "old a");
  CHECK(update.new_value == "a v1");
  CHECK(update.requests == 1);
  CHECK(optimizer.last_updates()[1].new_value == "old untouched");

  REQUIRE(model->calls() == 1);
  const Request request = model->requests()[0];
  CHECK(request.args.dump() == R"({"temperature":1})");
  CHECK(request.info.purpose == "optimize");
  REQUIRE(request.messages.size() == 2);
  CHECK(request.messages[0].role == "system");
  CHECK_THAT(user_message(request), ContainsSubstring("has this role: a") && ContainsSubstring("<VALUE>\nold a\n</VALUE>") &&
                                        ContainsSubstring("<FEEDBACK>\ntoo long\n</FEEDBACK>"));

  optimizer.clear_grad();
  CHECK(a.grad().empty());
  optimizer.step();
  CHECK(model->calls() == 1);
  CHECK(a.text() == "a v1");
}

TEST_CASE("Only feedback that says something is shown, and all of it", "[optim][tgd]") {
  const auto model = improving();
  Variable a = parameter("a", {"first", "", "third"});
  a.append_grad(Variable(Texts{"", "of a list", "another"}));
  TGD({a}, {.model = model}).step();
  const std::string asked = user_message(model->requests().at(0));
  CHECK_THAT(asked, ContainsSubstring("first") && ContainsSubstring("third") &&
                        ContainsSubstring("<ITEM>of a list</ITEM><ITEM>another</ITEM>"));
  CHECK_THAT(asked, !ContainsSubstring("<FEEDBACK>\n</FEEDBACK>"));

  Variable only_list = parameter("only list");
  only_list.append_grad(Variable(Texts{"", "second"}));
  TGD({only_list}, {.model = model}).step();
  CHECK(model->calls() == 2);
}

TEST_CASE("The closure runs once, before anything else, and its result is returned", "[optim][tgd]") {
  const auto model = improving();
  Variable a = parameter("a");
  TGD optimizer({a}, {.model = model});
  int runs = 0;
  const auto result = optimizer.step([&]() -> Evaluation {
    ++runs;
    a.append_grad("from the closure");
    return {Variable(1, "score"), Variable("fine", "explanation")};
  });
  CHECK(runs == 1);
  REQUIRE(result);
  CHECK(result->score.data() == tgd::Data(1));
  CHECK(result->explanation.text() == "fine");
  CHECK(a.text() == "a v1");

  CHECK_THROWS_WITH(optimizer.step([]() -> Evaluation { throw std::runtime_error("broken"); }), "broken");
  CHECK(a.text() == "a v1");
  CHECK(model->calls() == 1);
}

TEST_CASE("All parameters are rewritten at once", "[optim][tgd]") {
  const auto model = improving();
  model->latency(std::chrono::milliseconds(50));
  std::vector<Variable> parameters;
  for (int i = 0; i < 10; ++i) parameters.push_back(parameter(std::to_string(i), {"no"}));
  TGD({parameters}, {.model = model}).step();
  CHECK(model->max_in_flight() == 10);
}

TEST_CASE("A step changes all parameters or none", "[optim][tgd]") {
  bool failing = true;
  const auto model = Stub::answering([&](const Request& request) -> std::string {
    if (failing && request.info.parameter == "b") throw LMError(LMError::Kind::status, "overloaded", 503, true);
    return tagged("new " + request.info.parameter);
  });
  model->shuffled(GENERATE(1U, 2U, 3U));
  const Variable a = parameter("a", {"no"});
  const Variable b = parameter("b", {"no"});
  const Variable c = parameter("c", {"no"});
  TGD optimizer({a, b, c}, {.model = model, .momentum = 2});
  const tgd::Json before = optimizer.state_dict();
  try {
    optimizer.step();
    FAIL("the step succeeded");
  } catch (const LMError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("\"b\"") && ContainsSubstring("overloaded"));
    CHECK(error.status() == 503);
    CHECK(error.retryable());
  }
  CHECK(a.text() == "old a");
  CHECK(b.text() == "old b");
  CHECK(c.text() == "old c");
  for (const Variable& parameter : {a, b, c}) {
    CHECK(optimizer.momentum_buffer(parameter).empty());
    CHECK(parameter.grad().size() == 1);
  }
  CHECK(optimizer.last_updates().empty());
  CHECK(optimizer.state_dict().value().at("state") == before.value().at("state"));

  failing = false;
  optimizer.step();
  CHECK(b.text() == "new b");
  CHECK(optimizer.momentum_buffer(b).size() == 1);
}

TEST_CASE("An exception in a check fails the step and changes nothing", "[optim][tgd]") {
  const Variable a = parameter("a", {"no"});
  const Variable b = parameter("b", {"no"});
  const Constraint broken("rule", [](const std::string& value) -> std::optional<std::string> {
    if (value.starts_with("b")) throw std::runtime_error("broken");
    return std::nullopt;
  });
  TGD optimizer({a, b}, {.model = improving(), .constraints = {broken}});
  CHECK_THROWS_WITH(optimizer.step(), ContainsSubstring("\"b\"") && ContainsSubstring("broken"));
  CHECK(a.text() == "old a");
}

TEST_CASE("The momentum buffer holds the last values with their feedback, and the next prompt shows it", "[optim][tgd]") {
  const auto model = improving();
  Variable a = parameter("a");
  TGD optimizer({a}, {.model = model, .momentum = 2});
  const auto step = [&](const Texts& feedback) {
    a.clear_grad();
    for (const std::string& text : feedback) a.append_grad(Variable(text));
    optimizer.step();
  };
  step({"feedback 1", ""});
  CHECK_THAT(user_message(model->requests()[0]), !ContainsSubstring("EARLIER_VERSIONS"));
  REQUIRE(optimizer.momentum_buffer(a).size() == 1);
  CHECK(optimizer.momentum_buffer(a)[0].value.text() == "old a");
  REQUIRE(optimizer.momentum_buffer(a)[0].gradients.size() == 1);
  CHECK(optimizer.momentum_buffer(a)[0].gradients[0].text() == "feedback 1");

  step({"feedback 2"});
  CHECK_THAT(user_message(model->requests()[1]),
             ContainsSubstring("<PAST_VALUE>\nold a\n</PAST_VALUE>\n<PAST_FEEDBACK>\nfeedback 1\n"));
  step({"feedback 3", "more"});
  const std::string third = user_message(model->requests()[2]);
  CHECK(third.find("old a") < third.find("feedback 1"));
  CHECK(third.find("feedback 1") < third.find("<PAST_VALUE>\na v1"));
  CHECK(third.find("<PAST_VALUE>\na v1") < third.find("feedback 2"));

  REQUIRE(optimizer.momentum_buffer(a).size() == 2);
  CHECK(optimizer.momentum_buffer(a)[0].value.text() == "a v1");
  CHECK(optimizer.momentum_buffer(a)[1].value.text() == "a v2");
  CHECK(optimizer.momentum_buffer(a)[1].gradients.size() == 2);
  step({"feedback 4"});
  CHECK_THAT(user_message(model->requests()[3]), !ContainsSubstring("old a") && ContainsSubstring("<PAST_VALUE>\na v2"));
  CHECK_THROWS_AS(optimizer.momentum_buffer(parameter("stranger")), ValueError);
}

TEST_CASE("Only updates that changed something enter the momentum buffer", "[optim][tgd]") {
  const std::string reply = GENERATE(std::string("no tags"), tagged("old a"), tagged(" old a\n"));
  const auto model = Stub::answering([&](const Request&) { return reply; });
  const Variable a = parameter("a", {"no"});
  const Variable without = parameter("without");
  TGD optimizer({a, without}, {.model = model, .momentum = 3});
  optimizer.step();
  CHECK(a.text() == "old a");
  CHECK(optimizer.momentum_buffer(a).empty());
  CHECK(optimizer.momentum_buffer(without).empty());
  CHECK(outcomes(optimizer)[0] == (reply == "no tags" ? Outcome::kept : Outcome::unchanged));
}

TEST_CASE("Without momentum there is no buffer", "[optim][tgd]") {
  const Variable a = parameter("a", {"no"});
  TGD optimizer({a}, {.model = improving()});
  optimizer.step();
  CHECK(a.text() == "a v1");
  CHECK(optimizer.momentum_buffer(a).empty());
}

TEST_CASE("An unusable reply is asked for again with the reason", "[optim][tgd]") {
  const Variable a = parameter("a", {"no"});
  SECTION("until it can be used") {
    const auto model = Stub::scripted({"sorry", "<IMPROVED_VALUE>half", tagged("new")});
    TGD optimizer({a}, {.model = model});
    optimizer.step();
    CHECK(a.text() == "new");
    CHECK(optimizer.last_updates()[0].requests == 3);
    const auto messages = model->requests()[2].messages;
    REQUIRE(messages.size() == 6);
    CHECK(messages[2] == tgd::lm::Message{"assistant", "sorry"});
    CHECK_THAT(messages[3].content, ContainsSubstring("It has no value between"));
    CHECK(messages[4].content == "<IMPROVED_VALUE>half");
    CHECK_THAT(messages[5].content, ContainsSubstring("closing tag"));
  }
  SECTION("at most as often as is allowed; then the old value stays") {
    const auto reasks = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{3});
    const auto model = Stub::answering([](const Request&) { return "sorry"; });
    TGD optimizer({a}, {.model = model, .max_reasks = reasks});
    optimizer.step();
    CHECK(a.text() == "old a");
    CHECK(model->calls() == reasks + 1);
    CHECK(outcomes(optimizer) == std::vector<Outcome>{Outcome::kept});
    CHECK_THAT(optimizer.last_updates()[0].reason, ContainsSubstring("It has no value between"));
    CHECK(optimizer.last_updates()[0].new_value == "old a");
  }
  SECTION("when it was cut off") {
    const auto model = Stub::answering_in_full([n = 0](const Request&) mutable {
      return Reply{.content = tagged("new"), .finish_reason = n++ == 0 ? "length" : "stop"};
    });
    TGD({a}, {.model = model}).step();
    CHECK(model->calls() == 2);
    CHECK(a.text() == "new");
  }
  SECTION("and one that is kept does not keep the others from changing") {
    const auto model =
        Stub::answering([](const Request& request) { return request.info.parameter == "a" ? "sorry" : tagged("new"); });
    const Variable b = parameter("b", {"no"});
    TGD optimizer({a, b}, {.model = model});
    optimizer.step();
    CHECK(a.text() == "old a");
    CHECK(b.text() == "new");
  }
}

TEST_CASE("A violated check is told to the model, and the value is never taken", "[optim][tgd]") {
  const Variable a = parameter("a", {"no"});
  SECTION("until a value keeps it") {
    const auto model = Stub::scripted({tagged("much too long"), tagged("short")});
    TGD optimizer({a}, {.model = model, .constraints = {"Be polite.", Constraint::max_length(5)}});
    optimizer.step();
    CHECK(a.text() == "short");
    CHECK_THAT(user_message(model->requests()[0]),
               ContainsSubstring("1. Be polite.\n2. The value must be at most 5 characters long."));
    CHECK_THAT(model->requests()[1].messages.back().content, ContainsSubstring("13 characters long; at most 5"));
  }
  SECTION("nor when no value does") {
    TGD optimizer({a}, {.model = Stub::answering([](const Request&) { return tagged("much too long"); }),
                        .constraints = {Constraint::max_length(5)}});
    optimizer.step();
    CHECK(a.text() == "old a");
    CHECK(outcomes(optimizer) == std::vector<Outcome>{Outcome::kept});
  }
  SECTION("nor when the check gives no reason") {
    const Constraint silent("rule", [](const std::string&) { return std::optional<std::string>(""); });
    TGD optimizer({a}, {.model = improving(), .constraints = {silent}});
    optimizer.step();
    CHECK(a.text() == "old a");
    CHECK(outcomes(optimizer) == std::vector<Outcome>{Outcome::kept});
  }
}

TEST_CASE("The placeholders of a template are kept without being asked for", "[optim][tgd]") {
  Variable a("Answer {question}.", "a", true);
  const auto student = Stub::answering([](const Request&) { return "reply"; });
  tgd::chat_completion(student, {{"user", {a}}}, {{"question", "Why?"}}).wait();
  a.append_grad("no");
  const auto model =
      Stub::scripted({tagged("Answer the question."), tagged("Answer {question} briefly."), tagged("Whatever.")});
  TGD optimizer({a}, {.model = model});
  optimizer.step();
  CHECK(a.text() == "Answer {question} briefly.");
  CHECK_THAT(user_message(model->requests()[0]), ContainsSubstring("<CONSTRAINTS>") && ContainsSubstring("{question}"));
  CHECK_THAT(model->requests()[1].messages.back().content, ContainsSubstring("{question}"));

  SECTION("unless the program has taken them out") {
    a.set_data("Answer.");
    optimizer.step();
    CHECK(a.text() == "Whatever.");
  }
}

TEST_CASE("The model is shown the conversations that the feedback came from, unless told not to", "[optim][tgd]") {
  const auto student = Stub::answering([](const Request&) { return "reply"; });
  const auto critic = Stub::answering([](const Request&) { return "critique"; });
  const auto model = improving();
  const bool show_context = GENERATE(true, false);
  const Variable a = parameter("a");
  const Variable suffix = parameter("suffix");
  tgd::chat_completion(student, {{"system", {a + suffix}}, {"user", {"{x}"}}}, {{"x", Texts{"first mail", "second mail"}}})
      .backward(Texts{"wrong", ""}, {.model = critic});
  TGD({a, suffix}, {.model = model, .show_context = show_context}).step();
  for (const Request& request : model->requests()) {
    CHECK_THAT(user_message(request), ContainsSubstring("is a part: critique"));
    CHECK((user_message(request).find("<FEEDBACK_CONTEXT>") != std::string::npos) == show_context);
    CHECK((user_message(request).find("first mail") != std::string::npos) == show_context);
    CHECK_THAT(user_message(request), !ContainsSubstring("second mail"));
  }
}

TEST_CASE("The meta-prompt may be one's own", "[optim][tgd]") {
  const auto model = improving();
  const Variable a = parameter("a", {"no {style}"});
  TGDOptions options{.model = model};
  options.messages = {{"system", {"Improve {role}.", "Style: {style}"}},
                      {"user", {"{value}\n{constraints}\n\n{feedback}"}},
                      {"assistant", {"{\"x\": 1}"}}};
  options.inputs = {{"style", "{value}"}};
  TGD({a}, options).step();
  const auto messages = model->requests().at(0).messages;
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].content == "Improve a.\nStyle: {value}");
  CHECK(messages[1].content == "old a\nFeedback on the value:\n\n<FEEDBACK>\nno {style}\n</FEEDBACK>");
  CHECK(messages[2].content == "{\"x\": 1}");
}

TEST_CASE("One step without an object", "[optim][tgd]") {
  const auto model = improving();
  const Variable a("old a", "a");
  const Variable b("old b", "b", true);
  std::vector<MomentumBuffer> buffers(2);
  const TGDOptions options{.model = model, .momentum = 1};
  const auto updates = tgd::optim::tgd({a, b}, {{Variable("no")}, {}}, buffers, options);
  REQUIRE(updates.size() == 2);
  CHECK(updates[0].outcome == Outcome::updated);
  CHECK(updates[1].outcome == Outcome::no_feedback);
  CHECK(a.text() == "a v1");
  CHECK(b.text() == "old b");
  REQUIRE(buffers[0].size() == 1);
  CHECK(buffers[0][0].value.text() == "old a");
  CHECK(buffers[1].empty());

  tgd::optim::tgd({a, b}, {{Variable("no")}, {Variable("no")}}, buffers, options);
  CHECK(buffers[0].size() == 1);
  CHECK(buffers[0][0].value.text() == "a v1");

  CHECK_THROWS_AS(tgd::optim::tgd({a}, {{}, {}}, buffers, options), ValueError);
  std::vector<MomentumBuffer> one(1);
  CHECK_THROWS_AS(tgd::optim::tgd({a, b}, {{}, {}}, one, options), ValueError);
  CHECK_THROWS_AS(tgd::optim::tgd({a, a}, {{}, {}}, buffers, options), ValueError);
  CHECK_THROWS_AS(tgd::optim::tgd({a, b}, {{}, {}}, buffers, {}), ValueError);
  CHECK_THROWS_AS(tgd::optim::tgd({a, Variable(1)}, {{}, {}}, buffers, options), TypeError);

  SECTION("all or nothing") {
    const auto failing = Stub::answering([](const Request& request) -> std::string {
      if (request.info.parameter == "b") throw LMError(LMError::Kind::status, "no", 500);
      return tagged("new");
    });
    const std::string before = a.text();
    CHECK_THROWS_AS(tgd::optim::tgd({a, b}, {{Variable("no")}, {Variable("no")}}, buffers, {.model = failing, .momentum = 1}),
                    LMError);
    CHECK(a.text() == before);
    CHECK(buffers[0][0].value.text() == "a v1");
  }
}
