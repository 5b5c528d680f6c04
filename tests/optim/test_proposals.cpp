// Proposals that are drawn, tried out, taken, rejected and undone.
#include <tgd/optim.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "optim/improving.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::StateError;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Candidate;
using tgd::optim::Direction;
using tgd::optim::HistoryEntry;
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

const std::string& user_message(const Stub& model) {
  static thread_local std::string text;
  text = model.requests().back().messages[1].content;
  return text;
}

nlohmann::json without_usage(const TGD& optimizer) {
  nlohmann::json state = optimizer.state_dict().value();
  for (auto& group : state["param_groups"]) group["model"].erase("usage");
  return state;
}

/// Values, statuses and steps of a history: "old a/set/0".
Texts told(const TGD& optimizer, const Variable& parameter) {
  Texts entries;
  for (const HistoryEntry& entry : optimizer.history(parameter)) {
    entries.push_back(entry.value + "/" + std::string(to_string(entry.status)) + "/" + std::to_string(entry.step));
  }
  return entries;
}

}  // namespace

TEST_CASE("A rejected step is taken back exactly, and remembered", "[optim][proposals]") {
  const auto model = improving();
  const Variable a = parameter("a");
  TGD optimizer({a}, {.model = model, .momentum = 2});
  step(optimizer, "first");
  step(optimizer, "second");
  optimizer.report_score(0.5);
  nlohmann::json before = without_usage(optimizer);
  step(optimizer, "third");
  CHECK(a.text() == "a v3");
  optimizer.reject("It scored less.", 0.25);

  CHECK(a.text() == "a v2");
  nlohmann::json after = without_usage(optimizer);
  CHECK(after["state"] == before["state"]);
  CHECK(after["steps"] == 2);
  CHECK(after["records"]["0"]["rejected"] ==
        nlohmann::json::parse(R"([{"value": "a v3", "reason": "It scored less.", "score": 0.25}])"));
  for (nlohmann::json* state : {&before, &after}) {
    (*state)["records"]["0"].erase("rejected");
    (*state)["records"]["0"].erase("history");
  }
  CHECK(after == before);
  CHECK(optimizer.last_updates()[0].outcome == Outcome::rejected);
  CHECK(optimizer.last_updates()[0].new_value == "a v3");
  CHECK(optimizer.last_updates()[0].reason == "It scored less.");
  CHECK_THROWS_AS(optimizer.reject("again"), StateError);

  SECTION("the next request shows it, and the scores") {
    step(optimizer, "third");
    const std::string text = user_message(*model);
    CHECK_THAT(text, ContainsSubstring(
                         "<REJECTED_VALUE>\na v3\n</REJECTED_VALUE>\n<REASON>\nIt scored less.\n</REASON>\nScore: 0.25\n"));
    CHECK_THAT(text, ContainsSubstring("a higher score is better.\nThe present score is 0.5."));
    step(optimizer, "fourth");
    CHECK_THAT(user_message(*model),
               ContainsSubstring("<PAST_VALUE>\na v2\n</PAST_VALUE>\n<PAST_FEEDBACK>\nthird\n</PAST_FEEDBACK>\nScore: 0.5\n"));
    CHECK_THAT(user_message(*model), !ContainsSubstring("present score"));
  }
}

TEST_CASE("One parameter's part of a step can be rejected", "[optim][proposals]") {
  const auto model = improving();
  const Variable a = parameter("a");
  const Variable b = parameter("b");
  TGD optimizer(std::vector<TGD::Group>{{{a}}, {{b}}}, {.model = model, .momentum = 1});
  step(optimizer, "no");
  const std::string new_b = b.text();
  optimizer.reject(a, "worse");
  CHECK(a.text() == "old a");
  CHECK(b.text() == new_b);
  CHECK(optimizer.momentum_buffer(a).empty());
  CHECK(optimizer.momentum_buffer(b).size() == 1);
  CHECK(without_usage(optimizer)["steps"] == 1);
  CHECK_THROWS_AS(optimizer.reject(a, "worse"), StateError);
  CHECK_THROWS_AS(optimizer.reject(parameter("stranger"), "worse"), ValueError);
  optimizer.reject(b, "worse");
  CHECK(without_usage(optimizer)["steps"] == 0);
}

