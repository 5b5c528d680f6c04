// Reading the optimizer model's reply. Private to the library.
#pragma once

#include <string>
#include <variant>

#include <tgd/lm/chat_model.hpp>

namespace tgd::optim::detail {

/// Why a reply cannot be used, as a sentence for the language model.
struct Unusable {
  std::string reason;
};

/// The new value between the answer tags.
std::variant<std::string, Unusable> read_value(const lm::Reply& reply);

}  // namespace tgd::optim::detail
