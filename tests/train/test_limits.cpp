#include <nlohmann/json.hpp>
#include <tgd/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <tgd/cognitive/module.hpp>
#include <tgd/data/data_loader.hpp>
#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/sha256.hpp"
#include "support/gated_model.hpp"
#include "support/temporary_folder.hpp"
#include "train/scripted_agent.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

using Samples = std::vector<std::pair<std::string, std::string>>;
using Batch = std::tuple<Variable, Variable>;

/// Never right: each step costs a forward, a backward and an optimizer's call of 10 + 5 tokens each, for one sample.
struct NeverRight : Module {
  explicit NeverRight(lm::ChatModelPtr tracked, std::size_t optimizers = 1) : model(std::move(tracked)) {
    for (std::size_t i = 0; i < optimizers; ++i) {
      const Variable& parameter = i == 0 ? static_cast<const Variable&>(prompt) : tone;
      all.push_back(std::make_shared<optim::TGD>(std::vector<Variable>{parameter}, optim::TGDOptions{.model = model}));
    }
  }

  std::optional<StepResult> training_step(Batch& batch) {
    const auto& [question, answer] = batch;
    return exact_match_evaluator(reply(question), answer);
  }
  Variable predict_step(Batch& batch) { return reply(std::get<0>(batch)); }
  std::vector<std::shared_ptr<optim::TGD>> configure_optimizers() { return all; }

  Variable reply(const Variable& question) {
    return chat_completion(model, {{"system", {prompt, tone}}, {"user", {"{question}"}}}, {{"question", question}});
  }

  lm::ChatModelPtr model;
  Parameter prompt = register_parameter("prompt", {"start", "the answer"});
  Parameter tone = register_parameter("tone", {"kind", "the tone"});
  std::vector<std::shared_ptr<optim::TGD>> all;
};

std::shared_ptr<lm::Stub> stub() {
  return lm::Stub::answering_in_full([](const lm::Request& request) -> lm::Reply {
    static int number = 0;
    const std::string text = request.info.purpose == "optimize"
                                 ? "<IMPROVED_VALUE>version " + std::to_string(++number) + "</IMPROVED_VALUE>"
                                 : "reply to " + request.messages.back().content.substr(0, 1);
    return {.content = text,
            .finish_reason = "stop",
            .model = "stub-1",
            .usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 10, .completion_tokens = 5}};
  });
}

data::DataLoader<Samples> ten_questions() {
  Samples samples;
  for (int i = 0; i < 10; ++i) samples.emplace_back(std::to_string(i), "right");
  return data::DataLoader<Samples>(samples);
}

FitResult fit(TrainerOptions options, bool validates = false) {
  Trainer trainer(std::move(options));
  const lm::ChatModelPtr model = trainer.track(stub(), "student");
  trainer.options().backward.model = model;
  NeverRight agent(model);
  return validates ? trainer.fit(agent, ten_questions(), ten_questions()) : trainer.fit(agent, ten_questions());
}

}  // namespace

TEST_CASE("a request of a tracked model is digested once, for its ledger, its cache and the run's journal", "[train]") {
  const test::TemporaryFolder folder;
  const auto cache = std::make_shared<lm::Cache>(lm::CacheOptions{.path = folder.path() / "replies.db"});
  Trainer trainer({.run_folder = folder.path() / "run"});
  const auto held = trainer.hold_run_folder();
  trainer.open_journal();
  const lm::ChatModelPtr model = trainer.track(std::make_shared<lm::Cached>(stub(), cache), "student");
  const lm::Request request{.messages = {{"user", "?"}}};
  const std::uint64_t before = detail::sha256_count();
  model->chat(request);
  model->chat(request);
  CHECK(detail::sha256_count() - before == 2);
  const std::vector<Json> calls = lm::read_ledger(folder.path() / "run/calls.jsonl");
  REQUIRE(calls.size() == 2);
  CHECK(calls[0].get_text("tgd.request.hash") == calls[1].get_text("tgd.request.hash"));
  CHECK(calls[0].value().at("tgd.cached") == false);
  CHECK(calls[1].value().at("tgd.cached") == true);
  CHECK(trainer.usage().total().usage.attempts == 1);
}

TEST_CASE("calls that a budget refused are no calls of the run", "[train]") {
  Trainer trainer;
  const auto budget = std::make_shared<lm::Budget>(lm::BudgetOptions{.limits = {.calls = 1}});
  const lm::ChatModelPtr model = trainer.track(std::make_shared<lm::Budgeted>(stub(), budget), "student");
  const std::vector<lm::Request> requests(3, lm::Request{.messages = {{"user", "?"}}});
  model->try_chat_all(requests);
  CHECK(trainer.usage().total().usage.calls == 1);
  CHECK(trainer.usage().total().failed == 0);
}

