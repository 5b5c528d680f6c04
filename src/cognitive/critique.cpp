#include "cognitive/critique.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/problem.hpp"
#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "lm/thoughts.hpp"

namespace tgd::detail {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;

constexpr std::size_t summaries_per_request = 8;
constexpr std::string_view sample_separator = "\n\n";

}  // namespace

namespace {

/// With fewer samples, and these shorter, in about so many bytes; nothing when hardly anything of them would be left.
template <class MessagesOf>
std::vector<lm::Message> shorter(const MessagesOf& messages, std::vector<std::string> texts, std::size_t bytes) {
  const std::vector<lm::Message> empty = messages({});
  const std::size_t fixed = empty[0].content.size() + empty[1].content.size();
  constexpr std::size_t least = 300;
  if (bytes < fixed + least) return {};
  const std::size_t room = bytes - fixed;
  const auto size = [&] {
    std::size_t sum = 0;
    for (const std::string& text : texts) sum += text.size() + sample_separator.size();
    return sum;
  };
  while (texts.size() > 1 && size() > room) texts.resize((texts.size() + 1) / 2);
  if (size() > room) texts[0] = cut_middle(texts[0], room - sample_separator.size());
  return messages(texts);
}

}  // namespace

std::string critique_text(const lm::Reply& reply) {
  if (const auto error = lm::detail::cut_while_thinking(reply)) throw *error;
  if (reply.end() == lm::ReplyEnd::cut) {
    throw LMError(LMError::Kind::truncated, fmt::format("the critique was cut off (finish_reason \"{}\"): \"{}\"; allow longer "
                                                        "replies with max_completion_tokens",
                                                        reply.finish_reason, excerpt(reply.content)));
  }
  return std::string(trim(reply.content));
}

std::vector<lm::Request> CritiqueNode::ask(const Feedback& feedback) const {
  std::vector<lm::Request> requests;
  for (std::size_t edge = 0; edge < next_edges().size(); ++edge) {
    for (const Group& group : groups(feedback, edge, true)) requests.push_back(request(edge, group));
  }
  return requests;
}

// Replies come in rounds: the critiques, then, where they are to be summarized, level by level of the tree. Each call walks
// through the rounds it has replies for.
Answer CritiqueNode::answer(const Feedback& feedback, std::span<const lm::Reply> replies) const {
  const std::size_t edges = next_edges().size();
  std::vector<std::vector<Group>> groups_of(edges);
  std::vector<std::vector<std::string>> texts(edges);
  const auto take = [&replies](std::size_t count) {
    std::vector<std::string> taken;
    for (const lm::Reply& reply : replies.first(count)) taken.push_back(critique_text(reply));
    replies = replies.subspan(count);
    return taken;
  };
  for (std::size_t edge = 0; edge < edges; ++edge) {
    groups_of[edge] = groups(feedback, edge, false);
    texts[edge] = take(groups_of[edge].size());
  }
  const auto needs_summary = [&](std::size_t edge) {
    return options_.summarize && texts[edge].size() > 1 && use(edge).part == Part::shared;
  };
  while (true) {
    std::vector<lm::Request> requests;
    for (std::size_t edge = 0; edge < edges; ++edge) {
      if (!needs_summary(edge)) continue;
      for (const auto& batch : summary_batches(texts[edge])) {
        if (batch.size() > 1) requests.push_back(summary_request(edge, batch));
      }
    }
    if (requests.empty()) break;
    if (replies.empty()) return {{}, std::move(requests)};
    for (std::size_t edge = 0; edge < edges; ++edge) {
      if (!needs_summary(edge)) continue;
      std::vector<std::string> summaries;
      for (auto& batch : summary_batches(texts[edge])) summaries.push_back(batch.size() > 1 ? take(1)[0] : std::move(batch[0]));
      texts[edge] = std::move(summaries);
    }
  }
  Answer answer;
  for (std::size_t edge = 0; edge < edges; ++edge) {
    answer.gradients.push_back(feedback.wants(edge) ? gradient(feedback, groups_of[edge], std::move(texts[edge]), edge)
                                                    : Gradient());
  }
  return answer;
}

