#include "lm/wrap/reply_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::lm::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t application_id = 0x74676463;  // "tgdc"
constexpr std::int64_t schema_version = 1;

std::int64_t seconds_since_epoch(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// Somebody else is at the file; trying again can help.
class Busy : public ValueError {
 public:
  using ValueError::ValueError;
};

}  // namespace

void ReplyStore::CloseDatabase::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void ReplyStore::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

/// One run of a prepared statement, which is ready for the next one afterwards.
class ReplyStore::Run {
 public:
  Run(const ReplyStore& store, const Statement& statement) : store_(store), statement_(statement.get()) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  // The bytes have to live as long as this.
  void bind_blob(int index, std::string_view bytes) {
    check(sqlite3_bind_blob64(statement_, index, bytes.data(), bytes.size(), SQLITE_STATIC));
  }
  void bind_text(int index, std::string_view text) {
    check(sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  void bind_number(int index, std::int64_t number) { check(sqlite3_bind_int64(statement_, index, number)); }

  /// Whether there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) store_.fail("cannot be used");
    return code == SQLITE_ROW;
  }
  std::int64_t number() { return sqlite3_column_int64(statement_, 0); }
  std::string text() {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, 0));
    const int size = sqlite3_column_bytes(statement_, 0);
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) store_.fail("cannot be used");
  }

  const ReplyStore& store_;
  sqlite3_stmt* statement_;
};

/// Undone unless committed.
class ReplyStore::Transaction {
 public:
  explicit Transaction(ReplyStore& store, const char* begin = "BEGIN IMMEDIATE") : store_(store) { store_.execute(begin); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!done_) sqlite3_exec(store_.database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() {
    store_.execute("COMMIT");
    done_ = true;
  }

 private:
  ReplyStore& store_;
  bool done_ = false;
};

// An absolute path, because ":memory:" and "file:" mean something to SQLite.
ReplyStore::ReplyStore(std::filesystem::path path, std::chrono::milliseconds busy_timeout)
    : path_(std::filesystem::absolute(path)) {
  open();
  sqlite3_busy_timeout(database_.get(),
                       static_cast<int>(std::min<std::int64_t>(busy_timeout.count(), std::numeric_limits<int>::max())));
  prepare_file(busy_timeout);
  execute("PRAGMA synchronous = NORMAL");
  execute("PRAGMA cache_size = -16384");  // KiB
  find_ = prepare("SELECT reply FROM replies WHERE key = ?1");
  put_ = prepare("INSERT INTO replies (key, created, reply) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING");
}

ReplyStore::~ReplyStore() = default;

void ReplyStore::open() {
  // A new file is for its user alone, as it holds what was asked and answered; SQLite gives its own files beside it the same mode.
  if (const int made = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); made >= 0) ::close(made);
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(opened);
  if (code != SQLITE_OK) fail("cannot be opened");
}

// Several processes may start with a new file at the same time, and changing its mode does not wait for the others by itself.
void ReplyStore::prepare_file(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    try {
      Transaction looking(*this, "BEGIN");  // all of it before or all of it after another process has created it
      const bool is_missing = is_new();
      looking.commit();
      if (is_missing) create();
      return;
    } catch (const Busy&) {
      if (std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(5ms);
  }
}

/// Whether the file is empty. Throws when it holds something else than a cache that this version knows.
bool ReplyStore::is_new() {
  const std::int64_t application = number("PRAGMA application_id");
  const std::int64_t version = number("PRAGMA user_version");
  const bool is_empty = number("SELECT count(*) FROM sqlite_master") == 0;
  if (application == 0 && version == 0 && is_empty) return true;
  const std::string name = "the cache " + path_.string();
  if (application != application_id) {
    throw ValueError(name + " is a database of another program and was left as it is; give another path");
  }
  if (version > schema_version) {
    throw ValueError(name + " was written by a newer version of tgd (format " + std::to_string(version) + ", this one knows " +
                     std::to_string(schema_version) + "); update tgd or give another path");
  }
  return false;
}

void ReplyStore::create() {
  execute("PRAGMA auto_vacuum = INCREMENTAL");
  execute("PRAGMA journal_mode = WAL");
  Transaction transaction(*this);
  if (!is_new()) return;
  execute(
      "CREATE TABLE replies (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, reply TEXT NOT NULL)");
  execute("CREATE INDEX replies_by_age ON replies (created)");
  execute(("PRAGMA application_id = " + std::to_string(application_id)).c_str());
  execute(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
  transaction.commit();
}

bool ReplyStore::is_read_only() const { return sqlite3_db_readonly(database_.get(), "main") == 1; }

std::optional<std::string> ReplyStore::find(std::string_view key) {
  Run run(*this, find_);
  run.bind_blob(1, key);
  if (!run.step()) return std::nullopt;
  return run.text();
}

void ReplyStore::put(std::span<const Entry> entries) {
  const std::int64_t now = seconds_since_epoch(std::chrono::system_clock::now());
  Transaction transaction(*this);
  for (const Entry& entry : entries) {
    Run run(*this, put_);
    run.bind_blob(1, entry.key);
    run.bind_number(2, now);
    run.bind_text(3, entry.reply);
    run.step();
  }
  transaction.commit();
}

void ReplyStore::remove(std::string_view key) {
  const Statement statement = prepare("DELETE FROM replies WHERE key = ?1");
  Run run(*this, statement);
  run.bind_blob(1, key);
  run.step();
}

std::int64_t ReplyStore::size() { return number("SELECT count(*) FROM replies"); }

std::int64_t ReplyStore::bytes() { return number("PRAGMA page_count") * number("PRAGMA page_size"); }

std::int64_t ReplyStore::keep_newest(std::int64_t count) {
  return remove("DELETE FROM replies WHERE id IN (SELECT id FROM replies ORDER BY created DESC, id DESC LIMIT -1 OFFSET ?1)",
                count);
}

std::int64_t ReplyStore::remove_older_than(std::chrono::system_clock::time_point time) {
  return remove("DELETE FROM replies WHERE created < ?1", seconds_since_epoch(time));
}

std::int64_t ReplyStore::remove(const char* sql, std::int64_t argument) {
  const Statement statement = prepare(sql);
  {
    Run run(*this, statement);
    run.bind_number(1, argument);
    run.step();
  }
  const std::int64_t removed = sqlite3_changes64(database_.get());
  execute("PRAGMA incremental_vacuum");
  // Gives the space back to the disk; another process that reads just now may keep it from doing so.
  sqlite3_exec(database_.get(), "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr);
  return removed;
}

void ReplyStore::execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("cannot be used");
}

ReplyStore::Statement ReplyStore::prepare(const char* sql) {
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) != SQLITE_OK)
    fail("cannot be used");
  return Statement(prepared);
}

std::int64_t ReplyStore::number(const char* sql) {
  const Statement statement = prepare(sql);
  Run run(*this, statement);
  return run.step() ? run.number() : 0;
}

void ReplyStore::fail(const std::string& what) const {
  sqlite3* database = database_.get();
  const int code = database == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database);
  const std::string message =
      "the cache " + path_.string() + " " + what + ": " + (database == nullptr ? "out of memory" : sqlite3_errmsg(database));
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) throw Busy(message);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    throw ValueError(message + ". It is damaged or no cache; move it away or give another path");
  }
  throw ValueError(message);
}

}  // namespace tgd::lm::detail
