#include "optim/state.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/enum_names.hpp"
#include "core/json_reader.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/text.hpp"
#include "optim/checks.hpp"
#include "optim/options.hpp"
#include "optim/step.hpp"

namespace tgd::optim::detail {

namespace {

using json = nlohmann::ordered_json;
using Reader = tgd::detail::JsonReader<json>;

constexpr std::size_t state_version = 2;

constexpr std::array directions = {std::pair{Direction::maximize, "maximize"}, std::pair{Direction::minimize, "minimize"}};
using Status = HistoryEntry::Status;
constexpr std::array statuses = {std::pair{Status::set, "set"}, std::pair{Status::accepted, "accepted"},
                                 std::pair{Status::rejected, "rejected"}, std::pair{Status::undone, "undone"}};

using tgd::detail::JsonText;
using tgd::detail::JsonTree;

/// Saves values into a JsonTree or a JsonText.
template <class Out>
class Saver {
 public:
  explicit Saver(Out& out) : out_(out) {}

  void save(bool value) { out_.value(value); }
  void save(std::size_t value) { out_.value(value); }
  void save(double value) { out_.value(value); }
  void save(std::string_view value) { out_.value(value); }
  void save(const std::string& value) { out_.value(value); }
  template <class Value>
  void save(const std::optional<Value>& value) {
    value ? out_.value(*value) : out_.value(nullptr);
  }
  template <class Element>
  void save(const std::vector<Element>& elements) {
    out_.array([&] {
      for (const Element& element : elements) save(element);
    });
  }
  void save(const Data& data) {
    data.is_text() && !data.is_batch() ? out_.value(data.text()) : out_.value(data.to_json().value());
  }
  void save(const Variable& variable) {
    out_.object([&] {
      save("data", variable.data());
      save("requires_grad", variable.requires_grad());
      save("role", variable.role());
    });
  }
  void save(const MomentumPair& pair) {
    out_.array([&] {
      save(pair.value);
      save(pair.gradients);
    });
  }
  void save(const UndoableEntry& record) {
    const HistoryEntry& entry = record.entry;
    out_.object([&] {
      save("dropped", record.dropped);
      save_scores("dropped_scores", record.dropped);
      save("feedback", entry.feedback);
      save("has_pair", record.has_pair);
      save("reason", entry.reason);
      save("score", entry.score);
      save("status", std::string_view(tgd::detail::name_in(statuses, entry.status)));
      save("step", entry.step);
      save("value", entry.value);
    });
  }
  void save(const RejectedProposal& proposal) {
    out_.object([&] {
      save("reason", proposal.reason);
      save("score", proposal.score);
      save("value", proposal.value);
    });
  }

  /// The momentum of a parameter.
  void save_buffer(const ParameterState& state) {
    out_.object([&] { save("momentum_buffer", state.momentum); });
  }
  /// What is kept of a parameter beside its momentum.
  void save_record(const ParameterState& state) {
    out_.object([&] {
      save("first_value", state.first_value);
      save("history", state.history);
      save_scores("momentum_scores", state.momentum);
      save("rejected", state.rejected);
      save("score", state.score);
      save("scored_value", state.scored_value);
      if (!state.kept.empty()) save("kept", state.kept);
    });
  }

 private:
  template <class Value>
  void save(std::string_view key, const Value& value) {
    out_.key(key);
    save(value);
  }
  void save_scores(std::string_view key, const MomentumBuffer& buffer) {
    out_.key(key);
    out_.array([&] {
      for (const MomentumPair& pair : buffer) save(pair.score);
    });
  }

