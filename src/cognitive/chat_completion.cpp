#include <tgd/cognitive/chat_completion.hpp>

#include <atomic>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "cognitive/conversation.hpp"
#include "core/executor.hpp"
#include "core/rethrow.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;
using detail::Conversation;
using detail::Role;
using detail::Storage;

/// One flag per item: whether it failed and was skipped. Written before the item is set, read after.
using Skipped = std::vector<char>;

class ChatCompletionBackward final : public autograd::Node {
 public:
  ChatCompletionBackward(std::shared_ptr<Conversation> conversation, std::shared_ptr<Storage> reply,
                         std::shared_ptr<Skipped> skipped, ChatOptions options)
      : Node(conversation->variables()), conversation_(std::move(conversation)), reply_(std::move(reply)),
        skipped_(std::move(skipped)), options_(std::move(options)) {
    conversation_->forget_variables();
  }

  std::string name() const override { return "ChatCompletionBackward"; }
  std::string output_role(std::size_t) const override { return options_.role; }

  std::vector<lm::Request> ask(const Feedback& feedback) const override {
    std::vector<lm::Request> requests;
    for (std::size_t edge = 0; edge < next_edges().size(); ++edge) {
      for (const std::vector<std::size_t>& items : groups(feedback, edge)) {
        requests.push_back(critique_request(*feedback.grad_outputs[0], edge, items));
      }
    }
    return requests;
  }

  Answer answer(const Feedback& feedback, std::span<const lm::Reply> replies) const override {
    Answer answer;
    for (std::size_t edge = 0; edge < next_edges().size(); ++edge) {
      const auto items = groups(feedback, edge);
      answer.gradients.push_back(feedback.wants(edge) ? gradient(feedback, edge, items, replies.first(items.size())) : Gradient());
      replies = replies.subspan(items.size());
    }
    return answer;
  }

 protected:
  void release_saved() override {
    conversation_.reset();
    reply_.reset();
  }

 private:
  /// The items that go into each request about one Variable: those with feedback, several together where all share it.
  std::vector<std::vector<std::size_t>> groups(const Feedback& feedback, std::size_t edge) const {
    std::vector<std::vector<std::size_t>> groups;
    if (!feedback.wants(edge)) return groups;
    const Conversation::Use& use = conversation_->use(edge);
    const std::size_t size = use.part == Conversation::Part::shared ? options_.samples_per_request : 1;
    for (std::size_t item = 0; item < conversation_->size(); ++item) {
      if (use.part == Conversation::Part::single && use.item != item) continue;
      if ((*skipped_)[item] != 0 || detail::feedback_text(feedback.grad_outputs[0], item).empty()) continue;
      if (groups.empty() || groups.back().size() == size) groups.emplace_back();
      groups.back().push_back(item);
    }
    return groups;
  }

  std::string samples(const Variable& feedback, std::size_t edge, const std::vector<std::size_t>& items) const {
    std::vector<std::string> samples;
    for (const std::size_t item : items) {
      samples.push_back(options_.prompts.render(
          "backward_sample",
          {{"conversation", conversation_->transcript(item, edge, options_.prompts.get("backward_placeholder"))},
           {"reply", reply_->item(item).item_text()},
           {"feedback", feedback.data().item_text(item)}}));
    }
    return detail::join(samples, "\n\n");
  }

  lm::Request critique_request(const Variable& feedback, std::size_t edge, const std::vector<std::size_t>& items) const {
    const Conversation::Use& use = conversation_->use(edge);
    lm::Request request;
    request.messages.push_back({"system", std::string(options_.prompts.get("backward_system"))});
    request.messages.push_back({"user", options_.prompts.render("backward_user", {{"role", use.role},
                                                                                  {"value", use.data->item(items[0]).item_text()},
                                                                                  {"samples", samples(feedback, edge, items)}})});
    request.info.parameter = use.role;
    if (items.size() == 1 && conversation_->is_batch()) request.info.item = items[0];
    return request;
  }

  Gradient gradient(const Feedback& feedback, std::size_t edge, const std::vector<std::vector<std::size_t>>& groups,
                    std::span<const lm::Reply> replies) const {
    if (conversation_->use(edge).part == Conversation::Part::itemwise) {
      std::vector<std::string> texts(conversation_->size());
      for (std::size_t i = 0; i < groups.size(); ++i) texts[groups[i][0]] = critique(replies[i]);
      return detail::make_gradient(std::move(texts));
    }
    std::vector<std::string> texts;
    std::vector<std::string> contexts;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      texts.push_back(critique(replies[i]));
      contexts.push_back(samples(*feedback.grad_outputs[0], edge, groups[i]));
    }
    Variable gradient = detail::make_gradient(texts.empty() ? std::string() : detail::join_items(texts));
    gradient.impl()->make_extras().context = detail::join(contexts, "\n\n");
    return gradient;
  }

  static std::string critique(const lm::Reply& reply) {
    if (reply.finish_reason == "length") {
      throw LMError(LMError::Kind::truncated, fmt::format("the critique was cut off (finish_reason \"length\"): \"{}\"; allow longer "
                                                          "replies with max_completion_tokens",
                                                          detail::excerpt(reply.content)));
    }
    return std::string(detail::trim(reply.content));
  }

  std::shared_ptr<Conversation> conversation_;
  std::shared_ptr<Storage> reply_;
  std::shared_ptr<Skipped> skipped_;
  ChatOptions options_;
};

