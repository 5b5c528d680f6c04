#include <mutex>

#include <tgd/autograd.hpp>

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
class WithArgs : public lm::ChatModel {
 public:
  WithArgs(lm::ChatModelPtr model, Json args) : model_(std::move(model)), args_(std::move(args)) {}

  void start(lm::Request request, Done done) override {
    request.args = args_.merged(request.args);
    model_->start(std::move(request), std::move(done));
  }
  std::string provider() const override { return model_->provider(); }
  std::string class_type() const override { return model_->class_type(); }
  std::string model_name() const override { return args_.get_text("model", model_->model_name()); }
  lm::Usage usage() const override { return model_->usage(); }
  void add_usage(const lm::Usage& usage) override { model_->add_usage(usage); }

 private:
  lm::ChatModelPtr model_;
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
    throw StateError("backward() needs a language model to criticise with, and none was set: call set_backward_model(model) "
                     "once, or name one in BackwardOptions::model");
  }
  return setting().model;
}

}  // namespace tgd
