// ChatModel: the one seam between tgd and any language model.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tgd/error.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/receipt.hpp>
#include <tgd/lm/usage.hpp>

namespace tgd::lm {

/// One message of a conversation, as the endpoint gets it.
struct Message {
  std::string role;  ///< "system", "user", "assistant", …
  std::string content;

  friend bool operator==(const Message&, const Message&) = default;
};

/// Who asks and why. Never sent; for ledgers, error messages and tests.
struct CallInfo {
  std::string purpose = {};              ///< "forward", "backward", "optimize", "judge", …
  std::string node = {};                 ///< the graph node's name, empty outside a graph
  std::string parameter = {};            ///< the role of the Variable that is criticised or rewritten
  std::optional<std::size_t> item = {};  ///< index in the batch
};

/// How one call is sent, beside the model's own options. Models that send nothing ignore it.
struct CallOptions {
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< over those of the model
  std::vector<std::pair<std::string, std::string>> query = {};    ///< added to the URL, values unescaped
  std::optional<std::chrono::milliseconds> timeout = {};          ///< of one attempt, instead of the model's
  /// Of the whole call, queueing and retries included; ends it with LMError::Kind::cancelled.
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
  /// From then on nothing more is sent for it: where it waits to be sent it ends with LMError::Kind::cancelled, and where it waits to
  /// be sent again, with what it met until then. What is on its way comes to its end.
  std::stop_token stop_sending = {};
};

/// What one call asks. A value type.
struct Request {
  std::vector<Message> messages = {};
  Json args = {};  ///< completion arguments, laid over the model's own
  CallInfo info = {};
  std::stop_token stop = {};  ///< ends the call with LMError::Kind::cancelled, queued or running
  CallOptions options = {};
  /// Which of several answers to one and the same request is wanted. Never sent: a cache and a cassette keep one answer for
  /// each number, so that a new number asks the endpoint again.
  std::uint64_t sample = 0;
  /// The messages again in about so many bytes at most, where who asks knows what can be left out. A model that says that the
  /// request is too long for it is asked so once more. Called from any thread; never sent or written.
  std::function<std::vector<Message>(std::size_t bytes)> shortened = {};
};

/// A token that the model weighed, and how likely it took it to be.
struct TokenChance {
  std::string token = {};
  double logprob = 0;  ///< natural logarithm; minus infinity where the endpoint had no number for it

  friend bool operator==(const TokenChance&, const TokenChance&) = default;
};

/// One token of a reply.
struct TokenLogprob {
  std::string token = {};
  double logprob = 0;
  std::vector<TokenChance> alternatives = {};  ///< the likeliest at its place, mostly itself among them

  friend bool operator==(const TokenLogprob&, const TokenLogprob&) = default;
};

/// Completion arguments that ask for them, with so many alternatives for each token (endpoints allow up to 20, or fewer).
TGD_API Json logprob_args(std::size_t alternatives = 0);

/// What came back, read once: text, thoughts, how it ended and what it used. A value type.
struct TGD_API Reply {
  std::string content = {};
  std::string finish_reason = {};              ///< the endpoint's own word: "stop", "length", …; empty when it gave none
  std::string model = {};                      ///< as the endpoint names it
  Usage usage = {};                            ///< of this call, all its attempts included
  std::vector<std::string> alternatives = {};  ///< the further choices when `n` > 1 was asked for

  /// What the model thought before it answered, as far as the endpoint tells it; no part of `content`.
  std::string reasoning = {};
  /// Of the tokens of the first choice, as far as they were asked for and the endpoint gives them.
  std::vector<TokenLogprob> logprobs = {};

  /// What `finish_reason` means, in all vendors' words. A word that nobody knows ends a reply well only where there is text.
  ReplyEnd end() const;
};

/// A reply or the error that came instead, and the call's receipt.
class TGD_API Outcome {
 public:
  Outcome(Reply reply);  // NOLINT(google-explicit-constructor)
  /// `usage`: what the failed call has used nevertheless. A BudgetError is one of a call that was refused.
  Outcome(std::exception_ptr error, const Usage& usage = {});  // NOLINT(google-explicit-constructor)
  template <std::derived_from<std::exception> E>
  // NOLINTNEXTLINE(google-explicit-constructor)
  Outcome(const E& error, const Usage& usage = {}) : Outcome(std::make_exception_ptr(error), usage) {}
  /// Of a call that was refused before it was sent, for another reason.
  static Outcome refused(std::exception_ptr error);

