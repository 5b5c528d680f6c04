// Reading the optimizer model's reply. Private to the library.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include <tgd/lm/chat_model.hpp>

namespace tgd::optim::detail {

/// Why a reply cannot be used, as a sentence for the language model.
struct Unusable {
  std::string reason;
};

/// The new value between the answer tags. A tag of the meta-prompt in it is taken for leaked instructions, unless the old value
/// had it, too.
std::variant<std::string, Unusable> read_value(const lm::Reply& reply, std::string_view old_value);

}  // namespace tgd::optim::detail
