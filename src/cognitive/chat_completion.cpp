#include <tgd/cognitive/chat_completion.hpp>

#include <atomic>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/chat.hpp"
#include "cognitive/conversation.hpp"
#include "core/executor.hpp"
#include "core/problem.hpp"
#include "core/rethrow.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"
#include "lm/exactly_once.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/openai/thoughts.hpp"

namespace tgd {

namespace {

using detail::Conversation;
using detail::ProblemPtr;
using detail::ReplyCheck;
using detail::Role;
using detail::Storage;

class ChatCompletionBackward final : public detail::CritiqueNode {
 public:
  ChatCompletionBackward(std::shared_ptr<Conversation> conversation, std::shared_ptr<Storage> reply, const ChatOptions& options)
      : CritiqueNode(conversation->variables(), options.feedback),
        role_(options.role),
        conversation_(std::move(conversation)),
        reply_(std::move(reply)) {
    conversation_->forget_variables();
  }

  std::string name() const override { return "ChatCompletionBackward"; }
  std::string output_role(std::size_t) const override { return role_; }

 protected:
  const detail::Use& use(std::size_t edge) const override { return conversation_->use(edge); }
  std::size_t sample_count() const override { return conversation_->size(); }
  bool is_batch() const override { return conversation_->is_batch(); }
  ProblemPtr problem(std::size_t sample) const override { return reply_->problem(sample); }
  std::string transcript(std::size_t sample, std::size_t edge) const override {
    return conversation_->transcript(sample, edge, prompts().get("backward_placeholder"));
  }
  std::string outcome(std::size_t sample) const override { return reply_->item(sample).item_text(); }
  std::string_view system_prompt() const override { return "backward_system"; }
  std::optional<std::string> own_text(std::size_t sample) const override {
    return conversation_->own_text(sample, [this](std::size_t edge) { return is_prompt(edge); });
  }

  void release_saved() override {
    conversation_.reset();
    reply_.reset();
  }

 private:
  std::string role_;
  std::shared_ptr<Conversation> conversation_;
  std::shared_ptr<Storage> reply_;
};

/// The most tokens that a reply may have by the arguments of the call or else of the model.
std::optional<std::int64_t> reply_limit_of(const lm::ChatModel& model, const Json& args) {
  const nlohmann::ordered_json identity = model.identity().value();
  const auto own = identity.find("args");
  return lm::detail::reply_limit(own != identity.end() && own->is_object() ? Json(*own).merged(args) : args);
}

/// The calls of one chat_completion, while they are under way.
class Calls {
 public:
  using Owed = std::shared_ptr<const Storage::Owed>;

  Calls(lm::ChatModelPtr model, std::shared_ptr<const Conversation> conversation, std::shared_ptr<Storage> reply,
        ChatOptions options, ReplyCheck check, std::string purpose)
      : model_(std::move(model)),
        conversation_(std::move(conversation)),
        reply_(std::move(reply)),
        options_(std::move(options)),
        check_(std::move(check)),
        purpose_(std::move(purpose)),
        unfinished_(conversation_->size()) {}

  /// `follow_up`: unusable replies so far and what was said to them.
  static void start_item(const std::shared_ptr<Calls>& calls, std::size_t item, const Owed& owed,
                         std::vector<lm::Message> follow_up = {}) {
    if (passes_problem(calls, item)) return;
    // Kept here until start() is over: when it throws, that is the answer.
    const lm::ChatModel::Done done = lm::detail::exactly_once(
        [calls, item, owed, follow_up](lm::Outcome outcome) { accept(calls, item, owed, follow_up, std::move(outcome)); });
    try {
      lm::Request request{calls->conversation_->messages(item), calls->options_.args};
      request.messages.insert(request.messages.end(), follow_up.begin(), follow_up.end());
      request.info = {calls->purpose_, "ChatCompletion", {}, std::nullopt};
      if (calls->conversation_->is_batch()) request.info.item = item;
      for (lm::Message& message : request.messages) calls->make_valid(message.content, item);
      // Replied to at once, the last item lets go of the model while start() still runs.
      const lm::ChatModelPtr model = calls->model_;
      model->start(std::move(request), done);
    } catch (...) {
      done(lm::Outcome(std::current_exception()));
    }
  }