  Out& out_;
};

template <class Value>
json save(const Value& value) {
  JsonTree tree;
  Saver(tree).save(value);
  return tree.take();
}

std::size_t load_count(const Reader& saved) {
  return static_cast<std::size_t>(saved.count(std::numeric_limits<std::size_t>::max()));
}

Variable load_variable(const Reader& saved) {
  const Reader data = saved.at("data");
  return {data.in_place([&] { return Data::from_json(data.json()); }), saved.at("role").text(),
          saved.at("requires_grad").flag()};
}

MomentumBuffer load_buffer(const Reader& pairs) {
  MomentumBuffer buffer;
  for (const Reader& pair : pairs.items()) {
    const std::vector<Reader> parts = pair.items(2);
    MomentumPair loaded{load_variable(parts[0]), {}};
    for (const Reader& gradient : parts[1].items()) loaded.gradients.push_back(load_variable(gradient));
    buffer.push_back(std::move(loaded));
  }
  return buffer;
}

std::optional<double> load_score(const Reader& saved) { return saved.is_null() ? std::nullopt : std::optional(saved.number()); }

void load_scores(const Reader& saved, MomentumBuffer& buffer) {
  const std::vector<Reader> scores = saved.items(buffer.size());
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i].score = load_score(scores[i]);
}

json save(const Messages& messages) {
  json saved = json::array();
  for (const Message& message : messages) {
    json content = json::array();
    for (const Variable& part : message.content) content.push_back(save(part));
    saved.push_back({{"role", message.role}, {"content", std::move(content)}});
  }
  return saved;
}

Messages load_messages(const Reader& saved) {
  Messages messages;
  for (const Reader& message : saved.items()) {
    messages.push_back({message.at("role").text(), {}});
    for (const Reader& part : message.at("content").items()) messages.back().content.push_back(load_variable(part));
  }
  return messages;
}

json save(const Inputs& inputs) {
  json saved = json::array();
  for (const auto& [name, input] : inputs) saved.push_back({name, save(input.variable())});
  return saved;
}

Inputs load_inputs(const Reader& saved) {
  Inputs inputs;
  for (const Reader& input : saved.items()) {
    const std::vector<Reader> parts = input.items(2);
    inputs.emplace_back(parts[0].text(), load_variable(parts[1]));
  }
  return inputs;
}

json save(const std::vector<Constraint>& constraints) {
  json saved = json::array();
  for (const Constraint& constraint : constraints) {
    saved.push_back({{"text", save(constraint.variable())}, {"checked", constraint.has_check()}});
  }
  return saved;
}

/// A check is code and cannot be saved: it comes from the constraint of the same text in the optimizer that loads.
std::vector<Constraint> load_constraints(const Reader& saved, const std::vector<Constraint>& present) {
  std::vector<Constraint> constraints;
  for (const Reader& entry : saved.items()) {
    Variable text = load_variable(entry.at("text"));
    const bool is_checked = entry.at("checked").flag();
    const auto same = std::find_if(present.begin(), present.end(),
                                   [&](const Constraint& other) { return other.variable().data() == text.data(); });
    if (same != present.end()) {
      constraints.push_back(*same);
    } else if (is_checked) {
      entry.fail(fmt::format(
          "this constraint has a check, \"{}\"; a check is code and cannot be saved, so give the optimizer the same "
          "constraint before loading",
          text.data().item_text()));
    } else {
      constraints.push_back(entry.in_place([&] { return Constraint(text); }));
    }
  }
  return constraints;
}

template <class Names>
auto named(const Names& names, const Reader& saved) {
  const std::string text = saved.text();
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.second == text; });
  if (found == names.end()) saved.fail(fmt::format("the word \"{}\" is not known here", text));
  return found->first;
}

template <class Names>
auto optionally_named(const Names& names, const Reader& saved) {
  return saved.is_null() ? std::nullopt : std::optional(named(names, saved));
}

json save_rules(const GroupState& group) {
  json saved = json::array();
  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const ParameterRules* rules = rules_for(group.parameters[i].parameter, group.options);
    if (rules != nullptr)
      saved.push_back(
          {{"param", i}, {"instructions", rules->instructions}, {"frozen", rules->frozen}, {"required", rules->required}});
  }
  return saved;
}

std::vector<ParameterRules> load_rules(const Reader& saved, const GroupState& group) {
  std::vector<ParameterRules> rules;
  for (const Reader& entry : saved.items()) {
    const Reader param = entry.at("param");
    const std::size_t index = load_count(param);
    if (index >= group.parameters.size()) param.fail(fmt::format("the group has {} parameters", group.parameters.size()));
    rules.push_back({group.parameters[index].parameter, entry.at("instructions").text(), entry.at("frozen").texts()});
    if (const auto required = entry.find("required")) rules.back().required = required->texts();
  }
  return rules;
}

json save(const GroupState& group, std::size_t first_with_model) {
  const TGDOptions& options = group.options;
  return {{"model",
           {{"class_type", options.model->class_type()},
            {"provider", options.model->provider()},
            {"same_as", first_with_model},
            {"usage", options.model->usage().to_json().value()}}},
          {"messages", save(options.messages)},
          {"inputs", save(options.inputs)},
          {"constraints", save(options.constraints)},
          {"momentum", options.momentum},
          {"completion_args", options.completion_args.value()},
          {"max_reasks", options.max_reasks},
          {"context_budget", options.context_budget},
          {"show_context", options.show_context},
          {"joint", options.joint},
          {"direction", options.direction ? json(tgd::detail::name_in(directions, *options.direction)) : json()},
          {"boldness", options.boldness ? json(tgd::detail::name_in(boldness_names, *options.boldness)) : json()},
          {"examples", options.examples},
          {"rules", save_rules(group)},
          {"rejected", options.rejected},
          {"siblings", options.siblings},
          {"history", options.history},
          {"max_length_ratio", save(options.max_length_ratio)},
          {"copied_words", options.copied_words},
          {"answer_tag", options.answer_tag},
          {"frozen_marks", options.frozen_marks}};
}

