// Journal: all that happens in a run, in one file that only grows, `journal.jsonl`: what it measured and changed, each call before it
// is sent and when it has ended. Everything else in a run folder is a view of it; a checkpoint is a position in it. So a run that was
// killed goes on without paying for a reply that had come, and knows what it has spent.
//
// One record a line, sealed (journal_file.hpp). "kind" says what it is:
//   session     {"from", "interval", "recording"}: a process goes on from the checkpoint that ends at byte "from": what was noted
//               behind it is void, and replies to calls behind it are given again
//   sent        {"id", "interval", "call", "number", "model", "usage", "cost_pico_usd"}: about to leave, with what it is estimated to
//               use; without an end this counts as spent. "call" is the digest of model, request and who asks, "number" tells equal
//               calls of one interval apart, in the order of their start
//   call        {"id", "interval", "call", "number", "model", "purpose", "sent", "failed", "usage", "cost_pico_usd", "lost",
//               "outcome", "question", "line"}: has ended. "lost": was cancelled on its way, and the usage is the estimate. "line" is that of
//               calls.jsonl; "outcome" is absent where it cannot be given again, "question" where the run is not recorded
//   measured    {"id", "interval", "call", "number", "outcome"}: what costs nothing and may come out otherwise the next time has answered
//   again       {"id", "as"}: in a recorded run, its reply was given again to the call of that number, which is not sent
//   rejected    {"id"}: its reply was of no use
//   note        {"view", "line"}: a line of a view
//   file        {"name", "content_sum", "content"}: a version of a view that is written whole
//   failed      {"error"}: an error has ended the session, and what it may have come of is asked anew
//   checkpoint  {"interval"}: a border; a new interval begins behind it
//
// Without a folder nothing is written, and calls are only counted.
// Thread-safety: every member may be called from any thread, except where it says otherwise.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/observed.hpp>
#include <tgd/trainer.hpp>

#include "core/append_file.hpp"
#include "core/batch_worker.hpp"
#include "lm/money/call_counts.hpp"
#include "lm/wrap/call_note.hpp"
#include "train/journal_file.hpp"
#include "train/views.hpp"

namespace tgd::detail {

using lm::detail::CallCounts;

struct JournalPosition {
  std::uint64_t bytes = 0;
  std::uint64_t interval = 0;

  friend bool operator==(const JournalPosition&, const JournalPosition&) = default;
};

class Journal : public std::enable_shared_from_this<Journal> {
 public:
  explicit Journal(lm::PriceTable prices);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // ---- The file. One thread at a time, while no call is in flight. ----

  /// Goes on with the journal in `folder`, which is locked, from a position of it, and makes the views again; or begins one, in the
  /// place of that of a run that got to no checkpoint. Throws ValueError or ParseError for a journal that cannot be gone on with.
  void open(const std::filesystem::path& folder, bool goes_on, const JournalPosition& from);
  /// The same, unless that has been done and a fit() has not begun since.
  void begin_fit(const std::filesystem::path& folder, bool goes_on, const JournalPosition& from);
  /// Whether replies are kept together with what was asked, for write_cassette(). To be said before open() of a new journal; it
  /// holds for the whole run.
  void set_recording(bool recording) { is_recording_ = recording; }
  bool is_recording() const noexcept { return is_recording_; }
  /// Writes a cassette (tgd/lm/recorded.hpp) of the calls whose replies were used.
  void write_cassette(const std::string& name);
  /// Who hears what is to be said of views that somebody has changed.
  void set_say(Views::Say say) { say_ = std::move(say); }
  bool is_open() const noexcept { return file_ != nullptr; }
  /// Makes the views in a folder again, which is locked, and leaves the journal as it is.
  static void make_views(const std::filesystem::path& folder, Views::Say say = {});
  /// Whether a run in `folder` has come to its first call or note, or the journal is none. Throws ParseError for one that is damaged.
  static bool has_begun(const std::filesystem::path& folder);
  /// A border: everything up to here is on the disk. What follows belongs to a new interval.
  JournalPosition mark();
  /// Throws the error of a record that could not be written.
  void check() const;

  /// Adds a line, which is JSON, to a view such as "metrics.jsonl".
  void note(const std::string& view, const std::string& line);
  /// The lines of a view that count. Of calls: none, they are in the file only.
  std::vector<std::string> notes(const std::string& view) const;
  /// Replaces a view that is written whole, unless somebody has changed it. `kept`: whether it is to be made again of the journal.
  void write_view(const std::string& name, std::string_view content, bool kept = true);
  /// An error has ended the session. One that says that the run was interrupted, or its budget used up, came of no reply.
  void fail(const std::exception_ptr& error);

  // ---- Calls ----

  struct Ticket {
    std::uint64_t id = 0;
    std::uint64_t interval = 0;
    std::string call = {};
    std::uint64_t number = 0;
  };
  /// The next of equal calls. `call` is wanted where there is a file only.
  Ticket enter(std::string call);
  /// What the journal gives again, if anything; it counts as used from now on.
  std::optional<lm::Outcome> recall(const Ticket& ticket);
  /// To be called before a call leaves.
  void send(const Ticket& ticket, const lm::Call& call);
  /// Makes the receipt say so when a cache gives what a process of the run had paid for and died.
  void find_again(const Ticket& ticket, lm::Outcome& outcome);
  /// Counts and keeps a call that has ended, then hands its outcome over, on a thread of its own where there is a file.
  /// `note`: null where there is none.
  void end(const Ticket& ticket, const lm::Call& call, const lm::detail::CallNote* note, lm::Outcome outcome,
           lm::ChatModel::Done done);
  /// Keeps an answer that costs nothing, then hands it over as end() does.
  void keep(const Ticket& ticket, const lm::Call& call, lm::Outcome outcome, lm::ChatModel::Done done);
  /// The reply to the last of such calls was of no use.
  void reject(const std::string& call);

