// Files of the tests: tables, golden texts, and folders that vanish.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace tgd::test {

/// Paths are relative to tests/.
std::filesystem::path path_of(const std::string& file);
std::string read_text(const std::filesystem::path& file);
void write_text(const std::filesystem::path& file, const std::string& text);
nlohmann::json read_json(const std::string& file);

/// Checks that the file holds this text, byte for byte. With TGD_UPDATE_GOLDEN=1 in the environment it is written instead.
void check_golden(const std::string& file, const std::string& text);

/// A new folder, removed with its contents at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tgd::test