/// The options that the first versions did not have: a state without them leaves those of the optimizer.
void load_newer_options(GroupState& group, const Reader& saved) {
  TGDOptions& options = group.options;
  const auto load = [&saved](const char* key, const auto& take) {
    if (const auto found = saved.find(key)) take(*found);
  };
  load("joint", [&](const Reader& value) { options.joint = value.flag(); });
  load("direction", [&](const Reader& value) { options.direction = optionally_named(directions, value); });
  load("boldness", [&](const Reader& value) { options.boldness = optionally_named(boldness_names, value); });
  load("examples", [&](const Reader& value) { options.examples = value.texts(); });
  load("rules", [&](const Reader& value) { options.rules = load_rules(value, group); });
  load("rejected", [&](const Reader& value) { options.rejected = load_count(value); });
  load("siblings", [&](const Reader& value) { options.siblings = load_count(value); });
  load("history", [&](const Reader& value) { options.history = load_count(value); });
  load("max_length_ratio", [&](const Reader& value) { options.max_length_ratio = load_score(value); });
  load("copied_words", [&](const Reader& value) { options.copied_words = load_count(value); });
  load("answer_tag", [&](const Reader& value) { options.answer_tag = value.text(); });
  load("frozen_marks", [&](const Reader& value) {
    const std::vector<Reader> marks = value.items(2);
    options.frozen_marks = {marks[0].text(), marks[1].text()};
  });
}

UndoableEntry load_record(const Reader& saved) {
  UndoableEntry record{.entry = {.value = saved.at("value").text(), .status = named(statuses, saved.at("status"))}};
  record.entry.step = load_count(saved.at("step"));
  record.entry.feedback = saved.at("feedback").texts();
  record.entry.score = load_score(saved.at("score"));
  record.entry.reason = saved.at("reason").text();
  record.has_pair = saved.at("has_pair").flag();
  record.dropped = load_buffer(saved.at("dropped"));
  load_scores(saved.at("dropped_scores"), record.dropped);
  return record;
}

void load_record(ParameterState& state, const Reader& saved) {
  state.first_value = saved.at("first_value").text();
  load_scores(saved.at("momentum_scores"), state.momentum);
  for (const Reader& proposal : saved.at("rejected").items())
    state.rejected.push_back({proposal.at("value").text(), proposal.at("reason").text(), load_score(proposal.at("score"))});
  for (const Reader& record : saved.at("history").items()) state.history.push_back(load_record(record));
  state.score = load_score(saved.at("score"));
  state.scored_value = saved.at("scored_value").text();
  const auto kept = saved.find("kept");
  state.kept = kept ? kept->text() : "";
}

/// States that other programs have written may lack it.
std::optional<std::string> load_provider(const Reader& saved_model) {
  const auto found = saved_model.find("provider");
  return !found || found->is_null() ? std::nullopt : std::optional(found->text());
}

lm::ChatModelPtr load_model(std::size_t group, const Reader& saved, const lm::ChatModelPtr& present,
                            const std::map<std::string, lm::ChatModelPtr>& models) {
  const std::string key = fmt::format("{}", group);
  const auto given = models.find(key);
  const lm::ChatModelPtr model = given != models.end() ? given->second : present;
  const std::string class_type = saved.at("class_type").text();
  const auto provider = load_provider(saved);
  if (!model || model->class_type() != class_type || (provider && model->provider() != *provider)) {
    throw ValueError(fmt::format(
        "the saved state of group {} was made with a model of type {}{}{}: pass one to "
        "load_state_dict(state, {{{{\"{}\", model}}}})",
        key, class_type, provider ? fmt::format(" (provider \"{}\")", *provider) : "",
        model ? fmt::format("; the one given is a {} (provider \"{}\")", model->class_type(), model->provider()) : "", key));
  }
  return model;
}