/// The calls of one chat_completion, while they are under way.
class Calls {
 public:
  Calls(lm::ChatModelPtr model, std::shared_ptr<const Conversation> conversation, std::shared_ptr<Storage> reply,
        std::shared_ptr<Skipped> skipped, ChatOptions options)
      : model_(std::move(model)), conversation_(std::move(conversation)), reply_(std::move(reply)), skipped_(std::move(skipped)),
        options_(std::move(options)), unfinished_(conversation_->size()) {}

  static void start_item(const std::shared_ptr<Calls>& calls, std::size_t item) {
    try {
      lm::Request request{calls->conversation_->messages(item), calls->options_.args};
      request.info = {"forward", "ChatCompletion", {}, std::nullopt};
      if (calls->conversation_->is_batch()) request.info.item = item;
      calls->model_->start(std::move(request), [calls, item](lm::Outcome outcome) { calls->accept(item, std::move(outcome)); });
    } catch (...) {
      calls->fail(item, std::current_exception());
    }
  }

 private:

  std::string where(std::size_t item) const {
    if (!conversation_->is_batch()) return "chat_completion: ";
    return fmt::format("chat_completion: item {} of {}: ", item, conversation_->size());
  }

  void accept(std::size_t item, lm::Outcome outcome) {
    try {
      lm::Reply completion = std::move(outcome).value();
      check_complete(completion);
      finish_one();
      reply_->set_item(item, std::move(completion.content));
    } catch (...) {
      fail(item, std::current_exception());
    }
  }

  void check_complete(const lm::Reply& completion) const {
    if (completion.finish_reason != "length") return;
    if (options_.args.contains("max_tokens") || options_.args.contains("max_completion_tokens")) return;
    throw LMError(LMError::Kind::truncated, fmt::format("the reply was cut off (finish_reason \"length\"): \"{}\"; set "
                                                        "max_completion_tokens if that is wanted, or allow longer replies",
                                                        detail::excerpt(completion.content)));
  }

  void fail(std::size_t item, const std::exception_ptr& error) {
    finish_one();
    try {
      try {
        std::rethrow_exception(error);
      } catch (...) {
        detail::rethrow_with_prefix(where(item));
      }
    } catch (const LMError& lm_error) {
      if (options_.on_error == OnError::fail) return reply_->fail_item(item, std::current_exception());
      skip(item, lm_error);
    } catch (...) {
      reply_->fail_item(item, std::current_exception());
    }
  }

  void skip(std::size_t item, const LMError& error) {
    try {
      if (options_.on_skip) options_.on_skip(item, error.what());
    } catch (...) {
      return reply_->fail_item(item, std::current_exception());
    }
    (*skipped_)[item] = 1;
    reply_->set_item(item, "");
  }

  // The last call lets go of the model on the executor: on the model's own I/O thread, its destructor would wait for itself.
  // Before the item is set, because then the caller may be gone.
  void finish_one() {
    if (unfinished_.fetch_sub(1) == 1) detail::Executor::shared().post([model = std::move(model_)] {});
  }

  lm::ChatModelPtr model_;
  std::shared_ptr<const Conversation> conversation_;
  std::shared_ptr<Storage> reply_;
  std::shared_ptr<Skipped> skipped_;
  ChatOptions options_;
  std::atomic<std::size_t> unfinished_;
};

}  // namespace

Variable chat_completion(const lm::ChatModelPtr& model, const Messages& messages, const Inputs& inputs, ChatOptions options) {
  if (!model) throw ValueError("chat_completion needs a model; it was given none");
  if (options.samples_per_request == 0) throw ValueError("ChatOptions::samples_per_request is 0; it has to be at least 1");
  auto conversation = std::make_shared<Conversation>(messages, inputs);
  auto reply = conversation->is_batch() ? Storage::pending_batch(conversation->size()) : Storage::pending_scalar();

  const auto skipped = std::make_shared<Skipped>(conversation->size());
  const auto calls = std::make_shared<Calls>(model, conversation, reply, skipped, options);
  const bool recorded = detail::records_history(conversation->variables());
  Role role(options.role);
  auto node = recorded ? std::make_shared<ChatCompletionBackward>(conversation, reply, skipped, std::move(options)) : nullptr;
  for (std::size_t item = 0; item < conversation->size(); ++item) {
    detail::when_items(conversation->storages(item), item, [calls, item] { Calls::start_item(calls, item); });
  }
  return detail::make_result(std::move(reply), std::move(role), std::move(node));
}

}  // namespace tgd
