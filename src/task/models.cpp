#include "task/models.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <tgd/cognitive/command_evaluator.hpp>
#include <tgd/lm/command.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/simulated.hpp>

#include "core/seconds.hpp"
#include "core/text.hpp"
#include "lm/command_hooks.hpp"
#include "lm/message_text.hpp"
#include "task/interruptible.hpp"
#include "task/proxy.hpp"
#include "task/task.hpp"

namespace tgd::cli {

namespace {

constexpr std::size_t simulated_in_flight = 256;

void expect_key(const ModelSpec& spec, const lm::OpenAI& model) {
  const char* key = std::getenv("OPENAI_API_KEY");
  if (spec.api_key.empty() && spec.headers.empty() && spec.secret_headers.empty() &&
      model.url().starts_with("https://api.openai.com/") && (key == nullptr || *key == '\0')) {
    throw TaskError("OPENAI_API_KEY is not set, and " + model.url() +
                    " needs a key; set it in the environment, or name another endpoint with --base-url");
  }
}

std::vector<std::pair<std::string, std::string>> pairs_of(const std::vector<NamedSetting>& settings) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const NamedSetting& setting : settings) pairs.emplace_back(setting.name, setting.value);
  return pairs;
}

lm::OpenAIOptions openai_options(const ModelSpec& spec, const ModelFlags& flags) {
  lm::OpenAIOptions options{.model = spec.model, .base_url = spec.base_url, .api_key = spec.api_key, .args = spec.args};
  if (const auto most = flags.max_in_flight ? flags.max_in_flight : spec.max_in_flight) options.max_in_flight = *most;
  if (const auto timeout = flags.timeout_seconds ? flags.timeout_seconds : spec.timeout_seconds)
    options.timeout = detail::span_of_seconds(*timeout, flags.timeout_seconds ? "--timeout" : "\"timeout_seconds\"");
  options.reasoning = spec.reasoning.value_or(options.reasoning);
  options.system_role = spec.system_role.value_or(options.system_role);
  if (const auto retries = flags.max_retries ? flags.max_retries : spec.max_retries) options.max_retries = *retries;
  if (spec.max_retry_after_seconds)
    options.max_retry_after = detail::span_of_seconds(*spec.max_retry_after_seconds, "\"max_retry_after_seconds\"");
  if (spec.max_retry_time_seconds)
    options.max_retry_time = detail::span_of_seconds(*spec.max_retry_time_seconds, "\"max_retry_time_seconds\"");
  options.headers = pairs_of(spec.headers);
  options.secret_headers = pairs_of(spec.secret_headers);
  options.query = pairs_of(spec.query);
  options.requests_per_minute = spec.requests_per_minute;
  options.tokens_per_minute = spec.tokens_per_minute;
  return options;
}

/// The model itself, and how many calls it takes at the same time.
std::pair<lm::ChatModelPtr, std::size_t> make_model(const ModelSpec& spec, const ModelFlags& flags, const OnNotice& on_notice) {
  try {
    if (spec.provider == "simulated")
      return {std::make_shared<lm::Simulated>(spec.simulated), flags.max_in_flight.value_or(simulated_in_flight)};
    lm::OpenAIOptions options = openai_options(spec, flags);
    options.on_notice = on_notice;
    auto model = std::make_shared<lm::OpenAI>(options);
    expect_key(spec, *model);
    return {model, options.max_in_flight};
  } catch (const ValueError& error) {
    throw TaskError(spec.place + ": " + error.what());
  }
}

std::string name_of(const ModelSpec& spec) { return spec.provider == "simulated" ? "simulated" : spec.model; }

lm::PriceTable prices_of(const Task& task) {
  lm::PriceTable prices;
  prices.set("simulated", lm::Price::free());
  for (const auto& [name, spec] : task.models) {
    if (spec.price) prices.set(name_of(spec), *spec.price);
  }
  // What a program's own calls cost only it can say, unless they go through tgd.
  for (const StageSpec& stage : task.stages) {
    if (stage.kind == StageSpec::Kind::command || stage.has_proxy)
      prices.set(detail::join(stage.command.run, " "), lm::Price::free());
  }
  return prices;
}

bool is_limited(const lm::BudgetLimits& limits) {
  return limits.calls || limits.prompt_tokens || limits.completion_tokens || limits.usd || limits.seconds;
}

