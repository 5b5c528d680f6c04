#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <tgd/lm/observed.hpp>

#include "core/append_file.hpp"

namespace tgd::lm {

namespace {

/// What is written at once without waiting any longer.
constexpr std::size_t large_batch = std::size_t{1} << 18;

const tgd::detail::RecordFormat format{"{\"timestamp\":", "\n"};

}  // namespace

/// Writes lines from a thread of its own.
struct Ledger::Writer {
  Writer(const LedgerOptions& options, OnNotice notify)
      : file(options.path, format, tgd::detail::Access::owner),
        go_on(options.on_fault == OnFault::go_on),
        pause(options.flush_after),
        on_notice(std::move(notify)),
        thread([this] { run(); }) {}

  ~Writer() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    changed.notify_all();
    thread.join();
    if (lines > 0)
      notice("the ledger " + file.path().string() + " lacks its last " + std::to_string(lines) + " calls: " + fault);
  }

  void add(const std::string& line) {
    const std::lock_guard lock(mutex);
    pending.append(line).append("\n");
    ++lines;
    if (lines == 1 || pending.size() >= large_batch) changed.notify_all();
  }

  void flush() {
    std::unique_lock lock(mutex);
    flushing = true;
    // A batch that is on its way may lack the last lines; the next one has them.
    const std::uint64_t enough = attempts + (busy ? 2 : 1);
    changed.notify_all();
    written.wait(lock, [&] { return attempts >= enough; });
    if (!fault.empty()) throw StateError(fault);
  }

  void run();
  void write(std::unique_lock<std::mutex>& lock);
  void note_failure(std::string batch, std::int64_t count, const std::string& message);
  void notice(const std::string& text) const {
    if (on_notice) on_notice({.kind = Notice::Kind::storage, .operation = "Ledger", .role = {}, .item = {}, .text = text});
  }

  tgd::detail::AppendFile file;
  const bool go_on;
  const std::chrono::milliseconds pause;
  const OnNotice on_notice;

  std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable written;
  std::string pending;
  std::int64_t lines = 0;  // in pending
  std::int64_t lost = 0;
  std::uint64_t attempts = 0;
  std::string fault;  // of the last batch; empty when it was written
  bool busy = false;
  bool flushing = false;
  bool closing = false;

  std::thread thread;
};

void Ledger::Writer::run() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return closing || flushing || lines > 0; });
    // The wait gathers lines; after a failure it gives the disk time.
    changed.wait_for(lock, pause, [this] { return closing || flushing || (fault.empty() && pending.size() >= large_batch); });
    write(lock);
    if (closing && (lines == 0 || !fault.empty())) return;
  }
}

void Ledger::Writer::write(std::unique_lock<std::mutex>& lock) {
  std::string batch = std::exchange(pending, {});
  const std::int64_t count = std::exchange(lines, 0);
  const bool sync = std::exchange(flushing, false) || closing;
  busy = true;
  lock.unlock();
  std::string message;
  try {
    if (count > 0) file.append(batch);
    if (sync) file.sync();
  } catch (const std::exception& error) {
    message = error.what();
  }
  lock.lock();
  busy = false;
  ++attempts;
  if (message.empty()) {
    fault.clear();
  } else {
    note_failure(std::move(batch), count, message);
  }
  written.notify_all();
}

void Ledger::Writer::note_failure(std::string batch, std::int64_t count, const std::string& message) {
  const bool is_new = fault.empty();
  fault = "the ledger cannot be written: " + message;
  if (go_on) {
    lost += count;
    if (is_new) notice(fault + "; the run goes on without these lines");
    return;
  }
  pending.insert(0, batch);
  lines += count;
}

Ledger::Ledger(LedgerOptions options)
    : meter_(std::move(options.prices)), include_text_(options.include_text), on_call_(std::move(options.on_call)) {
  if (options.path.empty()) return;
  try {
    writer_ = std::make_unique<Writer>(options, options.on_notice);
  } catch (const ValueError& error) {
    if (options.on_fault == OnFault::stop) throw;
    if (options.on_notice) {
      options.on_notice({.kind = Notice::Kind::storage,
                         .operation = "Ledger",
                         .role = {},
                         .item = {},
                         .text = std::string("there is no ledger: ") + error.what()});
    }
  }
}

Ledger::~Ledger() = default;

void Ledger::add(const CallRecord& record) {
  if (on_call_) on_call_(record);
  if (writer_) writer_->add(to_json_line(record));
}

void Ledger::flush() {
  if (writer_) writer_->flush();
}

std::string Ledger::fault() const {
  if (!writer_ || writer_->go_on) return {};
  const std::lock_guard lock(writer_->mutex);
  return writer_->fault;
}

std::int64_t Ledger::lost() const {
  if (!writer_) return 0;
  const std::lock_guard lock(writer_->mutex);
  return writer_->lost;
}

}  // namespace tgd::lm
