#include "cli/program.hpp"

int main(int argc, char** argv) { return tgd::cli::run_program(argc, argv); }
