// The program `tgd` without its main(), so that tests can run it in their own process.
#pragma once

namespace tgd::cli {

/// Exit status: 0 all went well, 1 the run failed, 2 a mistake in the command line or the task file.
int run_program(int argc, const char* const* argv);

}  // namespace tgd::cli