/// The input whose problem is the reason why nothing was done for a sample.
std::optional<std::size_t> CritiqueNode::cause(std::size_t sample) const {
  for (std::size_t edge = 0; edge < next_edges().size(); ++edge) {
    const Use& used = use(edge);
    if ((used.part != Part::single || used.item == sample) && used.data->problem(sample)) return edge;
  }
  return std::nullopt;
}

/// Whether a filter would withhold a request that shows a sample's own input.
bool CritiqueNode::cannot_be_shown(std::size_t sample, std::size_t edge) const {
  if (use(edge).part == Part::shared) return false;
  const ProblemPtr wrong = problem(sample);
  return wrong && is_withheld(*wrong);
}

/// What goes on as it was said: of samples for which nothing was done, to the input that is the reason; and where nobody can be
/// asked. By sample, "" for all others.
std::vector<std::string> CritiqueNode::passed_on(const Feedback& feedback, std::size_t edge) const {
  std::vector<std::string> texts(sample_count());
  for (std::size_t sample = 0; sample < texts.size(); ++sample) {
    std::string text = feedback_text(feedback.grad_outputs[0], sample);
    if (text.empty()) continue;
    const auto reason = cause(sample);
    const bool takes_part = use(edge).part != Part::single || use(edge).item == sample;
    if (reason ? reason == edge : takes_part && cannot_be_shown(sample, edge)) texts[sample] = std::move(text);
  }
  return texts;
}

std::vector<std::size_t> CritiqueNode::criticised_samples(const Feedback& feedback, std::size_t edge) const {
  std::vector<std::size_t> samples;
  if (!feedback.wants(edge)) return samples;
  const Use& used = use(edge);
  for (std::size_t sample = 0; sample < sample_count(); ++sample) {
    if (used.part == Part::single && used.item != sample) continue;
    if (feedback_text(feedback.grad_outputs[0], sample).empty()) continue;
    if (!cause(sample) && !cannot_be_shown(sample, edge)) samples.push_back(sample);
  }
  return samples;
}

std::vector<CritiqueNode::Group> CritiqueNode::groups(const Feedback& feedback, std::size_t edge, bool report) const {
  std::vector<Group> groups;
  const Use& used = use(edge);
  const std::size_t most = used.part == Part::shared ? options_.samples_per_request : 1;
  std::size_t room = 0;
  for (const std::size_t sample : criticised_samples(feedback, edge)) {
    if (groups.empty() || used.part != Part::shared) room = room_for_samples(used, used.data->item(sample).item_text());
    Fitted fitted = sample_text(*feedback.grad_outputs[0], sample, edge, room);
    if (report && fitted.left_out > 0 && options_.on_notice) {
      options_.on_notice({Notice::Kind::trimmed_context, name(), used.role, is_batch() ? std::optional(sample) : std::nullopt,
                          fmt::format("{} of a conversation's characters were left out of a request for feedback, to keep it within the "
                                      "budget of {}",
                                      fitted.left_out, options_.context_budget)});
    }
    const std::size_t size = fitted.text.size() + sample_separator.size();
    if (groups.empty() || groups.back().samples.size() == most || groups.back().size + size > room) groups.emplace_back();
    groups.back().samples.push_back(sample);
    groups.back().texts.push_back(std::move(fitted.text));
    groups.back().size += size;
  }
  return groups;
}

std::size_t CritiqueNode::room_for_samples(const Use& used, const std::string& value) const {
  const std::size_t fixed = prompts().get(system_prompt()).size() + value.size() +
                            prompts().render("backward_user", {{"role", used.role}, {"value", ""}, {"samples", "-"}}).size();
  constexpr std::size_t least = 1000;  // less than this shows nothing of a conversation
  if (fixed + least > options_.context_budget) {
    throw ValueError(fmt::format("a request for feedback on \"{}\" may have {} characters (context_budget), but the value and the "
                                 "instructions alone have {}: raise the budget to at least {}",
                                 used.role, options_.context_budget, fixed, fixed + least));
  }
  return options_.context_budget - fixed;
}

