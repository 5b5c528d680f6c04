#include "task/facts.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <tgd/optim/free_proposals.hpp>
#include <tgd/template.hpp>

#include "core/text.hpp"
#include "task/unreachable.hpp"

namespace tgd::cli {

namespace {

std::string target_of(const data::Record& sample) { return std::string(detail::trim(sample.at(target_name).item_text())); }

std::string note_on(const OutputStep& step, const Prompts& prompts) {
  switch (step.kind) {
    case OutputStep::Kind::text:
      return {};
    case OutputStep::Kind::lower_case:
      return prompts.render("tgd_reads_lower_case", {});
    case OutputStep::Kind::fenced_json:
      return prompts.render("tgd_reads_json", {});
    case OutputStep::Kind::json_pointer:
      return prompts.render("tgd_reads_json_pointer", {{"pointer", step.argument}});
    case OutputStep::Kind::number:
    case OutputStep::Kind::comma_number:
      return prompts.render("tgd_reads_number", {});
    case OutputStep::Kind::regex:
      return prompts.render("tgd_reads_pattern", {{"pattern", step.argument}});
  }
  return {};
}

bool has(const StageSpec& stage, const std::string& name) {
  return std::any_of(stage.messages.begin(), stage.messages.end(), [&](const MessageSpec& message) {
    return std::any_of(message.content.begin(), message.content.end(),
                       [&](const std::string& text) { return has_placeholder(text, name); });
  });
}

/// What may stand in a message of the last stage, or in the parameters that do.
class LastStage {
 public:
  explicit LastStage(const Task& task) : task_(task), stage_(task.stages.back()) {}

  bool shows(const std::string& name) const {
    return has(stage_, name) ||
           std::any_of(task_.parameters.begin(), task_.parameters.end(), [&](const ParameterSpec& parameter) {
             return has(stage_, parameter.name) && has_placeholder(parameter.value, name);
           });
  }

  /// Whether a sample's inputs are all that a reply depends on.
  bool is_alone() const {
    return std::none_of(task_.stages.begin(), task_.stages.end() - 1,
                        [&](const StageSpec& stage) { return shows(stage.name); });
  }

  /// The first parameter that stands in it and in no other stage.
  std::optional<std::size_t> parameter() const {
    for (std::size_t i = 0; i < task_.parameters.size(); ++i) {
      const std::string& name = task_.parameters[i].name;
      const bool is_shared =
          std::any_of(task_.stages.begin(), task_.stages.end() - 1, [&](const StageSpec& stage) { return has(stage, name); });
      if (has(stage_, name) && !is_shared) return i;
    }
    return std::nullopt;
  }

  /// A sample's own part of the request: one input as it is, several with their names.
  std::string input_of(const data::Record& sample) const {
    std::vector<std::string> values;
    std::vector<std::string> lines;
    for (const auto& input : task_.data.inputs) {
      if (!shows(input.first)) continue;
      values.push_back(sample.at(input.first).item_text());
      lines.push_back(fmt::format("{}: {}", input.first, values.back()));
    }
    return values.size() == 1 ? values.front() : detail::join(lines, "\n");
  }

 private:
  const Task& task_;
  const StageSpec& stage_;
};

}  // namespace

optim::DiagnosisOptions known_facts(const Task& task, const TaskData& data, const Prompts& prompts) {
  optim::DiagnosisOptions facts;
  if (task.data.has_target()) {
    for (std::size_t i = 0; i < data.train.size(); ++i) facts.answers.push_back(target_of(data.train[i]));
  }
  for (const OutputStep& step : task.stages.back().output) {
    if (std::string note = note_on(step, prompts); !note.empty()) facts.notes.push_back(std::move(note));
  }
  return facts;
}

std::vector<FirstProposal> first_proposals(const Task& task, const TaskData& data, const TaskAgent& agent,
                                           const Prompts& prompts) {
  const LastStage stage(task);
  const auto parameter = stage.parameter();
  if (!task.training.free_proposals || !task.data.has_target() || !parameter) return {};
  // A text that is in another part, too, would score itself there.
  std::set<std::string> others;
  for (const DataPart* part : {&data.validation, &data.test}) {
    for (std::size_t i = 0; i < part->size(); ++i) others.insert(stage.input_of((*part)[i]));
  }
  std::vector<optim::LabelledSample> samples;
  for (std::size_t i = 0; i < data.train.size(); ++i) {
    const data::Record sample = data.train[i];
    if (std::string input = stage.input_of(sample); !others.contains(input))
      samples.push_back({std::move(input), target_of(sample)});
  }
  const ParameterSpec& spec = task.parameters[*parameter];
  optim::FreeProposalOptions options{.reply_to = target_replies(task), .frozen = spec.frozen, .prompts = prompts};
  if (!stage.is_alone()) options.examples.clear();
  for (const auto& input : task.data.inputs) options.placeholders.push_back(input.first);
  for (const StageSpec& other : task.stages) options.placeholders.push_back(other.name);
  const NamedVariables parameters = agent.named_parameters();
  const auto own =
      std::find_if(parameters.begin(), parameters.end(), [&](const auto& entry) { return entry.first == spec.name; });
  options.is_allowed = [&](const std::string& value) { return agent.may_be(own->second, value); };
  std::vector<FirstProposal> proposals;
  for (optim::FreeProposal& proposal : optim::free_proposals(own->second.text(), samples, options))
    proposals.push_back({std::move(proposal.name), {{own->second, std::move(proposal.value), std::move(proposal.kept)}}});
  return proposals;
}

optim::Diagnosis diagnosis_of(const Task& task, const TaskData& data, const std::string& part, const SampleResults& results,
                              const Prompts& prompts) {
  const DataPart& samples = data.part(part);
  std::map<std::size_t, std::size_t> positions;
  for (std::size_t i = 0; i < samples.size(); ++i) positions[samples.rows()[i]] = i;
  std::vector<SampleOutcome> outcomes;
  for (std::size_t i = 0; i < results.rows.size(); ++i) {
    SampleOutcome outcome{.reply = results.predictions[i],
                          .answer = results.predictions[i],
                          .score = results.scores[i],
                          .is_solved = task.evaluator.scale().is_best(results.scores[i])};
    if (task.data.has_target()) outcome.target = target_of(samples[positions.at(results.rows[i])]);
    if (const auto problem = results.problems.find(results.rows[i]); problem != results.problems.end()) {
      outcome.problem = std::make_shared<const Problem>(problem->second);
      outcome.is_solved = false;
    }
    outcomes.push_back(std::move(outcome));
  }
  return optim::diagnose(outcomes, known_facts(task, data, prompts));
}

}  // namespace tgd::cli
