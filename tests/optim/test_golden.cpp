// The complete text of every request for a new value.
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include <string>
#include <vector>

#include "catch.hpp"
#include "support/golden.hpp"

using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::Constraint;
using tgd::optim::TGD;
using tgd::optim::TGDOptions;
using tgd::test::check_golden;
using tgd::test::sent_text;

using Texts = std::vector<std::string>;

TEST_CASE("Requests for new values are as they are written down", "[optim][golden]") {
  Variable prompt("Classify the ticket {ticket}.\nReply like {\"label\": \"...\"}.", "user prompt", true);
  const auto teacher = Stub::answering([n = 0](const Request&) mutable {
    return "<IMPROVED_VALUE>version " + std::to_string(++n) + " {ticket}</IMPROVED_VALUE>";
  });
  TGDOptions options{.model = teacher};
  const auto add_feedback = [&] {
    prompt.append_grad(Variable("Name the labels.", "feedback to user prompt"));
    prompt.append_grad(Variable("Say that \"billing\" includes refunds.\nBe brief.", "feedback to user prompt"));
  };
  const auto run_chat = [&] {
    const auto student = Stub::answering([](const Request&) { return "billing"; });
    const auto critic = Stub::answering([](const Request&) { return "Name the labels."; });
    tgd::chat_completion(student, {{"user", {prompt}}}, {{"ticket", Texts{"My invoice is wrong.", "It crashes."}}})
        .backward(Texts{"Use the right form.", "The label is technical."}, {.model = critic});
  };
  const auto requests_of_step = [&](const TGDOptions& with) {
    TGD({prompt}, with).step();
    return sent_text(teacher->requests());
  };

  SECTION("minimal") {
    add_feedback();
    check_golden("optim/golden/minimal.txt", requests_of_step(options));
  }
  SECTION("with constraints") {
    add_feedback();
    options.constraints = {"Keep it polite.", Constraint::max_length(200), Constraint::keeps_placeholders({"ticket"})};
    check_golden("optim/golden/constraints.txt", requests_of_step(options));
  }
  SECTION("with momentum") {
    options.momentum = 2;
    TGD optimizer({prompt}, options);
    for (int i = 0; i < 3; ++i) {
      optimizer.clear_grad();
      add_feedback();
      optimizer.step();
    }
    check_golden("optim/golden/momentum.txt", sent_text(std::vector<Request>{teacher->requests().back()}));
  }
  SECTION("with context") {
    run_chat();
    check_golden("optim/golden/context.txt", requests_of_step(options));
  }
  SECTION("with all") {
    options.momentum = 1;
    options.constraints = {"Keep it polite."};
    options.completion_args = {{"model", "teacher"}, {"temperature", 1}};
    TGD optimizer({prompt}, options);
    add_feedback();
    optimizer.step();
    optimizer.clear_grad();
    run_chat();
    optimizer.step();
    check_golden("optim/golden/all.txt", sent_text(std::vector<Request>{teacher->requests().back()}));
  }
  SECTION("asked again") {
    const auto clumsy = Stub::scripted({"I would name the labels.", "<IMPROVED_VALUE>no placeholder</IMPROVED_VALUE>",
                                        "<IMPROVED_VALUE>Label {ticket}.</IMPROVED_VALUE>"});
    add_feedback();
    options.model = clumsy;
    options.constraints = {Constraint::keeps_placeholders({"ticket"})};
    TGD({prompt}, options).step();
    CHECK(prompt.text() == "Label {ticket}.");
    check_golden("optim/golden/reask.txt", sent_text(std::vector<Request>{clumsy->requests().back()}));
  }
}
