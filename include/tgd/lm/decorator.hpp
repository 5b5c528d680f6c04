// Decorator and CallDecorator: the bases of models that stand before another one and add one concern to it.
//
// A CallDecorator looks at calls, times them, answers or refuses them, and hands them down as they are: it has one start_call() for
// plain and streamed calls, and never computes a key, a list of secrets or a model's name. A Decorator changes requests; what it
// asks the model below with start() is described there anew.
//
// Decorators stack in any order, and the order means something. The usual one, from the outside in:
//
//   Observed(Recorded(Cached(Budgeted(OpenAI))))
//
//   Observed outermost    the ledger holds every call with its latency as your program sees it: hits, replays and refusals too
//   Recorded over Cached  a cassette is complete even when the cache answered
//   Cached over Budgeted  a hit costs nothing and is given even when the budget is used up; the other way round each hit needs
//                         room in the budget until it turns out to be free
//   Budgeted innermost    it counts what is really sent
//
// What each of them knows about the model below (provider, name, identity, usage) is the model's own.
// Thread-safety: like every ChatModel.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/lm/call.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

namespace detail {
class CallEdge;
}

/// For those that change requests: start() asks inner() for what it makes of them.
class TGD_API Decorator : public ChatModel {
 public:
  std::string provider() const override { return inner_->provider(); }
  std::string class_type() const override { return inner_->class_type(); }
  std::string model_name() const override { return inner_->model_name(); }
  Json identity() const override { return inner_->identity(); }
  std::vector<std::string> secrets() const override { return inner_->secrets(); }
  std::optional<std::int64_t> context_window() override { return inner_->context_window(); }
  /// Of the model below, whoever else uses it.
  Usage usage() const override { return inner_->usage(); }
  void add_usage(const Usage& usage) override { inner_->add_usage(usage); }
  void reject(const Request& request) override { inner_->reject(request); }

 protected:
  /// Throws ValueError when there is no model.
  explicit Decorator(ChatModelPtr inner);

  ChatModel& inner() const noexcept { return *inner_; }
  const ChatModelPtr& inner_model() const noexcept { return inner_; }

 private:
  ChatModelPtr inner_;
};

/// For those that leave requests as they are.
class TGD_API CallDecorator : public Decorator {
 public:
  ~CallDecorator() override;

  /// Describe the request once for all models below, and close the receipt when the call ends.
  void start(Request request, Done done) final;
  void start_stream(Request request, OnText on_text, Done done) final;
  /// Has to call `done` or to hand the call down: inner().start_call(call, on_text, done).
  void start_call(Call call, OnText on_text, Done done) override = 0;

 protected:
  /// Throws ValueError when there is no model.
  explicit CallDecorator(ChatModelPtr inner);

  /// The request as a call, for what is not start_call().
  Call described(Request request) const;

 private:
  void begin(Request request, OnText on_text, Done done);

  const std::unique_ptr<detail::CallEdge> edge_;
};

}  // namespace tgd::lm
