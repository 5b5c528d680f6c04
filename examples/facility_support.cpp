// The field's tutorial: an agent that says how the writer of a message to a facility-support desk feels, and textual
// gradient descent on its prompt, first as a train loop and a test loop written by hand, then (--trainer) with the Trainer.
//
//   facility_support [--trainer] [PATH]
//
// PATH is dataset.json or a folder that has it as facility_support/dataset.json; without PATH it is downloaded to data/.
// Runs against the simulated model. With OPENAI_BASE_URL or OPENAI_API_KEY set it runs against that endpoint, with the models
// named by TGD_MODEL (default gpt-4o-mini). What the tutorial calls "loss" is the number of right answers: higher is better.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

constexpr int epochs = 5;

/// message, urgency, sentiment, categories
using Batch = std::tuple<Variable, Variable, Variable, Variable>;
using Loader = data::DataLoader<data::FacilitySupport>;

/// What is optimized: one prompt in front of a language model.
class SentimentAgent : public Module {
 public:
  explicit SentimentAgent(lm::ChatModelPtr model) : model_(std::move(model)) {}

  Variable operator()(const Variable& messages) const {
    return chat_completion(model_, {{"system", {prompt_}}, {"user", {"{message}"}}}, {{"message", messages}},
                           {.args = {{"temperature", 0.0}}, .role = "sentiment of the message"});
  }
  Evaluation evaluate(const Variable& messages, const Variable& sentiment) const {
    return exact_match_evaluator((*this)(messages), sentiment);
  }

  // These two are for the Trainer.
  std::optional<StepResult> training_step(Batch& batch) const {
    const auto& [messages, urgency, sentiment, categories] = batch;
    return evaluate(messages, sentiment);
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() {
    return std::make_shared<optim::TGD>(
        parameters(),
        optim::TGDOptions{.model = model_,
                          .constraints = {"The answer to a message is one of positive, neutral and negative and nothing else."},
                          .momentum = 3});
  }

 private:
  lm::ChatModelPtr model_;
  Parameter prompt_ = register_parameter(
      "prompt",
      {"Read the message to a facility-support desk and say how its writer feels. Answer with one of: positive, neutral, "
       "negative.",
       "instructions for judging the sentiment of a message"});
};

// ---- Data ---------------------------------------------------------------------------------------------------------------

/// Rare labels get the larger weights, so that every label is seen equally often.
std::vector<double> balancing_weights(const data::FacilitySupport& samples) {
  std::map<std::string, double> count;
  for (std::size_t i = 0; i < samples.size(); ++i) count[std::get<2>(samples[i]).text()] += 1;
  std::vector<double> weights;
  for (std::size_t i = 0; i < samples.size(); ++i) weights.push_back(1 / count[std::get<2>(samples[i]).text()]);
  return weights;
}

Loader make_train_loader(const data::FacilitySupport& samples) {
  const auto sampler = std::make_shared<data::WeightedRandomSampler>(balancing_weights(samples), samples.size(), true, 42);
  return Loader(samples, {.batch_size = 33, .sampler = sampler});
}

// ---- What is printed ----------------------------------------------------------------------------------------------------

void print_epoch(std::size_t epoch) { fmt::print("Epoch {}\n-------------------------------\n", epoch); }

void print_step(double loss, double accuracy, std::size_t seen, std::size_t size) {
  fmt::print("loss: {:>7f} - accuracy: {:>7f} [{:>5d}/{:>5d}]\n", loss, accuracy, seen, size);
}

void print_test(double loss, std::size_t size, std::size_t batches) {
  fmt::print("Test Error: \n Accuracy: {:.1f}%, Avg loss: {:>8f} \n\n", 100 * loss / static_cast<double>(size),
             loss / static_cast<double>(batches));
}

// ---- The loops by hand --------------------------------------------------------------------------------------------------

void train_loop(const Loader& loader, const SentimentAgent& agent, optim::Optimizer& optimizer) {
  std::size_t seen = 0;
  for (auto [messages, urgency, sentiment, categories] : loader) {
    const auto [score, explanation] = agent.evaluate(messages, sentiment);
    explanation.backward();
    optimizer.step();
    optimizer.clear_grad();

    seen += messages.size();
    const double right = score.data().real();
    print_step(right, right / static_cast<double>(messages.size()), seen, loader.dataset().size());
  }
}

void test_loop(const Loader& loader, SentimentAgent& agent) {
  agent.eval();
  const NoGradGuard no_grad;
  double right = 0;
  for (auto [messages, urgency, sentiment, categories] : loader)
    right += agent.evaluate(messages, sentiment).score.data().real();
  print_test(right, loader.dataset().size(), loader.size());
  agent.train();
}

void run_by_hand(const lm::ChatModelPtr& model, const Loader& train_loader, const Loader& test_loader) {
  set_backward_model(model);
  SentimentAgent agent(model);
  const auto optimizer = agent.configure_optimizers();

  test_loop(test_loader, agent);
  for (std::size_t epoch = 1; epoch <= epochs; ++epoch) {
    print_epoch(epoch);
    train_loop(train_loader, agent, *optimizer);
    test_loop(test_loader, agent);
  }
  fmt::print("The prompt is now:\n{}\n", agent.parameters().front().text());
}

// ---- The same with the Trainer ------------------------------------------------------------------------------------------

/// Prints what the loops by hand print.
class Printer : public TrainerCallback {
 public:
  explicit Printer(std::size_t size) : size_(size) {}