  const std::shared_ptr<Storage>& reply() const noexcept { return reply_; }

 private:
  /// Nothing is asked about an item of which an input has a problem: the problem is the reply's.
  static bool passes_problem(const std::shared_ptr<Calls>& calls, std::size_t item) {
    try {
      ProblemPtr problem = calls->conversation_->problem(item);
      if (!problem) return false;
      calls->settle(item, "", std::move(problem));
    } catch (...) {
      calls->fail(item, std::current_exception());
    }
    return true;
  }

  static void accept(const std::shared_ptr<Calls>& calls, std::size_t item, const Owed& owed,
                     std::vector<lm::Message> follow_up, lm::Outcome outcome) {
    try {
      const lm::Receipt receipt = outcome.receipt();
      lm::Reply completion = std::move(outcome).value();
      const bool is_cut = completion.end() == lm::ReplyEnd::cut;
      // What has to be read shows by itself whether enough of it came.
      const bool is_shown = calls->check_.read && calls->limit() && !lm::detail::cut_while_thinking(completion);
      if (is_cut && !is_shown) return calls->accept_cut(item, std::move(completion), receipt);
      if (const auto problem = calls->check_.read ? calls->check_.read(item, completion.content) : std::nullopt) {
        calls->follow_up(item, completion.content, *problem, follow_up);
        return start_item(calls, item, owed, std::move(follow_up));
      }
      calls->settle(item, std::move(completion.content), nullptr);
    } catch (...) {
      calls->fail(item, std::current_exception());
    }
  }

  /// Throws when the reply was asked for often enough.
  void follow_up(std::size_t item, const std::string& content, const std::string& problem,
                 std::vector<lm::Message>& messages) const {
    if (messages.size() / 2 >= check_.max_reasks) {
      throw LMError(LMError::Kind::unreadable, fmt::format("no usable reply in {} requests; the last one: {} \"{}\"",
                                                           check_.max_reasks + 1, problem, detail::excerpt(content)));
    }
    notify(Notice::Kind::repeated_call, item, problem);
    if (anomalies_) {
      anomalies_->report({Notice::Kind::unparsable_feedback, "chat_completion", options_.role,
                          conversation_->is_batch() ? std::optional(item) : std::nullopt, problem, place_of_call()});
    }
    messages.push_back({"assistant", detail::cut_middle(content, options_.feedback.context_budget / 4)});
    messages.push_back({"user", options_.feedback.prompts.render(check_.reask_prompt, {{"reason", problem}})});
  }

  /// The wire is UTF-8; the data stays as it is.
  void make_valid(std::string& text, std::size_t item) const {
    if (detail::is_utf8(text)) return;
    text = detail::valid_utf8(text);
    notify(Notice::Kind::repaired_text, item,
           fmt::format("the request held bytes that are not UTF-8; U+FFFD was sent in their place: \"{}\"",
                       detail::excerpt(text)));
  }

  void notify(Notice::Kind kind, std::size_t item, std::string text) const {
    if (!options_.feedback.on_notice) return;
    const auto index = conversation_->is_batch() ? std::optional(item) : std::nullopt;
    options_.feedback.on_notice({kind, "chat_completion", options_.role, index, std::move(text), place_of_call()});
  }

  std::string place_of_call() const { return place_.file != nullptr ? place_.text() : std::string(); }

  std::string where(std::size_t item) const {
    const std::string name = reply_->item_name(item);
    return name.empty() ? "chat_completion: " : fmt::format("chat_completion: {}: ", name);
  }

  std::optional<std::int64_t> limit() const { return reply_limit_of(*model_, options_.args); }

