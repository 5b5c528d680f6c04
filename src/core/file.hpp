// Whole files. A file is written without a name, synced, named and renamed, so that whoever reads it, and whoever finds it after a
// crash, sees the old content or the new and never a part. Several processes and threads may write the same one.
// Errors: ValueError with the path and the system's reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tgd::detail {

/// Whom a file is for that is made.
enum class Access {
  shared,  ///< for whom the umask lets; a file that is replaced keeps its mode
  owner    ///< for its user alone (0600), and symbolic links are not followed: what a run, a ledger or a cache notes
};

/// The most that read_file() reads unless it is told otherwise; 4 GiB.
constexpr std::uint64_t most_bytes = std::uint64_t{4} << 30U;

/// The text of a regular file. Never waits for a pipe or a device: these are refused, as are files of more than `most` bytes.
std::string read_file(const std::filesystem::path& path, std::uint64_t most = most_bytes);
/// Throws unless the path leads to a regular file that can be opened.
void expect_regular_file(const std::filesystem::path& path);
/// Leaves no temporary file when it fails.
void write_file(const std::filesystem::path& path, std::string_view content, Access access = Access::shared);
/// The folder of a run: for its user alone where it is made; the folders above it are made, too. One that is there stays as it is.
void make_run_folder(const std::filesystem::path& path);

/// Where the output goes for which a user names a file: links are followed, and stay.
struct Output {
  std::filesystem::path path;  ///< of the file that is made or replaced
  bool is_there = false;
  bool is_stream = false;  ///< a pipe, a device, or standard output by another name: written to and never replaced
};

/// Throws for what nothing can be written to as to a file: folders, disks, sockets.
Output output_at(const std::filesystem::path& path);
/// Writes the whole of it there.
void write_output(const std::filesystem::path& path, std::string_view content);

/// An open stream of output_at().
class OutputStream {
 public:
  explicit OutputStream(std::filesystem::path path);
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;
  ~OutputStream();

  void write(std::string_view content) const;

 private:
  std::filesystem::path path_;
  int descriptor_;
};

/// Whether a file of this name and ending can be made in a folder. Empty, or what is wrong with it.
std::string file_name_problem(std::string_view name, std::string_view ending);

}  // namespace tgd::detail