std::shared_ptr<lm::Cache> open_cache(const Task& task, const ModelOptions& options) {
  if (!task.cache || options.flags.no_cache) return nullptr;
  try {
    return std::make_shared<lm::Cache>(lm::CacheOptions{.path = *task.cache});
  } catch (const ValueError& error) {
    throw TaskError(std::string("/cache: ") + error.what() + "; name another file, or use --no-cache");
  }
}

/// Before a recording that is replayed: what a cache gave when it was recorded passes the budget by, as it did then.
class ReplayedBudget final : public lm::CallDecorator {
 public:
  ReplayedBudget(const std::shared_ptr<lm::Recorded>& recorded, std::shared_ptr<lm::Budget> budget)
      : CallDecorator(std::make_shared<lm::Budgeted>(recorded, std::move(budget))), recorded_(recorded) {}

  void start_call(lm::Call call, OnText on_text, Done done) override {
    if (recorded_->is_free(call)) return recorded_->start_call(std::move(call), std::move(on_text), std::move(done));
    inner().start_call(std::move(call), std::move(on_text), std::move(done));
  }

 private:
  std::shared_ptr<lm::Recorded> recorded_;
};

/// Next to the endpoint.
class InFlight final : public lm::CallDecorator {
 public:
  InFlight(lm::ChatModelPtr model, std::shared_ptr<CallCounter> counter)
      : CallDecorator(std::move(model)), counter_(std::move(counter)) {}

  void start_call(lm::Call call, OnText on_text, Done done) override {
    counter_->begin();
    inner().start_call(std::move(call), std::move(on_text), [counter = counter_, done = std::move(done)](lm::Outcome outcome) {
      counter->end();
      done(std::move(outcome));
    });
  }

 private:
  std::shared_ptr<CallCounter> counter_;
};

/// Makes the model of one spec, with all that stands before it.
class Stack {
 public:
  Stack(const ModelOptions& options, Models& models) : options_(options), models_(models) {}

  lm::ChatModelPtr make(const std::string& name, const ModelSpec& spec) const {
    if (is_replay()) return replayed(name, name_of(spec));
    auto [model, in_flight] = make_model(spec, options_.flags, options_.on_notice);
    return complete(name, std::move(model), in_flight, true);
  }

  /// Of a stage that is a command. What a cache gives again has to be what it would say.
  lm::ChatModelPtr make(const StageSpec& stage) const {
    CommandOptions options = stage.command.options(error_file(stage.name));
    const bool is_watched = models_.proxy && stage.has_proxy;
    if (is_watched) options.max_in_flight = 1;  // whose calls they are is known by their process
    const auto model = std::make_shared<lm::Command>(options, is_watched ? models_.proxy->hooks() : lm::detail::CommandHooks{});
    if (is_replay()) return replayed(stage.model, model->model_name());
    return complete(stage.model, model, options.workers * options.max_in_flight, stage.command.is_deterministic);
  }

  lm::ChatModelPtr make_metric(const CommandSpec& command) const {
    lm::ChatModelPtr model = std::make_shared<lm::Command>(command.options(error_file("metric")));
    if (models_.cache && command.is_deterministic) model = std::make_shared<lm::Cached>(std::move(model), models_.cache);
    return model;
  }

 private:
  bool is_replay() const { return options_.cassette && options_.cassette->mode() == lm::CassetteMode::replay; }

  std::filesystem::path error_file(const std::string& name) const {
    return options_.run_folder.empty() ? std::filesystem::path() : options_.run_folder / (name + ".stderr");
  }

  lm::ChatModelPtr replayed(const std::string& name, const std::string& model) const {
    return finish(name, replayed(std::make_shared<lm::Recorded>(options_.cassette, model)), simulated_in_flight);
  }

  lm::ChatModelPtr complete(const std::string& name, lm::ChatModelPtr model, std::size_t in_flight, bool is_cached) const {
    model = budgeted(std::make_shared<InFlight>(std::move(model), models_.counter));
    if (models_.cache && is_cached) model = std::make_shared<lm::Cached>(model, models_.cache);
    if (options_.cassette) model = std::make_shared<lm::Recorded>(model, options_.cassette);
    return finish(name, std::move(model), in_flight);
  }