/// Throws ValueError for a model that no group would use.
void check_model_keys(const std::map<std::string, lm::ChatModelPtr>& models, std::size_t groups) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < groups; ++i) keys.push_back(fmt::format("{}", i));
  for (const auto& [key, model] : models) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    throw ValueError(
        fmt::format("load_state_dict was given a model for \"{}\", and there is no such group: the keys are \"{}\"", key,
                    fmt::join(keys, "\", \"")));
  }
}

/// The first group that has the model of group `index`.
std::size_t first_with_model_of(std::size_t index, const std::vector<GroupState>& groups) {
  const auto& model = groups[index].options.model;
  return static_cast<std::size_t>(
      std::find_if(groups.begin(), groups.end(), [&](const GroupState& group) { return group.options.model == model; }) -
      groups.begin());
}

/// Whether an earlier group of the state was saved with the same model. States that do not say so have the same figures twice.
bool has_model_of_earlier(const std::vector<Reader>& saved_groups, std::size_t index) {
  const Reader model = saved_groups[index].at("model");
  if (const auto same_as = model.find("same_as")) return load_count(*same_as) < index;
  for (std::size_t i = 0; i < index; ++i) {
    if (Json(saved_groups[i].at("model").json()) == Json(model.json())) return true;
  }
  return false;
}

void check_shape(const std::vector<GroupState>& groups, const std::vector<Reader>& saved_groups) {
  if (saved_groups.size() != groups.size()) {
    throw ValueError(
        fmt::format("the saved state has {} parameter groups, this optimizer {}", saved_groups.size(), groups.size()));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t saved_size = saved_groups[i].at("params").items().size();
    if (saved_size != groups[i].parameters.size()) {
      throw ValueError(fmt::format("group {} of the saved state has {} parameters, that of this optimizer {}", i, saved_size,
                                   groups[i].parameters.size()));
    }
  }
}

/// What is saved of each parameter.
using Keyed = std::map<std::string, Reader>;

Keyed keyed(const Reader& saved) {
  const auto members = saved.members();
  return {members.begin(), members.end()};
}

GroupState load_group(std::size_t index, const GroupState& present, const Reader& saved, const Keyed& state,
                      const Keyed& records, const std::map<std::string, lm::ChatModelPtr>& models) {
  GroupState loaded = present;
  loaded.options.model = load_model(index, saved.at("model"), present.options.model, models);
  loaded.options.messages = load_messages(saved.at("messages"));
  loaded.options.inputs = load_inputs(saved.at("inputs"));
  loaded.options.constraints = load_constraints(saved.at("constraints"), present.options.constraints);
  loaded.options.momentum = load_count(saved.at("momentum"));
  loaded.options.completion_args = saved.at("completion_args").object();
  loaded.options.max_reasks = load_count(saved.at("max_reasks"));
  loaded.options.context_budget = load_count(saved.at("context_budget"));
  loaded.options.show_context = saved.at("show_context").flag();
  load_newer_options(loaded, saved);
  const std::vector<Reader> params = saved.at("params").items();
  for (std::size_t i = 0; i < loaded.parameters.size(); ++i) {
    const std::string key = fmt::format("{}", load_count(params[i]));
    const ParameterState& own = present.parameters[i];
    loaded.parameters[i] = {.parameter = own.parameter, .first_value = own.first_value};
    if (const auto buffer = state.find(key); buffer != state.end())
      loaded.parameters[i].momentum = load_buffer(buffer->second.at("momentum_buffer"));
    if (const auto record = records.find(key); record != records.end()) load_record(loaded.parameters[i], record->second);
  }
  check_options(loaded.options);
  return loaded;
}

}  // namespace

std::string_view ParameterState::without_kept(std::string_view value) const {
  return kept.empty() || !value.ends_with(kept) ? value : tgd::detail::trim(value.substr(0, value.size() - kept.size()));
}

std::string ParameterState::with_kept(std::string value) const {
  if (kept.empty() || !parameter.data().text().ends_with(kept)) return value;
  return value + (value.empty() ? "" : "\n\n") + kept;
}

std::optional<double> ParameterState::present_score() const {
  return scored_value == parameter.data().text() ? score : std::nullopt;
}

