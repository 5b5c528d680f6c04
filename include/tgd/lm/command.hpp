// Command: a command of the user's own as a model, so that whatever stands before a model (a cache, a budget, a ledger, a
// journal, a cassette) can stand before it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tgd/command.hpp>
#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

namespace detail {
struct CommandHooks;
}  // namespace detail

/// The last message of a request is the question, an object of JSON, and the reply's text is the answer, one without its "id".
///
/// The command lives as long as this object. It reads a line for each question on its standard input, many at once,
///
///     {"id": 7, "inputs": {"question": "…"}}
///
/// and answers each, in any order, with a line on its standard output, which it has to flush:
///
///     {"id": 7, "output": "…"}
///
/// In an answer, "usage" may say what it took of other models: {"prompt_tokens": 900, "completion_tokens": 40, "cost_usd":
/// 0.002}. A process that dies, is silent for too long or writes anything else is replaced, and what was in flight is asked
/// again. A question that brings its process down several times ends with LMError::Kind::unreadable, one to a command that
/// cannot be started with an Error. identity() has the digests of the files that the command line names, so that another
/// version of a script is another command. Errors: ValueError for options that cannot be meant. Thread-safety: as for every
/// ChatModel.
class TGD_API Command : public ChatModel {
 public:
  explicit Command(CommandOptions options);
  /// For the library's own parts.
  Command(const CommandOptions& options, const detail::CommandHooks& hooks);
  ~Command() override;

  void start(Request request, Done done) override;
  /// One that is deterministic is asked this question again.
  void reject(const Request& request) override;
  std::string provider() const override { return "command"; }
  std::string class_type() const override { return "Command"; }
  /// The command line.
  std::string model_name() const override;
  Json identity() const override;
  /// What `env` holds under the name of a secret.
  std::vector<std::string> secrets() const override;
  Usage usage() const override { return meter_->total(); }
  void add_usage(const Usage& usage) override { meter_->add(usage); }

 private:
  class Core;
  std::shared_ptr<UsageMeter> meter_ = std::make_shared<UsageMeter>();  // shared with the calls on their way
  std::shared_ptr<Core> core_;
};

}  // namespace tgd::lm