TEST_CASE("limits end a run between steps and say which one did", "[train][concurrent]") {
  // A step makes three calls of 15 tokens, but two parameters share the critique: forward 1, backward 2, optimizer 1.
  SECTION("none") {
    const FitResult result = fit({});
    CHECK(result.ending == Ending::epochs);
    CHECK(result.steps == 10);
    CHECK(result.usage.total().usage.calls == 40);
  }
  SECTION("steps") {
    const FitResult result = fit({.max_steps = 3}, true);
    CHECK(result.ending == Ending::steps);
    CHECK(result.steps == 3);
    CHECK(result.best.has_value());
  }
  SECTION("calls") {
    const FitResult result = fit({.max_calls = 10});
    CHECK(result.ending == Ending::calls);
    CHECK(result.steps == 3);
    CHECK(result.usage.total().usage.calls == 12);
  }
  SECTION("tokens") {
    const FitResult result = fit({.max_tokens = 100});
    CHECK(result.ending == Ending::tokens);
    CHECK(result.steps == 2);
  }
  SECTION("time") {
    const FitResult result = fit({.max_time = std::chrono::nanoseconds(1)});
    CHECK(result.ending == Ending::time);
    CHECK(result.steps == 0);
  }
  SECTION("a stop that was asked for") {
    std::stop_source stop;
    struct StopAfterTwo : TrainerCallback {
      explicit StopAfterTwo(std::stop_source& to_stop) : source(to_stop) {}
      void on_step(const StepReport& report) override {
        if (report.step == 2) source.request_stop();
      }
      std::stop_source& source;
    };
    const FitResult result = fit({.callbacks = {std::make_shared<StopAfterTwo>(stop)}, .stop = stop.get_token()});
    CHECK(result.ending == Ending::stopped);
    CHECK(result.steps == 2);
  }
  SECTION("early stopping") {
    const FitResult result = fit({.validate_every = 1, .early_stopping = {.patience = 2}}, true);
    CHECK(result.ending == Ending::early_stopping);
    CHECK(result.steps == 2);
    CHECK(to_string(result.ending) == "validation has stopped getting better");
  }
}