  bool ok() const noexcept { return !error_; }
  /// The reply; rethrows the error. Its usage is that of the receipt.
  const Reply& value() const&;
  Reply&& value() &&;
  std::exception_ptr error() const noexcept { return error_; }
  /// What is known of the call, whether it succeeded or not.
  const Receipt& receipt() const noexcept { return receipt_; }
  /// Gives it another receipt, but for how the reply ended.
  void set_receipt(const Receipt& receipt);
  /// The receipt's.
  const Usage& usage() const noexcept { return receipt_.usage; }
  /// The same call, which came to this error instead. The receipt stays, but for the end of the reply.
  Outcome failed(std::exception_ptr error) const;
  /// The error's message; empty when there is none.
  std::string error_message() const;

 private:
  Reply reply_;
  std::exception_ptr error_;
  Receipt receipt_;
};

class Call;

/// The one seam between tgd and any language model.
///
/// A Request is a list of role/content messages plus an open JSON object of completion arguments that is passed through
/// untouched and in its order (model, temperature, response_format, reasoning_effort, vendor extensions).
/// API: https://platform.openai.com/docs/api-reference/chat
///
/// Thread-safety: every member of ChatModel may be called from any thread at any time.
class TGD_API ChatModel {
 public:
  /// Called exactly once per start(), from any thread, possibly before start() returns. Must not throw and must not block:
  /// it may run on the model's I/O thread.
  using Done = std::function<void(Outcome)>;
  /// Called with each piece of the reply's text in order, never after Done and never concurrently. What it throws ends the
  /// call with that error. May run on the model's I/O thread: it must not block.
  using OnText = std::function<void(std::string_view piece)>;

  ChatModel() = default;
  ChatModel(const ChatModel&) = delete;
  ChatModel& operator=(const ChatModel&) = delete;
  virtual ~ChatModel() = default;

  /// Begins a completion and returns at once. Errors of the request itself arrive through `done` as well.
  virtual void start(Request request, Done done) = 0;

  /// The same with the text given piece by piece as it arrives; `done` gets the whole reply. Models that cannot stream give
  /// the text in one piece. A call that failed may have given text before.
  virtual void start_stream(Request request, OnText on_text, Done done);

  /// The same for a call that a model before this one has described already; see CallDecorator. `on_text` may be empty. By default
  /// its request is started.
  virtual void start_call(Call call, OnText on_text, Done done);

  /// The reply to this request was of no use: whoever keeps replies does not give it again. Others do nothing.
  virtual void reject(const Request&) {}

  /// Waits for one reply. Throws LMError (or what the model failed with).
  Reply chat(Request request);
  Reply chat(std::vector<Message> messages, Json args = {});
  /// The same for a list in braces: chat({{"user", "Hello"}}).
  Reply chat(std::initializer_list<Message> messages, Json args = {});
  /// Waits for one reply and gives its text piece by piece meanwhile, on another thread. Throws as chat() does.
  Reply chat_stream(Request request, OnText on_text);
  /// Starts all, waits for all, replies in the order of the requests. Throws the first failed request's error.
  std::vector<Reply> chat_all(std::vector<Request> requests);
  /// The same without throwing: one outcome per request, in the order of the requests.
  std::vector<Outcome> try_chat_all(std::vector<Request> requests);

  /// Short name of the provider, such as "openai"; and of the class, such as "OpenAI". Written into optimizer state.
  virtual std::string provider() const = 0;
  virtual std::string class_type() const = 0;
  /// The model's name where it has one ("gpt-4o"); for display and prices.
  virtual std::string model_name() const { return {}; }
  /// What determines the answers beside the request: an object with "provider" and "model", and as far as it applies the
  /// endpoint, the default completion arguments under "args", a seed. No secrets. Caches tell models apart by it.
  virtual Json identity() const;
  /// Keys and passwords that the model sends. Whoever writes down requests, replies or errors blanks them first; they are never
  /// shown.
  virtual std::vector<std::string> secrets() const { return {}; }

  /// How many tokens a request and its reply may have together, as far as the endpoint says so; nothing where it does not. May ask the
  /// endpoint, once, and wait for that.
  virtual std::optional<std::int64_t> context_window() { return std::nullopt; }

  /// Everything used through this object so far, failed attempts included.
  virtual Usage usage() const { return meter_.total(); }
  /// Adds usage of an earlier run (loaded state).
  virtual void add_usage(const Usage& usage) { meter_.add(usage); }

 private:
  UsageMeter meter_;
};

using ChatModelPtr = std::shared_ptr<ChatModel>;

/// Makes a model from "provider/name", the provider being the text before the first '/'. Known: "openai", "simulated".
/// Throws ValueError that lists the known providers.
TGD_API ChatModelPtr make_model(const std::string& name, const Json& args = {});

}  // namespace tgd::lm