TEST_CASE("What cannot be rejected is refused, and nothing changes", "[optim][proposals][concurrent]") {
  Variable a = parameter("a");
  const Variable b = parameter("b");
  TGD optimizer({a, b}, {.model = improving(), .momentum = 1});
  CHECK_THROWS_AS(optimizer.reject("nothing yet"), StateError);
  optimizer.step();
  CHECK_THROWS_AS(optimizer.reject("no feedback"), StateError);
  step(optimizer, "no");
  CHECK_THROWS_AS(optimizer.reject("x", std::numeric_limits<double>::quiet_NaN()), ValueError);
  CHECK_THROWS_AS(optimizer.report_score(std::numeric_limits<double>::infinity()), ValueError);
  const std::string new_b = b.text();
  a.set_data("set by the program");
  const auto before = without_usage(optimizer);
  CHECK_THROWS_WITH(optimizer.reject("late"), ContainsSubstring("\"a\"") && ContainsSubstring("changed since"));
  CHECK(a.text() == "set by the program");
  CHECK(b.text() == new_b);
  CHECK(without_usage(optimizer) == before);
}

TEST_CASE("As many rejected proposals are remembered as is asked for, each value once", "[optim][proposals]") {
  const auto count = GENERATE(std::size_t{0}, std::size_t{2});
  const auto model = Stub::scripted({tagged("x"), tagged("y"), tagged("x"), tagged("z"), tagged("w")});
  const Variable a = parameter("a");
  TGD optimizer({a}, {.model = model, .rejected = count});
  for (int i = 0; i < 4; ++i) {
    step(optimizer, "no");
    optimizer.reject("worse " + std::to_string(i));
  }
  step(optimizer, "no");
  const std::string text = user_message(*model);
  if (count == 0) {
    CHECK_THAT(text, !ContainsSubstring("REJECTED"));
  } else {
    CHECK_THAT(text, ContainsSubstring("<PROPOSAL number=\"1\">\n<REJECTED_VALUE>\nx\n") && ContainsSubstring("worse 2"));
    CHECK_THAT(text, ContainsSubstring("<PROPOSAL number=\"2\">\n<REJECTED_VALUE>\nz\n") && !ContainsSubstring("\ny\n"));
  }
}

