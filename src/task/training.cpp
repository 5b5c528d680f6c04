// "optimizer", "training" and "budget" of a task.
#include <fmt/format.h>

#include "core/enum_names.hpp"
#include "optim/options.hpp"
#include "task/parts.hpp"
#include "train/gatekeeper.hpp"

namespace tgd::cli {

namespace {

using autograd::Step;
using optim::Constraint;

/// What the library says about an argument is said at its place.
template <class Make>
Constraint made(const TaskValue& value, Make make) {
  try {
    return make();
  } catch (const ValueError& error) {
    value.fail(error.what());
  }
}

Constraint read_keeps_placeholders(const TaskValue& value) {
  std::vector<std::string> names;
  for (const TaskValue& name : value.items()) names.push_back(name.nonempty_text());
  return made(value, [&] { return Constraint::keeps_placeholders(std::move(names)); });
}

Constraint read_valid_json(const TaskValue& value) {
  if (!value.flag()) value.fail("only true says something here; leave the constraint out instead");
  return Constraint::valid_json();
}

using ReadConstraint = Constraint (*)(const TaskValue&);

const Words<ReadConstraint>& checked_constraints() {
  static const Words<ReadConstraint> words{
      {"max_length", [](const TaskValue& value) { return Constraint::max_length(value.count({.least = 1})); }},
      {"forbids", [](const TaskValue& value) { return Constraint::forbids(value.nonempty_text()); }},
      {"requires", [](const TaskValue& value) { return Constraint::contains(value.nonempty_text()); }},
      {"forbids_pattern",
       [](const TaskValue& value) { return made(value, [&] { return Constraint::forbids_pattern(value.nonempty_text()); }); }},
      {"keeps_placeholders", read_keeps_placeholders},
      {"valid_json", read_valid_json}};
  return words;
}

Constraint read_constraint(const TaskValue& value) {
  if (value.json().is_string()) return value.nonempty_text();
  value.expect_object(names_in(checked_constraints()));
  const auto members = value.members();
  if (members.size() != 1) value.fail("expected a text or an object with one member, such as {\"max_length\": 1500}");
  for (const auto& word : checked_constraints()) {
    if (word.first == members[0].first) return word.second(members[0].second);
  }
  value.fail("unknown constraint");
}

void read_constraints(const TaskValue& value, OptimizerSpec& optimizer) {
  optimizer.constraints.clear();
  for (const TaskValue& item : value.items()) optimizer.constraints.push_back(read_constraint(item));
  optimizer.constraints_source = value.json();
}

void describe_early_stopping(Members& in, EarlyStopping& stopping) {
  std::size_t patience = stopping.patience.value_or(0);  // 0: never
  in.count("patience", patience);
  stopping.patience = patience > 0 ? std::optional(patience) : std::nullopt;
  in.real("min_delta", stopping.min_delta, {.least = 0});
}

void describe_gate(Members& in, Gate& gate) {
  double confidence = gate.confidence.value_or(0);  // 0: no gate
  in.real("confidence", confidence, {.least = 0, .most = 1, .with_most = false}, "0.8");
  gate.confidence = confidence > 0 ? std::optional(confidence) : std::nullopt;
  in.count("proposals", gate.proposals, {.least = 1, .most = 100});
  in.word("takes", gate.takes, detail::by_name(detail::gate_rule_names));
}

void describe_search(Members& in, Search& search) {
  in.count("chain", search.chain, {.least = 0, .most = 100});
  in.count("proposals", search.proposals, {.least = 1, .most = 100});
  in.count("confirm", search.confirm, {.least = 0});
  in.real("confidence", search.confidence, {.least = 0, .most = 1, .with_least = false, .with_most = false});
  in.flag("keep_unconfirmed", search.keep_unconfirmed);
}

}  // namespace

void describe_optimizer(Members& in, OptimizerSpec& optimizer) {
  std::string type = "tgd";
  in.one_of("type", type, {"tgd"});
  in.word("step", optimizer.step, {{"critique", Step::critique}, {"direct", Step::direct}, {"auto", Step::automatic}});
  in.count("momentum", optimizer.momentum, {.least = 0, .most = 1000});
  in.count("max_reasks", optimizer.max_reasks, {.least = 0, .most = 100});
  in.flag("show_context", optimizer.show_context);
  in.count("context_budget", optimizer.context_budget, {.least = 2000});
  in.count("samples_per_request", optimizer.samples_per_request, {.least = 1, .most = 1000});
  in.flag("joint", optimizer.joint);
  in.word("boldness", optimizer.boldness, detail::by_name(optim::detail::boldness_names));
  in.real("max_length_ratio", optimizer.max_length_ratio, {.least = 0, .with_least = false});
  in.count("rejected", optimizer.rejected, {.least = 0, .most = 1000});
  in.count("copied_words", optimizer.copied_words, {.least = 0, .most = 1000});
  in.texts("examples", optimizer.examples);
  in.args("args", optimizer.args);
  in.member(
      "constraints", [&](const TaskValue& at) { read_constraints(at, optimizer); },
      [&] { return optimizer.constraints_source; });
}

void describe_training(Members& in, TrainingSpec& training) {
  in.count("epochs", training.epochs, {.least = 1});
  in.count("batch_size", training.batch_size, {.least = 1});
  in.count("seed", training.seed);
  in.count("validate_every", training.validate_every);
  in.count("max_steps", training.max_steps);
  in.object("early_stopping", training.early_stopping, describe_early_stopping);
  in.object("gate", training.gate, describe_gate);
  in.object("search", training.search, describe_search);
  in.real("max_failed", training.max_failed, {.least = 0, .most = 1});
  in.flag("free_proposals", training.free_proposals);
}

void check_training(const TaskValue& root, const TrainingSpec& training) {
  if (training.search.chain == 0) return;
  const auto fail_at = [&](const char* name, const std::string& text) {
    const TaskValue place = root.at("training", "");
    place.find(name).value_or(place).fail(text);
  };
  if (training.gate.confidence > 0)
    fail_at("gate", "a gate and a search both decide which steps are taken; leave one of them out");
  if (training.validate_every > 0)
    fail_at("validate_every", "a search validates where a chain ends; leave this out, or the search");
}

void describe_budget(Members& in, lm::BudgetLimits& limits) {
  in.count("calls", limits.calls, {.least = 1});
  in.count("prompt_tokens", limits.prompt_tokens, {.least = 1});
  in.count("completion_tokens", limits.completion_tokens, {.least = 1});
  in.real("usd", limits.usd, {.least = 0, .with_least = false});
  in.seconds("seconds", limits.seconds);
}

}  // namespace tgd::cli
