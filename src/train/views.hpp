// Views: the files of a run folder that are made of its journal, and can be made of it again. What somebody has changed is his: it is
// left as it is, and the view goes into a file beside it, <name>.new.
// Errors: ValueError with the path and the system's reason.
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/append_file.hpp"

namespace tgd::detail {

class Views {
 public:
  using Say = std::function<void(const std::string&)>;

  /// `say` hears of files that somebody changed.
  explicit Views(std::filesystem::path folder, Say say = {}) : folder_(std::move(folder)), say_(std::move(say)) {}

  /// Makes a file of lines hold `lines`. `formers`: all that tgd may have written to it so far; it holds the beginning of one of them
  /// unless somebody changed it.
  void restore(const std::string& name, std::string_view lines, const std::vector<std::string>& formers);
  void append(const std::string& name, std::string_view lines);

  /// A version that tgd has written of a whole file.
  void know(const std::string& name, std::uint32_t sum) { known_[name].insert(sum); }
  /// Replaces a whole file. `announce(sum)` is called before, when this version is new.
  void write(const std::string& name, std::string_view content, const std::function<void(std::uint32_t sum)>& announce);

 private:
  std::filesystem::path beside(const std::string& name);

  std::filesystem::path folder_;
  Say say_;
  std::map<std::string, std::unique_ptr<AppendFile>> lines_;
  std::map<std::string, std::set<std::uint32_t>> known_;
  std::set<std::string> changed_;
};

}  // namespace tgd::detail