TEST_CASE("Candidates are drawn at once and change nothing", "[optim][proposals]") {
  const auto model = Stub::answering(
      [](const Request& request) { return tagged(request.info.parameter + " candidate " + std::to_string(request.sample)); });
  model->shuffled(5);
  Variable a = parameter("a");
  const Variable b = parameter("b");
  const Variable silent = parameter("silent");
  a.append_grad("no");
  Variable(b).append_grad("no");
  TGD optimizer({a, silent, b}, {.model = model, .momentum = 1});
  const auto before = without_usage(optimizer);
  const std::vector<Candidate> candidates = optimizer.propose(3);
  REQUIRE(candidates.size() == 3);
  CHECK(model->calls() == 6);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(candidates[i].updates.size() == 3);
    CHECK(candidates[i].updates[0].new_value == "a candidate " + std::to_string(i));
    CHECK(candidates[i].updates[1].outcome == Outcome::no_feedback);
    CHECK(candidates[i].updates[2].new_value == "b candidate " + std::to_string(i));
    CHECK(candidates[i].updates[0].edit_distance == 3);
  }
  CHECK(a.text() == "old a");
  CHECK(without_usage(optimizer) == before);
  CHECK(optimizer.last_updates().empty());
  CHECK(optimizer.propose(0).empty());

  SECTION("one can be tried out") {
    {
      const auto trial = optimizer.try_out(candidates[1]);
      CHECK(a.text() == "a candidate 1");
      CHECK(silent.text() == "old silent");
    }
    CHECK(a.text() == "old a");
    CHECK(without_usage(optimizer) == before);
  }
  SECTION("one can be committed, and is then a step like any other") {
    optimizer.commit(candidates[2]);
    CHECK(a.text() == "a candidate 2");
    CHECK(optimizer.momentum_buffer(a).size() == 1);
    CHECK(optimizer.last_updates()[0].outcome == Outcome::updated);
    CHECK_THROWS_AS(optimizer.commit(candidates[1]), StateError);
    CHECK_THROWS_AS(optimizer.try_out(candidates[1]), StateError);
    CHECK(a.text() == "a candidate 2");
    optimizer.reject("worse");
    CHECK(a.text() == "old a");
    CHECK(b.text() == "old b");
  }
  SECTION("one can be rejected without having been taken") {
    optimizer.reject(candidates[0], "not this", 1);
    CHECK(a.text() == "old a");
    CHECK(told(optimizer, a) == Texts{"old a/set/0", "a candidate 0/rejected/1"});
    CHECK(optimizer.history(silent).empty());
    optimizer.step();
    CHECK_THAT(user_message(*model), ContainsSubstring("not this"));
  }
  SECTION("those of another optimizer are refused") {
    TGD other({a}, {.model = model});
    CHECK_THROWS_AS(other.commit(candidates[0]), StateError);
    CHECK_THROWS_AS(other.reject(candidates[0], "x"), ValueError);
  }
}

TEST_CASE("The history tells every value with the feedback it answers", "[optim][proposals]") {
  const auto model = improving();
  Variable a = parameter("a");
  TGD optimizer({a}, {.model = model});
  CHECK(optimizer.history(a).empty());
  optimizer.report_score(a, 1);
  step(optimizer, "one");
  optimizer.report_score(2);
  step(optimizer, "two");
  optimizer.reject("worse", 1.5);
  step(optimizer, "three");
  a.set_data("mine");
  step(optimizer, "four");
  CHECK(told(optimizer, a) ==
        Texts{"old a/set/0", "a v1/accepted/1", "a v2/rejected/2", "a v3/accepted/2", "mine/set/0", "a v4/accepted/3"});
  const auto history = optimizer.history(a);
  CHECK(history[0].feedback.empty());
  CHECK(history[0].score == 1);
  CHECK(history[1].feedback == Texts{"one"});
  CHECK(history[1].score == 2);
  CHECK(history[2].feedback == Texts{"two"});
  CHECK(history[2].score == 1.5);
  CHECK(history[2].reason == "worse");
  CHECK_FALSE(history[3].score);
  CHECK_THROWS_AS(optimizer.history(parameter("stranger")), ValueError);
}

TEST_CASE("Accepted values are undone one by one, as if they had never been", "[optim][proposals]") {
  const auto model = improving();
  Variable a = parameter("a");
  TGD optimizer({a}, {.model = model, .momentum = 2});
  std::vector<nlohmann::json> states;
  for (int i = 0; i < 4; ++i) {
    optimizer.report_score(i);
    states.push_back(without_usage(optimizer)["state"]);
    step(optimizer, "feedback " + std::to_string(i));
  }
  for (int i = 3; i >= 0; --i) {
    optimizer.undo(a);
    CHECK(a.text() == (i == 0 ? "old a" : "a v" + std::to_string(i)));
    CHECK(without_usage(optimizer)["state"] == states[static_cast<std::size_t>(i)]);
    CHECK(without_usage(optimizer)["records"]["0"]["score"] == i);
  }
  CHECK_THROWS_WITH(optimizer.undo(a), ContainsSubstring("nothing to undo"));
  CHECK_THROWS_AS(optimizer.reject("undone already"), StateError);
  CHECK(told(optimizer, a)[4] == "a v4/undone/4");

  SECTION("and the optimizer goes on from there") {
    step(optimizer, "anew");
    CHECK(a.text() == "a v5");
    optimizer.undo(a);
    CHECK(a.text() == "old a");
  }
  SECTION("but not what the program has set") {
    step(optimizer, "anew");
    a.set_data("mine");
    CHECK_THROWS_AS(optimizer.undo(a), StateError);
    CHECK(a.text() == "mine");
  }
}

