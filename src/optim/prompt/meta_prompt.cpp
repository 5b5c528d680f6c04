#include "optim/prompt/meta_prompt.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "optim/checks.hpp"
#include "optim/reply/extract.hpp"

namespace tgd::optim::detail {

namespace {

using tgd::detail::join;

constexpr std::array<std::string_view, 14> own_placeholders = {
    "role",     "value",    "open_tag", "close_tag", "feedback",     "constraints", "momentum",
    "rejected", "siblings", "examples", "objective", "instructions", "boldness",    "parameters"};

bool is_name(std::string_view tag) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_other = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
  return !tag.empty() && tag.size() <= 40 && is_letter(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [&](char c) { return is_letter(c) || is_other(c); });
}

void check_answer_tag(const TGDOptions& options) {
  const std::string& tag = options.answer_tag;
  if (!is_name(tag)) {
    throw ValueError(
        fmt::format("TGDOptions::answer_tag is \"{}\"; it has to be a name of at most 40 letters, digits, '_' and '-', without "
                    "angle brackets, such as IMPROVED_VALUE",
                    tag));
  }
  for (const std::string_view name : Prompts::names()) {
    if (!name.starts_with("tgd_") || !tag_names(options.prompts.get(name)).contains(tag)) continue;
    throw ValueError(fmt::format(
        "TGDOptions::answer_tag is \"{}\", which the prompt {} uses for something else; choose another name", tag, name));
  }
}

void check_inputs(const TGDOptions& options, const PromptParts& parts) {
  std::set<std::string_view> taken(own_placeholders.begin(), own_placeholders.end());
  for (const auto& [name, input] : options.inputs) {
    if (!taken.insert(name).second) {
      throw ValueError(fmt::format("TGDOptions::inputs: the name \"{}\" is taken already; give the input another one", name));
    }
    if (input.is_list() || input.variable().is_batch()) {
      throw ValueError(fmt::format("TGDOptions::inputs: \"{}\" is a list; the meta-prompt takes texts and numbers", name));
    }
    if (!parts.has_placeholder(name)) {
      throw ValueError(
          fmt::format("TGDOptions::inputs: \"{0}\" is used by no message: put {{{0}}} into TGDOptions::messages", name));
    }
  }
}

}  // namespace

void check_meta_prompt(const TGDOptions& options) {
  const PromptParts parts(options);
  const std::vector<std::string_view> needed =
      options.joint ? std::vector<std::string_view>{"parameters"} : std::vector<std::string_view>{"value", "feedback"};
  for (const std::string_view name : needed) {
    if (parts.has_placeholder(name)) continue;
    throw ValueError(fmt::format("TGDOptions::messages have no {{{}}}: without it the language model would never see the {}",
                                 name, name == "feedback" ? "feedback" : "value it is to improve"));
  }
  check_inputs(options, parts);
  check_answer_tag(options);
}

namespace {

/// The texts of one subject, in the order of the placeholders.
struct SubjectTexts {
  std::string role;
  std::string_view value;  // the parameter's
  std::string feedback;
  std::string constraints;
  std::string instructions;
  std::string momentum;
  std::string rejected;
};

SubjectTexts texts_of(const Subject& subject, Sections& sections) {
  const std::string role = subject.state->parameter.role();
  return {role.empty() ? sections.render("tgd_role_unknown", {}) : role,
          subject.state->without_kept(subject.state->parameter.data().text()),
          sections.feedback(subject),
          sections.constraints(subject),
          sections.instructions(subject),
          sections.momentum(subject),
          sections.rejected(subject)};
}

/// The texts of a request that all subjects share.
struct SharedTexts {
  std::string objective;
  std::string siblings;
  std::string examples;
  std::string boldness;
  std::vector<std::pair<std::string, std::string>> inputs;
};

SharedTexts shared_texts(const MetaPrompt& about, Sections& sections) {
  SharedTexts texts{sections.objective(about.subjects),
                    sections.siblings(about.siblings, about.more_siblings),
                    sections.examples(),
                    sections.boldness(),
                    {}};
  for (const auto& [name, input] : about.options.inputs) texts.inputs.emplace_back(name, input.variable().data().item_text());
  return texts;
}

/// A name that no shown text has in a tag, so that nobody's text can be taken for the answer's beginning or end.
std::string free_tag(const std::string& wanted, const std::vector<SubjectTexts>& subjects, const SharedTexts& shared) {
  const auto has = [](std::string_view text, const std::string& tag) {
    return text.find("<" + tag) != std::string_view::npos || text.find("</" + tag) != std::string_view::npos;
  };
  const auto is_taken = [&](const std::string& tag) {
    for (const SubjectTexts& s : subjects) {
      for (const std::string_view text : std::initializer_list<std::string_view>{s.role, s.value, s.feedback, s.constraints,
                                                                                 s.instructions, s.momentum, s.rejected}) {
        if (has(text, tag)) return true;
      }
    }
    return has(shared.siblings, tag) || has(shared.examples, tag) ||
           std::any_of(shared.inputs.begin(), shared.inputs.end(), [&](const auto& input) { return has(input.second, tag); });
  };
  std::string tag = wanted;
  for (std::size_t number = 2; is_taken(tag); ++number) tag = fmt::format("{}_{}", wanted, number);
  return tag;
}

struct Filled {
  std::vector<lm::Message> messages;
  std::vector<std::string> tags;
  PromptNames used_prompts;
};

std::string joint_parameters(const std::vector<SubjectTexts>& subjects, const std::vector<std::string>& tags,
                             Sections& sections) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const SubjectTexts& texts = subjects[i];
    items.push_back(sections.render("tgd_joint_parameter", {{"number", fmt::format("{}", i + 1)},
                                                            {"role", texts.role},
                                                            {"value", texts.value},
                                                            {"feedback", texts.feedback},
                                                            {"constraints", texts.constraints},
                                                            {"instructions", texts.instructions},
                                                            {"momentum", texts.momentum},
                                                            {"rejected", texts.rejected},
                                                            {"open_tag", open_tag(tags[i])},
                                                            {"close_tag", close_tag(tags[i])}}));
  }
  return join(items, "\n\n");
}

