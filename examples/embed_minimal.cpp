// The smallest program that embeds tgd: a prompt, one feedback, one step.
// Runs against the simulated model; give it an lm::OpenAI instead and nothing else changes.
#include <iostream>

#include <tgd/tgd.hpp>

int main() {
  auto model = std::make_shared<tgd::lm::Simulated>();
  tgd::set_backward_model(model);

  tgd::Variable prompt("You sort mail. Say whether a message is about fruit or vegetables.", "instructions of a mail sorter",
                       true);
  const std::vector<std::string> messages{"My leeks are still on the road.", "The leeks taste of soil.", "Lovely pears!"};
  const std::vector<std::string> labels{"vegetables", "vegetables", "fruit"};

  tgd::Variable answers = tgd::chat_completion(model, {{"system", {prompt}}, {"user", {"{message}"}}}, {{"message", messages}});
  std::cout << "answers before: " << answers << "\n\n";

  auto [score, explanation] = tgd::exact_match_evaluator(answers, labels);
  explanation.backward();
  std::cout << "feedback to the prompt:\n" << prompt.grad().front().text() << "\n\n";

  tgd::optim::TGD optimizer({prompt}, {.model = model, .constraints = {"Keep the prompt under 100 words."}});
  optimizer.step();
  std::cout << "prompt after one step:\n" << prompt.text() << '\n';
}
