#include "cognitive/critique.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "core/problem.hpp"
#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "lm/openai/thoughts.hpp"

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
std::vector<lm::Message> shorter(const MessagesOf& messages, std::vector<std::shared_ptr<const std::string>> texts,
                                 std::size_t bytes) {
  const std::vector<lm::Message> empty = messages({});
  const std::size_t fixed = empty[0].content.size() + empty[1].content.size();
  constexpr std::size_t least = 300;
  if (bytes < fixed + least) return {};
  const std::size_t room = bytes - fixed;
  const auto size = [&] {
    std::size_t sum = 0;
    for (const auto& text : texts) sum += text->size() + sample_separator.size();
    return sum;
  };
  while (texts.size() > 1 && size() > room) texts.resize((texts.size() + 1) / 2);
  if (size() > room) texts[0] = std::make_shared<const std::string>(cut_middle(*texts[0], room - sample_separator.size()));
  return messages(texts);
}

}  // namespace

void expect_usable(const FeedbackOptions& options) {
  if (options.samples_per_request == 0) throw ValueError("FeedbackOptions::samples_per_request is 0; it has to be at least 1");
}

std::string critique_text(const lm::Reply& reply) { return std::string(trim(reply.content)); }

std::optional<Problem> problem_with_critique(const Feedback& feedback, std::span<const lm::Reply> replies, std::size_t i) {
  if (feedback.problems[i]) return feedback.problems[i];
  const lm::Reply& reply = replies[i];
  if (reply.end() != lm::ReplyEnd::cut) return std::nullopt;
  const auto in_thought = lm::detail::cut_while_thinking(reply);
  Problem problem = cut_reply({.tokens = reply.usage.completion_tokens, .while_thinking = in_thought.has_value()});
  problem.cause = in_thought ? in_thought->what()
                             : fmt::format(
                                   "the critique was cut off (finish_reason \"{}\"): \"{}\"; allow longer replies with "
                                   "max_completion_tokens",
                                   reply.finish_reason, excerpt(reply.content));
  return problem;
}

void expect_critiques(bool any, std::span<const Problem> lost) {
  if (any) return;
  for (const Problem& problem : lost) {
    if (problem.kind == Problem::Kind::filtered || problem.kind == Problem::Kind::refused) continue;
    throw LMError(problem.kind == Problem::Kind::cut        ? LMError::Kind::truncated
                  : problem.kind == Problem::Kind::too_long ? LMError::Kind::too_long
                                                            : LMError::Kind::empty,
                  to_string(problem));
  }
}

/// What a pass knows between the rounds: the critiques, those that are asked for again, then, where they are to be summarized,
/// level by level of the tree.
struct CritiqueNode::Plan final : autograd::NodeState {
  explicit Plan(std::size_t edges) : critiques(edges), direct(edges), texts(edges) {}

  std::vector<CriticCall> questions;             // of the round under way, in the order of its requests
  std::vector<std::vector<Critique>> critiques;  // of each edge
  std::vector<std::vector<Group>> direct;        // of each edge that gets no critique: the samples with feedback
  std::vector<Problem> lost;                     // critiques that could not be had
  bool is_summarizing = false;
  std::vector<Batch> batches;                   // of the round under way
  std::vector<std::vector<std::string>> texts;  // of each edge, condensed further in each round
};

autograd::Asked CritiqueNode::ask(const Feedback& feedback) const {
  auto plan = std::make_unique<Plan>(next_functions().size());
  for (std::size_t edge = 0; edge < next_functions().size(); ++edge) {
    std::vector<Group> of_edge = groups(feedback, edge);
    if (is_direct(feedback, edge)) {
      plan->texts[edge] = said_to(feedback, of_edge);
      plan->direct[edge] = std::move(of_edge);
      continue;
    }
    for (Group& group : of_edge) plan->questions.push_back({edge, std::move(group)});
  }
  std::vector<lm::Request> first = requests(plan->questions);
  return {std::move(first), std::move(plan)};
}