std::vector<lm::Message> fill_messages(const PromptParts& parts, const SubjectTexts& texts, const SharedTexts& shared,
                                       std::string_view tag, std::string_view parameters) {
  const std::string open = open_tag(tag);
  const std::string close = close_tag(tag);
  std::vector<TemplateInput> inputs{
      {"role", texts.role},          {"value", texts.value},          {"open_tag", open},
      {"close_tag", close},          {"feedback", texts.feedback},    {"constraints", texts.constraints},
      {"momentum", texts.momentum},  {"rejected", texts.rejected},    {"siblings", shared.siblings},
      {"examples", shared.examples}, {"objective", shared.objective}, {"instructions", texts.instructions},
      {"boldness", shared.boldness}, {"parameters", parameters}};
  for (const auto& [name, text] : shared.inputs) inputs.push_back({name, text});
  std::vector<lm::Message> filled;
  for (const auto& message : parts.messages()) filled.push_back({message.role, fill_sections(message.content, inputs)});
  return filled;
}

Filled fill(const MetaPrompt& about, const Extent& extent) {
  const TGDOptions& options = about.options;
  Sections sections(options, about.parts, extent);
  std::vector<SubjectTexts> subjects;
  for (const Subject& subject : about.subjects) subjects.push_back(texts_of(subject, sections));
  const SharedTexts shared = shared_texts(about, sections);
  const std::string tag = about.parts.names_tags() ? free_tag(options.answer_tag, subjects, shared) : options.answer_tag;
  Filled filled;
  for (std::size_t i = 0; i < subjects.size(); ++i)
    filled.tags.push_back(options.joint ? fmt::format("{}_{}", tag, i + 1) : tag);
  const std::string parameters = options.joint ? joint_parameters(subjects, filled.tags, sections) : std::string();
  filled.messages = fill_messages(about.parts, options.joint ? SubjectTexts{} : subjects.front(), shared, tag, parameters);
  filled.used_prompts = sections.used_prompts();
  return filled;
}

std::size_t size_of(const std::vector<lm::Message>& messages) {
  std::size_t size = 0;
  for (const lm::Message& message : messages) size += message.content.size();
  return size;
}

std::size_t conversation_count(std::span<const Subject> subjects) {
  std::size_t count = 0;
  for (const Subject& subject : subjects) {
    for (const Variable& gradient : subject.gradients) {
      if (const auto& extras = tgd::detail::impl_of(gradient)->extras) count += extras->contexts.size();
    }
  }
  return count;
}

Extent whole_extent(const MetaPrompt& about) {
  Extent whole;
  whole.siblings = std::min(about.siblings.size(), about.options.siblings);
  whole.conversations = conversation_count(about.subjects);
  for (const Subject& subject : about.subjects) {
    whole.versions = std::max(whole.versions, versions_of(*subject.state, about.options).size());
    whole.rejected = std::max(whole.rejected, rejected_of(*subject.state, about.options).size());
  }
  return whole;
}

std::string roles_of(std::span<const Subject> subjects) {
  std::vector<std::string> roles;
  for (const Subject& subject : subjects) roles.push_back(subject.state->parameter.role());
  return join(roles, " and ");
}