  /// Calls that have left and not come back.
  std::int64_t calls_in_flight() const noexcept { return in_flight_; }

  /// One call's share in that.
  class Flight {
   public:
    explicit Flight(std::shared_ptr<Journal> journal) : journal_(std::move(journal)) {}
    Journal& journal() const noexcept { return *journal_; }
    void begin() {
      if (!has_begun_.exchange(true)) ++journal_->in_flight_;
    }
    void end() {
      if (has_begun_.exchange(false)) --journal_->in_flight_;
    }

   private:
    std::shared_ptr<Journal> journal_;
    std::atomic<bool> has_begun_ = false;
  };

  // ---- Sums ----

  /// Of the calls whose replies were used, earlier sessions included.
  lm::CostReport usage() const;
  CallCounts counts() const;
  /// At the checkpoint that is gone on from.
  void set_usage(const lm::CostReport& usage, CallCounts counts);
  /// The part of that which was sent, for all models.
  lm::ModelCost used() const;
  /// Of all calls that have left, used or not, estimated where there was no end.
  lm::ModelCost paid() const;
  /// Of those whose replies were not used, since a process died: paid() less used().
  lm::ModelCost abandoned() const;
  /// used(), and the part of abandoned() that came to no end, and so can never be used.
  lm::ModelCost spent() const;
  /// By their price, the tokens that were estimated, since an endpoint gave no figures. They are part of no cost that is known, and a
  /// budget counts them all the same. Of paid() and of used().
  lm::Cost estimated_of_paid() const;
  lm::Cost estimated_of_used() const;

 private:
  struct Key {
    std::uint64_t interval;
    std::string call;
    std::uint64_t number;
    auto operator<=>(const Key&) const = default;
  };
  struct Ended {
    std::uint64_t id = 0;
    lm::Outcome outcome;
    std::string model = {};
    std::string purpose = {};
    bool is_call = true;  // else nothing is counted
  };
  struct EqualCalls {
    std::uint64_t count = 0;
    std::uint64_t last_id = 0;
  };
  struct History;
  static Key key_of(const JsonReader<JournalRecord>& record);

  struct Job {
    std::string record;
    std::string line;
    lm::Outcome outcome;
    lm::ChatModel::Done done;
  };

  static History read(const std::filesystem::path& folder);
  static std::unique_ptr<Views> restored_views(const std::filesystem::path& folder, History& history,
                                               const std::map<std::string, std::string>& former, Views::Say say);
  /// Does what may fail for want of a disk; check() says so.
  void to_disk(const std::function<void()>& work);
  void write(const std::string& records);
  void write_calls(std::vector<Job> batch);
  // To be called with the lock.
  void count(const Ended& ended);
  lm::ModelCost used_locked() const;
  lm::Cost price_of_estimates(const std::string& model, const lm::Usage& usage) const;
  lm::ModelCost estimated(const lm::Call& call) const;

  const lm::PriceTable prices_;
  const std::int64_t expected_completion_tokens_;
  std::atomic<std::int64_t> in_flight_ = 0;

  mutable std::mutex mutex_;
  lm::CostReport used_;
  CallCounts counts_;
  lm::ModelCost paid_;
  std::map<std::string, lm::Usage> unpriced_;  // by model: the part of paid_ whose cost nobody said
  lm::ModelCost lost_;
  std::map<std::uint64_t, lm::ModelCost> on_their_way_;  // sent by this session, by the ids of the calls; estimated
  std::map<Key, lm::ModelCost> lost_calls_;              // what that is made of
  std::map<Key, Ended> replies_;                         // that are given again
  std::map<std::string, EqualCalls> entered_;            // in this interval
  JournalPosition from_;
  std::uint64_t interval_ = 0;
  std::uint64_t next_id_ = 0;
  std::map<std::string, std::vector<std::string>> notes_;
  std::string fault_;
  Views::Say say_;
  bool is_fresh_ = false;  // since open()
  bool is_recording_ = false;

  std::mutex file_mutex_;  // never held together with mutex_
  std::unique_ptr<AppendFile> file_;
  std::unique_ptr<Views> views_;
  std::unique_ptr<tgd::detail::BatchWorker<Job>> worker_;
};

class Tracked final : public lm::CallDecorator {
 public:
  Tracked(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal);

  void start_call(lm::Call call, OnText on_text, Done done) override;
  void reject(const lm::Request& request) override;
  lm::Usage usage() const override { return meter_->total(); }
  void add_usage(const lm::Usage& usage) override { meter_->add(usage); }

  const std::string& name() const noexcept { return name_; }
  void set_usage(const lm::Usage& usage);

 private:
  std::string name_;
  std::shared_ptr<Journal> journal_;
  std::shared_ptr<lm::UsageMeter> meter_ = std::make_shared<lm::UsageMeter>();
};

/// Before what costs nothing but may come out otherwise the next time, such as a metric by command: a run that goes on is given the
/// answers that it had. No call is counted.
class Remembered final : public lm::CallDecorator {
 public:
  Remembered(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal);

  void start_call(lm::Call call, OnText on_text, Done done) override;
  void reject(const lm::Request& request) override;

 private:
  std::string name_;
  std::shared_ptr<Journal> journal_;
};

}  // namespace tgd::detail
