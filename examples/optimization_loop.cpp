// The optimization loop, written by hand: train loop, test loop, weighted sampler, a constraint, momentum, five epochs.
//
//   optimization_loop [tickets.jsonl]
//
// Runs against the simulated model. With OPENAI_BASE_URL or OPENAI_API_KEY set it runs against that endpoint, with the models
// named by TGD_MODEL (default gpt-4o-mini).
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/data/data_loader.hpp>
#include <tgd/data/records.hpp>
#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

/// What is optimized: one prompt in front of a language model.
class TicketSorter : public Module {
 public:
  explicit TicketSorter(lm::ChatModelPtr model) : model_(std::move(model)) {}

  Variable operator()(const Variable& tickets) const {
    return chat_completion(model_, {{"system", {prompt_}}, {"user", {"{ticket}"}}}, {{"ticket", tickets}},
                           {.role = "category of a support ticket"});
  }

 private:
  lm::ChatModelPtr model_;
  Parameter prompt_ = register_parameter(
      "prompt", {"You sort messages from customers of a small web shop. Read the message and say what it is about: billing, "
                 "technical, shipping, account or cancellation.",
                 "instructions for sorting support tickets"});
};

/// Rare labels get the larger weights, so that every label is seen equally often.
template <class Samples>
std::vector<double> balancing_weights(const Samples& samples) {
  std::map<std::string, double> count;
  for (std::size_t i = 0; i < samples.size(); ++i) count[std::get<1>(samples[i]).text()] += 1;
  std::vector<double> weights;
  for (std::size_t i = 0; i < samples.size(); ++i) weights.push_back(1 / count[std::get<1>(samples[i]).text()]);
  return weights;
}

template <class Loader>
void train_loop(const Loader& loader, TicketSorter& sorter, optim::TGD& optimizer) {
  std::size_t seen = 0;
  for (auto [tickets, labels] : loader) {
    const Variable predictions = sorter(tickets);
    const auto [score, explanation] = exact_match_evaluator(predictions, labels);
    explanation.backward();
    optimizer.step();
    optimizer.clear_grad();

    seen += tickets.size();
    fmt::print("  right: {:>2} of {:>2}   [{:>3} samples]\n", score.data().integer(), tickets.size(), seen);
  }
}

template <class Loader>
double test_loop(const Loader& loader, const TicketSorter& sorter) {
  const NoGradGuard no_grad;
  std::int64_t right = 0;
  std::size_t total = 0;
  for (auto [tickets, labels] : loader) {
    right += exact_match_evaluator(sorter(tickets), labels).score.data().integer();
    total += tickets.size();
  }
  return static_cast<double>(right) / static_cast<double>(total);
}

lm::ChatModelPtr choose_model() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) {
    fmt::print("No endpoint is set: running against lm::Simulated, a simulation that only shows how the loop works.\n");
    return std::make_shared<lm::Simulated>();
  }
  const char* name = std::getenv("TGD_MODEL");
  return std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
}

void run(const std::string& file) {
  const lm::ChatModelPtr model = choose_model();
  set_backward_model(model);

  const auto label_of = [](const auto& sample) { return std::get<1>(sample).text(); };
  const auto [train, test] =
      data::stratified_split(data::JsonLinesFile(file).columns("text", "label"), label_of, {0.5, 0.5}, 1);
  const auto sampler = std::make_shared<data::WeightedRandomSampler>(balancing_weights(train), train.size(), true, 7);
  const data::DataLoader train_loader(train, {.batch_size = 16, .sampler = sampler});
  const data::DataLoader test_loader(test, {.batch_size = 64});

  TicketSorter sorter(model);
  optim::TGD optimizer(sorter.parameters(), {.model = model,
                                             .constraints = {"The answer to a message is one of the labels and nothing else.",
                                                             optim::Constraint::max_length(4000)},
                                             .momentum = 3});

  fmt::print("Accuracy on the test part before: {:.1f}%\n", 100 * test_loop(test_loader, sorter));
  for (int epoch = 1; epoch <= 5; ++epoch) {
    fmt::print("Epoch {}\n", epoch);
    train_loop(train_loader, sorter, optimizer);
    fmt::print("  accuracy on the test part: {:.1f}%\n", 100 * test_loop(test_loader, sorter));
  }
  fmt::print("The prompt is now:\n{}\n", sorter.parameters().front().text());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "examples/tickets/tickets.jsonl");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "optimization_loop: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
