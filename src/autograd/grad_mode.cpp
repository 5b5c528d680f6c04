#include <mutex>

#include <nlohmann/json.hpp>
#include <tgd/autograd.hpp>
#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/decorator.hpp>

namespace tgd {

namespace {

thread_local bool grad_enabled = true;

/// The one process-wide setting.
struct BackwardModel {
  std::mutex mutex;
  lm::ChatModelPtr model;
};

BackwardModel& setting() {
  static BackwardModel setting;
  return setting;
}

/// Lays completion arguments under those of each request.
class WithArgs : public lm::Decorator {
 public:
  WithArgs(lm::ChatModelPtr model, Json args) : Decorator(std::move(model)), args_(std::move(args)) {}

  void start(lm::Request request, Done done) override { inner().start(with_args(std::move(request)), std::move(done)); }
  void start_stream(lm::Request request, OnText on_text, Done done) override {
    inner().start_stream(with_args(std::move(request)), std::move(on_text), std::move(done));
  }
  std::string model_name() const override { return args_.get_text("model", inner().model_name()); }
  Json identity() const override {
    const Json own = inner().identity();
    const Json args = own.contains("args") ? Json(own.value()["args"]) : Json();
    return own.with("args", args.merged(args_));
  }

 private:
  lm::Request with_args(lm::Request request) const {
    request.args = args_.merged(request.args);
    return request;
  }

  Json args_;
};

}  // namespace

bool is_grad_enabled() noexcept { return grad_enabled; }

NoGradGuard::NoGradGuard() noexcept : previous_(grad_enabled) { grad_enabled = false; }
NoGradGuard::~NoGradGuard() { grad_enabled = previous_; }

void set_backward_model(lm::ChatModelPtr model, Json args) {
  if (model && !args.empty()) model = std::make_shared<WithArgs>(std::move(model), std::move(args));
  const std::lock_guard lock(setting().mutex);
  setting().model = std::move(model);
}

void set_backward_model(const std::string& name, Json args) { set_backward_model(lm::make_model(name, std::move(args))); }

lm::ChatModelPtr backward_model() {
  const std::lock_guard lock(setting().mutex);
  if (!setting().model) {
    throw StateError(
        "backward() needs a language model to criticise with, and none was set: call set_backward_model(model) "
        "once, or name one in BackwardOptions::model");
  }
  return setting().model;
}

}  // namespace tgd
