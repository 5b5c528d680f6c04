// Tables of cases: JSON files beside the tests.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace tgd::test {

/// The table in tests/<path>.
inline nlohmann::json table(const std::string& path) {
  std::ifstream file(TGD_TEST_SOURCE_DIR "/" + path);
  if (!file) throw std::runtime_error("there is no table tests/" + path);
  return nlohmann::json::parse(file);
}

}  // namespace tgd::test
