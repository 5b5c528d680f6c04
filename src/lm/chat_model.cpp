#include <tgd/lm/chat_model.hpp>

#include <condition_variable>
#include <mutex>

#include <tgd/lm/call.hpp>

#include "core/executor.hpp"
#include "lm/exactly_once.hpp"
#include "lm/streamed.hpp"

namespace tgd::lm {

namespace {

// Shared by the waiting thread and the callbacks, so that a callback's last touch never meets a dead stack frame.
struct Collector {
  explicit Collector(std::size_t count) : outcomes(count), missing(count) {}

  void put(std::size_t index, Outcome outcome) {
    const std::lock_guard lock(mutex);
    outcomes[index] = std::move(outcome);
    if (--missing == 0) complete.notify_all();
  }

  std::vector<Outcome> wait() {
    const tgd::detail::Executor::Blocking blocking(mutex, complete);
    std::unique_lock lock(mutex);
    complete.wait(lock, [&] { return missing == 0 || blocking.interrupted(); });
    if (missing > 0) blocking.check();
    std::vector<Outcome> result;
    result.reserve(outcomes.size());
    for (std::optional<Outcome>& outcome : outcomes) result.push_back(*std::move(outcome));
    return result;
  }

  std::mutex mutex;
  std::condition_variable complete;
  std::vector<std::optional<Outcome>> outcomes;
  std::size_t missing;
};

bool is_refusal(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const BudgetError&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

Outcome::Outcome(Reply reply) : reply_(std::move(reply)), receipt_{.usage = reply_.usage, .end = reply_.end()} {}

Outcome::Outcome(std::exception_ptr error, const Usage& usage)
    : reply_{.usage = usage}, error_(std::move(error)), receipt_{.usage = usage, .refused = is_refusal(error_)} {}

Outcome Outcome::refused(std::exception_ptr error) {
  Outcome outcome(std::move(error));
  outcome.receipt_.refused = true;
  return outcome;
}

Outcome Outcome::failed(std::exception_ptr error) const {
  Outcome outcome(std::move(error));
  outcome.set_receipt(receipt_);
  return outcome;
}

void Outcome::set_receipt(const Receipt& receipt) {
  const std::optional<ReplyEnd> end = receipt_.end;
  receipt_ = receipt;
  receipt_.end = end;
  reply_.usage = receipt.usage;
}

Json logprob_args(std::size_t alternatives) {
  Json args{{"logprobs", true}};
  return alternatives == 0 ? args : args.with("top_logprobs", alternatives);
}

const Reply& Outcome::value() const& {
  if (error_) std::rethrow_exception(error_);
  return reply_;
}

Reply&& Outcome::value() && {
  if (error_) std::rethrow_exception(error_);
  return std::move(reply_);
}

std::string Outcome::error_message() const {
  if (!error_) return {};
  try {
    std::rethrow_exception(error_);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown error";
  }
}

void ChatModel::start_stream(Request request, OnText on_text, Done done) {
  start(std::move(request), detail::in_one_piece(std::move(on_text), std::move(done)));
}

void ChatModel::start_call(Call call, OnText on_text, Done done) {
  call.leave();
  on_text ? start_stream(call.to_request(), std::move(on_text), std::move(done)) : start(call.to_request(), std::move(done));
}

Json ChatModel::identity() const { return {{"provider", provider()}, {"class_type", class_type()}, {"model", model_name()}}; }

Reply ChatModel::chat(Request request) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  return std::move(chat_all(std::move(one)).front());
}

Reply ChatModel::chat(std::vector<Message> messages, Json args) {
  return chat(Request{.messages = std::move(messages), .args = std::move(args)});
}

Reply ChatModel::chat(std::initializer_list<Message> messages, Json args) {
  return chat(std::vector<Message>(messages), std::move(args));
}

Reply ChatModel::chat_stream(Request request, OnText on_text) {
  const auto collector = std::make_shared<Collector>(1);
  start_stream(std::move(request), std::move(on_text),
               detail::exactly_once([collector](Outcome outcome) { collector->put(0, std::move(outcome)); }));
  return std::move(collector->wait().front()).value();
}

std::vector<Reply> ChatModel::chat_all(std::vector<Request> requests) {
  std::vector<Reply> replies;
  replies.reserve(requests.size());
  for (Outcome& outcome : try_chat_all(std::move(requests))) replies.push_back(std::move(outcome).value());
  return replies;
}

std::vector<Outcome> ChatModel::try_chat_all(std::vector<Request> requests) {
  const auto collector = std::make_shared<Collector>(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    start(std::move(requests[i]),
          detail::exactly_once([collector, i](Outcome outcome) { collector->put(i, std::move(outcome)); }));
  }
  return collector->wait();
}

}  // namespace tgd::lm
