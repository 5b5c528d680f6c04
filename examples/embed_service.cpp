// A service that improves while it runs: several threads answer with the prompt in service, a background thread optimizes a
// copy of it from the feedback that comes in, and what proves better on held-out feedback goes into service at once.
//
//   embed_service [tickets.jsonl]
//
// Runs against the simulated model, which fails now and then as endpoints do. With OPENAI_BASE_URL or OPENAI_API_KEY set it
// runs against that endpoint, with the model named by TGD_MODEL (default gpt-4o-mini).
//
// Threads:
// - A ChatModel may be used by all of them at once. One object is best: limits of rate and connections are then kept together.
// - Any number may read a Variable, but none while another sets it, which is what an optimizer does. So a sorter in service
//   never changes: the optimizer works on one of its own, and a new sorter takes the place of the old one as a whole.
// - Trainer and optimizer belong to one thread. NoGradGuard holds for the thread that makes it.
// - set_backward_model() is one setting for the whole process; here the Trainer's options name the model instead.
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

using Ticket = std::tuple<std::string, std::string>;  // message, desk

/// What is served and what is optimized: one prompt in front of a language model.
class Sorter : public Module {
 public:
  Sorter(lm::ChatModelPtr model, std::string instructions) : model_(std::move(model)) {
    prompt_.set_data(std::move(instructions));
  }

  Variable operator()(const Variable& tickets, OnError on_error = OnError::fail) const {
    return chat_completion(model_, {{"system", {prompt_}}, {"user", {"{ticket}"}}}, {{"ticket", tickets}},
                           {.on_error = on_error, .role = "desk for a support ticket"});
  }
  const std::string& instructions() const { return prompt_.text(); }

  // These two are for the Trainer. One ticket that is filtered or cut is no reason to lose the others: it counts as wrong.
  std::optional<StepResult> training_step(std::tuple<Variable, Variable>& batch) const {
    const auto& [tickets, desks] = batch;
    return exact_match_evaluator((*this)(tickets, OnError::keep), desks, {.reduction = Reduction::none});
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() const {
    return std::make_shared<optim::TGD>(
        parameters(), optim::TGDOptions{.model = model_, .constraints = {optim::Constraint::max_length(3000)}, .momentum = 3});
  }

 private:
  lm::ChatModelPtr model_;
  Parameter prompt_ = register_parameter("prompt", {"", "instructions for sorting support tickets"});
};

/// The service. Every member may be called from any thread.
class HelpDesk {
 public:
  explicit HelpDesk(std::shared_ptr<const Sorter> sorter) : sorter_(std::move(sorter)) {}

  /// The desk that a ticket goes to; nothing when the language model could not be asked: a person decides then.
  std::optional<std::string> sort(const std::string& ticket) const {
    const NoGradGuard no_grad;  // nothing is to be learned here, so no history is kept
    try {
      const std::shared_ptr<const Sorter> sorter = in_service();
      return (*sorter)(ticket).text();
    } catch (const LMError&) {  // what a further attempt can help was tried again by lm::OpenAI already
      return std::nullopt;
    }
  }

  /// Whoever sorts with the old one at this moment keeps it until the answer is there.
  void put_into_service(std::shared_ptr<const Sorter> sorter) {
    const std::lock_guard lock(mutex_);
    sorter_ = std::move(sorter);
  }
  std::shared_ptr<const Sorter> in_service() const {
    const std::lock_guard lock(mutex_);
    return sorter_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Sorter> sorter_;
};

/// Which desk has dealt with a ticket in the end. Every member may be called from any thread.
class Feedback {
 public:
  void add(const Ticket& ticket) {
    const std::lock_guard lock(mutex_);
    tickets_.insert(ticket);
    grown_.notify_all();
  }
  /// All tickets so far, once there are enough; none when the service ends before.
  std::vector<Ticket> wait_for(std::size_t count, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!grown_.wait(lock, stop, [&] { return tickets_.size() >= count; }) || stop.stop_requested()) return {};
    return {tickets_.begin(), tickets_.end()};
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any grown_;
  std::set<Ticket> tickets_;  // in an order that does not depend on who was first
};

// ---- In the background --------------------------------------------------------------------------------------------------

/// Puts a copy of the candidate into service whenever the gate has let a step through.
class Release : public TrainerCallback {
 public:
  Release(HelpDesk& desk, lm::ChatModelPtr model, const Sorter& candidate)
      : desk_(desk), model_(std::move(model)), candidate_(candidate) {}

  void on_step(const StepReport& report) override {
    if (!report.gate || !report.gate->accepted) return;
    desk_.put_into_service(std::make_shared<Sorter>(model_, candidate_.instructions()));
    fmt::print("  new prompt in service: held-out feedback {:.0f}% right before, {:.0f}% after (by chance: p = {:.1g})\n",
               100 * *report.gate->validation_before, 100 * *report.gate->validation_after, report.gate->p_value);
  }