  lm::ChatModelPtr replayed(std::shared_ptr<lm::Recorded> recorded) const {
    if (!models_.budget) return recorded;
    return std::make_shared<ReplayedBudget>(recorded, models_.budget);
  }

  lm::ChatModelPtr budgeted(lm::ChatModelPtr model) const {
    return models_.budget ? std::make_shared<lm::Budgeted>(std::move(model), models_.budget) : model;
  }

  lm::ChatModelPtr finish(const std::string& name, lm::ChatModelPtr model, std::size_t in_flight) const {
    models_.in_flight[name] = in_flight;
    const bool is_program = model->provider() == "command" || models_.proxy;
    models_.queues.push_back(std::make_shared<Interruptible>(
        std::move(model), in_flight, options_.stop, is_program ? std::function<void(const LMError&)>() : options_.on_fault));
    return models_.queues.back();
  }

  const ModelOptions& options_;
  Models& models_;
};

}  // namespace

std::vector<std::string> model_providers() { return {"openai", "simulated"}; }

void expect_no_credentials(const std::string& base_url, const std::string& option) {
  if (base_url.find_first_of("@?") != std::string::npos)
    throw TaskError(option +
                    ": a task is no place for credentials; name the URL without what stands before @ or behind ?, and the "
                    "key in OPENAI_API_KEY");
}

void apply(const ModelFlags& flags, Task& task) {
  if (flags.proxy) {
    if (task.stages[0].kind != StageSpec::Kind::agent)
      throw TaskError("--proxy is for tasks with an \"agent\", whose calls go through it; leave it out");
    task.stages[0].has_proxy = true;
  }
  if (flags.limit) task.data.train_limit = task.data.validation_limit = task.data.test_limit = flags.limit;
  if (!flags.base_url && !flags.model) return;
  ModelSpec endpoint = task.models.at("student");
  if (endpoint.provider != "openai") endpoint = {.place = "", .provider = "openai"};
  endpoint.place = flags.base_url ? "--base-url" : "--model";
  if (flags.base_url) {
    endpoint.base_url = *flags.base_url;
    endpoint.base_url_source.clear();
  }
  if (flags.model) endpoint.model = *flags.model;
  if (endpoint.model.empty()) throw TaskError("--base-url needs --model: the name that the endpoint knows the model by");
  for (auto& [name, spec] : task.models) spec = endpoint;
}

std::vector<std::pair<std::string, lm::ChatModelPtr>> Models::distinct() const {
  std::vector<std::string> names{"student", "teacher", "judge"};
  for (const auto& [name, model] : by_name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::vector<std::pair<std::string, lm::ChatModelPtr>> models;
  for (const std::string& name : names) {
    const lm::ChatModelPtr& model = by_name.at(name);
    const bool is_known = std::any_of(models.begin(), models.end(), [&](const auto& known) { return known.second == model; });
    if (!is_known) models.emplace_back(name, model);
  }
  return models;
}

void Models::wrap(const std::function<lm::ChatModelPtr(const std::string&, lm::ChatModelPtr)>& wrap) {
  for (const auto& [name, model] : distinct()) {
    const lm::ChatModelPtr wrapped = wrap(name, model);
    for (auto& entry : by_name) {
      if (entry.second == model) entry.second = wrapped;
    }
  }
  if (proxy) proxy->set_model(by_name.at("student"));
  if (!proxied.empty()) by_name.at(proxied) = std::make_shared<ProxiedAgent>(by_name.at(proxied), by_name.at("student"));
}

void Models::wrap_metric(Task& task, const std::function<lm::ChatModelPtr(lm::ChatModelPtr)>& wrap) {
  if (!metric) return;
  metric = wrap(std::move(metric));
  task.evaluator.metric = std::make_shared<const CommandEvaluator>(metric);
}

void Models::wait_for_calls() const {
  for (const auto& queue : queues) queue->wait();
}

std::string Models::text() const {
  std::string text;
  for (const auto& [name, model] : distinct()) {
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", name, model->provider(),
                        model->model_name() == model->provider() ? "" : "/" + model->model_name());
  }
  return text;
}

bool Models::is_simulated() const {
  return std::any_of(by_name.begin(), by_name.end(), [](const auto& entry) { return entry.second->provider() == "simulated"; });
}

