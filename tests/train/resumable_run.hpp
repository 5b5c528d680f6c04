// A small run with everything that a checkpoint has to hold: a shuffled loader, a parameter, a buffer, momentum, validation,
// tracked models with prices. Each of its requests is different, so that paying for one twice can be seen.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/cognitive/module.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/data/stream.hpp>
#include <tgd/data/stream_loader.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/simulated.hpp>
#include <tgd/trainer.hpp>

#include "core/sha256.hpp"

namespace tgd::test {

/// Notes each forward call that really reaches the model and gives its reply a name that the journal keeps.
class Paid final : public lm::ChatModel {
 public:
  Paid(lm::ChatModelPtr model, std::function<void(const std::string& call)> note)
      : model_(std::move(model)), note_(std::move(note)) {}

  void start(lm::Request request, Done done) override {
    std::string call = request.info.purpose;
    if (call == "forward") {
      call += request.args.dump();
      for (const lm::Message& message : request.messages) call += message.content;
      call = detail::sha256(call);
      note_(call);
    }
    model_->start(std::move(request), [call, done = std::move(done)](lm::Outcome outcome) {
      if (!outcome.ok()) return done(std::move(outcome));
      lm::Reply reply = std::move(outcome).value();
      reply.model = call;
      done(std::move(reply));
    });
  }
  std::string provider() const override { return "simulated"; }
  std::string class_type() const override { return "Paid"; }
  std::string model_name() const override { return "simulated"; }

 private:
  lm::ChatModelPtr model_;
  std::function<void(const std::string&)> note_;
};

/// Lets one call at a time through.
class OneAtATime final : public lm::ChatModel {
 public:
  explicit OneAtATime(lm::ChatModelPtr model) : state_(std::make_shared<State>()) { state_->model = std::move(model); }

  void start(lm::Request request, Done done) override {
    {
      const std::lock_guard lock(state_->mutex);
      state_->waiting.emplace(std::move(request), std::move(done));
      if (std::exchange(state_->busy, true)) return;
    }
    next(state_);
  }
  std::string provider() const override { return "simulated"; }
  std::string class_type() const override { return "OneAtATime"; }
  std::string model_name() const override { return "simulated"; }

 private:
  struct State {
    lm::ChatModelPtr model;
    std::mutex mutex;
    std::queue<std::pair<lm::Request, Done>> waiting;
    bool busy = false;
  };

  static void next(const std::shared_ptr<State>& state) {
    std::unique_lock lock(state->mutex);
    if (state->waiting.empty()) {
      state->busy = false;
      return;
    }
    auto [request, done] = std::move(state->waiting.front());
    state->waiting.pop();
    lock.unlock();
    Done finished = std::move(done);
    state->model->start(std::move(request), [state, finished = std::move(finished)](lm::Outcome outcome) {
      finished(std::move(outcome));
      next(state);
    });
  }

  std::shared_ptr<State> state_;
};

struct ResumableAgent : Module {
  explicit ResumableAgent(lm::ChatModelPtr model)
      : student(std::move(model)),
        optimizer(std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = student, .momentum = 2})) {}

  std::optional<StepResult> training_step(std::tuple<Variable, Variable>& batch) {
    const auto& [message, label] = batch;
    round.set_data(round.data().integer() + 1);
    const Variable reply = chat_completion(student, {{"system", {prompt}}, {"user", {"{message}"}}}, {{"message", message}},
                                           {.args = {{"user", round.data().item_text()}}, .role = "label"});
    return exact_match_evaluator(reply, label, {.reduction = Reduction::none});
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() { return optimizer; }

  lm::ChatModelPtr student;
  Parameter prompt = register_parameter("prompt", {"Say what the message is about: money or travel.", "instructions"});
  Variable round = register_buffer("round", Variable(0, "round"));
  std::shared_ptr<optim::TGD> optimizer;
};

using ResumableSamples = std::vector<std::pair<std::string, std::string>>;

inline ResumableSamples resumable_samples(const std::string& tone) {
  ResumableSamples samples;
  for (const char* thing : {"invoice", "refund", "payment", "bank fee"})
    samples.emplace_back(tone + " the " + thing + " is wrong.", "money");
  for (const char* thing : {"flight", "hotel", "train seat", "luggage"})
    samples.emplace_back(tone + " my " + thing + " is late.", "travel");
  return samples;
}

inline ResumableSamples training_samples() {
  ResumableSamples samples = resumable_samples("Hello,");
  for (const auto& sample : resumable_samples("Help!")) samples.push_back(sample);
  return samples;
}

struct ResumableRun {
  std::filesystem::path folder = {};
  std::filesystem::path stream = {};  // JSON Lines to train on instead of training_samples()
  bool resume = false;
  std::filesystem::path checkpoint = {};
  std::chrono::microseconds latency{0};
  bool one_at_a_time = false;
  std::size_t max_epochs = 3;
  Gate gate = {};
  Search search = {};
  std::function<void(const std::string& call)> on_paid = [](const std::string&) {};
  std::vector<std::shared_ptr<TrainerCallback>> callbacks = {};
  std::optional<std::int64_t> max_calls = {};
  bool has_prices = true;
  std::size_t keep_checkpoints = 0;
  std::vector<std::string> first_values = {};  // of the prompt, that are raced before the first batch
  std::size_t validation_batch = 8;
};

inline FitResult run(const ResumableRun& plan) {
  lm::PriceTable prices = lm::PriceTable::empty();
  if (plan.has_prices) prices.set("simulated", {.input = 1, .output = 2});
  Trainer trainer({.max_epochs = plan.max_epochs,
                   .validate_every = plan.search.chain == 0 ? std::optional<std::size_t>(2) : std::nullopt,
                   .callbacks = plan.callbacks,
                   .max_calls = plan.max_calls,
                   .gate = plan.gate,
                   .search = plan.search,
                   .run_folder = plan.folder,
                   .keep_checkpoints = plan.keep_checkpoints,
                   .prices = prices});
  lm::ChatModelPtr model =
      std::make_shared<lm::Simulated>(lm::SimulatedOptions{.seed = 3, .latency = plan.latency, .latency_jitter = plan.latency});
  if (plan.one_at_a_time) model = std::make_shared<OneAtATime>(model);
  const lm::ChatModelPtr tracked = trainer.track(std::make_shared<Paid>(model, plan.on_paid), "student");
  trainer.options().backward.model = tracked;
  ResumableAgent agent(tracked);
  using Loader = data::DataLoader<ResumableSamples>;
  for (const std::string& value : plan.first_values)
    trainer.options().first_proposals.push_back({value.substr(0, 12), {{agent.prompt, value}}});
  const Loader validation(resumable_samples("Look:"), {.batch_size = plan.validation_batch});
  const FitOptions options{.resume = plan.resume, .checkpoint = plan.checkpoint};
  if (plan.stream.empty()) {
    return trainer.fit(agent, Loader(training_samples(), {.batch_size = 4, .shuffle = true, .seed = 11}), validation, options);
  }
  const data::StreamLoader stream(data::JsonLinesStream(plan.stream).columns("message", "label"), {.batch_size = 4});
  return trainer.fit(agent, stream, validation, options);
}

}  // namespace tgd::test