 private:
  HelpDesk& desk_;
  lm::ChatModelPtr model_;
  const Sorter& candidate_;
};

/// Learns from a part of the feedback. The gate takes a step only if it does better on the rest, too, by a paired test.
void improve(HelpDesk& desk, const lm::ChatModelPtr& model, const std::vector<Ticket>& feedback, const std::stop_token& stop) {
  const auto desk_of = [](const Ticket& ticket) { return std::get<1>(ticket); };
  const auto [train, held_out] = data::stratified_split(feedback, desk_of, {0.6, 0.4}, 1);

  Trainer trainer({.max_epochs = 6, .max_calls = 2000, .gate = {.confidence = 0.8}, .stop = stop});
  const lm::ChatModelPtr counted = trainer.track(model);
  Sorter candidate(counted, desk.in_service()->instructions());
  trainer.options().backward.model = counted;
  trainer.options().callbacks = {std::make_shared<Release>(desk, model, candidate)};
  const FitResult result = trainer.fit(candidate, data::DataLoader(train, {.batch_size = 24, .shuffle = true, .seed = 7}),
                                       data::DataLoader(held_out, {.batch_size = 64}));
  fmt::print("  improved from {} tickets in {} steps and {} calls; ended by: {}\n", feedback.size(), result.steps,
             result.usage.total().usage.calls, to_string(result.ending));
}

/// A round whenever the feedback has grown to three times of what it was. One that fails costs the round, never the service.
void keep_improving(HelpDesk& desk, Feedback& feedback, const lm::ChatModelPtr& model, std::size_t wanted,
                    std::atomic<int>& rounds, const std::stop_token& stop) {
  for (auto tickets = feedback.wait_for(wanted, stop); !tickets.empty(); tickets = feedback.wait_for(wanted, stop)) {
    try {
      improve(desk, model, tickets, stop);
    } catch (const std::exception& error) {
      fmt::print("  this round of improvement failed: {}\n", error.what());
    }
    wanted = 3 * tickets.size();
    ++rounds;
    rounds.notify_all();
  }
}

// ---- The demonstration --------------------------------------------------------------------------------------------------

/// Four threads answer the tickets of some hours; where each ticket really belonged becomes feedback.
void serve(const std::string& hours, const HelpDesk& desk, Feedback& feedback, std::span<const Ticket> tickets) {
  std::atomic<std::size_t> next = 0, right = 0, unanswered = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < tickets.size(); i = next++) {
      const std::optional<std::string> answer = desk.sort(std::get<0>(tickets[i]));
      if (!answer) ++unanswered;
      if (answer == std::get<1>(tickets[i])) ++right;
      feedback.add(tickets[i]);
    }
  };
  { const std::array<std::jthread, 4> threads{std::jthread(work), std::jthread(work), std::jthread(work), std::jthread(work)}; }
  fmt::print("{}: {} of {} tickets sorted right ({:.0f}%), {} left to a person because a call failed\n", hours, right.load(),
             tickets.size(), 100.0 * static_cast<double>(right) / static_cast<double>(tickets.size()), unanswered.load());
}

/// The simulated endpoint fails now and then, for whoever serves to be seen to bear it. A round of improvement takes hundreds of calls,
/// and ends where an endpoint does: it is simulated without.
struct Models {
  lm::ChatModelPtr serving;
  lm::ChatModelPtr improving;
};

Models choose_models() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) {
    fmt::print("No endpoint is set: running against lm::Simulated, a simulation that only shows how the loop works.\n");
    using std::chrono::milliseconds;
    return {std::make_shared<lm::Simulated>(lm::SimulatedOptions{.latency = milliseconds(1), .error_rate = 0.01}),
            std::make_shared<lm::Simulated>(lm::SimulatedOptions{.latency = milliseconds(1)})};
  }
  const char* name = std::getenv("TGD_MODEL");
  const auto model = std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
  return {model, model};
}

std::vector<Ticket> read_tickets(const std::string& file) {
  const auto rows = data::JsonLinesFile(file).columns("text", "label");
  std::vector<Ticket> tickets;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [text, label] = rows[i];
    tickets.emplace_back(text.text(), label.text());
  }
  return tickets;
}

void run(const std::string& file) {
  const std::vector<Ticket> tickets = read_tickets(file);
  const std::span<const Ticket> all(tickets);
  const std::size_t half = tickets.size() / 2;
  const std::size_t quarter = tickets.size() / 4;

  const auto [model, patient] = choose_models();
  HelpDesk desk(
      std::make_shared<Sorter>(model,
                               "You sort messages from customers of a small web shop. Read the message and say what it "
                               "is about: billing, technical, shipping, account or cancellation."));
  Feedback feedback;
  std::atomic<int> rounds = 0;
  // Its destructor asks the thread to stop, and waits for the step under way.
  const std::jthread improver(
      [&, patient = patient](const std::stop_token& stop) { keep_improving(desk, feedback, patient, half, rounds, stop); });

  serve("Morning, with the first prompt", desk, feedback, all.first(half));
  serve("Noon, while the prompt is being optimized", desk, feedback, all.subspan(half, quarter));
  rounds.wait(0);
  serve("Afternoon, with the optimized prompt", desk, feedback, all.subspan(half + quarter));
  fmt::print("The prompt in service is now:\n{}\n", desk.in_service()->instructions());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "examples/tickets/tickets.jsonl");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "embed_service: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