void report(const MetaPrompt& about, const Extent& whole, const Extent& shown) {
  if (!about.options.on_notice) return;
  std::vector<std::string> others;
  if (shown.siblings < whole.siblings) others.push_back("values of other parameters");
  if (shown.rejected < whole.rejected) {
    others.push_back(fmt::format("{} of {} rejected proposals", whole.rejected - shown.rejected, whole.rejected));
  }
  if (shown.feedback_size < whole.feedback_size) others.push_back("the middle of long feedback");
  about.options.on_notice(
      {Notice::Kind::trimmed_context, "TGD", roles_of(about.subjects), std::nullopt,
       fmt::format("{} of {} conversations and {} of {} earlier versions{} were left out of the request for a new "
                   "value, to keep it within the budget of {}",
                   whole.conversations - shown.conversations, whole.conversations, whole.versions - shown.versions,
                   whole.versions, others.empty() ? "" : " (and " + join(others, ", ") + ")", about.options.context_budget)});
}

/// Sets `count` to the largest number, up to its own, with which the request fits. False, and 0, when even 0 is too many.
template <class Fits>
bool shrink(std::size_t& count, Fits fits) {
  if (count == 0) return false;
  std::size_t too_many = count;
  std::size_t enough = count = 0;
  if (!fits()) return false;
  while (too_many - enough > 1) {
    count = enough + (too_many - enough) / 2;
    (fits() ? enough : too_many) = count;
  }
  count = enough;
  return fits();
}

template <class Fits>
bool shrink_feedback(std::size_t& size, Fits fits) {
  for (size = 16'000; size >= 500; size /= 2) {
    if (fits()) return true;
  }
  return false;
}

EchoGuard instructions_of(const MetaPrompt& about, const Filled& filled) {
  const TGDOptions& options = about.options;
  EchoGuard instructions(about.parts.fixed_part(filled.used_prompts));
  for (const std::string& tag : filled.tags) {
    instructions.add_tag(tag);
    for (const lm::Message& message : filled.messages) instructions.add_mentions(message.content, tag);
  }
  for (const Subject& subject : about.subjects) {
    instructions.allow(subject.state->parameter.data().text());
    for (const std::string& constraint : subject.constraints) instructions.allow(constraint);
    if (const ParameterRules* rules = rules_for(subject.state->parameter, options)) instructions.allow(rules->instructions);
  }
  for (const std::string& example : options.examples) instructions.allow(example);
  for (const auto& [name, input] : options.inputs) instructions.allow(input.variable().data().item_text());
  return instructions;
}

}  // namespace

SentPrompt meta_prompt(const MetaPrompt& about) {
  const Extent whole = whole_extent(about);
  Extent shown = whole;
  Filled filled;
  const auto fits = [&] {
    filled = fill(about, shown);
    return size_of(filled.messages) <= about.options.context_budget;
  };
  if (!fits()) {
    const bool enough = shrink(shown.siblings, fits) || shrink(shown.conversations, fits) || shrink(shown.versions, fits) ||
                        shrink(shown.rejected, fits) || shrink_feedback(shown.feedback_size, fits);
    if (!enough) {
      throw ValueError(
          fmt::format("the request for a new value of \"{}\" has {} characters without anything that may be left out, but "
                      "TGDOptions::context_budget is {}: raise it",
                      roles_of(about.subjects), size_of(filled.messages), about.options.context_budget));
    }
    report(about, whole, shown);
  }
  EchoGuard instructions = instructions_of(about, filled);
  return {std::move(filled.messages), std::move(filled.tags), std::move(instructions)};
}

std::vector<lm::Message> reask(const std::string& reply, std::span<const Complaint> complaints, const SentPrompt& sent,
                               const TGDOptions& options) {
  const auto render = [&](std::string_view prompt, const Complaint& complaint) {
    const std::string& tag = sent.tags[complaint.subject];
    return options.prompts.render(prompt, {{"reason", complaint.reason},
                                           {"number", fmt::format("{}", complaint.subject + 1)},
                                           {"open_tag", open_tag(tag)},
                                           {"close_tag", close_tag(tag)}});
  };
  if (!options.joint) return {{"assistant", reply}, {"user", render("tgd_reask", complaints.front())}};
  std::vector<std::string> items;
  for (const Complaint& complaint : complaints) items.push_back(render("tgd_joint_reask_item", complaint));
  return {{"assistant", reply}, {"user", options.prompts.render("tgd_joint_reask", {{"items", join(items, "\n")}})}};
}

}  // namespace tgd::optim::detail
