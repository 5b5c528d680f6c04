// A journal may hold any bytes: its records are read, or an Error names the file. The bytes are lines without their seals, which no
// fuzzer finds.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

#include <tgd/error.hpp>

#include "core/json_parser.hpp"
#include "support/temporary_folder.hpp"
#include "train/journal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tgd::test::TemporaryFolder folder;  // a journal is not opened through a link, as those in /proc are
  std::string text;
  std::istringstream lines(std::string(data, data + size));
  for (std::string line; std::getline(lines, line);) {
    const auto record = tgd::detail::parse_or_discard<tgd::detail::JournalRecord>(line);
    text += record.is_object() && !record.empty() ? tgd::detail::sealed(record) : line + "\n";
  }
  try {
    folder.write("journal.jsonl", text);
    tgd::detail::Journal journal(tgd::lm::PriceTable::empty());
    journal.open(folder.path(), true, {});
  } catch (const tgd::Error& error) {
    if (std::string_view(error.what()).find("journal.jsonl") == std::string_view::npos) std::abort();
  }
  return 0;
}
