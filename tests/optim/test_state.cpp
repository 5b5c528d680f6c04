#include <tgd/optim.hpp>

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "optim/improving.hpp"
#include "support/damage.hpp"

using Catch::Matchers::ContainsSubstring;
using json = nlohmann::ordered_json;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Constraint;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::test::improving;
using tgd::test::parameter;
using tgd::test::step;

namespace {

/// Answers as Stub does and is of another type.
class OtherStub : public Stub {
 public:
  std::string class_type() const override { return "OtherStub"; }
};

TGDOptions options(const tgd::lm::ChatModelPtr& model) {
  TGDOptions options{.model = model};
  options.messages = {{"system", {Variable("Improve {role}. {style}", "my message")}},
                      {"user", {"{value}", "{feedback}{constraints}{momentum}"}}};
  options.inputs = {{"style", "briefly"}};
  options.constraints = {"Be polite.", Constraint::max_length(100)};
  options.momentum = 2;
  options.completion_args = {{"temperature", 0.5}};
  options.max_reasks = 1;
  options.show_context = false;
  options.context_budget = 50'000;
  return options;
}

}  // namespace

TEST_CASE("The text of a large state is that of its tree", "[optim][state][concurrent]") {
  std::vector<Variable> parameters;
  for (int i = 0; i < 230; ++i) {
    parameters.push_back(parameter("p" + std::to_string(i)));
    if (i % 3 > 0) parameters.back().append_grad(Variable("no \"" + std::to_string(i)));
  }
  TGD optimizer(parameters, {.model = improving(), .momentum = 1});
  const auto text = [&] {
    std::string written;
    tgd::optim::detail::append_state(written, optimizer);
    return written;
  };
  CHECK(text() == optimizer.state_dict().dump(2));
  for (int i = 0; i < 2; ++i) optimizer.step();
  CHECK(text() == optimizer.state_dict().dump(2));
  CHECK(optimizer.momentum_buffer(parameters[1]).size() == 1);
}

TEST_CASE("The state is JSON of the documented form", "[optim][state]") {
  const auto model = improving();
  TGD optimizer(std::vector<TGD::Group>{{{parameter("a"), parameter("b")}}, {{parameter("c")}, {.momentum = 0}}},
                options(model));
  CHECK(optimizer.state_dict().value().at("state") == json::object());
  step(optimizer, "no");
  step(optimizer, "no again");

  const json state = optimizer.state_dict().value();
  std::string text;
  tgd::optim::detail::append_state(text, optimizer);
  CHECK(text == state.dump(2));
  CHECK(state.at("version") == 2);
  CHECK(state.at("steps") == 2);
  CHECK(state.at("records").size() == 3);
  CHECK(state.at("param_groups").size() == 2);
  CHECK(state["param_groups"][0]["params"] == json({0, 1}));
  CHECK(state["param_groups"][1]["params"] == json({2}));
  CHECK(state["param_groups"][0]["momentum"] == 2);
  CHECK(state["param_groups"][0]["completion_args"] == json({{"temperature", 0.5}}));
  CHECK(state["param_groups"][0]["model"]["class_type"] == "Stub");
  CHECK(state["param_groups"][0]["model"]["provider"] == "stub");
  CHECK(state["param_groups"][0]["model"]["usage"]["calls"] == 6);
  REQUIRE(state.at("state").size() == 2);
  CHECK(state["state"].contains("0"));
  CHECK(state["state"].contains("1"));
  CHECK(nlohmann::json(state["state"]["0"]["momentum_buffer"]) ==
        nlohmann::json::parse(R"([[{"data": "old a", "role": "a", "requires_grad": false},
                         [{"data": "no", "role": "feedback to a", "requires_grad": false}]],
                        [{"data": "a v1", "role": "a", "requires_grad": false},
                         [{"data": "no again", "role": "feedback to a", "requires_grad": false}]]])"));
}

TEST_CASE("A state that was loaded is the state that was saved, and the next step is the same", "[optim][state]") {
  const auto model = improving();
  TGD saved({parameter("a")}, options(model));
  step(saved, "no");
  const tgd::Json state = tgd::Json::parse(saved.state_dict().dump());

  const auto other_model = improving();
  TGDOptions other_options{.model = other_model};
  other_options.constraints = {Constraint::max_length(100)};
  TGD loaded({Variable("a v1", "a", true)}, other_options);
  loaded.load_state_dict(state, {{"0", other_model}});
  CHECK(loaded.state_dict() == state);
  CHECK(other_model->usage() == model->usage());

  step(saved, "again");
  step(loaded, "again");
  CHECK(other_model->requests().at(0).messages == model->requests().at(1).messages);
  CHECK(other_model->requests().at(0).args == model->requests().at(1).args);
}

