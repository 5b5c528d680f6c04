// All parameters of a group in one request.
#include <tgd/optim.hpp>

#include <string>
#include <vector>

#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "support/golden.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Constraint;
using tgd::optim::ParameterUpdate;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::optim::UnusableReply;

using Outcome = ParameterUpdate::Outcome;
using Problem = UnusableReply::Problem;

namespace {

std::string block(int number, const std::string& value) {
  const std::string tag = "IMPROVED_VALUE_" + std::to_string(number);
  return "<" + tag + ">\n" + value + "\n</" + tag + ">\n";
}

Variable parameter(const std::string& role, const std::string& feedback) {
  Variable parameter("old " + role, role, true);
  if (!feedback.empty()) parameter.append_grad(Variable(feedback));
  return parameter;
}

}  // namespace

TEST_CASE("A joint group costs one request and changes together", "[optim][joint][concurrent]") {
  const auto model = Stub::scripted({block(1, "new a") + "and\n" + block(2, "new c")});
  const Variable a = parameter("a", "no");
  const Variable silent = parameter("b", "");
  const Variable c = parameter("c", "no, too");
  TGD optimizer({a, silent, c}, {.model = model, .momentum = 1, .joint = true});
  optimizer.step();
  CHECK(model->calls() == 1);
  CHECK(a.text() == "new a");
  CHECK(silent.text() == "old b");
  CHECK(c.text() == "new c");
  CHECK(optimizer.momentum_buffer(c).size() == 1);
  const Request request = model->requests()[0];
  CHECK(request.info.parameter == "a\" and \"c");
  CHECK_THAT(request.messages[1].content, ContainsSubstring("<PARAMETER number=\"1\">") && ContainsSubstring("old c") &&
                                              ContainsSubstring("<IMPROVED_VALUE_2> and </IMPROVED_VALUE_2>"));
}

TEST_CASE("Groups that are joint and groups that are not go side by side", "[optim][joint]") {
  const auto model = Stub::answering([](const Request& request) {
    if (request.info.parameter == "c") return std::string("<IMPROVED_VALUE>new c</IMPROVED_VALUE>");
    return block(1, "new 1") + block(2, "new 2");
  });
  const std::vector<Variable> all{parameter("a", "x"), parameter("b", "x"), parameter("c", "x"), parameter("d", "x"),
                                  parameter("e", "x")};
  const tgd::optim::TGDGroupOptions joint{.joint = true};
  TGD optimizer(std::vector<TGD::Group>{{{all[0], all[1]}, joint}, {{all[2]}}, {{all[3], all[4]}, joint}}, {.model = model});
  optimizer.step();
  CHECK(model->calls() == 3);
  CHECK(all[1].text() == "new 2");
  CHECK(all[2].text() == "new c");
  CHECK(all[3].text() == "new 1");
}

TEST_CASE("Only the blocks of a joint reply that failed are asked for again", "[optim][joint]") {
  const Variable a = parameter("a", "no");
  const Variable b = parameter("b", "no");
  const Variable c = parameter("c", "no");
  const auto model = Stub::scripted({block(1, "new a") + block(2, "far too long a value") + "<IMPROVED_VALUE_3>new",
                                     block(1, "another a") + block(2, "new b"), block(3, "new c")});
  TGD optimizer({a, b, c}, {.model = model, .constraints = {Constraint::max_length(9)}, .joint = true});
  optimizer.step();
  CHECK(a.text() == "new a");
  CHECK(b.text() == "new b");
  CHECK(c.text() == "new c");
  const std::string first = model->requests()[1].messages.back().content;
  CHECK_THAT(first,
             ContainsSubstring("- Value 2, between <IMPROVED_VALUE_2> and </IMPROVED_VALUE_2>: The value is 20 characters") &&
                 ContainsSubstring("- Value 3, between") && !ContainsSubstring("Value 1"));
  CHECK_THAT(model->requests()[2].messages.back().content, ContainsSubstring("Value 3") && !ContainsSubstring("Value 2"));
  CHECK(optimizer.last_updates()[0].problems.empty());
  REQUIRE(optimizer.last_updates()[2].problems.size() == 2);
  CHECK(optimizer.last_updates()[2].problems[0].problem == Problem::no_closing_tag);
  CHECK(optimizer.last_updates()[2].problems[1].problem == Problem::no_value);
}

