// A test's child: the test program itself, run again with one hidden test case.
//
//   TEST_CASE("…", "[.my-child]") { … std::getenv("TGD_TEST_…") … }                    // runs only when named
//   const ProcessResult result = test::run_child("[.my-child]", {{"TGD_TEST_…", "…"}});
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "support/process.hpp"

namespace tgd::test {

inline ProcessResult run_child(const std::string& tag, const std::map<std::string, std::string>& environment) {
  return run_process({std::filesystem::read_symlink("/proc/self/exe").string(), tag}, {.environment = environment});
}

}  // namespace tgd::test