  /// Half a reply is none. By a limit of the caller's own it is an answer that was too long; else it is the model's that is too
  /// low. What was cut before it began, in a thought, is no answer by any limit.
  void accept_cut(std::size_t item, lm::Reply completion, const lm::Receipt& receipt) {
    const auto limit = this->limit();
    const std::optional<LMError> in_thought = lm::detail::cut_while_thinking(completion);
    const std::int64_t tokens = receipt.original_usage.value_or(receipt.usage).completion_tokens;
    Problem problem = detail::cut_reply({.tokens = tokens > 0 ? tokens : limit.value_or(0),
                                         .by_own_limit = limit.has_value(),
                                         .while_thinking = in_thought.has_value()});
    if (in_thought || !limit) {
      const LMError error = in_thought ? *in_thought : error_of_cut(completion);
      problem.cause = error.what();
      if (options_.on_error == OnError::fail) throw error;
      notify(Notice::Kind::failed_item, item, where(item) + to_string(problem));
    }
    settle(item, std::move(completion.content), std::make_shared<const Problem>(std::move(problem)));
  }

  static LMError error_of_cut(const lm::Reply& completion) {
    return {LMError::Kind::truncated,
            fmt::format("the reply was cut off (finish_reason \"{}\"): \"{}\"; set max_completion_tokens if that is wanted, or "
                        "allow longer replies",
                        completion.finish_reason, detail::excerpt(completion.content))};
  }

  void fail(std::size_t item, const std::exception_ptr& error) {
    try {
      const auto problem = options_.on_error == OnError::keep ? detail::own_fault(error) : std::nullopt;
      if (!problem) throw_with_place(item, error);
      notify(Notice::Kind::failed_item, item, where(item) + to_string(*problem));
      settle(item, "", std::make_shared<const Problem>(*problem));
    } catch (...) {
      finish_one();
      reply_->fail_item(item, std::current_exception());
    }
  }

  [[noreturn]] void throw_with_place(std::size_t item, const std::exception_ptr& error) const {
    try {
      std::rethrow_exception(error);
    } catch (...) {
      detail::rethrow_with_prefix(where(item));
    }
  }

  void settle(std::size_t item, std::string text, ProblemPtr problem) {
    finish_one();
    reply_->set_item(item, std::move(text), std::move(problem));
  }

  // The last call lets go of the model on the executor: on the model's own I/O thread, its destructor would wait for itself.
  // Before the item is set, because then the caller may be gone.
  void finish_one() {
    if (unfinished_.fetch_sub(1) == 1) detail::Executor::shared().post([model = std::move(model_)] {});
  }

  lm::ChatModelPtr model_;
  std::shared_ptr<const Conversation> conversation_;
  std::shared_ptr<Storage> reply_;
  ChatOptions options_;
  ReplyCheck check_;
  std::string purpose_;
  std::shared_ptr<const detail::AnomalyMode> anomalies_ = detail::anomaly_mode();
  Place place_ = detail::called_place();
  std::atomic<std::size_t> unfinished_;
};

}  // namespace

Variable detail::start_chat(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs, ChatOptions options,
                            ReplyCheck check, std::string purpose) {
  if (!model) throw ValueError("chat_completion needs a model; it was given none");
  expect_usable(options.feedback);
  auto conversation = std::make_shared<Conversation>(messages, inputs);
  auto reply = conversation->is_batch() ? Storage::pending_batch(conversation->size()) : Storage::pending_scalar();
  conversation->name_items(*reply);
  const bool recorded = records_history(conversation->variables());
  const auto node = recorded ? std::make_shared<ChatCompletionBackward>(conversation, reply, options) : nullptr;

  Variable result = make_result(reply, Role(options.role), node);
  const auto calls =
      std::make_shared<Calls>(model, conversation, std::move(reply), std::move(options), std::move(check), std::move(purpose));
  for (std::size_t item = 0; item < conversation->size(); ++item) {
    when_items(conversation->storages(item), item,
               [calls, item, owed = Storage::owed(calls->reply(), item)] { Calls::start_item(calls, item, owed); });
  }
  return result;
}

Variable chat_completion(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs, ChatOptions options,
                         Place place) {
  const detail::CalledFrom called(place);
  return detail::start_chat(model, messages, inputs, std::move(options), {}, "forward");
}

}  // namespace tgd
