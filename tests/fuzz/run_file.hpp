// The fuzzer's bytes as one of the files of a run folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "report/page.hpp"
#include "report/run_record.hpp"
#include "support/temporary_folder.hpp"

namespace tgd::fuzz {

/// A report is made of it whatever it holds.
inline void try_run_file(const std::string& name, const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryFolder folder;
  folder.write("task.json", "{}");
  folder.write(name, std::string(data, data + size));
  if (cli::report_html(cli::read_run(folder.path())).empty()) std::abort();
}

}  // namespace tgd::fuzz
