// A checkpoint may hold any bytes: it is read, or an Error names the file.

#include <string>

#include <tgd/error.hpp>

#include "fuzz/input_file.hpp"
#include "train/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tgd::fuzz::InputFile file;
  try {
    tgd::detail::read_checkpoint(file.with(data, size));
  } catch (const tgd::Error& error) {
    if (std::string(error.what()).find("/proc/self/fd/") == std::string::npos) std::abort();
  }
  return 0;
}
