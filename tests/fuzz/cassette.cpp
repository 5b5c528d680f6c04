// The parser of cassettes takes any bytes: it reads exchanges or throws ParseError, and what it has read survives being printed
// and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <tgd/error.hpp>

#include "lm/wrap/cassette.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tgd::lm::detail;
  std::vector<Exchange> exchanges;
  try {
    exchanges = parse_cassette(std::string(data, data + size));
  } catch (const tgd::ParseError&) {
    return 0;
  }
  const std::string printed = print_cassette(exchanges);
  if (print_cassette(parse_cassette(printed)) != printed) std::abort();
  return 0;
}
