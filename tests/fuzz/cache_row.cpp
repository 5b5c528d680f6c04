// A row of a cache may hold any bytes: it is a reply or an Error, and a reply is written and read again as it is.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <tgd/error.hpp>

#include "core/json_position.hpp"
#include "lm/reply_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tgd::lm::detail::reply_from_json;
  using tgd::lm::detail::reply_to_json;
  using Ordered = nlohmann::ordered_json;
  std::string written;
  try {
    written = reply_to_json(reply_from_json(tgd::detail::parse_json<Ordered>(std::string(data, data + size), "row", 1))).dump();
  } catch (const tgd::Error&) {
    return 0;
  }
  if (reply_to_json(reply_from_json(Ordered::parse(written))).dump() != written) std::abort();
  return 0;
}
