// `tgd check`: looks at everything that a run needs, before it is paid for.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/autograd.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/tokens.hpp>
#include <tgd/optim.hpp>
#include <tgd/version.hpp>

#include "cli/command.hpp"
#include "cli/estimate.hpp"
#include "cli/interrupt.hpp"
#include "cli/task.hpp"
#include "cli/task_agent.hpp"
#include "cli/task_data.hpp"
#include "core/text.hpp"

namespace tgd::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* check_examples = R"(Examples:
  tgd check task.json
      is the task in order, do its models answer, and what will a run take?
  tgd check task.json --no-calls
      the same without asking anybody anything
  tgd check task.json --model gpt-4o-mini
      as `tgd optimize` would run with these options

Each model gets one call, with the first sample of the training part. The estimate is made by running the task's own stages and one
step of training over the data with stand-ins for the models. low: no sample needs feedback; likely: half of them do; high: all of
them do, and every new value is asked for as often as it may be. Prompts are taken to grow by 200 tokens (likely) and 800 (high).
Replies that the task's cache holds cost nothing and are not taken off.)";

struct CheckFlags {
  std::string task = {};
  bool no_calls = false;
  ModelFlags model = {};
  OutputFlags output = {};
};

/// What was asked while the trial ran.
struct TrialLog {
  std::mutex mutex;
  std::vector<TrialCall> calls;
  std::vector<lm::Request> requests;
};

/// Notes each call of one model.
class Watched final : public lm::CallDecorator {
 public:
  Watched(std::string role, lm::ChatModelPtr model, std::shared_ptr<TrialLog> log)
      : CallDecorator(std::move(model)), role_(std::move(role)), log_(std::move(log)) {}

  void start_call(lm::Call call, OnText on_text, Done done) override {
    auto note = [log = log_, role = role_, call, done = std::move(done)](lm::Outcome outcome) {
      TrialCall trial{.role = role,
                      .purpose = call.request().info.purpose,
                      .estimated_prompt_tokens = lm::estimate_prompt_tokens(call.request())};
      trial.seconds = std::chrono::duration<double>(Clock::now() - call.began()).count();
      trial.usage = outcome.usage();
      outcome.ok() ? trial.reply = outcome.value().content : trial.error = outcome.error_message();
      if (outcome.ok()) {
        trial.thoughts = detail::count_characters(outcome.value().reasoning);
        trial.is_cut = outcome.value().end() == lm::ReplyEnd::cut;
      }
      {
        const std::lock_guard lock(log->mutex);
        log->calls.push_back(std::move(trial));
        log->requests.push_back(call.request());
      }
      done(std::move(outcome));
    };
    inner().start_call(std::move(call), std::move(on_text), std::move(note));
  }

 private:
  std::string role_;
  std::shared_ptr<TrialLog> log_;
};

