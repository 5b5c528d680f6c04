#include <tgd/optim/free_proposals.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <tgd/optim/diagnosis.hpp>
#include <tgd/template.hpp>

#include "core/text.hpp"
#include "optim/answers.hpp"

namespace tgd::optim {

namespace {

using FormKind = AnswerForm::Kind;
using Value = nlohmann::ordered_json;

constexpr std::size_t longest_example = 2000;  // bytes of an input

struct Example {
  std::string input;
  std::string answer;
  std::string reply;
};

/// Those that can stand in a prompt as they are: nothing in them may be taken for a placeholder or a mark.
std::vector<Example> usable(std::span<const LabelledSample> samples, const FreeProposalOptions& options) {
  std::vector<Example> examples;
  for (const LabelledSample& sample : samples) {
    const std::string answer(tgd::detail::trim(sample.answer));
    if (answer.empty()) continue;
    const auto reply = options.reply_to ? options.reply_to(answer) : std::optional(answer);
    if (!reply) continue;
    examples.push_back({std::string(tgd::detail::trim(sample.input)), answer, *reply});
  }
  return examples;
}

bool may_be_shown(const Example& example, const FreeProposalOptions& options) {
  const std::string text = example.input + "\n" + example.reply;
  const auto has = [&](const std::string& part) { return !part.empty() && text.find(part) != std::string::npos; };
  return !example.input.empty() && example.input.size() <= longest_example && !has(options.frozen_marks.first) &&
         !has(options.frozen_marks.second) &&
         std::none_of(options.placeholders.begin(), options.placeholders.end(),
                      [&](const std::string& name) { return has_placeholder(text, name); });
}

/// In turn of each answer, the shortest first; every text once.
std::vector<const Example*> balanced(const std::vector<Example>& examples, std::size_t count,
                                     const FreeProposalOptions& options) {
  std::map<std::string, std::vector<const Example*>> by_answer;
  std::set<std::string> known;
  for (const Example& example : examples) {
    if (may_be_shown(example, options) && known.insert(example.input).second) by_answer[example.answer].push_back(&example);
  }
  for (auto& [answer, all] : by_answer) {
    std::stable_sort(all.begin(), all.end(),
                     [](const Example* a, const Example* b) { return a->input.size() < b->input.size(); });
  }
  // Where nearly every answer comes once, their order would be that of the alphabet.
  std::vector<std::vector<const Example*>*> turns;
  for (auto& entry : by_answer) turns.push_back(&entry.second);
  if (turns.size() > count) {
    std::stable_sort(turns.begin(), turns.end(),
                     [](const auto* a, const auto* b) { return a->front()->input.size() < b->front()->input.size(); });
  }
  std::vector<const Example*> chosen;
  for (std::size_t round = 0; chosen.size() < count; ++round) {
    const std::size_t before = chosen.size();
    for (const auto* all : turns) {
      if (round < all->size() && chosen.size() < count) chosen.push_back((*all)[round]);
    }
    if (chosen.size() == before) break;
  }
  return chosen;
}

/// The one member of an object whose value is the answer; empty where there is none.
std::string key_of(const Example& example) {
  const auto object = detail::json_of(example.reply);
  if (!object || !object->is_object() || object->size() != 1) return {};
  return object->begin()->is_string() && object->begin()->get<std::string>() == example.answer ? object->begin().key() : "";
}

/// What a reply has to look like, for the model that writes it; empty where that is not known.
std::string request_for(const std::vector<Example>& examples, const Prompts& prompts) {
  std::vector<std::string> answers;
  for (const Example& example : examples) answers.push_back(example.answer);
  const AnswerForm form = form_of(answers);
  const bool is_plain = std::all_of(examples.begin(), examples.end(), [](const Example& e) { return e.reply == e.answer; });
  if (!is_plain) {
    const std::string key = key_of(examples.front());
    if (key.empty()) return {};
    return form.kind == FormKind::labels
               ? prompts.render("tgd_ask_field_of_labels",
                                {{"key", key}, {"example", examples.front().reply}, {"labels", detail::list_text(form.labels)}})
               : prompts.render("tgd_ask_field", {{"key", key}, {"example", examples.front().reply}});
  }
  switch (form.kind) {
    case FormKind::unknown:
      return {};
    case FormKind::labels:
      return prompts.render("tgd_ask_labels", {{"labels", detail::list_text(form.labels)}});
    case FormKind::number:
      return prompts.render(form.is_whole ? "tgd_ask_whole_number" : "tgd_ask_number", {{"example", form.example}});
    case FormKind::date:
      return prompts.render(form.date_pattern.empty() ? "tgd_ask_date_such_as" : "tgd_ask_date",
                            {{"pattern", form.date_pattern}, {"example", form.example}});
    case FormKind::json: {
      if (form.is_list) return prompts.render("tgd_ask_json_list", {{"example", form.example}});
      return prompts.render("tgd_ask_json", {{"keys", detail::keys_text(form, prompts)}});
    }
    case FormKind::text:
      return form.is_one_line ? prompts.render("tgd_ask_line", {{"words", fmt::format("{}", form.most_words)}}) : std::string();
  }
  return {};
}

std::string shown_examples(const std::vector<const Example*>& examples, const Prompts& prompts) {
  std::vector<std::string> items;
  for (const Example* example : examples)
    items.push_back(prompts.render("tgd_shown_example", {{"input", example->input}, {"reply", example->reply}}));
  return items.empty() ? std::string() : prompts.render("tgd_shown_examples", {{"items", tgd::detail::join(items, "\n\n")}});
}

/// Where a part of the value begins that holds the place; else the place.
std::size_t outside(std::size_t place, const std::string& value, const FreeProposalOptions& options) {
  const auto& [open, close] = options.frozen_marks;
  if (!open.empty()) {
    const std::size_t begin = place == 0 ? std::string::npos : value.rfind(open, place - 1);
    if (begin != std::string::npos && value.find(close, begin) + close.size() > place) place = begin;
  }
  for (const std::string& part : options.frozen) {
    const std::size_t begin = part.empty() ? std::string::npos : value.find(part);
    if (begin != std::string::npos && begin < place && place < begin + part.size()) place = begin;
  }
  return place;
}

/// The paragraph of the first placeholder, or the end.
std::size_t place_in(const std::string& value, const FreeProposalOptions& options) {
  std::size_t first = value.size();
  for (const std::string& name : options.placeholders) first = std::min(first, value.find("{" + name + "}"));
  if (first == value.size()) return first;
  const std::size_t gap = value.rfind("\n\n", first);
  return outside(gap == std::string::npos ? 0 : gap + 2, value, options);
}

std::string with(const std::string& value, const std::string& text, const FreeProposalOptions& options) {
  const std::size_t place = place_in(value, options);
  std::string before = value.substr(0, place);
  const std::string behind = value.substr(place);
  if (!before.empty()) before += before.ends_with("\n\n") ? "" : before.ends_with("\n") ? "\n" : "\n\n";
  return before + text + (behind.empty() ? "" : "\n\n") + behind;
}

}  // namespace

std::vector<FreeProposal> free_proposals(const std::string& value, std::span<const LabelledSample> samples,
                                         const FreeProposalOptions& options) {
  std::vector<FreeProposal> proposals;
  const std::vector<Example> examples = usable(samples, options);
  if (examples.empty()) return proposals;
  const auto is_allowed = [&](const std::string& proposal) { return !options.is_allowed || options.is_allowed(proposal); };
  const auto add = [&](std::string name, std::string proposal, const std::string& shown) {
    const bool is_known =
        std::any_of(proposals.begin(), proposals.end(), [&](const auto& other) { return other.value == proposal; });
    if (is_known || !is_allowed(proposal)) return;
    std::string kept = proposal.ends_with(shown) ? shown : std::string();
    proposals.push_back({std::move(name), std::move(proposal), std::move(kept)});
  };
  const auto add_examples = [&](const std::string& name, const std::string& request, std::size_t count) {
    std::vector<const Example*> chosen = balanced(examples, count, options);
    for (; !chosen.empty(); chosen.pop_back()) {
      const std::string shown = shown_examples(chosen, options.prompts);
      std::string proposal = with(value, request.empty() ? shown : request + "\n\n" + shown, options);
      if (is_allowed(proposal)) return add(fmt::format("{}{} examples", name, chosen.size()), std::move(proposal), shown);
    }
  };
  std::string request = request_for(examples, options.prompts);
  if (value.find(request) != std::string::npos) request.clear();
  if (!request.empty()) add("form", with(value, request, options), "");
  for (const std::size_t count : options.examples) add_examples("", "", count);
  if (!request.empty() && !options.examples.empty()) add_examples("form and ", request, options.examples.back());
  return proposals;
}

}  // namespace tgd::optim
