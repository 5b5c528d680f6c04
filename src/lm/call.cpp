#include <tgd/lm/call.hpp>

#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

#include "lm/call_secrets.hpp"
#include "lm/call_source.hpp"

namespace tgd::lm {

namespace detail {

namespace {

std::shared_ptr<const net::Secrets> secrets_among(const std::vector<std::string>& values, const Json& identity) {
  auto secrets = std::make_shared<net::Secrets>(values);
  secrets->add_named_members(identity.value());
  return secrets;
}

}  // namespace

CallSource::CallSource(const Json& identity, std::string model_name, std::vector<std::string> secrets)
    : keys_(identity),
      model_name_(std::move(model_name)),
      given_(std::move(secrets)),
      secrets_(secrets_among(given_, identity)) {}

std::shared_ptr<const CallSource> CallEdge::source(const ChatModel& model) {
  const std::vector<std::string> secrets = model.secrets();
  const std::lock_guard lock(mutex_);
  if (!source_ || !source_->has_secrets(secrets)) source_ = std::make_shared<const CallSource>(model);
  return source_;
}

}  // namespace detail

struct Call::State {
  State(Request given, std::shared_ptr<const detail::CallSource> of)
      : request(std::move(given)), source(std::move(of)), model(detail::requested_model(source->model_name(), request)) {}

  Request request;
  const std::shared_ptr<const detail::CallSource> source;
  const std::string model;
  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  std::once_flag digested;
  std::string digest;
  std::once_flag looked_for_secrets;
  std::shared_ptr<const net::Secrets> secrets;
};

Call::Call(Request request, const ChatModel& model)
    : Call(std::move(request), std::make_shared<const detail::CallSource>(model)) {}

Call::Call(Request request, std::shared_ptr<const detail::CallSource> source)
    : state_(std::make_shared<State>(std::move(request), std::move(source))),
      stop_(state_->request.stop),
      stop_sending_(state_->request.options.stop_sending) {}

const Request& Call::request() const noexcept { return state_->request; }
const std::string& Call::model() const noexcept { return state_->model; }
std::chrono::steady_clock::time_point Call::began() const noexcept { return state_->began; }

const std::string& Call::digest() const {
  std::call_once(state_->digested, [&state = *state_] { state.digest = state.source->keys().key(state.request); });
  return state_->digest;
}

const std::shared_ptr<const net::Secrets>& Call::secrets() const {
  std::call_once(state_->looked_for_secrets,
                 [&state = *state_] { state.secrets = detail::with_secrets_of(state.request, state.source->secrets()); });
  return state_->secrets;
}

Call Call::with_stop(std::stop_token stop) const {
  Call call = *this;
  call.stop_ = std::move(stop);
  return call;
}

Call Call::with_stop_sending(std::stop_token stop) const {
  Call call = *this;
  call.stop_sending_ = std::move(stop);
  return call;
}

Call Call::with_witness(std::function<void()> witness) const {
  Call call = *this;
  call.witness_ = std::move(witness);
  return call;
}

void Call::leave() const {
  if (witness_) witness_();
}

Request Call::to_request() const {
  Request request = state_->request;
  request.stop = stop_;
  request.options.stop_sending = stop_sending_;
  return request;
}

}  // namespace tgd::lm
