// Call: one request on its way through the models that stand before an endpoint, described once for all of them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include <tgd/export.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::net {
class Secrets;
}

namespace tgd::lm {

namespace detail {
class CallSource;
}  // namespace detail

/// One request on its way through the models that stand before an endpoint, described once for all of them.
///
/// The outermost CallDecorator makes it of the request, and each hands it down. Whoever needs to tell requests apart, to name
/// the model that was asked for, or to blank secrets reads it here and computes nothing of its own.
/// Thread-safety: a cheap handle; copies share what is computed, and may be used from any thread.
class TGD_API Call {
 public:
  /// What `request` asks of `model`. Decorators describe their model once and not for each call.
  Call(Request request, const ChatModel& model);
  Call(Request request, std::shared_ptr<const detail::CallSource> source);

  /// What is asked. Its stop is that of the beginning: see stop().
  const Request& request() const noexcept;
  /// The name of the model that is asked for.
  const std::string& model() const noexcept;
  /// SHA-256 of everything that can change the answer, as 64 hexadecimal digits: the model's identity(), messages, completion
  /// arguments in canonical form, sample number, and what of the call's query and headers holds no secret. Who asks does not count.
  /// Computed when it is first asked for, once for all copies.
  const std::string& digest() const;
  /// The one list of what must not be written or said of this call: the model's secrets, and what the call's headers, query and
  /// arguments hold under a secret's name. Made when it is first asked for.
  const std::shared_ptr<const net::Secrets>& secrets() const;
  std::chrono::steady_clock::time_point began() const noexcept;

  /// Ends the call, queued or running.
  const std::stop_token& stop() const noexcept { return stop_; }
  /// The same call, to be ended by another token.
  Call with_stop(std::stop_token stop) const;
  /// The same call, with another CallOptions::stop_sending.
  Call with_stop_sending(std::stop_token stop) const;

  /// The same call; `witness` is called once, just before it leaves for the endpoint for the first time, and not where something
  /// else answers it. It has to be quick.
  Call with_witness(std::function<void()> witness) const;
  /// For the model that sends it.
  void leave() const;

  /// A copy of the request with what the call is to be ended by, for a model that takes requests.
  Request to_request() const;

 private:
  struct State;

  std::shared_ptr<State> state_;
  std::stop_token stop_;
  std::stop_token stop_sending_;
  std::function<void()> witness_ = {};
};

}  // namespace tgd::lm
