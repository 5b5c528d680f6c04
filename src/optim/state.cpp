#include "optim/state.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "core/json_count.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "optim/checks.hpp"
#include "optim/step.hpp"

namespace tgd::optim::detail {

namespace {

using nlohmann::json;

constexpr int state_version = 2;

constexpr std::array directions = {std::pair{Direction::maximize, "maximize"}, std::pair{Direction::minimize, "minimize"}};
constexpr std::array boldnesses = {std::pair{Boldness::conservative, "conservative"}, std::pair{Boldness::moderate, "moderate"},
                                   std::pair{Boldness::bold, "bold"}};
using Status = HistoryEntry::Status;
constexpr std::array statuses = {std::pair{Status::set, "set"}, std::pair{Status::accepted, "accepted"},
                                 std::pair{Status::rejected, "rejected"}, std::pair{Status::undone, "undone"}};

template <class Names, class Enum>
const char* name_of(const Names& names, Enum wanted) {
  return std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.first == wanted; })->second;
}

using tgd::detail::JsonText;
using tgd::detail::JsonTree;

/// Saves values into a JsonTree or a JsonText: keys come in their order.
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
  void save(const Record& record) {
    const HistoryEntry& entry = record.entry;
    out_.object([&] {
      save("dropped", record.dropped);
      save_scores("dropped_scores", record.dropped);
      save("feedback", entry.feedback);
      save("has_pair", record.has_pair);
      save("reason", entry.reason);
      save("score", entry.score);
      save("status", std::string_view(name_of(statuses, entry.status)));
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

std::size_t load_count(const json& saved) {
  const auto count = tgd::detail::count_in(saved);
  if (!count) throw ValueError(fmt::format("the saved state has {} where a count belongs", saved.dump()));
  return static_cast<std::size_t>(*count);
}

Variable load_variable(const json& saved) {
  return {Data::from_json(saved.at("data")), saved.at("role").get<std::string>(), saved.at("requires_grad").get<bool>()};
}

MomentumBuffer load_buffer(const json& pairs) {
  MomentumBuffer buffer;
  for (const json& pair : pairs) {
    MomentumPair loaded{load_variable(pair.at(0)), {}};
    for (const json& gradient : pair.at(1)) loaded.gradients.push_back(load_variable(gradient));
    buffer.push_back(std::move(loaded));
  }
  return buffer;
}

void load_scores(const json& saved, MomentumBuffer& buffer) {
  if (!saved.is_array() || saved.size() != buffer.size()) {
    throw ValueError(fmt::format("the saved state has {} scores for {} values", saved.size(), buffer.size()));
  }
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    if (!saved[i].is_null()) buffer[i].score = saved[i].get<double>();
  }
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

Messages load_messages(const json& saved) {
  Messages messages;
  for (const json& message : saved) {
    messages.push_back({message.at("role").get<std::string>(), {}});
    for (const json& part : message.at("content")) messages.back().content.push_back(load_variable(part));
  }
  return messages;
}

json save(const Inputs& inputs) {
  json saved = json::array();
  for (const auto& [name, input] : inputs) saved.push_back({name, save(input.variable())});
  return saved;
}

Inputs load_inputs(const json& saved) {
  Inputs inputs;
  for (const json& input : saved) inputs.emplace_back(input.at(0).get<std::string>(), load_variable(input.at(1)));
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
std::vector<Constraint> load_constraints(const json& saved, const std::vector<Constraint>& present) {
  std::vector<Constraint> constraints;
  for (const json& entry : saved) {
    Variable text = load_variable(entry.at("text"));
    const auto same = std::find_if(present.begin(), present.end(),
                                   [&](const Constraint& other) { return other.variable().data() == text.data(); });
    if (same != present.end()) {
      constraints.push_back(*same);
    } else if (entry.at("checked").get<bool>()) {
      throw ValueError(
          fmt::format("the saved state has a constraint with a check, \"{}\"; a check is code and cannot be saved, so give "
                      "the optimizer the same constraint before loading",
                      text.data().text()));
    } else {
      constraints.emplace_back(std::move(text));
    }
  }
  return constraints;
}

template <class Names>
auto named(const Names& names, const json& saved) {
  const auto text = saved.get<std::string>();
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return name.second == text; });
  if (found == names.end()) throw ValueError(fmt::format("the saved state has the unknown word \"{}\"", text));
  return found->first;
}

template <class Value>
std::optional<Value> load_optional(const json& saved) {
  return saved.is_null() ? std::nullopt : std::optional(saved.get<Value>());
}

json save_rules(const GroupState& group) {
  json saved = json::array();
  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const ParameterRules* rules = rules_for(group.parameters[i].parameter, group.options);
    if (rules != nullptr) saved.push_back({{"param", i}, {"instructions", rules->instructions}, {"frozen", rules->frozen}});
  }
  return saved;
}

std::vector<ParameterRules> load_rules(const json& saved, const GroupState& group) {
  std::vector<ParameterRules> rules;
  for (const json& entry : saved) {
    const ParameterState& parameter = group.parameters.at(load_count(entry.at("param")));
    rules.push_back({parameter.parameter, entry.at("instructions"), entry.at("frozen").get<std::vector<std::string>>()});
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
          {"direction", options.direction ? json(name_of(directions, *options.direction)) : json()},
          {"boldness", options.boldness ? json(name_of(boldnesses, *options.boldness)) : json()},
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
void load_newer_options(GroupState& group, const json& saved) {
  TGDOptions& options = group.options;
  const auto load = [&saved](const char* key, const auto& take) {
    if (const auto found = saved.find(key); found != saved.end()) take(*found);
  };
  load("joint", [&](const json& value) { options.joint = value.get<bool>(); });
  load("direction", [&](const json& value) {
    options.direction = value.is_null() ? std::nullopt : std::optional(named(directions, value));
  });
  load("boldness",
       [&](const json& value) { options.boldness = value.is_null() ? std::nullopt : std::optional(named(boldnesses, value)); });
  load("examples", [&](const json& value) { options.examples = value.get<std::vector<std::string>>(); });
  load("rules", [&](const json& value) { options.rules = load_rules(value, group); });
  load("rejected", [&](const json& value) { options.rejected = load_count(value); });
  load("siblings", [&](const json& value) { options.siblings = load_count(value); });
  load("history", [&](const json& value) { options.history = load_count(value); });
  load("max_length_ratio", [&](const json& value) { options.max_length_ratio = load_optional<double>(value); });
  load("copied_words", [&](const json& value) { options.copied_words = load_count(value); });
  load("answer_tag", [&](const json& value) { options.answer_tag = value.get<std::string>(); });
  load("frozen_marks", [&](const json& value) { options.frozen_marks = value.get<std::pair<std::string, std::string>>(); });
}

Record load_record(const json& saved) {
  Record record{.entry = {.value = saved.at("value"), .status = named(statuses, saved.at("status"))}};
  record.entry.step = load_count(saved.at("step"));
  record.entry.feedback = saved.at("feedback").get<std::vector<std::string>>();
  record.entry.score = load_optional<double>(saved.at("score"));
  record.entry.reason = saved.at("reason").get<std::string>();
  record.has_pair = saved.at("has_pair").get<bool>();
  record.dropped = load_buffer(saved.at("dropped"));
  load_scores(saved.at("dropped_scores"), record.dropped);
  return record;
}

void load_record(ParameterState& state, const json& saved) {
  state.first_value = saved.at("first_value").get<std::string>();
  load_scores(saved.at("momentum_scores"), state.momentum);
  for (const json& proposal : saved.at("rejected")) {
    state.rejected.push_back({proposal.at("value"), proposal.at("reason"), load_optional<double>(proposal.at("score"))});
  }
  for (const json& record : saved.at("history")) state.history.push_back(load_record(record));
  state.score = load_optional<double>(saved.at("score"));
  state.scored_value = saved.at("scored_value").get<std::string>();
}

/// States that other programs have written may lack it.
std::optional<std::string> load_provider(const json& saved_model) {
  const auto found = saved_model.find("provider");
  return found == saved_model.end() ? std::nullopt : load_optional<std::string>(*found);
}

lm::ChatModelPtr load_model(std::size_t group, const json& saved, const lm::ChatModelPtr& present,
                            const std::map<std::string, lm::ChatModelPtr>& models) {
  const std::string key = fmt::format("{}", group);
  const auto given = models.find(key);
  const lm::ChatModelPtr model = given != models.end() ? given->second : present;
  const auto class_type = saved.at("class_type").get<std::string>();
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
    throw ValueError(fmt::format("load_state_dict was given a model for \"{}\", and there is no such group: the keys are \"{}\"", key,
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
bool has_model_of_earlier(const json& saved_groups, std::size_t index) {
  const json& model = saved_groups[index].at("model");
  if (const auto same_as = model.find("same_as"); same_as != model.end()) return load_count(*same_as) < index;
  for (std::size_t i = 0; i < index; ++i) {
    if (saved_groups[i].at("model") == model) return true;
  }
  return false;
}

void check_shape(const std::vector<GroupState>& groups, const json& saved_groups) {
  if (saved_groups.size() != groups.size()) {
    throw ValueError(
        fmt::format("the saved state has {} parameter groups, this optimizer {}", saved_groups.size(), groups.size()));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t saved_size = saved_groups[i].at("params").size();
    if (saved_size != groups[i].parameters.size()) {
      throw ValueError(fmt::format("group {} of the saved state has {} parameters, that of this optimizer {}", i, saved_size,
                                   groups[i].parameters.size()));
    }
  }
}

GroupState load_group(std::size_t index, const GroupState& present, const json& saved, const json& state, const json& records,
                      const std::map<std::string, lm::ChatModelPtr>& models) {
  GroupState loaded = present;
  loaded.options.model = load_model(index, saved.at("model"), present.options.model, models);
  loaded.options.messages = load_messages(saved.at("messages"));
  loaded.options.inputs = load_inputs(saved.at("inputs"));
  loaded.options.constraints = load_constraints(saved.at("constraints"), present.options.constraints);
  loaded.options.momentum = load_count(saved.at("momentum"));
  loaded.options.completion_args = saved.at("completion_args");
  loaded.options.max_reasks = load_count(saved.at("max_reasks"));
  loaded.options.context_budget = load_count(saved.at("context_budget"));
  loaded.options.show_context = saved.at("show_context").get<bool>();
  load_newer_options(loaded, saved);
  for (std::size_t i = 0; i < loaded.parameters.size(); ++i) {
    const std::string key = fmt::format("{}", load_count(saved.at("params").at(i)));
    const ParameterState& own = present.parameters[i];
    loaded.parameters[i] = {.parameter = own.parameter, .first_value = own.first_value};
    if (state.contains(key)) loaded.parameters[i].momentum = load_buffer(state.at(key).at("momentum_buffer"));
    if (records.contains(key)) load_record(loaded.parameters[i], records.at(key));
  }
  check_options(loaded.options);
  return loaded;
}

}  // namespace

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
    const json& root = saved.value();
    const json& saved_groups = root.at("param_groups");
    const json& buffers = root.at("state");
    if (!buffers.is_object()) throw ValueError("the saved state's \"state\" is no object");
    const json records = root.value("records", json::object());
    if (const auto version = root.value("version", state_version); version > state_version) {
      throw ValueError(fmt::format("the saved state is of version {}, and this tgd reads versions up to {}: use a newer one",
                                   version, state_version));
    }
    loaded.steps = load_count(root.value("steps", json(std::size_t{0})));
    check_shape(state.groups, saved_groups);
    check_model_keys(models, state.groups.size());
    for (std::size_t i = 0; i < state.groups.size(); ++i) {
      loaded.groups.push_back(load_group(i, state.groups[i], saved_groups[i], buffers, records, models));
      lm::Usage used = lm::Usage::from_json(saved_groups[i].at("model").at("usage"));
      if (!has_model_of_earlier(saved_groups, i)) usage.emplace_back(loaded.groups.back().options.model, used);
    }
  } catch (const json::exception& error) {
    throw ValueError(fmt::format("this is not the state of a TGD optimizer: {}", error.what()));
  } catch (const TypeError& error) {
    throw ValueError(fmt::format("this is not the state of a TGD optimizer: {}", error.what()));
  } catch (const std::out_of_range& error) {
    throw ValueError(
        fmt::format("this is not the state of a TGD optimizer: a parameter's index is too large ({})", error.what()));
  }
  state = std::move(loaded);
  for (const auto& [model, used] : usage) model->add_usage(used);
}

}  // namespace tgd::optim::detail
