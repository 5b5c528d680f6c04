#include "cli/program.hpp"
#include "cli/standard_streams.hpp"
#include "run/interrupt.hpp"

// In this order: nothing can end the process before its signals are held back, and whatever is opened must not get the number of a
// standard stream.
int main(int argc, char** argv) {
  tgd::cli::hold_signals();
  tgd::cli::open_standard_streams();
  tgd::cli::watch_signals();
  return tgd::cli::run_program(argc, argv);
}
