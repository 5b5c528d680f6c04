// Reading what a judge wrote. Private to the library.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace tgd::detail {

struct Verdict {
  double score = 0;
  std::string explanation;
};

/// The JSON object with "score" and "explanation" in a reply: code fences and prose around it are passed over; a score may be a
/// number, a number as text, or a boolean (1 or 0). Otherwise what is wrong, as a sentence for the language model.
std::variant<Verdict, std::string> read_verdict(std::string_view reply);

}  // namespace tgd::detail
