// ReplyStore: one connection to a file of cached replies. SQLite in WAL mode: any number of processes read and write at the same
// time, and a process that is killed at any moment leaves the file whole.
// Durability: what put() has written survives the end of the process; a power failure may undo the last moments, never more.
// Errors: ValueError with the path and the reason, for everything.
// Thread-safety: none; open one for each thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace tgd::lm::detail {

class ReplyStore {
 public:
  struct Entry {
    std::string key;  ///< any bytes
    std::string reply;
  };

  /// Makes the file when there is none. Refuses a file that is no cache, or one of a newer version, and leaves it as it is.
  ReplyStore(std::filesystem::path path, std::chrono::milliseconds busy_timeout);
  ReplyStore(const ReplyStore&) = delete;
  ReplyStore& operator=(const ReplyStore&) = delete;
  ~ReplyStore();

  bool is_read_only() const;
  std::optional<std::string> find(std::string_view key);
  /// All or none. A key that is there keeps its reply.
  void put(std::span<const Entry> entries);
  void remove(std::string_view key);

  std::int64_t size();
  /// Of the file, without what is still in its log.
  std::int64_t bytes();
  /// Keeps the newest entries. Returns how many are gone.
  std::int64_t keep_newest(std::int64_t count);
  std::int64_t remove_older_than(std::chrono::system_clock::time_point time);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
  class Run;
  class Transaction;

  void open();
  void prepare_file(std::chrono::milliseconds patience);
  bool is_new();
  void create();
  void execute(const char* sql);
  Statement prepare(const char* sql);
  std::int64_t number(const char* sql);
  std::int64_t remove(const char* sql, std::int64_t argument);
  [[noreturn]] void fail(const std::string& what) const;

  std::filesystem::path path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
  Statement find_;
  Statement put_;
};

}  // namespace tgd::lm::detail
