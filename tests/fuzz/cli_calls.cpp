// calls.jsonl of a run may hold any bytes: see try_run_file.

#include "fuzz/run_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tgd::fuzz::try_run_file("calls.jsonl", data, size);
  return 0;
}
