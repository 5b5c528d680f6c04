#include "optim/options.hpp"

#include <cstddef>
#include <tuple>
#include <utility>

namespace tgd::optim::detail {

namespace {

/// All members of TGDOptions or TGDGroupOptions, in their order, which is the same. Does not compile when one has others.
template <class Options>
auto members_of(Options& options) {
  auto& [model, messages, inputs, constraints, momentum, completion_args, max_reasks, show_context, context_budget, on_notice, prompts,
         joint, direction, boldness, examples, rules, rejected, siblings, history, max_length_ratio, copied_words, answer_tag,
         frozen_marks, diagnosis] = options;
  return std::tie(model, messages, inputs, constraints, momentum, completion_args, max_reasks, show_context, context_budget, on_notice,
                  prompts, joint, direction, boldness, examples, rules, rejected, siblings, history, max_length_ratio, copied_words,
                  answer_tag, frozen_marks, diagnosis);
}

template <class Value>
void replace(Value& value, std::optional<Value>& given) {
  if (given) value = *std::move(given);
}

}  // namespace

TGDOptions over_defaults(TGDOptions defaults, TGDGroupOptions options) {
  const auto values = members_of(defaults);
  const auto given = members_of(options);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (replace(std::get<I>(values), std::get<I>(given)), ...);
  }(std::make_index_sequence<std::tuple_size_v<decltype(values)>>());
  return defaults;
}

}  // namespace tgd::optim::detail
