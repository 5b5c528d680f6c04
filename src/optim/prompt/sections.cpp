#include "optim/prompt/sections.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "optim/checks.hpp"
#include "optim/reply/echo_guard.hpp"
#include "optim/reply/word_runs.hpp"

namespace tgd::optim::detail {

namespace {

using tgd::detail::cut_middle;
using tgd::detail::join;

constexpr std::size_t longest_sibling = 600;  // bytes of its value

std::string number(std::size_t count) { return fmt::format("{}", count); }
std::string number(double score) { return fmt::format("{:.6g}", score); }

template <class Entry>
std::span<const Entry> latest(const std::vector<Entry>& entries, std::size_t count) {
  return std::span(entries).last(std::min(count, entries.size()));
}

}  // namespace

std::span<const MomentumPair> versions_of(const ParameterState& state, const TGDOptions& options) {
  return latest(state.momentum, options.momentum);
}

std::span<const RejectedProposal> rejected_of(const ParameterState& state, const TGDOptions& options) {
  return latest(state.rejected, options.rejected);
}

std::string feedback_text(const Variable& gradient) {
  const Data& data = gradient.data();
  if (!data.is_batch()) return data.item_text();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (std::string text = data.item_text(i); !text.empty()) texts.push_back(std::move(text));
  }
  return texts.empty() ? std::string() : tgd::detail::join_items(texts);
}

