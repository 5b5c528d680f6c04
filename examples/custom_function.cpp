// Your own functions in the graph. A request to a shop is tidied, looked up in the catalogue, and answered:
//
//   1. tidy         a pair of functions on items: autograd::apply(ItemFunction)
//   2. search       plain C++ without a backward: black_box(), where a language model works out the feedback
//   3. first_found  a class derived from autograd::Function, which sends feedback only where it belongs
//
// Prints the graph as a Mermaid drawing and the gradients. Runs against the simulated model. With OPENAI_BASE_URL or
// OPENAI_API_KEY set it runs against that endpoint, with the model named by TGD_MODEL (default gpt-4o-mini).
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

// ---- 1. A pair of functions ---------------------------------------------------------------------------------------------

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// In lower case. Feedback is about the tidied text; who wrote the text is told so.
Variable tidy(const Variable& request) {
  return autograd::apply({.name = "Tidy",
                          .forward = [](std::span<const Data> inputs) -> Data { return lower(inputs[0].text()); },
                          .backward =
                              [](std::span<const Data>, const Data& output, const std::string& feedback) {
                                return std::vector{fmt::format("Read as \"{}\": {}", output.text(), feedback)};
                              },
                          .role = "tidied request"},
                         {request});
}

// ---- 2. A plain function ------------------------------------------------------------------------------------------------

/// The first product whose last word occurs in the request; "" when there is none.
Data search(std::span<const Data> inputs) {
  static const std::vector<std::string> catalogue{"Torvik keyboard", "Fennick thermostat", "Hobnail lamp"};
  const auto is_named = [&](const std::string& product) {
    return inputs[0].text().find(product.substr(product.find(' ') + 1)) != std::string::npos;
  };
  const auto found = std::find_if(catalogue.begin(), catalogue.end(), is_named);
  return found == catalogue.end() ? "" : *found;
}

// ---- 3. A derived function ----------------------------------------------------------------------------------------------

/// What was found, or the apology for items where nothing was. Feedback goes to where the answer came from.
class FirstFound : public autograd::Function {
 public:
  std::string name() const override { return "FirstFound"; }

  std::vector<Variable> forward(const std::vector<Variable>& inputs) override {
    save_for_backward({inputs[0]});
    std::vector<std::string> answers = inputs[0].texts();
    std::replace(answers.begin(), answers.end(), std::string(), inputs[1].text());
    return {Variable(std::move(answers), "answer to the customer")};
  }

  std::vector<autograd::Gradient> backward(const autograd::Feedback& feedback, std::span<const lm::Reply>) const override {
    const std::vector<std::string>& found = saved()[0].texts();
    std::vector<std::string> to_search(found.size());
    std::string to_apology;  // one text for all items, because they share it
    for (std::size_t i = 0; i < found.size(); ++i) {
      (found[i].empty() ? to_apology : to_search[i]) += feedback.grad_outputs[0]->data().item_text(i);
    }
    return {Variable(std::move(to_search)), Variable(std::move(to_apology))};
  }
};

Variable first_found(const Variable& found, const Variable& apology) {
  return autograd::apply(std::make_shared<FirstFound>(), {found, apology}).front();
}

// ---- All together -------------------------------------------------------------------------------------------------------

lm::ChatModelPtr choose_model() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) {
    fmt::print("No endpoint is set: running against lm::Simulated, a simulation that only shows how the loop works.\n\n");
    return std::make_shared<lm::Simulated>();
  }
  const char* name = std::getenv("TGD_MODEL");
  return std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
}

void run() {
  const lm::ChatModelPtr model = choose_model();
  using Texts = std::vector<std::string>;
  const Variable requests(Texts{"A LAMP for my desk", "A Thermostat that I can set from my Keyboard", "One teapot"},
                          "request of a customer", true);
  const Variable apology("We have nothing of the kind.", "what is said when nothing is found", true);

  const Variable found = black_box(search, "Takes the first product of the catalogue whose name occurs in the text.",
                                   {tidy(requests)}, {.name = "Search", .role = "product that was found"});
  const Variable answers = first_found(found, apology);
  for (std::size_t i = 0; i < requests.size(); ++i) fmt::print("{} -> {}\n", requests[i].text(), answers[i].text());

  const Variable feedback(Texts{"", "The customer wants the thermostat.", "Say that teapots come in again in May."});
  fmt::print("\nThe graph, for https://mermaid.live:\n{}\n", autograd::to_mermaid(answers));
  answers.backward(feedback, {.model = model});

  fmt::print("Gradient of the requests, one item each:\n");
  const Variable gradient = requests.grad().front();
  for (const std::string& text : gradient.texts()) fmt::print("- {}\n", text.empty() ? "(all is well)" : text);
  fmt::print("Gradient of the apology:\n- {}\n", apology.grad().front().text());
  fmt::print("Calls to the language model: {}, for the one item whose feedback has to pass the black box\n",
             model->usage().calls);
}

}  // namespace

int main() {
  try {
    run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "custom_function: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
