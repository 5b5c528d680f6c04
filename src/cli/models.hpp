// The language models of a task, and what they were asked for.
// Errors: TaskError for settings that no model can be made of.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/usage.hpp>

namespace tgd::cli {

struct Task;
struct ModelSpec;

/// The providers that a task can name.
std::vector<std::string> model_providers();

/// Settings of the command line, which go over those of the task.
struct ModelFlags {
  std::optional<std::string> base_url = {};
  std::optional<std::string> model = {};
  std::optional<std::size_t> max_in_flight = {};
  std::optional<int> max_retries = {};
  std::optional<double> timeout_seconds = {};
};

/// With --base-url or --model one endpoint plays all roles.
void apply(const ModelFlags& flags, Task& task);

/// Passes every call on, and keeps the usage of each purpose apart.
class MeteredModel final : public lm::Decorator {
 public:
  explicit MeteredModel(lm::ChatModelPtr model);

  void start(lm::Request request, Done done) override;
  void start_stream(lm::Request request, OnText on_text, Done done) override;

  /// Calls that were answered or failed so far, by purpose.
  std::map<std::string, std::int64_t> calls() const;

 private:
  struct Counts;
  Done counting(const std::string& purpose, Done done) const;

  std::shared_ptr<Counts> counts_;
};

/// The models by what they do. Both may be the same one.
struct Models {
  std::shared_ptr<MeteredModel> student;
  std::shared_ptr<MeteredModel> teacher;

  /// Each model once, under its roles.
  std::map<std::string, std::shared_ptr<MeteredModel>> by_role() const;
  std::map<std::string, std::int64_t> calls() const;
  lm::Usage usage() const;
  bool is_simulated() const;
};

Models make_models(const Task& task, const ModelFlags& flags);

}  // namespace tgd::cli
