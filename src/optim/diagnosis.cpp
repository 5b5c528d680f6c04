#include <tgd/optim/diagnosis.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "core/fold.hpp"
#include "core/number_text.hpp"
#include "core/text.hpp"
#include "lm/answer_json.hpp"
#include "lm/openai/thoughts.hpp"
#include "optim/answers.hpp"
#include "optim/reply/extract.hpp"
#include "optim/reply/word_runs.hpp"

namespace tgd::optim {

namespace {

using FindingKind = Finding::Kind;
using Value = nlohmann::ordered_json;

constexpr std::array<std::string_view, 30> kind_names = {
    "cut",          "empty",       "refused",        "filtered",      "thinking",
    "unreadable",   "letter_case", "blanks",         "punctuation",   "spelling",
    "notation",     "among_words", "several_labels", "among_numbers", "json_among_words",
    "other_label",  "no_label",    "wrong_factor",   "wrong_sign",    "too_high",
    "too_low",      "no_number",   "other_date",     "no_date",       "no_json",
    "missing_keys", "extra_keys",  "wrong_types",    "wrong_values",  "other_text"};

/// What is wrong with one reply.
struct Miss {
  FindingKind kind;
  std::vector<Finding::Detail> details = {};
};

std::string without_blanks(std::string_view text) {
  std::string rest;
  for (const char c : text) {
    if (c != ' ' && (c < '\t' || c > '\r')) rest += c;
  }
  return rest;
}

std::vector<std::string_view> spelled_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (const detail::Word& word : detail::words_of(text)) words.push_back(text.substr(word.begin, word.end - word.begin));
  return words;
}

/// How two texts differ that are the same to a reader; nothing where they say different things.
std::optional<FindingKind> difference_of_spelling(const std::string& answer, const std::string& target) {
  if (without_blanks(answer) == without_blanks(target)) return FindingKind::blanks;
  if (tgd::detail::in_lower_case(answer) == tgd::detail::in_lower_case(target)) return FindingKind::letter_case;
  const auto words = detail::folded_words(target);
  if (words.empty() || detail::folded_words(answer) != words) return std::nullopt;
  return spelled_words(answer) == spelled_words(target) ? FindingKind::punctuation : FindingKind::spelling;
}

bool holds_words(std::string_view text, std::string_view part) {
  const auto words = detail::folded_words(text);
  const auto wanted = detail::folded_words(part);
  if (wanted.empty()) return !part.empty() && text.find(part) != std::string_view::npos;
  return std::search(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end();
}

/// What was to be right, and what comes instead: one reply at a time.
class Comparison {
 public:
  explicit Comparison(const AnswerForm& form) : form_(form), labels_(form.labels) {}

  /// Nothing for a reply that cannot be told from the right one.
  std::optional<Miss> miss(const SampleOutcome& outcome) const {
    const std::string answer(tgd::detail::trim(outcome.answer));
    if (auto nothing = no_answer(outcome, answer)) return nothing;
    if (!outcome.target) return std::nullopt;
    const std::string target(tgd::detail::trim(*outcome.target));
    if (answer == target) return std::nullopt;
    if (form_.kind == AnswerForm::Kind::json) return json_miss(answer, target);
    if (form_.kind == AnswerForm::Kind::number) {
      if (auto number = number_miss(answer, target)) return number;
    }
    if (form_.kind == AnswerForm::Kind::date) return date_miss(answer, target);
    if (const auto spelling = difference_of_spelling(answer, target)) return Miss{*spelling};
    if (form_.kind == AnswerForm::Kind::labels) return label_miss(answer, target);
    return Miss{holds_words(answer, target) ? FindingKind::among_words : FindingKind::other_text};
  }

 private:
  static std::optional<Miss> no_answer(const SampleOutcome& outcome, const std::string& answer) {
    if (outcome.problem) {
      switch (outcome.problem->kind) {
        case Problem::Kind::refused:
          return Miss{FindingKind::refused};
        case Problem::Kind::filtered:
        case Problem::Kind::too_long:
          return Miss{FindingKind::filtered};
        case Problem::Kind::cut:
          return Miss{FindingKind::cut};
        case Problem::Kind::unreadable:
          break;
      }
    }
    if (tgd::detail::trim(outcome.reply).empty() && answer.empty()) return Miss{FindingKind::empty};
    if (outcome.problem) {
      if (detail::is_refusal(answer)) return Miss{FindingKind::refused};
      return Miss{FindingKind::unreadable, {{outcome.problem->text, {}, 1}}};
    }
    if (answer.empty()) return Miss{FindingKind::empty};
    if (!lm::detail::split_thoughts(answer).reasoning.empty()) return Miss{FindingKind::thinking};
    if (detail::is_refusal(answer)) return Miss{FindingKind::refused};
    return std::nullopt;
  }

  std::optional<Miss> label_miss(const std::string& answer, const std::string& target) const {
    const std::vector<std::size_t> named = labels_.find(answer);
    if (named.empty()) return Miss{holds_words(answer, target) ? FindingKind::among_words : FindingKind::no_label};
    const bool is_among = std::any_of(named.begin(), named.end(), [&](std::size_t i) { return form_.labels[i] == target; });
    if (named.size() > 1) return Miss{FindingKind::several_labels};
    if (is_among) return Miss{FindingKind::among_words};
    return Miss{FindingKind::other_label, {{form_.labels[named[0]], target, 1}}};
  }

  static std::optional<Miss> number_miss(const std::string& answer, const std::string& target) {
    const auto wanted = detail::number_of(target);
    if (!wanted) return std::nullopt;
    const std::vector<Data> numbers = tgd::detail::all_numbers(answer);
    if (numbers.empty()) return Miss{FindingKind::no_number};
    const bool is_there =
        std::any_of(numbers.begin(), numbers.end(), [&](const Data& number) { return is_same_number(number, *wanted); });
    const bool is_alone = detail::number_of(answer).has_value();
    if (is_there && numbers.size() > 1) return Miss{FindingKind::among_numbers};
    if (is_there) return Miss{is_alone ? FindingKind::notation : FindingKind::among_words};
    return Miss{difference(numbers.back().real(), wanted->real())};
  }

  static FindingKind difference(double got, double wanted) {
    if (got == -wanted) return FindingKind::wrong_sign;
    if (got != 0 && wanted != 0) {
      const double power = std::log10(std::abs(got / wanted));
      const double nearest = std::round(power);
      if (got * wanted > 0 && nearest != 0 && std::abs(nearest) <= 9 && std::abs(power - nearest) < 1e-9)
        return FindingKind::wrong_factor;
    }
    return got > wanted ? FindingKind::too_high : FindingKind::too_low;
  }

  static std::optional<Miss> date_miss(const std::string& answer, const std::string& target) {
    const std::vector<detail::Date> wanted = detail::dates_in(target);
    const std::vector<detail::Date> dates = detail::dates_in(answer);
    if (dates.empty() || wanted.empty()) return Miss{FindingKind::no_date};
    const bool is_there =
        std::any_of(dates.begin(), dates.end(), [&](const detail::Date& date) { return date.is_same_day(wanted[0]); });
    if (!is_there) return Miss{FindingKind::other_date};
    return Miss{holds_words(answer, target) || dates.size() > 1 ? FindingKind::among_words : FindingKind::notation};
  }

  static std::optional<Miss> json_miss(const std::string& answer, const std::string& target) {
    const auto wanted = detail::json_of(target);
    if (!wanted) return std::nullopt;
    auto got = detail::json_of(answer);
    const bool is_alone = got.has_value();
    if (!got) got = lm::detail::answer_json(answer);
    if (!got || !got->is_structured()) return Miss{FindingKind::no_json};
    if (got->type() != wanted->type())
      return Miss{FindingKind::wrong_types, {{detail::type_name(*got), detail::type_name(*wanted), 1}}};
    if (wanted->is_object()) {
      if (auto difference = difference_of_objects(*got, *wanted)) return difference;
    } else if (!detail::is_same_value(*got, *wanted)) {
      return Miss{FindingKind::other_text};
    }
    if (!is_alone) return Miss{FindingKind::json_among_words};
    return std::nullopt;
  }

  static std::optional<Miss> difference_of_objects(const Value& got, const Value& wanted) {
    Miss missing{FindingKind::missing_keys}, extra{FindingKind::extra_keys}, types{FindingKind::wrong_types},
        values{FindingKind::wrong_values};
    for (const auto& member : wanted.items()) {
      const auto own = got.find(member.key());
      if (own == got.end()) {
        missing.details.push_back({member.key(), {}, 1});
      } else if (detail::type_name(*own) != detail::type_name(member.value())) {
        types.details.push_back(
            {fmt::format("{} ({})", member.key(), detail::type_name(*own)), detail::type_name(member.value()), 1});
      } else if (!detail::is_same_value(*own, member.value())) {
        values.details.push_back({member.key(), {}, 1});
      }
    }
    for (const auto& member : got.items()) {
      if (!wanted.contains(member.key())) extra.details.push_back({member.key(), {}, 1});
    }
    for (Miss* miss : {&missing, &types, &extra, &values}) {
      if (!miss->details.empty()) return std::move(*miss);
    }
    return std::nullopt;
  }

  const AnswerForm& form_;
  detail::LabelFinder labels_;
};

void add(std::vector<Finding>& findings, Miss miss, std::size_t sample) {
  auto finding = std::find_if(findings.begin(), findings.end(), [&](const Finding& other) { return other.kind == miss.kind; });
  if (finding == findings.end()) finding = findings.insert(finding, Finding{miss.kind});
  finding->samples.push_back(sample);
  for (Finding::Detail& detail : miss.details) {
    const auto known = std::find_if(finding->details.begin(), finding->details.end(), [&](const Finding::Detail& other) {
      return other.what == detail.what && other.wanted == detail.wanted;
    });
    if (known == finding->details.end()) {
      finding->details.push_back(std::move(detail));
    } else {
      ++known->count;
    }
  }
}

bool is_wordy(const SampleOutcome& outcome, const AnswerForm& form) {
  if (form.kind == AnswerForm::Kind::json || form.kind == AnswerForm::Kind::unknown) return false;
  return detail::folded_words(outcome.answer).size() > form.most_words;
}

// ---- As sentences ----

std::string replies_text(std::size_t count, const Prompts& prompts) {
  return prompts.render(count == 1 ? "tgd_facts_one_reply" : "tgd_facts_replies", {{"count", fmt::format("{}", count)}});
}

std::string details_text(const Finding& finding, const Prompts& prompts) {
  constexpr std::size_t most_shown = 5;
  std::vector<std::string> texts;
  for (const Finding::Detail& detail : finding.details) {
    if (texts.size() == most_shown) break;
    texts.push_back(prompts.render(detail.wanted.empty() ? "tgd_facts_detail" : "tgd_facts_confusion",
                                   {{"what", tgd::detail::excerpt(detail.what, 80)},
                                    {"wanted", tgd::detail::excerpt(detail.wanted, 80)},
                                    {"count", fmt::format("{}", detail.count)}}));
  }
  return tgd::detail::join(texts, ", ");
}

}  // namespace

std::string_view to_string(Finding::Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

Diagnosis diagnose(std::span<const SampleOutcome> outcomes, const DiagnosisOptions& options) {
  std::vector<std::string> answers = options.answers;
  for (const SampleOutcome& outcome : outcomes) {
    if (outcome.target && options.answers.empty()) answers.push_back(*outcome.target);
  }
  Diagnosis diagnosis{.form = form_of(answers), .samples = outcomes.size(), .notes = options.notes};
  const Comparison comparison(diagnosis.form);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].is_solved) {
      ++diagnosis.solved;
      continue;
    }
    if (auto miss = comparison.miss(outcomes[i])) add(diagnosis.findings, *std::move(miss), i);
    if (is_wordy(outcomes[i], diagnosis.form)) diagnosis.wordy.push_back(i);
  }
  for (Finding& finding : diagnosis.findings) {
    std::stable_sort(finding.details.begin(), finding.details.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
  }
  std::stable_sort(diagnosis.findings.begin(), diagnosis.findings.end(), [](const Finding& a, const Finding& b) {
    return a.samples.size() != b.samples.size() ? a.samples.size() > b.samples.size() : a.kind < b.kind;
  });
  return diagnosis;
}

