// The complete text of requests for new values: with each section alone, with all, and a checksum for every combination.
#include <tgd/optim.hpp>

#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/sha256.hpp"
#include "core/variable_impl.hpp"
#include "optim/checks.hpp"
#include "optim/prompt/meta_prompt.hpp"
#include "support/golden.hpp"

using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Constraint;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::optim::detail::Checks;
using tgd::optim::detail::ParameterState;
using tgd::optim::detail::Subject;
using tgd::test::check_golden;
using tgd::test::sent_text;

namespace {

constexpr std::array sections = {"objective", "context",  "constraints", "instructions", "momentum",
                                 "rejected",  "siblings", "examples",    "boldness"};
enum Section : unsigned { objective, context, constraints, instructions, momentum, rejected, siblings, examples, boldness };
constexpr unsigned all = (1U << sections.size()) - 1;

/// What a request for a parameter is made of, with the sections whose bits are set.
struct Scene {
  explicit Scene(unsigned present) : has_siblings(has(present, siblings)) {
    if (has(present, objective)) {
      options.direction = tgd::optim::Direction::minimize;
      state.score = 0.625;
      state.scored_value = state.parameter.text();
    }
    if (has(present, context)) {
      tgd::detail::impl_of(gradients[0])->make_extras().contexts = {std::make_shared<const std::string>(
          "<SAMPLE>\n<CONVERSATION>\n<USER>\nIt crashes.\n</USER>\n</CONVERSATION>\n<REPLY>\n"
          "billing\n</REPLY>\n<FEEDBACK>\nThe label is technical.\n</FEEDBACK>\n</SAMPLE>")};
    }
    if (has(present, constraints)) options.constraints = {"Keep it polite.", Constraint::max_length(200)};
    if (has(present, instructions)) options.rules = {{.parameter = state.parameter, .instructions = "Never name a price."}};
    if (has(present, momentum)) {
      options.momentum = 2;
      state.momentum = {{Variable("Classify."), {Variable("Say what."), Variable("Say how.")}, 0.75},
                        {Variable("Classify {ticket}."), {Variable("Name the labels.")}}};
    }
    if (has(present, rejected)) {
      state.rejected = {{"Guess.", "It scored less on 24 samples.", 0.8125}, {"Be brief.", "It says nothing of labels.", {}}};
    }
    if (has(present, examples)) options.examples = {"Sort the mail by urgency: high, normal or low.", "Say yes or no."};
    if (has(present, boldness)) options.boldness = tgd::optim::Boldness::conservative;
  }

  std::string text(bool joint = false) {
    options.joint = joint;
    const Checks checks(state, options);
    const Checks other_checks(other, options);
    std::vector<Subject> subjects{{&state, gradients, checks.texts()}};
    if (joint) subjects.push_back({&other, other_gradients, other_checks.texts()});
    const std::vector<Variable> others = has_siblings ? std::vector{other.parameter} : std::vector<Variable>{};
    tgd::optim::detail::PromptParts parts(options);
    Request request;
    request.messages = tgd::optim::detail::meta_prompt({subjects, others, options, parts}).messages;
    return sent_text({&request, 1});
  }

  static bool has(unsigned present, Section section) { return (present >> section & 1U) != 0; }

  TGDOptions options;
  ParameterState state{Variable("Classify the ticket {ticket}.\nReply like {\"label\": \"...\"}.", "user prompt", true)};
  ParameterState other{Variable("You work for a shop.", "system prompt", true)};
  std::vector<Variable> gradients{Variable("Name the labels."), Variable("Say that \"billing\" includes refunds.\nBe brief.")};
  std::vector<Variable> other_gradients{Variable("Say which shop.")};
  bool has_siblings;
};

std::string name_of(unsigned present) {
  std::string name;
  for (unsigned i = 0; i < sections.size(); ++i) {
    if ((present >> i & 1U) != 0) name += (name.empty() ? "" : "+") + std::string(sections[i]);
  }
  return name.empty() ? "none" : name;
}

}  // namespace

TEST_CASE("Requests for new values are as they are written down", "[optim][golden]") {
  check_golden("optim/golden/minimal.txt", Scene(0).text());
  check_golden("optim/golden/all.txt", Scene(all).text());
  for (unsigned i = 0; i < sections.size(); ++i) {
    check_golden(fmt::format("optim/golden/only_{}.txt", sections[i]), Scene(1U << i).text());
  }
  check_golden("optim/golden/joint_minimal.txt", Scene(0).text(true));
  check_golden("optim/golden/joint_all.txt", Scene(all).text(true));
}