Answer CritiqueNode::answer(autograd::NodeState* state, const Feedback& feedback, std::span<const lm::Reply> replies) const {
  Plan& plan = static_cast<Plan&>(*state);
  if (plan.is_summarizing) {
    take_summaries(plan, feedback, replies);
  } else {
    take_critiques(plan, feedback, replies);
    if (!plan.questions.empty()) return {{}, requests(plan.questions)};
    const auto is_there = [](const auto& of_edge) { return !of_edge.empty(); };
    expect_critiques(std::any_of(plan.critiques.begin(), plan.critiques.end(), is_there) ||
                         std::any_of(plan.direct.begin(), plan.direct.end(), is_there),
                     plan.lost);
    plan.is_summarizing = true;
    for (std::size_t edge = 0; edge < plan.critiques.size(); ++edge) {
      for (const Critique& critique : plan.critiques[edge]) plan.texts[edge].push_back(critique.text);
    }
  }
  if (std::vector<lm::Request> summaries = next_summaries(plan); !summaries.empty()) return {{}, std::move(summaries)};
  const Outcomes known = outcomes(feedback);
  Answer answer;
  for (std::size_t edge = 0; edge < next_functions().size(); ++edge)
    answer.gradients.push_back(feedback.wants(edge) ? gradient(plan, feedback, edge, known) : Gradient());
  return answer;
}

std::vector<lm::Request> CritiqueNode::requests(const std::vector<CriticCall>& questions) const {
  std::vector<lm::Request> requests;
  for (const CriticCall& question : questions) requests.push_back(request(question));
  return requests;
}

void CritiqueNode::take_critiques(Plan& plan, const Feedback& feedback, std::span<const lm::Reply> replies) const {
  std::vector<CriticCall> asked = std::exchange(plan.questions, {});
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (const auto problem = problem_with_critique(feedback, replies, i)) {
      ask_again(plan, std::move(asked[i]), *problem);
      continue;
    }
    plan.critiques[asked[i].edge].push_back({std::move(asked[i].group), critique_text(replies[i])});
  }
  for (std::vector<Critique>& critiques : plan.critiques) {
    std::stable_sort(critiques.begin(), critiques.end(),
                     [](const Critique& a, const Critique& b) { return a.group.samples.front() < b.group.samples.front(); });
  }
}

/// What one sample is the reason of is found out by asking about each alone; what may pass is asked for once more. What cannot
/// be had is left out.
void CritiqueNode::ask_again(Plan& plan, CriticCall question, const Problem& problem) const {
  const bool may_pass = problem.kind == Problem::Kind::cut || problem.kind == Problem::Kind::unreadable;
  if (may_pass && question.attempt == 0) {
    ++question.attempt;
    plan.questions.push_back(std::move(question));
    return;
  }
  const Group& group = question.group;
  if (!may_pass && group.samples.size() > 1) {
    for (std::size_t i = 0; i < group.samples.size(); ++i)
      plan.questions.push_back(
          {question.edge, {{group.samples[i]}, {group.texts[i]}, group.texts[i]->size()}, question.attempt});
    return;
  }
  plan.lost.push_back(problem);
  if (!options_.on_notice) return;
  options_.on_notice({Notice::Kind::failed_item, name(), use(question.edge).role,
                      is_batch() ? std::optional(group.samples.front()) : std::nullopt,
                      "there is no feedback on this item: " + to_string(problem)});
}

void CritiqueNode::take_summaries(Plan& plan, const Feedback& feedback, std::span<const lm::Reply> replies) const {
  std::size_t next = 0;
  std::vector<std::vector<std::string>> condensed(plan.texts.size());
  for (Batch& batch : std::exchange(plan.batches, {})) {
    std::string text = join_items(batch.texts);  // as it was, where it cannot be condensed
    if (batch.texts.size() == 1) {
      text = std::move(batch.texts.front());
    } else {
      if (!problem_with_critique(feedback, replies, next)) text = critique_text(replies[next]);
      ++next;
    }
    condensed[batch.edge].push_back(std::move(text));
  }
  for (std::size_t edge = 0; edge < condensed.size(); ++edge) {
    if (!condensed[edge].empty()) plan.texts[edge] = std::move(condensed[edge]);
  }
}

std::vector<lm::Request> CritiqueNode::next_summaries(Plan& plan) const {
  std::vector<lm::Request> requests;
  if (!options_.summarize) return requests;
  for (std::size_t edge = 0; edge < plan.texts.size(); ++edge) {
    if (plan.texts[edge].size() < 2 || use(edge).part != Spread::shared || !plan.direct[edge].empty()) continue;
    for (std::vector<std::string>& texts : summary_batches(plan.texts[edge])) {
      if (texts.size() > 1) requests.push_back(summary_request(edge, texts));
      plan.batches.push_back({edge, std::move(texts)});
    }
  }
  if (requests.empty()) plan.batches.clear();
  return requests;
}

