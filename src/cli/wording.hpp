// What the library says, in the words of the program: whoever uses it writes no C++.
#pragma once

#include <exception>
#include <string>

namespace tgd::cli {

/// The text with what is set in a task or on the command line in place of the library's names for it.
std::string in_program_words(std::string text);

/// What an exception says, for people; also one of the standard library's, which says little.
std::string message_of(const std::exception& error);

}  // namespace tgd::cli