TEST_CASE("Usage of a model that several groups share is added once", "[optim][state]") {
  const auto model = improving();
  TGD saved(std::vector<TGD::Group>{{{parameter("a")}}, {{parameter("b")}}}, {.model = model});
  step(saved, "no");
  const auto other = improving();
  TGD loaded(std::vector<TGD::Group>{{{parameter("a")}}, {{parameter("b")}}}, {.model = other});
  loaded.load_state_dict(saved.state_dict());
  CHECK(other->usage().calls == 2);
}

TEST_CASE("Usage of each saved model is added once, whatever models the groups have now", "[optim][state]") {
  const auto one = improving();
  const auto two = improving();
  const bool shared = GENERATE(true, false);
  CAPTURE(shared);
  TGD saved(std::vector<TGD::Group>{{{parameter("a")}}, {{parameter("b")}, {.model = shared ? one : two}}}, {.model = one});
  step(saved, "no");
  json state = saved.state_dict().value();
  SECTION("in a state of an earlier version, where groups of one model have the same figures") {
    if (!shared) return;
    for (json& group : state["param_groups"]) group["model"].erase("same_as");
  }
  SECTION("") {}

  const auto first = improving();
  const auto second = improving();
  TGD loaded(std::vector<TGD::Group>{{{parameter("a")}}, {{parameter("b")}}}, {.model = first});
  SECTION("one for both groups") {
    loaded.load_state_dict(tgd::Json(state));
    CHECK(first->usage().calls == 2);
  }
  SECTION("one each") {
    loaded.load_state_dict(tgd::Json(state), {{"1", second}});
    CHECK(first->usage().calls == (shared ? 2 : 1));
    CHECK(second->usage().calls == (shared ? 0 : 1));
  }
}

TEST_CASE("A state that a program has edited in memory, or that names no provider, loads", "[optim][state]") {
  const auto model = improving();
  TGD optimizer({parameter("a")}, options(model));
  step(optimizer, "no");
  json state = optimizer.state_dict().value();
  state["param_groups"][0]["momentum"] = 7;  // a number with a sign, unlike one that was parsed
  state["param_groups"][0]["params"] = json::array({0});
  state["steps"] = 5;
  SECTION("with its provider") {}
  SECTION("without") { state["param_groups"][0]["model"].erase("provider"); }
  SECTION("with none") { state["param_groups"][0]["model"]["provider"] = nullptr; }
  optimizer.load_state_dict(tgd::Json(state));
  CHECK(optimizer.options(optimizer.parameters()[0]).momentum == 7);
  CHECK(optimizer.state_dict().value()["steps"] == 5);
}

TEST_CASE("A model may be another object of the same type", "[optim][state]") {
  const auto first = improving();
  const auto second = improving();
  const Variable a = parameter("a");
  TGD optimizer({a}, {.model = first});
  optimizer.load_state_dict(optimizer.state_dict(), {{"0", second}});
  step(optimizer, "no");
  CHECK(first->calls() == 0);
  CHECK(second->calls() == 1);
}