bool CritiqueNode::is_prompt(std::size_t edge) const {
  const bool is_leaf = dynamic_cast<const autograd::AccumulateGrad*>(next_functions()[edge].function.get()) != nullptr;
  return is_leaf && use(edge).part == Spread::shared;
}

bool CritiqueNode::is_direct(const Feedback& feedback, std::size_t edge) const {
  if (feedback.step == autograd::Step::critique || !feedback.wants(edge) || !is_prompt(edge)) return false;
  if (feedback.step == autograd::Step::direct) return true;
  for (std::size_t other = 0; other < next_functions().size(); ++other) {
    if (next_functions()[other] && !is_prompt(other)) return false;
  }
  const Outcomes known = outcomes(feedback);
  return !known.empty() && std::all_of(known.begin(), known.end(), [](const auto& outcomes) {
    return outcomes->calls == 1 && std::all_of(outcomes->samples.begin(), outcomes->samples.end(),
                                               [](const SampleOutcome& sample) { return sample.target.has_value(); });
  });
}

/// What was said to samples, as it was.
std::vector<std::string> CritiqueNode::said_to(const Feedback& feedback, const std::vector<Group>& groups) const {
  std::vector<std::string> texts;
  for (const Group& group : groups) {
    for (const std::size_t sample : group.samples) texts.push_back(feedback_text(feedback.grad_outputs[0], sample));
  }
  return texts;
}

/// What became of the samples, as it is seen from the other side of this call.
CritiqueNode::Outcomes CritiqueNode::outcomes(const Feedback& feedback) const {
  Outcomes seen;
  const auto& extras = tgd::detail::impl_of(*feedback.grad_outputs[0])->extras;
  if (!extras) return seen;
  for (const auto& known : extras->outcomes) {
    if (known->samples.size() != sample_count()) continue;  // parts of replies, or several of them in one
    auto outcomes = std::make_shared<SampleOutcomes>(*known);
    for (std::size_t sample = 0; sample < sample_count(); ++sample) {
      auto own = own_text(sample);
      if (!own) return {};
      outcomes->samples[sample].input = *std::move(own);
      outcomes->samples[sample].reply = outcome(sample);
    }
    outcomes->calls += calls();
    seen.push_back(std::move(outcomes));
  }
  return seen;
}

/// The input whose problem is the reason why nothing was done for a sample.
std::optional<std::size_t> CritiqueNode::cause(std::size_t sample) const {
  for (std::size_t edge = 0; edge < next_functions().size(); ++edge) {
    const Use& used = use(edge);
    if ((used.part != Spread::single || used.item == sample) && used.data->problem(sample)) return edge;
  }
  return std::nullopt;
}

/// Whether a filter would withhold a request that shows a sample's own input.
bool CritiqueNode::cannot_be_shown(std::size_t sample, std::size_t edge) const {
  if (use(edge).part == Spread::shared) return false;
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
    const bool takes_part = use(edge).part != Spread::single || use(edge).item == sample;
    if (reason ? reason == edge : takes_part && cannot_be_shown(sample, edge)) texts[sample] = std::move(text);
  }
  return texts;
}

std::vector<std::size_t> CritiqueNode::criticised_samples(const Feedback& feedback, std::size_t edge) const {
  std::vector<std::size_t> samples;
  if (!feedback.wants(edge)) return samples;
  const Use& used = use(edge);
  for (std::size_t sample = 0; sample < sample_count(); ++sample) {
    if (used.part == Spread::single && used.item != sample) continue;
    if (feedback_text(feedback.grad_outputs[0], sample).empty()) continue;
    if (!cause(sample) && !cannot_be_shown(sample, edge)) samples.push_back(sample);
  }
  return samples;
}

