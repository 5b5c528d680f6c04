// JSON lines may hold any bytes: they are records or an Error that names the file.

#include <string>

#include <tgd/data/records.hpp>
#include <tgd/error.hpp>

#include "fuzz/input_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tgd::fuzz::InputFile file;
  for (const tgd::data::Fields& fields : {tgd::data::Fields{}, tgd::data::Fields{{"text", "/a/0"}, {"label", "b"}}}) {
    try {
      const tgd::data::JsonLinesFile records(file.with(data, size), fields);
    } catch (const tgd::Error& error) {
      if (std::string(error.what()).find("/proc/self/fd/") == std::string::npos) std::abort();
    }
  }
  return 0;
}
