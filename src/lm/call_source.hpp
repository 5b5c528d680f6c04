// What the calls of one model have in common, found out once: how requests to it are told apart, its name and its secrets.
// Thread-safety: CallSource is immutable; a CallEdge may be used from any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lm/request_key.hpp"
#include "net/secrets.hpp"

namespace tgd::lm::detail {

class CallSource {
 public:
  explicit CallSource(const ChatModel& model) : CallSource(model.identity(), model.model_name(), model.secrets()) {}

  const RequestKeys& keys() const noexcept { return keys_; }
  const std::string& model_name() const noexcept { return model_name_; }
  const std::shared_ptr<const net::Secrets>& secrets() const noexcept { return secrets_; }
  /// Whether the model still has these secrets: it may renew its keys.
  bool has_secrets(const std::vector<std::string>& values) const { return values == given_; }

 private:
  CallSource(const Json& identity, std::string model_name, std::vector<std::string> secrets);

  RequestKeys keys_;
  std::string model_name_;
  std::vector<std::string> given_;
  std::shared_ptr<const net::Secrets> secrets_;
};

/// Where requests to a model become calls.
class CallEdge {
 public:
  std::shared_ptr<const CallSource> source(const ChatModel& model);

 private:
  std::mutex mutex_;
  std::shared_ptr<const CallSource> source_;
};

}  // namespace tgd::lm::detail
