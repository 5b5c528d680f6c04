#include "train/views.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/file.hpp"
#include "train/journal_file.hpp"

namespace tgd::detail {

namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

/// Without a last line that a crash cut off.
std::string_view whole_lines(std::string_view text) {
  const std::size_t end = text.rfind('\n');
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

}  // namespace

fs::path Views::beside(const std::string& name) {
  const fs::path path = folder_ / (name + ".new");
  if (changed_.insert(name).second && say_)
    say_(fmt::format("{} was changed by somebody, and stays as it is; what the run has to say goes to {}",
                     (folder_ / name).string(), path.filename().string()));
  return path;
}

void Views::restore(const std::string& name, std::string_view lines, const std::vector<std::string>& formers) {
  lines_.erase(name);
  fs::path path = folder_ / name;
  if (is_there(path)) {
    const std::string content = read_file(path);
    const std::string_view present = whole_lines(content);
    const bool is_known =
        std::any_of(formers.begin(), formers.end(), [&](const std::string& former) { return former.starts_with(present); });
    if (!is_known && !lines.starts_with(present)) {
      path = beside(name);
    } else if (content == lines) {
      return;
    }
  } else if (lines.empty()) {
    return;
  }
  write_file(path, lines, Access::owner);
}

void Views::append(const std::string& name, std::string_view lines) {
  std::unique_ptr<AppendFile>& file = lines_[name];
  if (!file)
    file = std::make_unique<AppendFile>(changed_.contains(name) ? beside(name) : folder_ / name,
                                        RecordFormat{.begin = "{", .end = "\n"}, Access::owner);
  file->append(lines);
}

void Views::write(const std::string& name, std::string_view content, const std::function<void(std::uint32_t sum)>& announce) {
  fs::path path = folder_ / name;
  std::set<std::uint32_t>& known = known_[name];
  const std::uint32_t sum = crc32(content);
  if (is_there(path)) {
    const std::uint32_t present = crc32(read_file(path));
    if (present == sum && known.contains(sum)) return;
    if (!known.contains(present)) path = beside(name);
  }
  // Known before it is there: a process that dies in between leaves a file that the next one knows.
  if (known.insert(sum).second) announce(sum);
  write_file(path, content, Access::owner);
}

}  // namespace tgd::detail
