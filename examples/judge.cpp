// A language model as the judge, where no label says what is right:
//
//   1. judge -> writer   A judge scores replies to customers; what it says of them is the feedback to the writer's prompt.
//   2. people -> judge   The judge itself has a prompt. People have labelled some replies, and where the judge disagrees with
//                        them its prompt gets the feedback (eval_mode = false).
//
// Without an endpoint critic and optimizer are lm::Simulated, and writer and judges small scripted stand-ins that do what the
// prompt of the moment says. With OPENAI_BASE_URL or OPENAI_API_KEY set one model plays all the parts, the one named by
// TGD_MODEL (default gpt-4o-mini).
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;
using Texts = std::vector<std::string>;

/// Who plays which part.
struct Cast {
  lm::ChatModelPtr writer;
  lm::ChatModelPtr judge;         // of the first half
  lm::ChatModelPtr taught_judge;  // of the second
  lm::ChatModelPtr editor;        // criticises and rewrites prompts
};

// ---- 1. The judge's verdicts improve the writer -------------------------------------------------------------------------

constexpr const char* verdict_format = "Write the verdict as a JSON object with \"score\" and \"explanation\".";

void improve_writer(const Cast& cast) {
  const Variable complaints(Texts{"My lamp arrived broken.", "I was charged twice.", "Where is my parcel?"}, "complaint");
  const Variable prompt("Reply to the customer in a few sentences.", "instructions of a writer who replies to customers", true);
  const Messages rubric{{"system",
                         {"You judge replies to customers. The score is 1 if the reply apologizes and gives a date, and "
                          "less for what is missing. Explain in one sentence what to do better.",
                          verdict_format}},
                        {"user", {"{prediction}"}}};
  optim::TGD optimizer({prompt}, {.model = cast.editor, .constraints = {optim::Constraint::max_length(1000)}});

  for (int step = 0; step <= 3; ++step) {
    const Variable replies = chat_completion(cast.writer, {{"system", {prompt}}, {"user", {"{complaint}"}}},
                                             {{"complaint", complaints}}, {.role = "reply"});
    const auto [score, explanation] =
        lm_judge_evaluator(cast.judge, rubric, replies, {}, {}, {.evaluator = {.reduction = Reduction::mean}});
    fmt::print("step {}: judged {:.2f} on average; the first reply: {}\n", step, score.data().real(), replies[0].text());

    explanation.backward({.model = cast.editor});
    optimizer.step();
    optimizer.clear_grad();
  }
  fmt::print("The writer's prompt is now:\n{}\n", prompt.text());
}

// ---- 2. People's labels improve the judge -------------------------------------------------------------------------------

/// Replies, and whether people accept them.
struct Labelled {
  Texts replies;
  std::vector<double> accepted;
};

const Labelled to_learn_from{
    {"We are sorry. A replacement is on its way.", "Our policy does not cover this.", "Sorry! Your refund arrives tomorrow.",
     "Unfortunately that is not our fault.", "We have sent the replacement today.", "Unfortunately our policy says no.",
     "Your refund is booked, sorry for the trouble.", "Please ask the manufacturer.", "The manufacturer has to decide that.",
     "A courier brings the replacement tomorrow."},
    {1, 0, 1, 0, 1, 0, 1, 0, 0, 1}};
const Labelled held_out{{"So sorry! The refund is done.", "By our policy you keep it.", "The replacement leaves today.",
                         "Unfortunately we are closed.", "Write to the manufacturer.", "You get it tomorrow.",
                         "It is policy, unfortunately.", "Sorry, here is your refund."},
                        {1, 0, 1, 0, 0, 1, 0, 1}};

/// How often the judge says what people say; with gradients for the judge when they are on.
Evaluation agreement(const Cast& cast, const Variable& instructions, const Labelled& labelled) {
  const Variable replies(labelled.replies, "reply to a customer");
  const Evaluation verdicts =
      lm_judge_evaluator(cast.taught_judge, {{"system", {instructions, verdict_format}}, {"user", {"{prediction}"}}}, replies,
                         {}, {}, {.evaluator = {.reduction = Reduction::none}, .eval_mode = false});
  return exact_match_evaluator(verdicts.score, Variable(labelled.accepted));
}

void print_agreement(const std::string& when, const Cast& cast, const Variable& instructions) {
  const NoGradGuard no_grad;
  fmt::print("{}: the judge agrees with people on {} of {} held-out replies\n", when,
             agreement(cast, instructions, held_out).score.data().real(), held_out.replies.size());
}

void improve_judge(const Cast& cast) {
  const Variable instructions("Judge whether people accept a reply to a customer. The score is one of 0, 1.",
                              "instructions of a judge", true);
  optim::TGD optimizer({instructions}, {.model = cast.editor, .momentum = 2});
  print_agreement("before", cast, instructions);
  for (int step = 0; step < 3; ++step) {
    agreement(cast, instructions, to_learn_from).explanation.backward({.model = cast.editor});
    optimizer.step();
    optimizer.clear_grad();
  }
  print_agreement("after", cast, instructions);
  fmt::print("The judge's prompt is now:\n{}\n", instructions.text());
}

// ---- The cast -----------------------------------------------------------------------------------------------------------

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string verdict(double score, const std::string& explanation) {
  return Json{{"score", score}, {"explanation", explanation}}.dump();
}

/// Each thing that a reply may do: the word in the prompt that makes the scripted writer do it, and what it writes.
struct Virtue {
  std::string word;
  std::string sentence;
  std::string advice;
};
const std::array<Virtue, 2> virtues{{{"Apologize", " We are sorry about this.", "Apologize."},
                                     {"a date", " You will hear from us by Friday.", "Give a date."}}};

std::string scripted_writer(const lm::Request& request) {
  std::string reply = "Thank you for your message.";
  for (const Virtue& virtue : virtues) reply += contains(request.messages[0].content, virtue.word) ? virtue.sentence : "";
  return reply;
}

/// Has the rubric by heart.
std::string scripted_judge(const lm::Request& request) {
  double found = 0;
  std::string advice = "All is well.";
  for (const Virtue& virtue : virtues) {
    const bool is_there = contains(request.messages[1].content, virtue.sentence);
    found += is_there ? 1 : 0;
    if (!is_there) advice = virtue.advice;
  }
  return verdict(found / virtues.size(), advice);
}

Cast simulated_cast() {
  fmt::print(
      "No endpoint is set: critic and optimizer are lm::Simulated, a simulation; the writer and the judges are scripted.\n");
  const auto simulated = std::make_shared<lm::Simulated>();
  // The simulation sorts by the rules in the prompt, here into 0 and 1; the script makes a verdict of its answer.
  const auto taught_judge = lm::Stub::answering([simulated](const lm::Request& request) {
    return verdict(contains(simulated->reply_to(request), "1") ? 1 : 0, "by the rules in the instructions");
  });
  return {lm::Stub::answering(scripted_writer), lm::Stub::answering(scripted_judge), taught_judge, simulated};
}

Cast choose_cast() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) return simulated_cast();
  const char* name = std::getenv("TGD_MODEL");
  const auto model = std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
  return {model, model, model, model};
}

}  // namespace

int main() {
  try {
    const Cast cast = choose_cast();
    fmt::print("\n1. A judge's verdicts improve the writer\n");
    improve_writer(cast);
    fmt::print("\n2. People's labels improve the judge\n");
    improve_judge(cast);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "judge: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