namespace {

/// Those of calls that the receiver itself took part in, each evaluation's once.
std::vector<SampleOutcome> outcomes_of(std::span<const Variable> gradients) {
  std::vector<SampleOutcome> outcomes;
  for (const Variable& gradient : gradients) {
    const auto& extras = tgd::detail::impl_of(gradient)->extras;
    if (!extras || extras->outcomes.empty()) continue;
    const SampleOutcomes& first = *extras->outcomes.front();  // others judge the same replies
    if (first.calls == 1) outcomes.insert(outcomes.end(), first.samples.begin(), first.samples.end());
  }
  return outcomes;
}

/// Whether the reply, rather than what it says, is not as it has to be.
bool is_about_form(Finding::Kind kind) {
  using Kind = Finding::Kind;
  switch (kind) {
    case Kind::cut:
    case Kind::empty:
    case Kind::refused:
    case Kind::thinking:
    case Kind::unreadable:
    case Kind::letter_case:
    case Kind::blanks:
    case Kind::punctuation:
    case Kind::spelling:
    case Kind::notation:
    case Kind::among_words:
    case Kind::several_labels:
    case Kind::among_numbers:
    case Kind::json_among_words:
    case Kind::no_label:
    case Kind::no_number:
    case Kind::no_date:
    case Kind::no_json:
    case Kind::missing_keys:
    case Kind::extra_keys:
    case Kind::wrong_types:
      return true;
    case Kind::filtered:
    case Kind::other_label:
    case Kind::wrong_factor:
    case Kind::wrong_sign:
    case Kind::too_high:
    case Kind::too_low:
    case Kind::other_date:
    case Kind::wrong_values:
    case Kind::other_text:
      return false;
  }
  return false;
}

/// The label that most often stands for another one; null where none does.
const Finding::Detail* most_confused(const Diagnosis& diagnosis) {
  for (const Finding& finding : diagnosis.findings) {
    if (finding.kind == Finding::Kind::other_label && !finding.details.empty()) return &finding.details.front();
  }
  return nullptr;
}

/// Failing samples, of each kind of failure one after the other.
std::vector<std::size_t> failing(std::span<const SampleOutcome> outcomes, const Diagnosis& diagnosis, std::size_t most) {
  std::vector<std::size_t> chosen;
  for (std::size_t round = 0; chosen.size() < most; ++round) {
    bool is_more = false;
    for (const Finding& finding : diagnosis.findings) {
      if (round >= finding.samples.size()) continue;
      is_more = true;
      if (chosen.size() < most) chosen.push_back(finding.samples[round]);
    }
    if (!is_more) break;
  }
  for (std::size_t i = 0; i < outcomes.size() && chosen.size() < most; ++i) {
    if (!outcomes[i].is_solved && std::find(chosen.begin(), chosen.end(), i) == chosen.end()) chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// How many different words two texts share, as a share of all of them.
double likeness(std::string_view a, std::string_view b) {
  const auto set_of = [](std::string_view text) {
    std::set<std::uint64_t> hashes;
    for (const Word& word : words_of(text)) hashes.insert(word.hash);
    return hashes;
  };
  const auto words = set_of(a);
  const auto others = set_of(b);
  const auto common =
      static_cast<double>(std::count_if(words.begin(), words.end(), [&](std::uint64_t word) { return others.contains(word); }));
  const double all = static_cast<double>(words.size() + others.size()) - common;
  return all == 0 ? 0 : common / all;
}

/// For each failing sample the solved one that is most like it, none twice.
std::vector<std::size_t> solved_beside(std::span<const SampleOutcome> outcomes, const std::vector<std::size_t>& failing) {
  std::vector<std::size_t> chosen;
  for (const std::size_t failed : failing) {
    std::optional<std::size_t> best;
    double most = -1;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].is_solved || std::find(chosen.begin(), chosen.end(), i) != chosen.end()) continue;
      const double alike = likeness(outcomes[failed].input, outcomes[i].input);
      if (alike <= most) continue;
      most = alike;
      best = i;
    }
    if (best) chosen.push_back(*best);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

bool asks_for(Aim aim, std::span<const Variable> gradients, const TGDOptions& options) {
  if (aim != Aim::form && aim != Aim::confusion) return true;
  const Diagnosis counted = diagnose(outcomes_of(gradients), options.diagnosis.value_or(DiagnosisOptions{}));
  if (aim == Aim::confusion) return most_confused(counted) != nullptr;
  return std::any_of(counted.findings.begin(), counted.findings.end(),
                     [](const Finding& finding) { return is_about_form(finding.kind); });
}

bool is_direct(std::span<const Variable> gradients) {
  return !gradients.empty() && std::all_of(gradients.begin(), gradients.end(), [](const Variable& gradient) {
    const auto& extras = tgd::detail::impl_of(gradient)->extras;
    if (!extras || !extras->is_direct || extras->outcomes.empty() || extras->outcomes.front()->calls != 1) return false;
    const auto& samples = extras->outcomes.front()->samples;
    return std::all_of(samples.begin(), samples.end(), [](const SampleOutcome& sample) { return sample.target.has_value(); });
  });
}

Sections::Sections(const TGDOptions& options, PromptParts& parts, const Extent& extent)
    : options_(options), parts_(parts), extent_(extent) {}

std::string Sections::render(std::string_view name, std::initializer_list<TemplateInput> inputs) {
  use(name);
  return options_.prompts.render(name, inputs);
}

void Sections::use(std::string_view name) {
  if (!used_.contains(name)) used_.emplace(name);
}

std::string Sections::left_out(std::size_t count, std::string_view what) {
  return render(fmt::format("tgd_left_out_{}", what), {{"count", number(count)}});
}

std::string Sections::score_line(const std::optional<double>& score) {
  return score ? render("tgd_score", {{"score", number(*score)}}) : std::string();
}

std::string Sections::feedback_of(const Variable& gradient, std::string_view value) const {
  return cut_middle(with_bracketed_tags(feedback_text(gradient), parts_.tags(), value), extent_.feedback_size);
}

/// The conversations behind a gradient, as many as may still be shown.
std::string Sections::contexts(const Variable& gradient, std::string_view value) {
  const auto& extras = tgd::detail::impl_of(gradient)->extras;
  if (!options_.show_context || !extras || extras->contexts.empty()) return {};
  const std::size_t shown = std::min(extent_.conversations, extras->contexts.size());
  extent_.conversations -= shown;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < shown; ++i)
    texts.push_back(with_bracketed_tags(*extras->contexts[i], parts_.tags_beside_samples(), value));
  if (shown < extras->contexts.size()) texts.push_back(left_out(extras->contexts.size() - shown, "conversations"));
  return join(texts, "\n\n");
}

std::string Sections::feedback(const Subject& subject) {
  const std::vector<SampleOutcome> outcomes = outcomes_of(subject.gradients);
  const std::string facts = diagnosis(subject, outcomes);
  const std::string rest = is_direct(subject.gradients) ? samples(subject, outcomes) : said(subject);
  return facts.empty() || rest.empty() ? facts + rest : facts + "\n\n" + rest;
}

/// The facts are no text of the request that a value must not repeat: it may have to say just that.
std::string Sections::diagnosis(const Subject& subject, std::span<const SampleOutcome> outcomes) {
  if (outcomes.empty() || (!options_.diagnosis && !is_direct(subject.gradients))) return {};
  const std::string facts = to_string(diagnose(outcomes, options_.diagnosis.value_or(DiagnosisOptions{})), options_.prompts);
  const std::string& value = subject.state->parameter.data().text();
  return facts.empty() ? facts : render("tgd_diagnosis", {{"facts", with_bracketed_tags(facts, parts_.tags(), value)}});
}

std::string Sections::sample(std::string_view prompt, const SampleOutcome& outcome, std::string_view value) {
  constexpr std::size_t longest = 800;  // bytes of each text
  const auto shown = [&](const std::string& text) {
    return with_bracketed_tags(cut_middle(tgd::detail::trim(text), std::min(longest, extent_.feedback_size)), parts_.tags(),
                               value);
  };
  return render(prompt, {{"input", shown(outcome.input)}, {"reply", shown(outcome.reply)}, {"target", shown(*outcome.target)}});
}

std::string Sections::samples(const Subject& subject, std::span<const SampleOutcome> outcomes) {
  constexpr std::size_t most = 6;
  const std::string& value = subject.state->parameter.data().text();
  const std::size_t count = std::min(most, extent_.conversations);
  extent_.conversations -= count;
  const std::vector<std::size_t> failed = failing(outcomes, diagnose(outcomes), count);
  const auto list = [&](std::string_view header, std::string_view prompt, const std::vector<std::size_t>& chosen) {
    std::vector<std::string> items;
    for (const std::size_t i : chosen) items.push_back(sample(prompt, outcomes[i], value));
    return items.empty() ? std::string() : render(header, {{"items", join(items, "\n\n")}});
  };
  const std::string wrong = list("tgd_samples_failed", "tgd_sample_failed", failed);
  const std::string right = list("tgd_samples_solved", "tgd_sample_solved", solved_beside(outcomes, failed));
  return wrong.empty() || right.empty() ? wrong + right : wrong + "\n\n" + right;
}

std::string Sections::said(const Subject& subject) {
  const std::string& value = subject.state->parameter.data().text();
  std::vector<std::string> items;
  for (const Variable& gradient : subject.gradients) {
    const std::string feedback = feedback_of(gradient, value);
    const std::string context = contexts(gradient, value);
    items.push_back(context.empty() ? render("tgd_feedback_item", {{"feedback", feedback}})
                                    : render("tgd_feedback_item_with_context", {{"feedback", feedback}, {"context", context}}));
  }
  return items.empty() ? std::string() : render("tgd_feedback", {{"items", join(items, "\n\n")}});
}

std::string Sections::constraints(const Subject& subject) {
  std::vector<std::string> items;
  for (const std::string& constraint : subject.constraints)
    items.push_back(fmt::format("{}. {}", items.size() + 1, constraint));
  return items.empty() ? std::string() : render("tgd_constraints", {{"items", join(items, "\n")}});
}

std::string Sections::instructions(const Subject& subject) {
  const ParameterRules* rules = rules_for(subject.state->parameter, options_);
  const std::string own = rules == nullptr || rules->instructions.empty()
                              ? std::string()
                              : render("tgd_instructions", {{"instructions", rules->instructions}});
  const std::string aimed = aim(subject);
  return own.empty() || aimed.empty() ? own + aimed : own + "\n\n" + aimed;
}

std::string Sections::aim(const Subject& subject) {
  switch (subject.aim) {
    case Aim::any:
      return {};
    case Aim::form:
      return render("tgd_aim_form", {});
    case Aim::rule:
      return render("tgd_aim_rule", {});
    case Aim::shorter:
      return render("tgd_aim_shorter", {});
    case Aim::confusion:
      break;
  }
  const std::string& value = subject.state->parameter.data().text();
  const auto shown = [&](const std::string& label) { return with_bracketed_tags(label, parts_.tags(), value); };
  const Diagnosis counted = diagnose(outcomes_of(subject.gradients), options_.diagnosis.value_or(DiagnosisOptions{}));
  const Finding::Detail* most = most_confused(counted);
  return most == nullptr ? render("tgd_aim_confusion_unknown", {})
                         : render("tgd_aim_confusion", {{"what", shown(most->what)}, {"wanted", shown(most->wanted)}});
}

std::string Sections::momentum(const Subject& subject) {
  const auto versions = versions_of(*subject.state, options_);
  const std::size_t hidden = versions.size() - std::min(extent_.versions, versions.size());
  std::vector<std::string> items;
  if (hidden > 0 && hidden < versions.size()) items.push_back(left_out(hidden, "versions"));
  for (std::size_t i = hidden; i < versions.size(); ++i) {
    const std::string value(subject.state->without_kept(versions[i].value.data().text()));
    std::vector<std::string> feedback;
    for (const Variable& gradient : versions[i].gradients) {
      if (std::string text = feedback_of(gradient, value); !text.empty()) feedback.push_back(std::move(text));
    }
    items.push_back(render("tgd_momentum_item", {{"number", number(i + 1)},
                                                 {"value", value},
                                                 {"feedback", join(feedback, "\n\n")},
                                                 {"score", score_line(versions[i].score)}}));
  }
  return items.empty() ? std::string() : render("tgd_momentum", {{"items", join(items, "\n")}});
}

std::string Sections::rejected(const Subject& subject) {
  const auto proposals = rejected_of(*subject.state, options_);
  const std::size_t hidden = proposals.size() - std::min(extent_.rejected, proposals.size());
  std::vector<std::string> items;
  if (hidden > 0 && hidden < proposals.size()) items.push_back(left_out(hidden, "rejected"));
  for (std::size_t i = hidden; i < proposals.size(); ++i) {
    const std::string reason = cut_middle(with_bracketed_tags(proposals[i].reason, parts_.tags(), {}), extent_.feedback_size);
    items.push_back(render("tgd_rejected_item", {{"number", number(i + 1)},
                                                 {"value", subject.state->without_kept(proposals[i].value)},
                                                 {"reason", reason},
                                                 {"score", score_line(proposals[i].score)}}));
  }
  return items.empty() ? std::string() : render("tgd_rejected", {{"items", join(items, "\n")}});
}

std::string Sections::objective(std::span<const Subject> subjects) {
  const auto has_score = [](const auto& shown) { return shown.score.has_value(); };
  const auto shows_score = [&](const Subject& subject) {
    const auto versions = versions_of(*subject.state, options_);
    const auto proposals = rejected_of(*subject.state, options_);
    return std::any_of(versions.begin(), versions.end(), has_score) ||
           std::any_of(proposals.begin(), proposals.end(), has_score);
  };
  const std::optional<double> score_of_first = subjects.front().state->present_score();
  const bool is_shared = std::all_of(subjects.begin(), subjects.end(),
                                     [&](const Subject& subject) { return subject.state->present_score() == score_of_first; });
  const std::optional<double> present = is_shared ? score_of_first : std::nullopt;
  if (!options_.direction && !present && std::none_of(subjects.begin(), subjects.end(), shows_score)) return {};
  const bool minimizes = options_.direction == Direction::minimize;
  const std::string score = present ? render("tgd_objective_score", {{"score", number(*present)}}) : std::string();
  const std::string text = render(minimizes ? "tgd_objective_minimize" : "tgd_objective_maximize", {{"score", score}});
  return std::string(tgd::detail::trim(text));
}

const std::string& Sections::sibling_item(const Variable& sibling) {
  std::string& item = parts_.sibling_item(sibling);
  const std::string_view prompt = "tgd_siblings_item";
  if (item.empty()) {
    item = render(prompt, {{"role", sibling.role()}, {"value", cut_middle(sibling.data().text(), longest_sibling)}});
  } else {
    use(prompt);
  }
  return item;
}

std::string Sections::siblings(std::span<const Variable> siblings, std::size_t more) {
  const std::size_t shown = std::min(extent_.siblings, siblings.size());
  if (shown == 0) return {};
  std::vector<std::string> items;
  for (const Variable& sibling : siblings.first(shown)) items.push_back(sibling_item(sibling));
  const std::size_t missing = siblings.size() + more - shown;
  if (missing > 0) items.push_back(left_out(missing, "siblings"));
  return render("tgd_siblings", {{"items", join(items, "\n")}});
}

std::string Sections::examples() {
  std::vector<std::string> items;
  for (const std::string& example : options_.examples) {
    items.push_back(render("tgd_examples_item", {{"number", number(items.size() + 1)}, {"example", example}}));
  }
  return items.empty() ? std::string() : render("tgd_examples", {{"items", join(items, "\n")}});
}

std::string Sections::boldness() {
  if (!options_.boldness) return {};
  switch (*options_.boldness) {
    case Boldness::conservative:
      return render("tgd_boldness_conservative", {});
    case Boldness::moderate:
      return render("tgd_boldness_moderate", {});
    case Boldness::bold:
      return render("tgd_boldness_bold", {});
  }
  return {};
}

}  // namespace tgd::optim::detail
