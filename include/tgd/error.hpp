// What tgd throws.
#pragma once

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include <tgd/export.hpp>

namespace tgd {

/// Errors. Everything tgd throws derives from tgd::Error; the message says what was given, what was expected and what to do.
/// Thread-safety: exception objects are values.
class TGD_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A value of the wrong type: text where a number is needed, a list of mixed kinds.
class TGD_API TypeError : public Error {
 public:
  using Error::Error;
};

/// A value of the right type that cannot be used: unequal batch sizes, an unknown option, an unused template input.
class TGD_API ValueError : public Error {
 public:
  using Error::Error;
};

/// Misuse of the graph: backward without a gradient, over a freed graph, or a node that breaks its promises.
class TGD_API GraphError : public Error {
 public:
  using Error::Error;
};

/// An object asked for something that its state does not allow (a backward model that was never set, a leaf's retain_grad).
class TGD_API StateError : public Error {
 public:
  using Error::Error;
};

/// Text that could not be parsed: a file, a record, an LM's reply.
class TGD_API ParseError : public Error {
 public:
  using Error::Error;
};

/// A call to a language model failed.
class TGD_API LMError : public Error {
 public:
  enum class Kind {
    transport,   ///< no usable HTTP answer: refused, reset, timed out, DNS, TLS
    status,      ///< an HTTP status other than 2xx
    malformed,   ///< a 2xx answer that is not a chat completion, or tells of a failure of the endpoint
    unreadable,  ///< a chat completion that came and cannot be read, or not be used for what it was asked for
    empty,       ///< a completion without content (tool call, no choice)
    truncated,   ///< the text is cut off by a limit of tokens
    filtered,    ///< a filter withheld the request or the reply
    refused,     ///< the model did not want to answer, or its endpoint turned this request down while it answers others like it
    too_long,    ///< the request does not fit the model's window
    cancelled,   ///< the caller asked to stop
    script       ///< a stubbed or replayed model had no answer
  };

  LMError(Kind kind, const std::string& message, int status = 0, bool retryable = false,
          std::optional<std::chrono::milliseconds> retry_after = std::nullopt)
      : Error(message), kind_(kind), status_(status), retryable_(retryable), retry_after_(retry_after) {}

  Kind kind() const noexcept { return kind_; }
  /// HTTP status, 0 when there was none.
  int status() const noexcept { return status_; }
  /// Whether the same request could succeed when sent again.
  bool retryable() const noexcept { return retryable_; }
  /// How long the endpoint asked to wait before the next try.
  std::optional<std::chrono::milliseconds> retry_after() const noexcept { return retry_after_; }

 private:
  Kind kind_;
  int status_;
  bool retryable_;
  std::optional<std::chrono::milliseconds> retry_after_;
};

/// A call was refused before it was sent, because a budget would be exceeded.
class TGD_API BudgetError : public Error {
 public:
  using Error::Error;
};

}  // namespace tgd
