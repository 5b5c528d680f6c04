// The fuzzer's bytes as one of the files of a run folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/report/report_page.hpp"
#include "cli/report/run_record.hpp"
#include "cli/run_folder.hpp"
#include "cli/spent.hpp"
#include "support/temporary_folder.hpp"

namespace tgd::fuzz {

/// A report is made of it whatever it holds; what goes on from the run reads it or throws Error.
inline void try_run_file(const std::string& name, const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryFolder folder;
  folder.write("task.json", "{}");
  folder.write(name, std::string(data, data + size));
  if (cli::report_html(cli::read_run(folder.path())).empty()) std::abort();
  try {
    const cli::RunFolder run = cli::RunFolder::open(folder.path());
    cli::validation_steps(run);
    cli::spent_in(folder.path() / "calls.jsonl");
    run.scores("validation", 1);
    run.forget_after(1);
  } catch (const Error&) {
  }
}

}  // namespace tgd::fuzz