TEST_CASE("Undo without a parameter takes back the latest step", "[optim][proposals]") {
  Variable a = parameter("a");
  Variable b = parameter("b");
  TGD optimizer({a, b}, {.model = improving()});
  CHECK_THROWS_AS(optimizer.undo(), StateError);
  step(optimizer, "both");
  optimizer.clear_grad();
  b.append_grad("only b");
  optimizer.step();
  const std::string after_first = a.text();
  optimizer.undo();
  CHECK(a.text() == after_first);
  CHECK_THAT(b.text(), ContainsSubstring("b v") && !ContainsSubstring("v3"));
  optimizer.undo();
  CHECK(a.text() == "old a");
  CHECK(b.text() == "old b");
}

TEST_CASE("The history is as long as is asked for", "[optim][proposals]") {
  const Variable a = parameter("a");
  SECTION("and undo reaches as far") {
    TGD optimizer({a}, {.model = improving(), .history = 3});
    for (int i = 0; i < 5; ++i) step(optimizer, "no");
    CHECK(told(optimizer, a) == Texts{"a v3/accepted/3", "a v4/accepted/4", "a v5/accepted/5"});
    optimizer.undo(a);
    optimizer.undo(a);
    CHECK_THROWS_WITH(optimizer.undo(a), ContainsSubstring("history"));
    CHECK(a.text() == "a v3");
  }
  SECTION("or empty, which leaves reject()") {
    TGD optimizer({a}, {.model = improving(), .history = 0});
    step(optimizer, "no");
    CHECK(optimizer.history(a).empty());
    CHECK_THROWS_AS(optimizer.undo(a), StateError);
    optimizer.reject("worse");
    CHECK(a.text() == "old a");
    CHECK(optimizer.history(a).empty());
  }
}

