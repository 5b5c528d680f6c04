#include "optim/state.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "optim/step.hpp"

namespace tgd::optim::detail {

namespace {

using nlohmann::json;

json save(const Variable& variable) {
  return {{"data", variable.data().to_json().value()}, {"role", variable.role()}, {"requires_grad", variable.requires_grad()}};
}

std::size_t load_count(const json& saved) {
  if (!saved.is_number_unsigned()) throw ValueError(fmt::format("the saved state has {} where a count belongs", saved.dump()));
  return saved.get<std::size_t>();
}

Variable load_variable(const json& saved) {
  return {Data::from_json(saved.at("data")), saved.at("role").get<std::string>(), saved.at("requires_grad").get<bool>()};
}

json save(const MomentumBuffer& buffer) {
  json pairs = json::array();
  for (const MomentumPair& pair : buffer) {
    json gradients = json::array();
    for (const Variable& gradient : pair.gradients) gradients.push_back(save(gradient));
    pairs.push_back({save(pair.value), std::move(gradients)});
  }
  return pairs;
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
      throw ValueError(fmt::format("the saved state has a constraint with a check, \"{}\"; a check is code and cannot be saved, so give "
                                   "the optimizer the same constraint before loading",
                                   text.data().text()));
    } else {
      constraints.emplace_back(std::move(text));
    }
  }
  return constraints;
}

json save(const TGDOptions& options) {
  return {{"model",
           {{"class_type", options.model->class_type()},
            {"provider", options.model->provider()},
            {"usage", options.model->usage().to_json().value()}}},
          {"messages", save(options.messages)},
          {"inputs", save(options.inputs)},
          {"constraints", save(options.constraints)},
          {"momentum", options.momentum},
          {"completion_args", options.completion_args.value()},
          {"max_reasks", options.max_reasks},
          {"context_budget", options.context_budget},
          {"show_context", options.show_context}};
}

lm::ChatModelPtr load_model(std::size_t group, const json& saved, const lm::ChatModelPtr& present,
                            const std::map<std::string, lm::ChatModelPtr>& models) {
  const std::string key = fmt::format("{}", group);
  const auto given = models.find(key);
  const lm::ChatModelPtr model = given != models.end() ? given->second : present;
  const auto class_type = saved.at("class_type").get<std::string>();
  const auto provider = saved.at("provider").get<std::string>();
  if (!model || model->class_type() != class_type || model->provider() != provider) {
    throw ValueError(fmt::format("the saved state of group {} was made with a model of type {} (provider \"{}\"){}: pass one to "
                                 "load_state_dict(state, {{{{\"{}\", model}}}})",
                                 key, class_type, provider,
                                 model ? fmt::format("; the one given is a {} (provider \"{}\")", model->class_type(), model->provider())
                                       : "",
                                 key));
  }
  return model;
}

void check_shape(const std::vector<GroupState>& groups, const json& saved_groups) {
  if (saved_groups.size() != groups.size()) {
    throw ValueError(fmt::format("the saved state has {} parameter groups, this optimizer {}", saved_groups.size(), groups.size()));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t saved_size = saved_groups[i].at("params").size();
    if (saved_size != groups[i].parameters.size()) {
      throw ValueError(fmt::format("group {} of the saved state has {} parameters, that of this optimizer {}", i, saved_size,
                                   groups[i].parameters.size()));
    }
  }
}

GroupState load_group(std::size_t index, const GroupState& present, const json& saved, const json& state,
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
  for (std::size_t i = 0; i < loaded.parameters.size(); ++i) {
    const std::string key = fmt::format("{}", load_count(saved.at("params").at(i)));
    loaded.parameters[i].momentum = state.contains(key) ? load_buffer(state.at(key).at("momentum_buffer")) : MomentumBuffer{};
  }
  check_options(loaded.options);
  return loaded;
}

}  // namespace

Json save_state(const std::vector<GroupState>& groups) {
  json state = json::object();
  json param_groups = json::array();
  std::size_t index = 0;
  for (const GroupState& group : groups) {
    json saved = save(group.options);
    saved["params"] = json::array();
    for (const ParameterState& parameter : group.parameters) {
      saved["params"].push_back(index);
      if (!parameter.momentum.empty()) state[fmt::format("{}", index)] = {{"momentum_buffer", save(parameter.momentum)}};
      ++index;
    }
    param_groups.push_back(std::move(saved));
  }
  return json{{"state", std::move(state)}, {"param_groups", std::move(param_groups)}};
}

void load_state(std::vector<GroupState>& groups, const Json& state, const std::map<std::string, lm::ChatModelPtr>& models) {
  std::vector<GroupState> loaded;
  std::map<lm::ChatModelPtr, lm::Usage> usage;  // groups may share a model, whose usage counts once
  try {
    const json& saved_groups = state.value().at("param_groups");
    const json& buffers = state.value().at("state");
    if (!buffers.is_object()) throw ValueError("the saved state's \"state\" is no object");
    check_shape(groups, saved_groups);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      loaded.push_back(load_group(i, groups[i], saved_groups[i], buffers, models));
      usage[loaded.back().options.model] = lm::Usage::from_json(saved_groups[i].at("model").at("usage"));
    }
  } catch (const json::exception& error) {
    throw ValueError(fmt::format("this is not the state of a TGD optimizer: {}", error.what()));
  } catch (const TypeError& error) {
    throw ValueError(fmt::format("this is not the state of a TGD optimizer: {}", error.what()));
  }
  groups = std::move(loaded);
  for (const auto& [model, used] : usage) model->add_usage(used);
}

}  // namespace tgd::optim::detail
