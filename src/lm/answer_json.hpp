// Which JSON of a reply is the answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tgd::lm::detail {

/// The JSON in a text: all of it, or what stands there last, for drafts and quotations come before an answer. What a code fence holds
/// goes before other objects and lists, and both before lists of numbers, such as [1], which may be references. With a pointer only
/// what has it counts, where anything does.
std::optional<nlohmann::ordered_json> answer_json(std::string_view text, const std::string& pointer = {});

}  // namespace tgd::lm::detail