TEST_CASE("Scores, rejected proposals and the history are part of the state", "[optim][proposals]") {
  const auto model = improving();
  const Variable a = parameter("a");
  TGDOptions options{.model = model, .momentum = 2};
  TGD saved({a}, options);
  saved.report_score(0.1);
  step(saved, "one");
  step(saved, "two");
  saved.reject("worse", 0.2);
  step(saved, "three");
  const tgd::Json state = tgd::Json::parse(saved.state_dict().dump());

  Variable b(a.text(), "a", true);
  const auto other = improving();
  TGD loaded({b}, {.model = other});
  loaded.load_state_dict(state, {{"0", other}});
  CHECK(loaded.state_dict() == state);
  CHECK(told(loaded, b) == told(saved, a));
  CHECK_THROWS_AS(loaded.reject("made by another process"), StateError);

  SECTION("as text it is the same") {
    std::string text = "{\"optimizer\": ";
    tgd::optim::detail::append_state(text, saved);
    CHECK(text == "{\"optimizer\": " + state.dump(2));
  }
  SECTION("the next requests are the same") {
    step(saved, "four");
    step(loaded, "four");
    CHECK(other->requests().back().messages == model->requests().back().messages);
  }
  SECTION("undo goes on") {
    loaded.undo(b);
    CHECK(b.text() == "a v1");
    loaded.undo(b);
    CHECK(b.text() == "old a");
    CHECK(loaded.momentum_buffer(b).empty());
  }
  SECTION("states of the first version load without them") {
    nlohmann::json old = state.value();
    for (const char* key : {"version", "steps", "records"}) old.erase(key);
    for (const char* key : {"joint", "direction", "boldness", "examples", "rules", "rejected", "siblings", "history",
                            "max_length_ratio", "copied_words", "answer_tag", "frozen_marks"}) {
      old["param_groups"][0].erase(key);
    }
    TGD fresh({b}, {.model = other, .siblings = 7});
    fresh.load_state_dict(tgd::Json(old));
    CHECK(fresh.momentum_buffer(b).size() == 2);
    CHECK(fresh.history(b).empty());
    CHECK(fresh.state_dict().value()["param_groups"][0]["siblings"] == 7);
  }
  SECTION("states of later versions are refused") {
    nlohmann::json later = state.value();
    later["version"] = 3;
    CHECK_THROWS_WITH(loaded.load_state_dict(tgd::Json(later)), ContainsSubstring("version 3"));
  }
  SECTION("broken ones, too, and nothing changes") {
    const auto spoiled =
        GENERATE(as<std::string>(), R"({"records": {"0": 5}})", R"({"records": {"0": {"history": [{}]}}})",
                 R"({"records": {"0": {"history": 1}}})", R"({"steps": -1})", R"({"steps": "2"})",
                 R"({"records": {"0": {"momentum_scores": [1]}}})", R"({"param_groups": [{"direction": "sideways"}]})",
                 R"({"records": {"0": {"rejected": [{"value": 1}]}}})");
    CAPTURE(spoiled);
    nlohmann::json broken = state.value();
    const nlohmann::json patch = nlohmann::json::parse(spoiled);
    if (patch.contains("param_groups")) {
      broken["param_groups"][0].merge_patch(patch["param_groups"][0]);
    } else {
      broken.merge_patch(patch);
    }
    const auto before = loaded.state_dict();
    CHECK_THROWS_AS(loaded.load_state_dict(tgd::Json(broken)), ValueError);
    CHECK(loaded.state_dict() == before);
  }
}

TEST_CASE("The optimizer says which scores are better, where it matters", "[optim][proposals]") {
  const auto model = improving();
  const Variable a = parameter("a");
  TGDOptions options{.model = model};
  SECTION("not without scores") {
    TGD optimizer({a}, options);
    step(optimizer, "no");
    CHECK_THAT(user_message(*model), !ContainsSubstring("score"));
  }
  SECTION("when it is told to minimize") {
    options.direction = Direction::minimize;
    TGD optimizer({a}, options);
    step(optimizer, "no");
    CHECK_THAT(user_message(*model), ContainsSubstring("a lower score is better."));
  }
  SECTION("and not with a score that another value got") {
    TGD optimizer({a}, options);
    optimizer.report_score(0.5);
    Variable(a).set_data("mine");
    step(optimizer, "no");
    CHECK_THAT(user_message(*model), !ContainsSubstring("score"));
  }
}

TEST_CASE("What all candidates are asked is written once", "[optim][proposals]") {
  const auto model = improving();
  Variable a = parameter("a");
  a.append_grad(Variable("feedback " + std::string(10'000, '.')));
  std::vector<tgd::Notice> trimmed;
  TGD optimizer({a}, {.model = model, .context_budget = 9'000, .on_notice = [&](const tgd::Notice& notice) {
                        trimmed.push_back(notice);
                      }});
  const std::vector<Candidate> candidates = optimizer.propose(3);
  REQUIRE(candidates.size() == 3);
  CHECK(model->calls() == 3);
  CHECK(trimmed.size() == 1);  // said when the request is written
  std::vector<std::uint64_t> samples;
  for (const Request& request : model->requests()) {
    CHECK(request.messages == model->requests()[0].messages);
    samples.push_back(request.sample);
  }
  std::sort(samples.begin(), samples.end());
  CHECK(samples == std::vector<std::uint64_t>{0, 1, 2});
}
