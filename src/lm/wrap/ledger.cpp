#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <tgd/lm/observed.hpp>

#include "core/append_file.hpp"
#include "core/callbacks.hpp"
#include "core/counted.hpp"
#include "core/origin.hpp"
#include "core/seconds.hpp"
#include "core/start_thread.hpp"

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
        thread(tgd::detail::start_thread("the ledger", [this] { run(); })) {}

  ~Writer() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    changed.notify_all();
    thread.join();
    if (lines > 0)
      notice("the ledger " + file.path().string() + " lacks its last " + tgd::detail::counted(lines, "call") + ": " + fault);
  }

  void add(const std::string& line) {
    const std::lock_guard lock(mutex);
    pending.append(line).append("\n");
    ++lines;
    if (lines == 1 || pending.size() >= large_batch) changed.notify_all();
  }

  void flush() {
    std::unique_lock lock(mutex);
    if (std::this_thread::get_id() == thread.get_id()) return;  // from on_notice: what waits is written when that returns
    flushing = true;
    // A batch that is on its way may lack the last lines; the next one has them.
    const std::uint64_t enough = attempts + (busy ? 2 : 1);
    changed.notify_all();
    written.wait(lock, [&] { return attempts >= enough; });
    if (!fault.empty()) throw StateError(fault);
  }

  void run();
  void write(std::unique_lock<std::mutex>& lock);
  /// Returns what is to be said.
  std::string note_failure(std::string batch, std::int64_t count, const std::string& message);
  /// To be called without the lock.
  void notice(const std::string& text) const { tgd::detail::tell(on_notice, "Ledger", text); }

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

  const tgd::detail::Origin origin = {};
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
  std::string news;
  if (message.empty()) {
    fault.clear();
  } else {
    news = note_failure(std::move(batch), count, message);
  }
  if (!news.empty()) {
    lock.unlock();  // the callback may ask the ledger
    notice(news);
    lock.lock();
  }
  busy = false;
  ++attempts;
  written.notify_all();
}

std::string Ledger::Writer::note_failure(std::string batch, std::int64_t count, const std::string& message) {
  const bool is_new = fault.empty();
  fault = "the ledger cannot be written: " + message;
  if (go_on) {
    lost += count;
    return is_new ? fault + "; the run goes on without these lines" : std::string();
  }
  pending.insert(0, batch);
  lines += count;
  return {};
}

Ledger::Ledger(LedgerOptions options)
    : meter_(std::move(options.prices)), include_text_(options.include_text), on_call_(std::move(options.on_call)) {
  tgd::detail::expect_span_or_0(options.flush_after, "LedgerOptions::flush_after");
  if (options.path.empty()) return;
  try {
    writer_ = std::make_unique<Writer>(options, options.on_notice);
  } catch (const ValueError& error) {
    if (options.on_fault == OnFault::stop) throw;
    tgd::detail::tell(options.on_notice, "Ledger", std::string("there is no ledger: ") + error.what());
  }
}

// In the child of a fork() there is no thread to wait for, and the lines are the parent's.
Ledger::~Ledger() {
  if (writer_ && !writer_->origin.is_here()) tgd::detail::keep_for_ever(std::shared_ptr<Writer>(std::move(writer_)));
}

void Ledger::add(const CallRecord& record) {
  if (writer_ && !writer_->origin.is_here()) throw tgd::detail::Origin::error("the ledger");
  if (writer_) writer_->add(to_json_line(record));
  if (on_call_) on_call_(record);
}

void Ledger::count(const std::string& model, Outcome& outcome) {
  settle_cost(outcome, meter_.prices(), model);
  meter_.add(model, outcome);
}

void Ledger::flush() {
  if (writer_ && !writer_->origin.is_here()) throw tgd::detail::Origin::error("the ledger");
  if (writer_) writer_->flush();
}

std::string Ledger::fault() const {
  if (writer_ && !writer_->origin.is_here()) return tgd::detail::Origin::error("the ledger").what();
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
