// The prompts inside the library are the files of prompts/, byte for byte.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "catch.hpp"
#include "core/embedded_prompts.hpp"

TEST_CASE("every prompt file is embedded byte for byte, and nothing else") {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(TGD_TEST_SOURCE_DIR "/../prompts")) {
    if (entry.path().extension() != ".md") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().stem().string()] = std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::map<std::string, std::string> embedded;
  for (std::size_t i = 0; i < tgd::detail::embedded_prompt_count; ++i) {
    const auto& prompt = tgd::detail::embedded_prompts[i];
    embedded[std::string(prompt.name)] = std::string(prompt.text);
  }

  CHECK(!files.empty());
  CHECK(embedded == files);
}
