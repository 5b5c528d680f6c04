// An agent of two stages, each with a prompt of its own, optimized together: a first reader proposes a desk for a support
// ticket, a second one decides, with the ticket and the proposal before it. In between, map() makes a label of what the first
// one has said.
//
// Feedback exists for the decision only. It reaches the second prompt, and through the proposal also the first. Each stage of
// each ticket starts as soon as what it needs is there: nothing waits for the rest of the batch.
//
//   multi_stage [tickets.jsonl [run folder]]
//
// The Trainer takes a step only when the gate finds it better on the validation part, too, and leaves everything in the run
// folder (default runs/multi_stage; a run that is there is continued). Runs against the simulated model. With OPENAI_BASE_URL
// or OPENAI_API_KEY set it runs against that endpoint, with the model named by TGD_MODEL (default gpt-4o-mini).
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

/// The first desk that is named in a reply such as "I would say this is about billing."; the reply itself when there is none.
Data desk_named_in(const Data& reply) {
  std::optional<std::string> first;
  std::size_t first_at = std::string::npos;
  for (const std::string desk : {"billing", "technical", "shipping", "account", "cancellation"}) {
    const std::size_t at = reply.text().find(desk);
    if (at < first_at) {
      first_at = at;
      first = desk;
    }
  }
  return first.value_or(reply.text());
}

class HelpDesk : public Module {
 public:
  explicit HelpDesk(lm::ChatModelPtr model) : model_(std::move(model)) {}

  Variable operator()(const Variable& tickets) const {
    const Variable proposal = chat_completion(model_, {{"system", {first_reader_}}, {"user", {"{ticket}"}}},
                                              {{"ticket", tickets}}, {.role = "proposal of the first reader"});
    const Variable decision =
        chat_completion(model_, {{"system", {second_reader_}}, {"user", {"{ticket}\nProposal: {proposal}"}}},
                        {{"ticket", tickets}, {"proposal", map(proposal, desk_named_in)}}, {.role = "desk for the ticket"});
    return map(decision, desk_named_in);
  }

  // These two are for the Trainer.
  std::optional<StepResult> training_step(std::tuple<Variable, Variable>& batch) const {
    const auto& [tickets, desks] = batch;
    return exact_match_evaluator((*this)(tickets), desks, {.reduction = Reduction::none});
  }
  std::shared_ptr<optim::Optimizer> configure_optimizers() const {
    return std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = model_,
                                                                        .constraints = {optim::Constraint::max_length(3000)},
                                                                        .momentum = 3,
                                                                        .joint = true});  // one request rewrites both
  }

 private:
  lm::ChatModelPtr model_;
  Parameter first_reader_ = register_parameter(
      "first_reader",
      {"You sort messages from customers of a small web shop. Read the message and say what it is about: billing, technical, "
       "shipping, account or cancellation.",
       "instructions of the first reader of support tickets"});
  Parameter second_reader_ =
      register_parameter("second_reader", {"A colleague has proposed a desk for a customer's message. Read both and answer "
                                           "with the right one of billing, technical, "
                                           "shipping, account, cancellation.",
                                           "instructions of the second reader of support tickets"});
};

/// Prints what the gate makes of each step.
class Printer : public TrainerCallback {
  void on_step(const StepReport& report) override {
    fmt::print("  step {}: {:.0f}% right in the batch, proposal {}\n", report.step, 100 * report.metrics.score,
               report.gate->accepted ? "taken" : "not taken: " + report.gate->reason);
  }
};

lm::ChatModelPtr choose_model() {
  if (std::getenv("OPENAI_BASE_URL") == nullptr && std::getenv("OPENAI_API_KEY") == nullptr) {
    fmt::print("No endpoint is set: running against lm::Simulated, a simulation that only shows how the loop works.\n");
    return std::make_shared<lm::Simulated>();
  }
  const char* name = std::getenv("TGD_MODEL");
  return std::make_shared<lm::OpenAI>(lm::OpenAIOptions{.model = name != nullptr ? name : "gpt-4o-mini"});
}

void run(const std::string& file, const std::string& run_folder) {
  const auto label_of = [](const auto& sample) { return std::get<1>(sample).text(); };
  const auto [train, validation, test] =
      data::stratified_split(data::JsonLinesFile(file).columns("text", "label"), label_of, {0.4, 0.3, 0.3}, 1);
  const data::DataLoader test_loader(test, {.batch_size = 64});

  Trainer trainer(
      {.max_epochs = 2, .callbacks = {std::make_shared<Printer>()}, .gate = {.confidence = 0.8}, .run_folder = run_folder});
  const lm::ChatModelPtr model = trainer.track(choose_model());
  trainer.options().backward.model = model;
  HelpDesk desk(model);

  fmt::print("Test part before: {:.1f}% right\n", 100 * trainer.test(desk, test_loader).score);
  const FitResult result = trainer.fit(desk, data::DataLoader(train, {.batch_size = 28, .shuffle = true, .seed = 7}),
                                       data::DataLoader(validation, {.batch_size = 64}), {.resume = true});
  fmt::print("Test part after:  {:.1f}% right\n", 100 * trainer.test(desk, test_loader).score);
  for (const auto& [name, parameter] : desk.named_parameters()) fmt::print("\n{}:\n{}\n", name, parameter.text());
  fmt::print("\n{} steps, {} calls; run folder: {}\n", result.steps, result.usage.total().usage.calls, run_folder);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "examples/tickets/tickets.jsonl", argc > 2 ? argv[2] : "runs/multi_stage");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "multi_stage: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
