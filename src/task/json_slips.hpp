// The usual slips in JSON that people write, explained: the parser says what it cannot read, this what to change.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tgd::cli {

struct JsonSlip {
  std::size_t position;  ///< of the byte that has to change or that something is missing before
  std::string advice;
};

/// What is wrong where the parser gave up after reading `read` bytes; nothing when it is no usual slip.
std::optional<JsonSlip> find_json_slip(std::string_view text, std::size_t read);

}  // namespace tgd::cli
