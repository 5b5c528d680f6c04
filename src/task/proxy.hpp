// Proxy: an endpoint of tgd's own, through which a program that cannot be changed makes its calls of models. It speaks OpenAI's
// chat completions, is reached from this machine only (127.0.0.1), and takes nobody without its key, which is drawn anew each
// time. Calls go to a model of the task, and so through its cache, budget and ledger; what was asked and answered is the trace
// of the sample that a process is at, by which critics see the conversations of each parameter. Messages have to be texts;
// streams are streamed. Errors: TaskError where no port can be had. Thread-safety: every member may be called from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/decorator.hpp>

#include "lm/command_hooks.hpp"

namespace tgd::cli {

class Proxy {
 public:
  Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  /// Waits for the calls under way.
  ~Proxy();

  /// Who answers from now on.
  void set_model(lm::ChatModelPtr model);
  /// "http://127.0.0.1:40123/v1"
  std::string url() const;
  /// The key of a process of a command: what comes with it is that process's.
  std::string key(std::size_t process) const;
  /// For a command whose processes have one sample each at a time. They hold on to the proxy.
  lm::detail::CommandHooks hooks();

 private:
  class Server;
  std::shared_ptr<Server> server_;
};

/// Stands before a program whose calls go through the proxy. An answer that a journal or a cassette gives again was made of
/// calls that are counted, and given again, as well: they are asked for once more, of the same model.
class ProxiedAgent final : public lm::CallDecorator {
 public:
  ProxiedAgent(lm::ChatModelPtr agent, lm::ChatModelPtr student);
  void start_call(lm::Call call, OnText on_text, Done done) override;

 private:
  lm::ChatModelPtr student_;
};

/// What a call came to with a model whose reply is known, as OpenAI's endpoint would say it.
std::string completion_json(const lm::Reply& reply, const std::string& model);

}  // namespace tgd::cli