TEST_CASE("A joint group changes as a whole or not at all", "[optim][joint]") {
  const Variable a = parameter("a", "no");
  const Variable b = parameter("b", "no");
  const auto model = Stub::answering([](const Request&) { return block(1, "new a"); });
  TGD optimizer({a, b}, {.model = model, .momentum = 1, .max_reasks = 1, .joint = true});
  optimizer.step();
  CHECK(model->calls() == 2);
  CHECK(a.text() == "old a");
  CHECK(b.text() == "old b");
  for (const ParameterUpdate& update : optimizer.last_updates()) CHECK(update.outcome == Outcome::kept);
  CHECK_THAT(optimizer.last_updates()[0].reason, ContainsSubstring("\"b\" in the same joint request"));
  CHECK(optimizer.momentum_buffer(a).empty());
}

TEST_CASE("A value of a joint group may stay as it is, but not all of them without a word", "[optim][joint]") {
  const Variable a = parameter("a", "no");
  const Variable b = parameter("b", "no");
  SECTION("one") {
    const auto model = Stub::scripted({block(1, "old a") + block(2, "new b")});
    TGD optimizer({a, b}, {.model = model, .joint = true});
    optimizer.step();
    CHECK(optimizer.last_updates()[0].outcome == Outcome::unchanged);
    CHECK(optimizer.last_updates()[1].outcome == Outcome::updated);
  }
  SECTION("all") {
    const auto model = Stub::scripted({block(1, "old a") + block(2, "old b"), block(1, "new a") + block(2, "old b")});
    TGD optimizer({a, b}, {.model = model, .joint = true});
    optimizer.step();
    CHECK(a.text() == "new a");
    CHECK(optimizer.last_updates()[0].problems.at(0).problem == Problem::unchanged);
  }
}

TEST_CASE("Candidates, rejection and undo work for joint groups", "[optim][joint]") {
  const auto model = Stub::answering([](const Request& request) {
    return block(1, "a" + std::to_string(request.sample)) + block(2, "b" + std::to_string(request.sample));
  });
  const Variable a = parameter("a", "no");
  const Variable b = parameter("b", "no");
  TGD optimizer({a, b}, {.model = model, .joint = true});
  const auto candidates = optimizer.propose(2);
  CHECK(model->calls() == 2);
  optimizer.commit(candidates[1]);
  CHECK(b.text() == "b1");
  optimizer.reject("worse");
  CHECK(b.text() == "old b");
  optimizer.step();
  CHECK_THAT(model->requests().back().messages[1].content, ContainsSubstring("<REJECTED_VALUE>\nb1\n"));
  optimizer.undo();
  CHECK(a.text() == "old a");
}

TEST_CASE("Messages of one's own for a joint group need the parameters", "[optim][joint]") {
  const auto model = Stub::scripted({block(1, "new a") + block(2, "new b")});
  const Variable a = parameter("a", "no");
  const Variable b = parameter("b", "no");
  TGDOptions options{.model = model, .messages = {{"user", {"Improve.\n{parameters}"}}}, .joint = true};
  TGD({a, b}, options).step();
  CHECK(b.text() == "new b");
  options.messages = {{"user", {"{value} {feedback}"}}};
  CHECK_THROWS_WITH(TGD({a, b}, options), ContainsSubstring("{parameters}"));
}

TEST_CASE("Joint requests stay within their budget", "[optim][joint]") {
  const auto model = Stub::answering([](const Request&) { return block(1, "new a") + block(2, "new b"); });
  const Variable a = parameter("a", "BEGIN" + std::string(9000, 'f') + "END");
  const Variable b = parameter("b", "BEGIN" + std::string(9000, 'g') + "END");
  TGDOptions options{.model = model, .context_budget = 8000, .joint = true};
  std::vector<std::string> notices;
  options.on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice.text); };
  TGD({a, b}, options).step();
  std::size_t size = 0;
  const Request request = model->requests()[0];
  for (const auto& message : request.messages) size += message.content.size();
  CHECK(size <= 8000);
  CHECK(a.text() == "new a");
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices[0], ContainsSubstring("the middle of long feedback"));
}

TEST_CASE("The simulated model answers joint requests", "[optim][joint]") {
  const std::string rule = "Choose cat when the message mentions \"purr\" or \"claw\".\nAnswer with the label only.";
  Variable a("Sort pets: cat or dog.", "first", true);
  Variable b("Sort animals: cat, dog or cow.", "second", true);
  for (Variable* prompt : {&a, &b}) prompt->append_grad(Variable("<ITEM>" + rule + "</ITEM><ITEM>" + rule + "</ITEM>"));
  TGD optimizer({a, b}, {.model = std::make_shared<tgd::lm::Simulated>(), .joint = true});
  optimizer.step();
  for (const Variable& prompt : {a, b}) CHECK_THAT(prompt.text(), ContainsSubstring("- cat: purr, claw"));
  CHECK_THAT(b.text(), ContainsSubstring("Sort animals"));
}
