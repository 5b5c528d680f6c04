// Standard input, output and error, which may be closed, full, or have nobody who reads.
#pragma once

#include <string_view>

namespace tgd::cli {

/// Gives the three to /dev/null where they are closed, so that no file of a run gets their numbers. What is closed stays unusable:
/// to write there fails.
void open_standard_streams();

/// Writes the text as it is. That it failed is seen by expect_output_written().
void write_output(std::string_view text);
/// Throws ValueError with the reason when something that was written to standard output has not got there.
void expect_output_written();

}  // namespace tgd::cli
