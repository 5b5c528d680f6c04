// A journal may hold any bytes: its replies are read, or an Error names the file.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <tgd/error.hpp>

#include "support/temporary_folder.hpp"
#include "train/journal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tgd::test::TemporaryFolder folder;  // a journal is not opened through a link, as those in /proc are
  const std::string text(data, data + size);
  try {
    tgd::detail::Journal journal(tgd::lm::PriceTable::empty());
    journal.open(folder.write("journal.jsonl", text), 1);
  } catch (const tgd::Error& error) {
    if (std::string_view(error.what()).find("journal.jsonl") == std::string_view::npos) std::abort();
  }
  return 0;
}