TEST_CASE("Requests with every combination of sections keep their bytes", "[optim][golden]") {
  std::string table;
  for (unsigned present = 0; present <= all; ++present) {
    for (const bool joint : {false, true}) {
      const std::string text = Scene(present).text(joint);
      // An absent section leaves no gap and no empty element.
      REQUIRE(text.find("\n\n\n") == std::string::npos);
      REQUIRE(text.find("S>\n</") == std::string::npos);
      table += fmt::format("{} {:>5} {}{}\n", tgd::detail::sha256(text).substr(0, 16), text.size(), joint ? "joint: " : "",
                           name_of(present));
    }
  }
  check_golden("optim/golden/combinations.txt", table);
}

TEST_CASE("Directions and degrees of boldness are said in words", "[optim][golden]") {
  std::string text;
  for (const auto direction : {tgd::optim::Direction::maximize, tgd::optim::Direction::minimize}) {
    Scene scene(1U << objective);
    scene.options.direction = direction;
    text += scene.text();
  }
  for (const auto degree : {tgd::optim::Boldness::conservative, tgd::optim::Boldness::moderate, tgd::optim::Boldness::bold}) {
    Scene scene(1U << boldness);
    scene.options.boldness = degree;
    text += scene.text();
  }
  check_golden("optim/golden/words.txt", text);
}

TEST_CASE("What is left out of a request is said", "[optim][golden]") {
  Scene scene(all);
  for (int i = 0; i < 30; ++i) {
    tgd::detail::impl_of(scene.gradients[0])
        ->extras->contexts.push_back(
            std::make_shared<const std::string>("<SAMPLE>\nmail " + std::to_string(i) + std::string(100, '.') + "\n</SAMPLE>"));
  }
  scene.gradients[1] = Variable("BEGIN" + std::string(3000, '.') + "END");
  std::vector<std::string> notices;
  scene.options.on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice.text); };
  std::string text;
  std::size_t trims = 0;
  for (const std::size_t budget : {7500U, 5600U, 3900U}) {
    scene.options.context_budget = budget;
    text += scene.text();
    REQUIRE(notices.size() == ++trims);
    text += "######## notice\n" + notices.back() + "\n";
  }
  check_golden("optim/golden/trimmed.txt", text);
}

TEST_CASE("Unusable replies are answered as it is written down", "[optim][golden][concurrent]") {
  const auto requests = [](bool joint, std::vector<std::string> replies) {
    const auto clumsy = Stub::scripted(std::move(replies));
    Variable prompt("Label {ticket}. <FROZEN>Be kind.</FROZEN>", "user prompt", true);
    Variable other("Be helpful.", "system prompt", true);
    for (Variable* parameter : {&prompt, &other}) parameter->append_grad(Variable("Name the labels."));
    TGDOptions options{.model = clumsy, .constraints = {Constraint::max_length(100)}, .max_reasks = 10, .joint = joint};
    TGD(joint ? std::vector{prompt, other} : std::vector{prompt}, options).step();
    std::string text = sent_text(std::vector<Request>{clumsy->requests().back()});
    return text.substr(text.find("#### assistant"));
  };
  const auto value = [](const std::string& text, const std::string& number = "") {
    return "<IMPROVED_VALUE" + number + ">" + text + "</IMPROVED_VALUE" + number + ">";
  };
  const std::string good = value("Label it well. <FROZEN>Be kind.</FROZEN>");
  check_golden("optim/golden/reask.txt",
               requests(false, {"I would name the labels.", "<IMPROVED_VALUE>Label", "Label</IMPROVED_VALUE>", value(""),
                                value("a") + value("b") + " or so", value("Label <FEEDBACK>it</FEEDBACK>"),
                                value("Put nothing into it that is meant for somebody else"), value(std::string(200, 'x')),
                                value("Label it. <FROZEN>Be cruel.</FROZEN>"),
                                value("Label {ticket}. <FROZEN>Be kind.</FROZEN>"), good}));
  check_golden("optim/golden/joint_reask.txt",
               requests(true, {value("x", "_1"), value("Label. <FROZEN>Be kind.</FROZEN>", "_1") + "\nnothing",
                               value("Be very helpful.", "_2")}));
}