namespace {

json save_groups(const OptimizerState& state) {
  json groups = json::array();
  std::size_t index = 0;
  for (std::size_t i = 0; i < state.groups.size(); ++i) {
    json saved = save(state.groups[i], first_with_model_of(i, state.groups));
    saved["params"] = json::array();
    for (std::size_t j = 0; j < state.groups[i].parameters.size(); ++j) saved["params"].push_back(index++);
    groups.push_back(std::move(saved));
  }
  return groups;
}

using KeyedState = std::pair<std::string, const ParameterState*>;

/// The parameters that something is saved of, in the order of their keys.
template <class IsSaved>
std::vector<KeyedState> parts_of(const OptimizerState& state, const IsSaved& is_saved) {
  std::vector<KeyedState> parts;
  std::size_t index = 0;
  for (const GroupState& group : state.groups) {
    for (const ParameterState& parameter : group.parameters) {
      const std::string key = fmt::format("{}", index++);
      if (is_saved(parameter)) parts.emplace_back(key, &parameter);
    }
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

std::vector<KeyedState> buffers_of(const OptimizerState& state) {
  return parts_of(state, [](const ParameterState& parameter) { return !parameter.momentum.empty(); });
}

std::vector<KeyedState> records_of(const OptimizerState& state) {
  return parts_of(state, [](const ParameterState&) { return true; });
}

template <class Save>
json tree_of(const std::vector<KeyedState>& parts, const Save& save) {
  JsonTree tree;
  tree.object([&] {
    for (const auto& [key, parameter] : parts) {
      tree.key(key);
      save(Saver(tree), *parameter);
    }
  });
  return tree.take();
}

template <class Save>
void append_text_of(std::string& text, const std::vector<KeyedState>& parts, const Save& save) {
  constexpr std::size_t indent = tgd::detail::json_indent;  // it is a member of the state
  std::vector<std::string> keys;
  for (const KeyedState& part : parts) keys.push_back(part.first);
  const auto append_member = [&](std::string& out, std::size_t i) {
    JsonText member(out, indent + tgd::detail::json_indent);
    save(Saver(member), *parts[i].second);
  };
  tgd::detail::append_object(text, keys, append_member, indent);
}

constexpr auto save_buffer = [](auto saver, const ParameterState& parameter) { saver.save_buffer(parameter); };
constexpr auto save_record = [](auto saver, const ParameterState& parameter) { saver.save_record(parameter); };

}  // namespace

Json save_param_groups(const OptimizerState& state) { return save_groups(state); }

Json save_state(const OptimizerState& state) {
  return json{{"param_groups", save_groups(state)},
              {"records", tree_of(records_of(state), save_record)},
              {"state", tree_of(buffers_of(state), save_buffer)},
              {"steps", state.steps},
              {"version", state_version}};
}

void append_state(std::string& text, const OptimizerState& state) {
  JsonText out(text);
  out.object([&] {
    out.key("param_groups");
    out.value(save_groups(state));
    out.key("records");
    append_text_of(text, records_of(state), save_record);
    out.key("state");
    append_text_of(text, buffers_of(state), save_buffer);
    out.key("steps");
    out.value(state.steps);
    out.key("version");
    out.value(state_version);
  });
}

void load_state(OptimizerState& state, const Json& saved, const std::map<std::string, lm::ChatModelPtr>& models) {
  OptimizerState loaded;
  std::vector<std::pair<lm::ChatModelPtr, lm::Usage>> usage;  // of each saved model once, whichever groups share it
  try {
    const tgd::detail::JsonOrigin memory;
    const Reader root(saved.value(), memory);
    if (const auto version = root.find("version"); version && load_count(*version) > state_version) {
      throw ValueError(fmt::format("the saved state is of version {}, and this tgd reads versions up to {}: use a newer one",
                                   load_count(*version), state_version));
    }
    const std::vector<Reader> saved_groups = root.at("param_groups").items();
    const Keyed buffers = keyed(root.at("state"));
    const auto saved_records = root.find("records");
    const Keyed records = saved_records ? keyed(*saved_records) : Keyed();
    if (const auto steps = root.find("steps")) loaded.steps = load_count(*steps);
    check_shape(state.groups, saved_groups);
    check_model_keys(models, state.groups.size());
    for (std::size_t i = 0; i < state.groups.size(); ++i) {
      loaded.groups.push_back(load_group(i, state.groups[i], saved_groups[i], buffers, records, models));
      const Reader used = saved_groups[i].at("model").at("usage");
      lm::Usage usage_of_model = used.in_place([&] { return lm::Usage::from_json(used.json()); });
      if (!has_model_of_earlier(saved_groups, i)) usage.emplace_back(loaded.groups.back().options.model, usage_of_model);
    }
  } catch (const ParseError& error) {
    throw ValueError(fmt::format("this is not the state of a TGD optimizer: {}", error.what()));
  }
  state = std::move(loaded);
  for (const auto& [model, used] : usage) model->add_usage(used);
}

}  // namespace tgd::optim::detail