/// "1,234,567"
std::string grouped(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string cost_text(const std::optional<lm::Cost>& cost) { return cost ? cost->text() : "unknown"; }

OrderedJson amount_json(const Amount& amount) {
  return {{"calls", std::llround(amount.calls)},
          {"prompt_tokens", std::llround(amount.prompt_tokens)},
          {"completion_tokens", std::llround(amount.completion_tokens)}};
}

std::map<std::string, double> calls_by_purpose(const Amounts& amounts) {
  std::map<std::string, double> calls;
  for (const auto& [key, amount] : amounts) calls[key.first] += amount.calls;
  return calls;
}

OrderedJson outlook_json(const Outlook& outlook, const std::string& budget) {
  OrderedJson json = amount_json(total(outlook.all));
  json["by_purpose"] = OrderedJson::object();
  for (const auto& [purpose, calls] : calls_by_purpose(outlook.all)) json["by_purpose"][purpose] = std::llround(calls);
  json["by_model"] = OrderedJson::object();
  std::map<std::string, Amounts> by_model;
  for (const auto& [key, amount] : outlook.all) by_model[key.second].emplace(key, amount);
  for (const auto& [model, amounts] : by_model) json["by_model"][model] = amount_json(total(amounts));
  json["cost_usd"] = outlook.cost ? OrderedJson(outlook.cost->usd()) : OrderedJson(nullptr);
  json["budget"] = budget.empty() ? OrderedJson(nullptr) : OrderedJson(budget);
  return json;
}

class Check {
 public:
  explicit Check(const CheckFlags& flags)
      : terminal_(flags.output),
        interrupt_([this] { terminal_.note("Interrupted: waiting for the calls in flight. Ctrl-C again ends at once."); }),
        flags_(flags),
        task_(read_task(flags.task)),
        data_(load(task_, flags)),
        prompts_(load_prompts(task_)) {
    ModelFlags model = flags.model;
    model.no_cache = true;  // whether the models answer, not whether they once did
    models_ =
        make_models(task_, {.flags = model, .stop = interrupt_.token(), .cassette = {}, .on_notice = terminal_.on_notice()});
    models_.wrap([this](const std::string& name, lm::ChatModelPtr inner) {
      return std::make_shared<Watched>(name, std::move(inner), log_);
    });
  }

  Status run() {
    print_head();
    if (!flags_.no_calls) try_models();
    if (interrupt_.requested()) return Status::interrupted;
    const std::vector<Outlook> outlooks = estimate(task_, data_, models_, log_->calls);
    terminal_.document(result(outlooks));
    print(outlooks);
    return end();
  }

 private:
  static TaskData load(Task& task, const CheckFlags& flags) {
    apply(flags.model, task);
    return load_data(task.data);
  }

  void print_head() {
    terminal_.line(terminal_.bold(fmt::format("{}: the task is in order", task_.name)));
    terminal_.line(fmt::format("  data   {} samples: {} train, {} validation, {} test", data_.size(), data_.train.size(),
                               data_.validation.size(), data_.test.size()));
    terminal_.line(fmt::format("  LM     {}", models_.text()));
  }

  /// The stages and the evaluator on one sample; whom they do not ask is asked what they asked first.
  void try_models() {
    const NoGradGuard no_grad;
    terminal_.progress("asking each model once");
    const Batch sample = batch_of(data_.train, 1);
    const TaskAgent agent(task_, models_.by_name, prompts_);
    const std::vector<StageResult> stages = agent.run(sample);
    const Variable score = agent.evaluate(sample, stages.back().output).score;
    answer_ = answer_of(stages);
    try {
      score.wait();
    } catch (const std::exception&) {
      // The judge's call has its line among the others.
    }
    lm::Request request = log_->requests.at(0);
    request.args = {};
    request.info = {.purpose = "check"};
    for (const auto& [role, model] : models_.distinct()) {
      if (!was_asked(role)) (void)model->try_chat_all({request});
    }
    for (const TrialCall& call : log_->calls) terminal_.line("  " + call_text(call));
    print_windows();
    if (answer_ && !answer_->problem.empty()) terminal_.line("  warning: " + answer_->problem + "; it is scored as it came");
  }

  /// Of the endpoints that say how much their models take.
  void print_windows() {
    for (const auto& [role, model] : models_.distinct()) {
      const bool answers = std::any_of(log_->calls.begin(), log_->calls.end(), [&wanted = role](const TrialCall& call) {
        return call.role == wanted && call.error.empty();
      });
      const auto window = answers ? model->context_window() : std::nullopt;
      if (!window) continue;
      windows_[role] = *window;
      terminal_.line(fmt::format("  {}: takes {} tokens, the request and its reply together", role, *window));
      const auto budget =
          static_cast<std::int64_t>(task_.optimizer.context_budget.value_or(optim::TGDOptions{}.context_budget));
      constexpr std::int64_t characters_per_token = 4;
      constexpr std::int64_t share_of_replies = 4;
      const std::int64_t fitting = (*window - *window / share_of_replies) * characters_per_token;
      if (model != models_.at("teacher") || budget <= fitting) continue;
      terminal_.line(fmt::format(
          "  warning: requests for feedback and for new values may have {} characters, about {} tokens, which is more "
          "than the {} takes; write \"optimizer\": {{\"context_budget\": {}}}",
          budget, budget / characters_per_token, role, fitting / 1000 * 1000));
    }
  }

  bool was_asked(const std::string& role) const {
    return std::any_of(log_->calls.begin(), log_->calls.end(), [&](const TrialCall& call) { return call.role == role; });
  }

  std::string call_text(const TrialCall& call) const {
    const std::string who = call.purpose == "check" ? call.role : fmt::format("{} ({})", call.role, call.purpose);
    if (!call.error.empty()) return terminal_.bad(fmt::format("{}: failed after {:.2f} s: {}", who, call.seconds, call.error));
    constexpr std::size_t most_shown = 60;
    std::string reply = detail::excerpt(detail::trim(call.reply), most_shown);
    std::replace(reply.begin(), reply.end(), '\n', ' ');
    const std::string tokens = call.usage.reported > 0
                                   ? fmt::format("{} tokens in, {} out", call.usage.prompt_tokens, call.usage.completion_tokens)
                                   : fmt::format("no token figures (about {} in, {} out)", call.usage.estimated_prompt_tokens,
                                                 call.usage.estimated_completion_tokens);
    std::string text = fmt::format("{}: \"{}\" after {:.2f} s; {}", who, reply, call.seconds, tokens);
    if (call.thoughts > 0) {
      text += fmt::format(
          "; it thinks first: {} characters of thoughts are no part of the answer (\"reasoning\": \"keep\" leaves those "
          "that stand in the text)",
          call.thoughts);
    }
    if (call.is_cut) text += "; cut off by the limit of tokens in \"args\" (max_tokens, max_completion_tokens)";
    return text;
  }

  Schedule schedule() const { return schedule_of(task_.training, data_.train.size()); }

  void print(const std::vector<Outlook>& outlooks) {
    const Schedule plan = schedule();
    terminal_.line(fmt::format("\n{:<26}{:>12}{:>12}{:>12}",
                               fmt::format("{} steps, {} validations", plan.steps, plan.validations), "low", "likely", "high"));
    const auto row = [&](const std::string& name, auto cell) {
      std::string text = fmt::format("  {:<24}", name);
      for (const Outlook& outlook : outlooks) text += fmt::format("{:>12}", cell(outlook));
      terminal_.line(text);
    };
    row("calls", [](const Outlook& outlook) { return grouped(total(outlook.all).calls); });
    for (const auto& [purpose, unused] : calls_by_purpose(outlooks.back().all)) {
      row("  " + purpose, [wanted = purpose](const Outlook& outlook) {
        const auto calls = calls_by_purpose(outlook.all);
        const auto found = calls.find(wanted);
        return grouped(found == calls.end() ? 0 : found->second);
      });
    }
    row("tokens in", [](const Outlook& outlook) { return grouped(total(outlook.all).prompt_tokens); });
    row("tokens out", [](const Outlook& outlook) { return grouped(total(outlook.all).completion_tokens); });
    row("cost", [](const Outlook& outlook) { return cost_text(outlook.cost); });
    print_notes(outlooks);
  }

  void print_notes(const std::vector<Outlook>& outlooks) {
    for (const std::string& model : unpriced()) {
      terminal_.line(
          fmt::format("The price of {} is not known; \"price\": {{\"input\": …, \"output\": …}} in its model gives it (USD for "
                      "a million tokens)",
                      model));
    }
    for (const Outlook& outlook : outlooks) {
      const std::string text = budget_text(task_.budget, outlook, schedule().steps);
      if (!text.empty()) terminal_.line(fmt::format("{}: {}", outlook.scenario, text));
    }
  }

  std::vector<std::string> unpriced() const {
    std::vector<std::string> names;
    for (const auto& [role, model] : models_.distinct()) {
      if (!models_.prices.find(model->model_name()) &&
          std::find(names.begin(), names.end(), model->model_name()) == names.end())
        names.push_back(model->model_name());
    }
    return names;
  }

  OrderedJson result(const std::vector<Outlook>& outlooks) const {
    OrderedJson json{
        {"name", task_.name},
        {"samples", {{"train", data_.train.size()}, {"validation", data_.validation.size()}, {"test", data_.test.size()}}},
        {"steps", schedule().steps},
        {"validations", schedule().validations},
        {"calls", OrderedJson::array()}};
    for (const TrialCall& call : log_->calls) json["calls"].push_back(call_json(call));
    if (answer_ && !answer_->problem.empty()) json["warning"] = answer_->problem;
    json["estimate"] = OrderedJson::object();
    for (const Outlook& outlook : outlooks)
      json["estimate"][outlook.scenario] = outlook_json(outlook, budget_text(task_.budget, outlook, schedule().steps));
    json["models_without_price"] = unpriced();
    json["version"] = version();
    return json;
  }

  OrderedJson call_json(const TrialCall& call) const {
    OrderedJson json{{"model", call.role},
                     {"name", models_.at(call.role)->model_name()},
                     {"purpose", call.purpose},
                     {"seconds", call.seconds}};
    if (!call.error.empty()) {
      json["error"] = call.error;
      return json;
    }
    json["reply"] = call.reply;
    json["prompt_tokens"] = call.usage.prompt_tokens;
    json["completion_tokens"] = call.usage.completion_tokens;
    if (call.thoughts > 0) json["thoughts"] = call.thoughts;
    if (const auto window = windows_.find(call.role); window != windows_.end()) json["context_window"] = window->second;
    return json;
  }

  Status end() const {
    if (interrupt_.requested()) return Status::interrupted;
    for (const TrialCall& call : log_->calls) {
      if (!call.error.empty())
        throw Error(
            fmt::format("the {} does not answer: {}\nCheck its endpoint and its key (--base-url, --model, OPENAI_API_KEY, or "
                        "\"models\" in {})",
                        call.role, call.error, task_.file.string()));
    }
    return Status::ok;
  }

  Terminal terminal_;
  Interrupt interrupt_;
  const CheckFlags& flags_;
  Task task_;
  TaskData data_;
  Prompts prompts_;
  Models models_;
  std::shared_ptr<TrialLog> log_ = std::make_shared<TrialLog>();
  std::optional<Answer> answer_;
  std::map<std::string, std::int64_t> windows_;  // by role, where known
};

}  // namespace

void add_check(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("check", "Look at a task, try its models, and estimate what a run takes");
  const auto flags = std::make_shared<CheckFlags>();
  add_task_argument(*command, flags->task);
  command->add_flag("--no-calls", flags->no_calls, "Ask no model anything");
  add_model_flags(*command, flags->model);
  add_output_flags(*command, flags->output);
  command->footer(check_examples);
  command->callback([flags, &action] { action = [flags] { return Check(*flags).run(); }; });
}

}  // namespace tgd::cli