CritiqueNode::Fitted CritiqueNode::sample_text(const Variable& feedback, std::size_t sample, std::size_t edge, std::size_t room) const {
  const ProblemPtr wrong = problem(sample);
  const std::string conversation = wrong && is_withheld(*wrong) ? left_out(*wrong) : transcript(sample, edge);
  const std::string reply = wrong ? with_problem(outcome(sample), *wrong) : outcome(sample);
  const std::string comment = feedback.data().item_text(sample);
  const auto render = [&](std::string_view shown_conversation, std::string_view shown_reply, std::string_view shown_comment) {
    return prompts().render("backward_sample",
                            {{"conversation", shown_conversation}, {"reply", shown_reply}, {"feedback", shown_comment}});
  };
  Fitted whole{render(conversation, reply, comment)};
  room -= sample_separator.size();
  if (whole.text.size() <= room) return whole;
  // What is left over by the shorter of reply and feedback goes to the conversation.
  const std::size_t available = room - std::min(room, render("", "", "").size() + 3);
  const std::string short_comment = cut_middle(comment, available / 4);
  const std::string short_reply = cut_middle(reply, available / 4);
  const std::string short_conversation = cut_middle(conversation, available - short_comment.size() - short_reply.size());
  return {render(short_conversation, short_reply, short_comment),
          conversation.size() + reply.size() + comment.size() - short_conversation.size() - short_reply.size() - short_comment.size()};
}

lm::Request CritiqueNode::request(std::size_t edge, const Group& group) const {
  const Use& used = use(edge);
  lm::Request request;
  const auto messages = [system = std::string(prompts().get(system_prompt())), prompts = prompts(), role = used.role,
                         value = used.data->item(group.samples[0]).item_text()](const std::vector<std::string>& texts) {
    return std::vector<lm::Message>{
        {"system", system},
        {"user",
         prompts.render("backward_user", {{"role", role}, {"value", value}, {"samples", join(texts, sample_separator)}})}};
  };
  request.messages = messages(group.texts);
  request.shortened = [messages, texts = group.texts](std::size_t bytes) { return shorter(messages, texts, bytes); };
  request.info.parameter = used.role;
  if (group.samples.size() == 1 && is_batch()) request.info.item = group.samples[0];
  return request;
}

Gradient CritiqueNode::gradient(const Feedback& feedback, const std::vector<Group>& groups, std::vector<std::string> texts,
                                std::size_t edge) const {
  std::vector<std::string> items = passed_on(feedback, edge);
  if (use(edge).part == Part::itemwise) {
    for (std::size_t i = 0; i < groups.size(); ++i) items[groups[i].samples[0]] = std::move(texts[i]);
    return make_gradient(std::move(items));
  }
  std::erase_if(items, [](const std::string& item) { return item.empty(); });
  std::move(items.begin(), items.end(), std::back_inserter(texts));
  Variable gradient = make_gradient(texts.empty() ? std::string() : join_items(texts));
  std::vector<std::string> contexts;
  for (const Group& group : groups) contexts.insert(contexts.end(), group.texts.begin(), group.texts.end());
  gradient.impl()->make_extras().contexts = std::move(contexts);
  return gradient;
}

std::vector<std::vector<std::string>> CritiqueNode::summary_batches(const std::vector<std::string>& texts) const {
  std::vector<std::vector<std::string>> batches;
  std::size_t size = 0;
  for (const std::string& text : texts) {
    const bool full = batches.empty() || batches.back().size() == summaries_per_request ||
                      (batches.back().size() > 1 && size + text.size() > options_.context_budget / 2);
    if (full) {
      batches.emplace_back();
      size = 0;
    }
    batches.back().push_back(text);
    size += text.size();
  }
  return batches;
}

lm::Request CritiqueNode::summary_request(std::size_t edge, const std::vector<std::string>& texts) const {
  std::string items;
  for (const std::string& text : texts) {
    if (!items.empty()) items += '\n';
    items += fmt::format("<FEEDBACK>\n{}\n</FEEDBACK>", cut_middle(text, options_.context_budget / (2 * texts.size())));
  }
  lm::Request request;
  request.messages.push_back({"system", std::string(prompts().get("summarize_system"))});
  request.messages.push_back({"user", prompts().render("summarize_user", {{"role", use(edge).role}, {"items", items}})});
  request.info.purpose = "summarize";
  request.info.parameter = use(edge).role;
  return request;
}

}  // namespace tgd::detail
