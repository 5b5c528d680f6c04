// Keys of requests: the same for two requests exactly when an endpoint cannot tell them apart.
#pragma once

#include <string>
#include <string_view>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

/// The model that a request to a model of this name is answered by.
std::string requested_model(const std::string& model_name, const Request& request);

/// Completion arguments in one canonical form: sorted, whole numbers without a fraction, and without how the reply is transported
/// ("stream"). Within an argument the order stays: a model writes the properties of a schema in the order in which they come.
Json canonical_args(const Json& args);

/// Makes the keys of one model's requests.
/// Thread-safety: may be used from any thread.
class RequestKeys {
 public:
  /// `identity`: of the model, as ChatModel::identity() gives it.
  explicit RequestKeys(const Json& identity);

  /// SHA-256 of everything that can change the answer, as 64 hexadecimal digits: the model's identity, messages, arguments,
  /// sample number, and what of the call's query and headers holds no secret. Who asks does not count.
  std::string key(const Request& request) const;

 private:
  std::string args_text(const Json& args) const;

  std::string identity_;
  Json default_args_;
  std::string default_args_text_;
};

}  // namespace tgd::lm::detail