std::vector<CritiqueNode::Group> CritiqueNode::groups(const Feedback& feedback, std::size_t edge) const {
  std::vector<Group> groups;
  const Use& used = use(edge);
  const std::size_t most = used.part == Spread::shared ? options_.samples_per_request : 1;
  std::size_t room = 0;
  for (const std::size_t sample : criticised_samples(feedback, edge)) {
    if (groups.empty() || used.part != Spread::shared) room = room_for_samples(used, used.data->item(sample).item_text());
    Fitted fitted = sample_text(*feedback.grad_outputs[0], sample, edge, room);
    if (fitted.left_out > 0 && options_.on_notice) {
      options_.on_notice(
          {Notice::Kind::trimmed_context, name(), used.role, is_batch() ? std::optional(sample) : std::nullopt,
           fmt::format("{} of a conversation's characters were left out of a request for feedback, to keep it within the "
                       "budget of {}",
                       fitted.left_out, options_.context_budget)});
    }
    const std::size_t size = fitted.text.size() + sample_separator.size();
    if (groups.empty() || groups.back().samples.size() == most || groups.back().size + size > room) groups.emplace_back();
    groups.back().samples.push_back(sample);
    groups.back().texts.push_back(std::make_shared<const std::string>(std::move(fitted.text)));
    groups.back().size += size;
  }
  return groups;
}

std::size_t CritiqueNode::room_for_samples(const Use& used, const std::string& value) const {
  const std::size_t fixed = prompts().get(system_prompt()).size() + value.size() +
                            prompts().render("backward_user", {{"role", used.role}, {"value", ""}, {"samples", "-"}}).size();
  constexpr std::size_t least = 1000;  // less than this shows nothing of a conversation
  if (fixed + least > options_.context_budget) {
    throw ValueError(
        fmt::format("a request for feedback on \"{}\" may have {} characters (context_budget), but the value and the "
                    "instructions alone have {}: raise the budget to at least {}",
                    used.role, options_.context_budget, fixed, fixed + least));
  }
  return options_.context_budget - fixed;
}

CritiqueNode::Fitted CritiqueNode::sample_text(const Variable& feedback, std::size_t sample, std::size_t edge,
                                               std::size_t room) const {
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
  return {render(short_conversation, short_reply, short_comment), conversation.size() + reply.size() + comment.size() -
                                                                      short_conversation.size() - short_reply.size() -
                                                                      short_comment.size()};
}

lm::Request CritiqueNode::request(const CriticCall& question) const {
  const Use& used = use(question.edge);
  const Group& group = question.group;
  lm::Request request;
  const auto messages = [system = std::string(prompts().get(system_prompt())), prompts = prompts(), role = used.role,
                         value = used.data->item(group.samples[0]).item_text()](const std::vector<Text>& texts) {
    std::string samples;
    for (const Text& text : texts) samples.append(samples.empty() ? std::string_view() : sample_separator).append(*text);
    return std::vector<lm::Message>{
        {"system", system},
        {"user", prompts.render("backward_user", {{"role", role}, {"value", value}, {"samples", samples}})}};
  };
  request.messages = messages(group.texts);
  request.shortened = [messages, texts = group.texts](std::size_t bytes) { return shorter(messages, texts, bytes); };
  request.info.parameter = used.role;
  if (group.samples.size() == 1 && is_batch()) request.info.item = group.samples[0];
  request.sample = question.attempt;  // what keeps replies would give the same one again
  return request;
}

Gradient CritiqueNode::gradient(const Plan& plan, const Feedback& feedback, std::size_t edge, const Outcomes& known) const {
  std::vector<std::string> items = passed_on(feedback, edge);
  std::vector<std::string> texts = plan.texts[edge];
  if (use(edge).part == Spread::itemwise) {
    for (std::size_t i = 0; i < texts.size(); ++i) items[plan.critiques[edge][i].group.samples[0]] = std::move(texts[i]);
    Variable gradient = make_gradient(std::move(items));
    if (!known.empty()) tgd::detail::impl_of(gradient)->make_extras().outcomes = known;
    return gradient;
  }
  std::erase_if(items, [](const std::string& item) { return item.empty(); });
  std::move(items.begin(), items.end(), std::back_inserter(texts));
  Variable gradient = make_gradient(texts.empty() ? std::string() : join_items(texts));
  VariableImpl::Extras& extras = tgd::detail::impl_of(gradient)->make_extras();
  for (const Critique& critique : plan.critiques[edge])
    extras.contexts.insert(extras.contexts.end(), critique.group.texts.begin(), critique.group.texts.end());
  for (const Group& group : plan.direct[edge])
    extras.contexts.insert(extras.contexts.end(), group.texts.begin(), group.texts.end());
  extras.is_direct = !plan.direct[edge].empty();
  if (use(edge).part == Spread::shared) extras.outcomes = known;
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