TEST_CASE("a limit that is no number is refused before anything is asked, not taken for none", "[train]") {
  for (const double seconds : {-1.0, 0.0, 1e300, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CAPTURE(seconds);
    CHECK_THROWS_WITH(fit({.max_time = std::chrono::duration<double>(seconds)}),
                      ContainsSubstring("TrainerOptions::max_time is"));
  }
  CHECK_THROWS_WITH(fit({.validate_every = 0}), ContainsSubstring("TrainerOptions::validate_every is 0"));
  CHECK_THROWS_WITH(fit({.early_stopping = {.patience = 0}}), ContainsSubstring("EarlyStopping::patience is 0"));
  for (const double cost : {-1.0, std::nan("")}) {
    CAPTURE(cost);
    CHECK_THROWS_WITH(fit({.max_cost = cost}), ContainsSubstring("TrainerOptions::max_cost is"));
  }
}

TEST_CASE("a limit on cost needs prices", "[train]") {
  const auto with_prices = [](lm::PriceTable table) {
    TrainerOptions options{.max_cost = 0.05, .prices = std::move(table)};
    return fit(std::move(options));
  };
  CHECK_THROWS_WITH(with_prices(lm::PriceTable::empty()),
                    ContainsSubstring("max_cost") && ContainsSubstring("TrainerOptions::prices"));
  lm::PriceTable table;
  table.set("*", {.input = 1'000, .output = 2'000});  // a call costs 2 cents, a step 8
  const FitResult result = with_prices(table);
  CHECK(result.ending == Ending::cost);
  CHECK(result.steps == 1);
  CHECK(result.usage.cost()->usd() == Approx(0.08));
}

TEST_CASE("predict gives what predict_step returns for each batch, in order and without history", "[train]") {
  NeverRight agent(stub());
  const std::vector<Variable> predictions = Trainer().predict(agent, ten_questions());
  REQUIRE(predictions.size() == 10);
  CHECK(predictions[7].texts() == std::vector<std::string>{"reply to 7"});
  CHECK_FALSE(predictions[7].requires_grad());
}

TEST_CASE("several optimizers step one after the other", "[train]") {
  Trainer trainer({.max_steps = 1});
  const lm::ChatModelPtr model = trainer.track(stub());
  trainer.options().backward.model = model;
  NeverRight agent(model, 2);
  trainer.fit(agent, ten_questions());
  CHECK(agent.prompt.text() != "start");
  CHECK(agent.tone.text() != "kind");
}

TEST_CASE("an agent may optimize by hand", "[train]") {
  struct ByHand : NeverRight {
    using NeverRight::NeverRight;
    bool automatic_optimization = false;
    std::optional<StepResult> training_step(Batch& batch) {
      ++steps;
      return NeverRight::training_step(batch);
    }
    int steps = 0;
  };
  const auto calls = stub();
  ByHand agent(calls);
  Trainer().fit(agent, ten_questions());
  CHECK(agent.steps == 10);
  CHECK(calls->calls() == 10);
  CHECK(agent.prompt.text() == "start");
}

TEST_CASE("samples without an answer are counted, and so are the calls that failed", "[train]") {
  struct Skipping : NeverRight {
    using NeverRight::NeverRight;
    std::optional<StepResult> validation_step(Batch& batch) {
      const auto& [question, answer] = batch;
      return exact_match_evaluator(
          chat_completion(model, {{"user", {"{question}"}}}, {{"question", question}}, {.on_error = OnError::keep}), answer);
    }
  };
  Trainer trainer;
  Skipping agent(trainer.track(lm::Stub::answering([](const lm::Request& request) -> std::string {
    const std::string& question = request.messages.back().content;
    if (question == "3" || question == "7") throw LMError(LMError::Kind::filtered, "out of order", 400);
    return "right";
  })));
  const Metrics metrics = trainer.validate(agent, ten_questions());
  CHECK(metrics.samples == 10);
  CHECK(metrics.failed == 2);
  CHECK(metrics.score == Approx(0.8));
  CHECK(trainer.usage().total().usage.calls == 10);
  CHECK(trainer.usage().total().failed == 2);
}

TEST_CASE("calls that an error cancels on their way are among the abandoned ones, before and after a resume",
          "[train][resume]") {
  /// Its critic answers nothing, so that all that it was asked is on its way when the budget refuses a call.
  struct Criticised : test::ScriptedAgent {
    Criticised() : ScriptedAgent({}) {
      student = lm::Stub::answering([](const lm::Request&) { return "wrong"; });
    }
    std::optional<StepResult> training_step(test::Batch& batch) {
      const auto& [question, answer] = batch;
      return exact_match_evaluator(chat_completion(student, {{"system", {prompt}}, {"user", {"{question}"}}},
                                                   {{"question", question}}, {.feedback = {.samples_per_request = 1}}),
                                   answer);
    }
  };
  const test::TemporaryFolder folder;
  const bool keeps_journal = GENERATE(true, false);
  const auto gated = std::make_shared<test::GatedModel>();
  const auto budget = std::make_shared<lm::Budget>(lm::BudgetOptions{.limits = {.calls = 3}});
  Trainer trainer({.run_folder = keeps_journal ? folder.path() / "run" : std::filesystem::path(),
                   .prices = lm::PriceTable::empty().set("gated", {.input = 1, .output = 1})});
  Criticised agent;
  trainer.options().backward.model = trainer.track(std::make_shared<lm::Budgeted>(gated, budget), "gated");
  const data::DataLoader<test::Samples> batch(test::samples_with({"a", "b", "c", "d"}), {.batch_size = 4});
  CHECK_THROWS_AS(trainer.fit(agent, batch), BudgetError);
  REQUIRE(gated->cancelled().size() == 3);
  const lm::ModelCost lost = trainer.abandoned();
  CHECK(lost.usage.calls == 3);
  CHECK(lost.usage.prompt_tokens > 0);
  CHECK(lost.usage.completion_tokens > 0);
  CHECK(trainer.usage().total().usage.calls == 0);
  if (!keeps_journal) return;

  Trainer next({.run_folder = folder.path() / "run"});
  next.options().backward.model = next.track(test::critic(), "gated");
  Criticised again;
  again.editor->otherwise("<IMPROVED_VALUE>Answer well.</IMPROVED_VALUE>");
  next.fit(again, batch, FitOptions{.resume = true});
  CHECK(next.abandoned().usage == lost.usage);
  CHECK(next.usage().total().usage.calls == 4);
}

TEST_CASE("tracked models have names of their own", "[train]") {
  Trainer trainer;
  trainer.track(stub());
  CHECK_THROWS_AS(trainer.track(stub()), ValueError);
  trainer.track(stub(), "teacher");
  CHECK_THROWS_AS(trainer.track(nullptr), ValueError);
}

TEST_CASE("earlier checkpoints are kept where that is asked for", "[train]") {
  const test::TemporaryFolder folder;
  fit({.max_steps = 5, .run_folder = folder.path(), .keep_checkpoints = 2});
  CHECK_FALSE(std::filesystem::exists(folder.path() / "checkpoint-3.json"));
  CHECK(std::filesystem::exists(folder.path() / "checkpoint-4.json"));
  CHECK(std::filesystem::exists(folder.path() / "checkpoint-5.json"));
}

namespace {

/// Some questions fail by their own fault.
struct Failing : test::ScriptedAgent {
  explicit Failing(std::string questions, LMError::Kind kind = LMError::Kind::filtered, Reduction how = Reduction::sum)
      : ScriptedAgent({}, how) {
    student = lm::Stub::answering([questions, kind](const lm::Request& request) -> std::string {
      const std::string& question = request.messages.back().content;
      if (questions.find(question) != questions.npos) throw LMError(kind, "not this one");
      return "right";
    });
    editor = std::make_shared<lm::Stub>();
    editor->otherwise("<IMPROVED_VALUE>Answer well.</IMPROVED_VALUE>");
    optimizer = std::make_shared<optim::TGD>(parameters(), optim::TGDOptions{.model = editor});
  }

  std::optional<StepResult> training_step(Batch& batch) {
    const auto& [question, answer] = batch;
    return exact_match_evaluator(chat_completion(student, {{"system", {prompt}}, {"user", {"{question}"}}},
                                                 {{"question", question}}, {.on_error = OnError::keep}),
                                 answer, {.reduction = reduction});
  }
};

FitResult fit_failing(Failing& agent, TrainerOptions options) {
  options.max_epochs = 3;
  options.backward.model = test::critic();
  return Trainer(std::move(options)).fit(agent, ten_questions(), ten_questions());
}

}  // namespace

TEST_CASE("a run goes on beside samples that fail by their own fault, and each is counted", "[train]") {
  const auto notes = std::make_shared<test::Notes>();
  const Reduction how = GENERATE(Reduction::sum, Reduction::mean, Reduction::none);
  Failing agent("37",
                GENERATE(LMError::Kind::filtered, LMError::Kind::refused, LMError::Kind::too_long, LMError::Kind::truncated,
                         LMError::Kind::empty, LMError::Kind::unreadable),
                how);
  const FitResult result = fit_failing(agent, {.callbacks = {notes}});
  CHECK(result.steps == 30);
  CHECK(result.best->metrics.failed == 2);
  CHECK(result.best->metrics.score == Approx(0.8));
  CHECK(std::count_if(notes->steps.begin(), notes->steps.end(),
                      [](const StepReport& step) { return step.metrics.failed == 1; }) == 6);
}

TEST_CASE("a run ends when more samples have failed than it may, each counted once", "[train]") {
  Failing agent("37");
  SECTION("as many as may") { CHECK(fit_failing(agent, {.max_failed = 0.2}).steps == 30); }
  SECTION("one too many") {
    CHECK_THROWS_WITH(
        fit_failing(agent, {.max_failed = 0.05}),
        ContainsSubstring("samples have failed, and max_failed allows 5% of them") && ContainsSubstring("sample "));
  }
  SECTION("in a measurement of its own") {
    CHECK_THROWS_AS(Trainer({.max_failed = 0.1}).validate(agent, ten_questions()), Error);
    CHECK(Trainer({.max_failed = 0.2}).validate(agent, ten_questions()).failed == 2);
  }
  SECTION("a share that is none is refused") { CHECK_THROWS_AS(fit_failing(agent, {.max_failed = 1.5}), ValueError); }
}

TEST_CASE("a run that goes on knows which samples have failed before", "[train][resume]") {
  const test::TemporaryFolder folder;
  const auto fit_in = [&](const std::string& name, std::optional<std::size_t> max_steps, bool resume) {
    Failing agent("37");
    return Trainer({.max_epochs = 2,
                    .backward = {.model = test::critic()},
                    .max_steps = max_steps,
                    .max_failed = 0.1,
                    .run_folder = folder.path() / name})
        .fit(agent, ten_questions(), FitOptions{.resume = resume});
  };
  std::string whole;
  try {
    fit_in("whole", std::nullopt, false);
  } catch (const Error& error) {
    whole = error.what();
  }
  CHECK_THAT(whole, ContainsSubstring("epoch 1, step 8 of 10: 2 of 10 samples have failed"));
  const std::size_t ended_at = GENERATE(4, 5, 7);  // the fourth is the first that fails
  CHECK(fit_in("resumed", ended_at, false).steps == ended_at);
  CHECK_THROWS_WITH(fit_in("resumed", std::nullopt, true), whole);
}

TEST_CASE("where every call fails, however harmless each failure is, the run ends", "[train]") {
  Failing agent("0123456789");
  CHECK_THROWS_WITH(Trainer().validate(agent, ten_questions()),
                    ContainsSubstring("none of the 10 samples got an answer") && ContainsSubstring("not this one"));
}