  void on_step(const StepReport& report) override {
    if (report.step_in_epoch == 1) {
      print_epoch(report.epoch);
      seen_ = 0;
    }
    const Metrics& metrics = report.metrics;
    seen_ += metrics.samples;
    print_step(metrics.score * static_cast<double>(metrics.samples), metrics.score, seen_, size_);
  }
  void on_validation(const ValidationReport& report) override {
    fmt::print("Validation: {:.1f}%{}\n\n", 100 * report.metrics.score, report.is_best ? ", the best so far" : "");
  }

 private:
  std::size_t size_;
  std::size_t seen_ = 0;
};

void test(Trainer& trainer, SentimentAgent& agent, const Loader& loader) {
  const Metrics metrics = trainer.test(agent, loader);
  print_test(metrics.score * static_cast<double>(metrics.samples), metrics.samples, loader.size());
}

void run_with_trainer(const lm::ChatModelPtr& model, const Loader& train_loader, const Loader& validation_loader,
                      const Loader& test_loader) {
  Trainer trainer({.max_epochs = epochs, .callbacks = {std::make_shared<Printer>(train_loader.dataset().size())}});
  const lm::ChatModelPtr tracked = trainer.track(model);
  trainer.options().backward.model = tracked;
  SentimentAgent agent(tracked);

  test(trainer, agent, test_loader);
  trainer.fit(agent, train_loader, validation_loader);
  test(trainer, agent, test_loader);  // with the prompt that was best on the validation part
  fmt::print("The prompt is now:\n{}\n{}\n", agent.parameters().front().text(), trainer.usage().text());
}

lm::ChatModelPtr choose_model() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) {
    fmt::print("No endpoint is set: running against lm::Simulated, a simulation that only shows how the loop works.\n\n");
    return std::make_shared<lm::Simulated>();
  }
  const char* name = std::getenv("TGD_MODEL");
  return std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
}

/// On one line of the terminal, which a file does not get in a hundred pieces.
void show_download(const data::DownloadProgress& progress) {
  if (progress.is_verified) {
    fmt::print(stderr, "\r{}: {} bytes, SHA-256 verified, in {}\n", progress.url, progress.bytes, progress.path.string());
  } else if (isatty(STDERR_FILENO) != 0) {
    fmt::print(stderr, "\r{}: {} of {} bytes", progress.url, progress.bytes, progress.size);
  }
}

void run(const std::string& path, bool with_trainer) {
  const lm::ChatModelPtr model = choose_model();
  const std::string folder = path.empty() ? "data" : path;
  const data::DownloadOptions options{.download = path.empty(), .on_progress = show_download};
  const Loader train_loader = make_train_loader({data::Split::train, folder, options});
  const Loader validation_loader({data::Split::validation, folder, options}, {.batch_size = 17});
  const Loader test_loader({data::Split::test, folder, options}, {.batch_size = 17});
  if (with_trainer) {
    run_with_trainer(model, train_loader, validation_loader, test_loader);
  } else {
    run_by_hand(model, train_loader, test_loader);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::string path;
    bool with_trainer = false;
    for (const std::string& argument : std::vector<std::string>(argv + 1, argv + argc)) {
      if (argument == "--trainer") {
        with_trainer = true;
      } else {
        path = argument;
      }
    }
    run(path, with_trainer);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "facility_support: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