TEST_CASE("A load that fails says why and changes nothing", "[optim][state]") {
  const auto model = improving();
  TGD source(std::vector<TGD::Group>{{{parameter("a"), parameter("b")}}, {{parameter("c")}}}, options(model));
  step(source, "no");
  json state = source.state_dict().value();

  const auto target_model = improving();
  TGD target(std::vector<TGD::Group>{{{parameter("a"), parameter("b")}}, {{parameter("c")}}}, options(target_model));
  step(target, "something else");
  const tgd::Json before = target.state_dict();

  struct Case {
    std::string name;
    std::function<void(json&)> spoil;
    std::string message;
  };
  const std::vector<Case> cases{
      {"a group too few", [](json& s) { s["param_groups"].erase(1); }, "1 parameter groups"},
      {"a parameter too few", [](json& s) { s["param_groups"][0]["params"].erase(1); }, "group 0"},
      {"a model of another type", [](json& s) { s["param_groups"][1]["model"]["class_type"] = "OpenAI"; }, "type OpenAI"},
      {"a model of another provider", [](json& s) { s["param_groups"][1]["model"]["provider"] = "openai"; }, "\"openai\""},
      {"no groups", [](json& s) { s.erase("param_groups"); }, "not the state"},
      {"no state", [](json& s) { s.erase("state"); }, "not the state"},
      {"a state that is no object", [](json& s) { s["state"] = 5; }, "/state: expected an object"},
      {"groups that are no list",
       [](json& s) {
         s["param_groups"] = json({{"x", 1}, {"y", 2}});
       },
       "not the state"},
      {"a group that is no object", [](json& s) { s["param_groups"][1] = "x"; }, "not the state"},
      {"a group without options", [](json& s) { s["param_groups"][1].erase("momentum"); }, "momentum"},
      {"a negative count", [](json& s) { s["param_groups"][1]["momentum"] = -1; }, "-1"},
      {"a count that is a text", [](json& s) { s["param_groups"][1]["max_reasks"] = "2"; },
       "/param_groups/1/max_reasks: expected a whole number"},
      {"usage that is none", [](json& s) { s["param_groups"][1]["model"]["usage"] = 3; }, ""},
      {"a buffer that is none", [](json& s) { s["state"]["2"]["momentum_buffer"] = json({1}); }, "not the state"},
      {"gradients of null", [](json& s) { s["state"]["2"]["momentum_buffer"][0][1] = nullptr; },
       "/state/2/momentum_buffer/0/1: expected a list"},
      {"inputs of null", [](json& s) { s["param_groups"][0]["inputs"] = nullptr; }, "/param_groups/0/inputs: expected a list"},
      {"constraints of null", [](json& s) { s["param_groups"][0]["constraints"] = nullptr; }, "/constraints: expected a list"},
      {"completion arguments of null", [](json& s) { s["param_groups"][0]["completion_args"] = nullptr; },
       "expected an object"},
      {"a history of null", [](json& s) { s["records"]["0"]["history"] = nullptr; }, "/records/0/history: expected a list"},
      {"a score that is a flag", [](json& s) { s["records"]["0"]["score"] = true; }, "/records/0/score: expected a number"},
      {"a flag that is a number", [](json& s) { s["param_groups"][0]["show_context"] = 1; }, "expected true or false"},
      {"records that are no object", [](json& s) { s["records"] = json::array(); }, "/records: expected an object"},
      {"a version that is none", [](json& s) { s["version"] = "2"; }, "/version: expected a whole number"},
      {"a value that is none", [](json& s) { s["state"]["2"]["momentum_buffer"][0][0]["data"] = nullptr; }, "not the state"},
      {"a check that cannot be made", [](json& s) { s["param_groups"][1]["constraints"][1]["text"]["data"] = "Another rule."; },
       "Another rule."},
      {"messages without a value", [](json& s) { s["param_groups"][1]["messages"].erase(1); }, "{value}"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    json spoiled = state;
    c.spoil(spoiled);
    CHECK_THROWS_AS(target.load_state_dict(tgd::Json(spoiled)), ValueError);
    CHECK_THROWS_WITH(target.load_state_dict(tgd::Json(spoiled)), ContainsSubstring(c.message));
    CHECK(target.state_dict() == before);
  }

  SECTION("with a given model of the wrong type, the key is named") {
    const auto wrong = std::make_shared<OtherStub>();
    CHECK_THROWS_AS(target.load_state_dict(tgd::Json(state), {{"1", wrong}}), ValueError);
    CHECK_THROWS_WITH(target.load_state_dict(tgd::Json(state), {{"1", wrong}}),
                      ContainsSubstring("type Stub") && ContainsSubstring("OtherStub") && ContainsSubstring("\"1\""));
    CHECK(target.state_dict() == before);
    CHECK(wrong->usage().calls == 0);
  }
  SECTION("with a model for a group that there is not, the keys are named") {
    CHECK_THROWS_AS(target.load_state_dict(tgd::Json(state), {{"2", target_model}}), ValueError);
    CHECK_THROWS_WITH(target.load_state_dict(tgd::Json(state), {{"0", target_model}, {"model", target_model}}),
                      ContainsSubstring("\"model\"") && ContainsSubstring("the keys are \"0\", \"1\""));
    CHECK(target.state_dict() == before);
  }
  SECTION("and the sound state can be loaded after all that") {
    target.load_state_dict(tgd::Json(state));
    CHECK(target.state_dict().value()["state"] == state["state"]);
  }
}

TEST_CASE("A damaged state is refused with its place, or is read as what it says", "[optim][state][damage]") {
  const auto model = improving();
  TGDOptions given = options(model);
  given.direction = tgd::optim::Direction::maximize;
  given.history = 3;
  given.rejected = 2;
  TGD source({parameter("a")}, given);
  step(source, "no");
  step(source, "worse");
  const std::string good = source.state_dict().dump();
  const tgd::Json before = TGD({parameter("a")}, given).state_dict();
  tgd::test::check_damages(tgd::test::damaged_values(good), "", [&](const std::string& content) {
    TGD target({parameter("a")}, given);
    try {
      target.load_state_dict(tgd::Json::parse(content));
    } catch (const tgd::Error&) {
      CHECK(target.state_dict().value()["state"] == before.value()["state"]);
      throw;
    }
    // What was taken is a state as any.
    const tgd::Json taken = target.state_dict();
    CHECK_NOTHROW(target.load_state_dict(taken));
    CHECK(target.state_dict().value()["state"] == taken.value()["state"]);
  });
}
