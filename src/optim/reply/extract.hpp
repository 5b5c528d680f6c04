// Reading the optimizer model's reply. Private to the library.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <tgd/lm/chat_model.hpp>
#include <tgd/optim/tgd.hpp>

#include "optim/reply/echo_guard.hpp"

namespace tgd::optim::detail {

std::string open_tag(std::string_view name);
std::string close_tag(std::string_view name);

/// What was asked for.
struct WantedValue {
  std::string_view tag;                     // its name
  std::span<const std::string> other_tags;  // of other values in the same reply
  std::string_view old_value;
  const EchoGuard& instructions;
  const Prompts& prompts;
};

/// The new value between the answer tags: whole, a text, and none of it meant for somebody else.
/// What is plainly put around all of it, a code fence, quotation marks, an object with this one member or a line that announces
/// it, goes where the old value has none.
std::variant<std::string, UnusableReply> read_value(const lm::Reply& reply, const WantedValue& question);

/// Whether a text is a model's word that it will not do what it was asked for; not where the old value begins like one.
bool is_refusal(std::string_view value, std::string_view old_value = {});

/// With the reason as a sentence, which is the prompt tgd_problem_<name of the problem>.
UnusableReply unusable(UnusableReply::Problem problem, const Prompts& prompts,
                       std::initializer_list<TemplateInput> inputs = {});

}  // namespace tgd::optim::detail
