#include "support/golden.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "catch.hpp"

namespace tgd::test {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

void check_golden(const std::string& file, const std::string& text) {
  const fs::path path = fs::path(TGD_TEST_SOURCE_DIR) / file;
  const char* update = std::getenv("TGD_UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    if (!(out << text).flush()) throw std::runtime_error("cannot write " + path.string());
    return;
  }
  INFO("tests/" << file << "; TGD_UPDATE_GOLDEN=1 rewrites it");
  REQUIRE(fs::exists(path));
  CHECK(text == read_text(path));
}

std::string sent_text(std::span<const lm::Request> requests) {
  std::string text;
  for (const lm::Request& request : requests) {
    text += "######## request, arguments " + request.args.dump() + "\n";
    for (const lm::Message& message : request.messages) text += "#### " + message.role + "\n" + message.content + "\n";
  }
  return text;
}

}  // namespace tgd::test
