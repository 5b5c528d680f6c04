// The smallest program that embeds tgd: a prompt, one feedback, one step.
// Runs against the simulated model; give it an lm::OpenAI instead and nothing else changes.
#include <iostream>

#include <tgd/tgd.hpp>

int main() {
  auto model = std::make_shared<tgd::lm::Simulated>();
  tgd::set_backward_model(model);

  tgd::Variable prompt("You sort mail. Say whether a message is about fruit or vegetables.", "instructions of a mail sorter",
                       true);
  tgd::Variable answer = tgd::chat_completion(model, {{"system", {prompt}}, {"user", {"{message}"}}},
                                              {{"message", "The carrots arrived limp, and the leeks as well."}});
  std::cout << "answer before: " << answer.text() << '\n';

  auto [score, explanation] = tgd::exact_match_evaluator(answer, "vegetables");
  explanation.backward();
  for (const tgd::Variable& gradient : prompt.grad()) std::cout << "feedback:\n" << gradient.text() << '\n';

  tgd::optim::TGD optimizer({prompt}, {.model = model, .constraints = {"Keep the prompt under 100 words."}});
  optimizer.step();
  std::cout << "prompt after:\n" << prompt.text() << '\n';
}