std::string to_string(const AnswerForm& form, const Prompts& prompts) {
  const std::string example = tgd::detail::excerpt(form.example, 80);
  switch (form.kind) {
    case AnswerForm::Kind::unknown:
      return {};
    case AnswerForm::Kind::labels:
      return prompts.render("tgd_form_labels", {{"labels", detail::list_text(form.labels)}});
    case AnswerForm::Kind::number:
      return prompts.render(form.is_whole ? "tgd_form_whole_number" : "tgd_form_number", {{"example", example}});
    case AnswerForm::Kind::date:
      return prompts.render(form.date_pattern.empty() ? "tgd_form_date_such_as" : "tgd_form_date",
                            {{"pattern", form.date_pattern}, {"example", example}});
    case AnswerForm::Kind::json:
      return form.is_list ? prompts.render("tgd_form_json_list", {})
                          : prompts.render("tgd_form_json", {{"keys", detail::keys_text(form, prompts)}});
    case AnswerForm::Kind::text:
      return prompts.render(form.is_one_line ? "tgd_form_line" : "tgd_form_text",
                            {{"words", fmt::format("{}", form.most_words)}});
  }
  return {};
}

std::string to_string(const Diagnosis& diagnosis, const Prompts& prompts) {
  std::vector<std::string> facts;
  const auto add_fact = [&](std::string fact) {
    if (!fact.empty()) facts.push_back(std::move(fact));
  };
  add_fact(to_string(diagnosis.form, prompts));
  for (const std::string& note : diagnosis.notes) add_fact(note);
  if (diagnosis.samples > 0) {
    add_fact(prompts.render(
        diagnosis.solved == 0 ? "tgd_facts_none_right" : "tgd_facts_right",
        {{"right", fmt::format("{}", diagnosis.solved)}, {"replies", replies_text(diagnosis.samples, prompts)}}));
  }
  std::size_t in_words = 0;  // replies of which a finding says so already
  for (const Finding& finding : diagnosis.findings) {
    if (finding.kind == FindingKind::among_words || finding.kind == FindingKind::several_labels ||
        finding.kind == FindingKind::among_numbers)
      in_words += finding.samples.size();
    add_fact(prompts.render(
        fmt::format("tgd_finding_{}", to_string(finding.kind)),
        {{"replies", replies_text(finding.samples.size(), prompts)}, {"details", details_text(finding, prompts)}}));
  }
  if (diagnosis.wordy.size() > in_words)
    add_fact(prompts.render("tgd_facts_wordy", {{"replies", replies_text(diagnosis.wordy.size(), prompts)}}));
  return tgd::detail::join(facts, "\n");
}

