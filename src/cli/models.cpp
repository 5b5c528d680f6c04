#include "cli/models.hpp"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/simulated.hpp>

#include "cli/task.hpp"

namespace tgd::cli {

namespace {

void expect_key(const lm::OpenAI& model) {
  const char* key = std::getenv("OPENAI_API_KEY");
  if (model.url().starts_with("https://api.openai.com/") && (key == nullptr || *key == '\0')) {
    throw TaskError("OPENAI_API_KEY is not set, and " + model.url() +
                    " needs a key; set it in the environment, or name another endpoint with --base-url");
  }
}

lm::ChatModelPtr make_openai(const ModelSpec& spec, const ModelFlags& flags) {
  lm::OpenAIOptions options{.model = spec.model, .base_url = spec.base_url, .args = spec.args};
  if (flags.max_in_flight) options.max_in_flight = *flags.max_in_flight;
  if (flags.max_retries) options.max_retries = *flags.max_retries;
  if (flags.timeout_seconds)
    options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*flags.timeout_seconds * 1000));
  auto model = std::make_shared<lm::OpenAI>(std::move(options));
  expect_key(*model);
  return model;
}

std::shared_ptr<MeteredModel> make_model(const ModelSpec& spec, const ModelFlags& flags) {
  try {
    if (spec.provider == "simulated") return std::make_shared<MeteredModel>(std::make_shared<lm::Simulated>(spec.simulated));
    return std::make_shared<MeteredModel>(make_openai(spec, flags));
  } catch (const ValueError& error) {
    throw TaskError(spec.place + ": " + error.what());
  }
}

}  // namespace

std::vector<std::string> model_providers() { return {"openai", "simulated"}; }

void apply(const ModelFlags& flags, Task& task) {
  if (!flags.base_url && !flags.model) return;
  ModelSpec endpoint = task.models.at("student");
  if (endpoint.provider != "openai") endpoint = {.place = "", .provider = "openai"};
  endpoint.place = flags.base_url ? "--base-url" : "--model";
  if (flags.base_url) endpoint.base_url = *flags.base_url;
  if (flags.model) endpoint.model = *flags.model;
  if (endpoint.model.empty()) throw TaskError("--base-url needs --model: the name that the endpoint knows the model by");
  task.models = {{"student", std::move(endpoint)}};
}

// The callbacks of calls on their way share it.
struct MeteredModel::Counts {
  std::mutex mutex;
  std::map<std::string, std::int64_t> by_purpose;

  void count(const std::string& purpose) {
    const std::lock_guard lock(mutex);
    ++by_purpose[purpose];
  }
};

MeteredModel::MeteredModel(lm::ChatModelPtr model) : Decorator(std::move(model)), counts_(std::make_shared<Counts>()) {}

lm::ChatModel::Done MeteredModel::counting(const std::string& purpose, Done done) const {
  return [counts = counts_, purpose, done = std::move(done)](lm::Outcome outcome) {
    counts->count(purpose);
    done(std::move(outcome));
  };
}

void MeteredModel::start(lm::Request request, Done done) {
  Done counted = counting(request.info.purpose, std::move(done));
  inner().start(std::move(request), std::move(counted));
}

void MeteredModel::start_stream(lm::Request request, OnText on_text, Done done) {
  Done counted = counting(request.info.purpose, std::move(done));
  inner().start_stream(std::move(request), std::move(on_text), std::move(counted));
}

std::map<std::string, std::int64_t> MeteredModel::calls() const {
  const std::lock_guard lock(counts_->mutex);
  return counts_->by_purpose;
}

std::map<std::string, std::shared_ptr<MeteredModel>> Models::by_role() const {
  if (student == teacher) return {{"student and teacher", student}};
  return {{"student", student}, {"teacher", teacher}};
}

std::map<std::string, std::int64_t> Models::calls() const {
  std::map<std::string, std::int64_t> calls;
  for (const auto& member : by_role()) {
    for (const auto& [purpose, count] : member.second->calls()) calls[purpose] += count;
  }
  return calls;
}

lm::Usage Models::usage() const {
  lm::Usage usage;
  for (const auto& member : by_role()) usage += member.second->usage();
  return usage;
}

bool Models::is_simulated() const { return student->provider() == "simulated" || teacher->provider() == "simulated"; }

Models make_models(const Task& task, const ModelFlags& flags) {
  Models models;
  models.student = make_model(task.models.at("student"), flags);
  const auto teacher = task.models.find("teacher");
  models.teacher = teacher == task.models.end() ? models.student : make_model(teacher->second, flags);
  return models;
}

}  // namespace tgd::cli