namespace {

/// Said before anything is sent, not call by call.
void expect_prices(const Task& task, const lm::PriceTable& prices) {
  if (!task.budget.usd) return;
  for (const auto& [name, spec] : task.models) {
    if (prices.find(name_of(spec))) continue;
    throw TaskError(fmt::format(
        "{}: the budget is limited in USD, and the price of \"{}\" is not known; give the model a \"price\": {{\"input\": …, "
        "\"output\": …}}, in USD for a million tokens (0 for what costs nothing), or limit \"calls\" or tokens instead of "
        "\"usd\" "
        "(--max-cost)",
        spec.place, name_of(spec)));
  }
  for (const StageSpec& stage : task.stages) {
    if (stage.kind != StageSpec::Kind::agent || stage.has_proxy) continue;
    throw TaskError(
        "/agent: the budget is limited in USD, and what the program's own calls cost is not known before they are made; limit "
        "\"calls\" (runs of the program) instead of \"usd\" (--max-cost), or let its calls go through tgd with --proxy");
  }
}

}  // namespace

namespace {

/// Which parameter stands in which message is told by its whole text.
void expect_recognizable(const Task& task) {
  std::map<std::string, std::string> known;
  for (const ParameterSpec& parameter : task.parameters) {
    const std::string value(detail::trim(parameter.value));
    if (detail::count_characters(value) < lm::detail::least_recognized)
      throw TaskError(
          fmt::format("/parameters/{}: --proxy knows by its whole text which message a parameter stands in, and \"{}\" is too "
                      "short for that; "
                      "write {} characters or more",
                      parameter.name, value, lm::detail::least_recognized));
    const auto [first, is_new] = known.try_emplace(value, parameter.name);
    if (!is_new)
      throw TaskError(fmt::format(
          "/parameters/{}: --proxy knows by its whole text which message a parameter stands in, and \"{}\" has the same; "
          "give them different ones",
          parameter.name, first->second));
  }
}

}  // namespace

Models make_models(Task& task, const ModelOptions& options) {
  Models models{.by_name = {},
                .prices = prices_of(task),
                .budget = nullptr,
                .cache = open_cache(task, options),
                .counter = std::make_shared<CallCounter>()};
  if (is_limited(task.budget)) {
    try {
      models.budget = std::make_shared<lm::Budget>(lm::BudgetOptions{.limits = task.budget, .prices = models.prices});
    } catch (const ValueError& error) {
      throw TaskError(error.what());  // of a flag: those of the task were looked at
    }
  }
  expect_prices(task, models.prices);
  const bool is_replayed = options.cassette && options.cassette->mode() == lm::CassetteMode::replay;
  if (task.stages[0].has_proxy) {
    expect_recognizable(task);
    models.proxied = task.stages[0].model;
    if (!is_replayed) models.proxy = std::make_shared<Proxy>();
  }
  const Stack stack(options, models);
  for (const auto& [name, spec] : task.models) models.by_name[name] = stack.make(name, spec);
  for (const StageSpec& stage : task.stages) {
    if (stage.kind != StageSpec::Kind::model) models.by_name[stage.model] = stack.make(stage);
  }
  if (task.evaluator.type == EvaluatorSpec::Type::command) {
    models.metric = stack.make_metric(task.evaluator.command);
    models.wrap_metric(task, [](lm::ChatModelPtr metric) { return metric; });
  }
  for (const auto& [name, other] : {std::pair("teacher", "student"), std::pair("judge", "teacher")}) {
    models.by_name.try_emplace(name, models.by_name.at(other));
    models.in_flight.try_emplace(name, models.in_flight.at(other));
  }
  if (models.proxy) models.proxy->set_model(models.by_name.at("student"));
  return models;
}

std::shared_ptr<lm::Ledger> meter(Models& models) {
  const auto ledger = std::make_shared<lm::Ledger>(lm::LedgerOptions{
      .prices = models.prices, .on_call = [counter = models.counter](const lm::CallRecord& record) { counter->add(record); }});
  models.wrap(
      [&](const std::string&, lm::ChatModelPtr model) { return std::make_shared<lm::Observed>(std::move(model), ledger); });
  return ledger;
}

}  // namespace tgd::cli
