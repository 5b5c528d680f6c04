// Golden texts: files that hold what a test has to find, byte for byte.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include <tgd/lm/chat_model.hpp>

namespace tgd::test {

std::string read_text(const std::filesystem::path& file);

/// Checks that tests/<file> holds this text. With TGD_UPDATE_GOLDEN=1 in the environment it is written instead.
void check_golden(const std::string& file, const std::string& text);

/// Everything of the requests that is sent.
std::string sent_text(std::span<const lm::Request> requests);

}  // namespace tgd::test