Json to_json(const Diagnosis& diagnosis) {
  const AnswerForm& form = diagnosis.form;
  Value json{{"form", {{"kind", to_string(form.kind)}, {"answers", form.answers}}},
             {"samples", diagnosis.samples},
             {"solved", diagnosis.solved},
             {"findings", Value::array()}};
  if (!form.labels.empty()) json["form"]["labels"] = form.labels;
  if (form.kind == AnswerForm::Kind::number) json["form"]["whole"] = form.is_whole;
  if (!form.date_pattern.empty()) json["form"]["pattern"] = form.date_pattern;
  for (const AnswerForm::Key& key : form.keys)
    json["form"]["keys"].push_back({{"name", key.name}, {"type", key.type}, {"always", key.is_always}});
  if (form.is_list) json["form"]["list"] = true;
  for (const Finding& finding : diagnosis.findings) {
    Value entry{{"kind", to_string(finding.kind)}, {"count", finding.samples.size()}, {"samples", finding.samples}};
    for (const Finding::Detail& detail : finding.details) {
      Value shown{{"what", detail.what}, {"count", detail.count}};
      if (!detail.wanted.empty()) shown["wanted"] = detail.wanted;
      entry["details"].push_back(std::move(shown));
    }
    json["findings"].push_back(std::move(entry));
  }
  if (!diagnosis.wordy.empty()) json["wordy"] = diagnosis.wordy;
  if (!diagnosis.notes.empty()) json["notes"] = diagnosis.notes;
  return json;
}

}  // namespace tgd::optim
