// A judge may reply any bytes: there is a verdict with a finite score, or a sentence that says what is wrong.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cognitive/judge_reply.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = tgd::detail::read_verdict(std::string(data, data + size));
  if (const auto* verdict = std::get_if<tgd::detail::Verdict>(&read)) {
    if (!std::isfinite(verdict->score)) std::abort();
  } else if (std::get<std::string>(read).empty()) {
    std::abort();
  }
  return 0;
}
