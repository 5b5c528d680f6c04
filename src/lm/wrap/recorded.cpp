#include <tgd/lm/recorded.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/append_file.hpp"
#include "core/batch_worker.hpp"
#include "core/callbacks.hpp"
#include "core/file.hpp"
#include "core/one_line.hpp"
#include "core/origin.hpp"
#include "core/rethrow.hpp"
#include "lm/call_secrets.hpp"
#include "lm/reply_json.hpp"
#include "lm/request_key.hpp"
#include "lm/streamed.hpp"
#include "lm/wrap/cassette.hpp"
#include "lm/wrap/line_diff.hpp"

namespace tgd::lm {

namespace {

using detail::Exchange;
using detail::RecordedRequest;
using net::Secrets;

const tgd::detail::RecordFormat cassette_format{"{", std::string(detail::cassette_end), std::string(detail::cassette_header)};

// ---- Secrets ---------------------------------------------------------------------------------------------------------

Secrets all_secrets(const CassetteOptions& options) {
  Secrets secrets(options.secrets);
  const char* key = std::getenv("OPENAI_API_KEY");  // NOLINT(concurrency-mt-unsafe)
  if (key != nullptr) secrets.add(key);
  return secrets;
}

// ---- Questions -------------------------------------------------------------------------------------------------------

std::unordered_set<std::string_view> lines_of(std::string_view text) {
  std::unordered_set<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// How many bytes of lines and of the beginning and the end two texts have in common.
std::size_t likeness(const std::unordered_set<std::string_view>& lines, std::string_view text, std::string_view other) {
  const auto common = [](auto begin, auto end, auto begin_of_other, auto end_of_other) {
    return static_cast<std::size_t>(std::mismatch(begin, end, begin_of_other, end_of_other).first - begin);
  };
  std::size_t bytes = common(text.begin(), text.end(), other.begin(), other.end()) +
                      common(text.rbegin(), text.rend(), other.rbegin(), other.rend());
  for (const std::string_view line : lines_of(other)) bytes += lines.contains(line) ? line.size() : 0;
  return bytes;
}

/// Stands below a cassette that is replayed without a model.
class NoModel : public ChatModel {
 public:
  explicit NoModel(std::string name) : name_(std::move(name)) {}
  void start(Request, Done done) override {
    done(Outcome(LMError(LMError::Kind::script, "a cassette without a model cannot ask for anything"), Usage{.calls = 1}));
  }
  std::string provider() const override { return "recorded"; }
  std::string class_type() const override { return "Recorded"; }
  std::string model_name() const override { return name_; }

 private:
  std::string name_;
};

ChatModelPtr no_model(const std::shared_ptr<Cassette>& cassette, const std::string& name) {
  if (!cassette) return nullptr;
  if (cassette->mode() != CassetteMode::replay)
    throw ValueError("a cassette without a model can only be replayed; give it a model or mode replay");
  return std::make_shared<NoModel>(name.empty() ? cassette->only_model() : name);
}

}  // namespace

struct Cassette::Core {
  struct Track {
    std::vector<Outcome> replies = {};
    std::size_t next = 0;  // number of the reply that the next equal request gets
  };
  /// What a request gets: its reply, or the number under which its reply is to be recorded.
  struct Take {
    std::size_t number = 0;
    std::optional<Outcome> outcome = {};
  };

  explicit Core(CassetteOptions given);

  void read();
  std::vector<Exchange> parse() const;
  void pass_over_replies();
  void open_journal();
  Take take(const RecordedRequest& question);
  bool is_free(const RecordedRequest& question) const;
  struct Job {
    std::string block;  // as it stands in the file
    Outcome outcome;
    ChatModel::Done then;
  };
  void write(std::vector<Job> batch);
  /// Why the calls whose replies these are have to end with an error; empty when they need not.
  std::string fault_of(const std::vector<Job>& batch);
  void save();
  LMError unknown(const RecordedRequest& question) const;
  std::filesystem::path journal_path() const;
  void notice(const std::string& text) const;

  const CassetteOptions options;
  const Secrets secrets;
  std::atomic<std::size_t> loaded{0};
  std::atomic<std::size_t> replayed{0};
  std::atomic<std::size_t> recorded{0};

  mutable std::mutex mutex;
  std::unordered_map<RecordedRequest, Track, RecordedRequest::Hash> tracks;

  // Who begins a call must not wait for the disk or for another process's lock on the file.
  std::mutex file_mutex;
  std::unique_ptr<tgd::detail::AppendFile> journal;
  bool is_saved = true;
  bool fault_reported = false;

  std::unique_ptr<tgd::detail::BatchWorker<Job>> worker;  // null when nothing is recorded
  const tgd::detail::Origin origin = {};
};

Cassette::Core::Core(CassetteOptions given) : options(std::move(given)), secrets(all_secrets(options)) {
  if (options.path.empty()) throw ValueError("a cassette needs the path of its file, and CassetteOptions::path is empty");
  if (options.mode == CassetteMode::record) {
    std::error_code ignored;
    std::filesystem::remove(journal_path(), ignored);
    is_saved = false;
    try {
      open_journal();
    } catch (const ValueError& error) {
      if (options.on_fault == OnFault::stop) throw;
      notice(error.what());
    }
  } else if (options.mode == CassetteMode::replay || std::filesystem::exists(options.path)) {
    read();
  }
}

void Cassette::Core::read() {
  if (!std::filesystem::exists(options.path)) {
    throw ValueError("there is no cassette " + options.path.string() + " to replay; record it in mode record or automatic");
  }
  for (Exchange& exchange : parse()) {
    Track& track = tracks[std::move(exchange.question)];
    for (auto& [number, outcome] : exchange.replies) {
      if (number < track.replies.size()) {
        track.replies[number] = std::move(outcome);
      } else {
        track.replies.push_back(std::move(outcome));
        ++loaded;
      }
    }
  }
  if (options.mode == CassetteMode::append) pass_over_replies();
}

/// What was cut off, or lacks its last newline, is put right before anything is added behind it: when nobody else is adding, for
/// what they have not finished looks the same.
std::vector<Exchange> Cassette::Core::parse() const {
  try {
    std::string text = tgd::detail::read_file(options.path);
    if (options.mode == CassetteMode::replay || text.ends_with(detail::cassette_end)) return detail::parse_cassette(text);
    detail::parse_cassette(text);  // what is no cassette is neither waited for nor changed
    const tgd::detail::FileLock lock(options.path);
    text = tgd::detail::read_file(options.path);
    std::vector<Exchange> exchanges = detail::parse_cassette(text);
    if (!text.ends_with(detail::cassette_end)) tgd::detail::write_file(options.path, detail::print_cassette(exchanges));
    return exchanges;
  } catch (const ParseError&) {
    tgd::detail::rethrow_with_prefix("cassette " + options.path.string() + ", ");
  }
}

/// An error at the end is asked for again, and a reply takes its place.
void Cassette::Core::pass_over_replies() {
  for (auto& entry : tracks) {
    Track& track = entry.second;
    track.next = track.replies.size();
    while (track.next > 0 && !track.replies[track.next - 1].ok()) --track.next;
  }
}

std::filesystem::path Cassette::Core::journal_path() const {
  std::filesystem::path path = options.path;
  if (options.mode == CassetteMode::record) path += ".recording";
  return path;
}

void Cassette::Core::open_journal() { journal = std::make_unique<tgd::detail::AppendFile>(journal_path(), cassette_format); }

void Cassette::Core::notice(const std::string& text) const { tgd::detail::tell(options.on_notice, "Cassette", text); }

Cassette::Core::Take Cassette::Core::take(const RecordedRequest& question) {
  const auto not_there = [](const LMError& error) { return Take{.outcome = Outcome(error, Usage{.calls = 1})}; };
  const std::lock_guard lock(mutex);
  if (options.mode == CassetteMode::replay && !tracks.contains(question)) return not_there(unknown(question));
  Track& track = tracks[question];
  const std::size_t number = track.next++;
  const bool is_there = number < track.replies.size();
  if (is_there && (options.mode == CassetteMode::replay || track.replies[number].ok())) {
    ++replayed;
    return {number, track.replies[number]};
  }
  if (options.mode != CassetteMode::replay) return {number, std::nullopt};
  const std::string has = "the cassette " + options.path.string() + " has " + std::to_string(track.replies.size());
  return not_there(LMError(LMError::Kind::script, has + " replies to this request, and it was asked once more: " +
                                                      tgd::detail::in_quotes(question.text())));
}

bool Cassette::Core::is_free(const RecordedRequest& question) const {
  const std::lock_guard lock(mutex);
  const auto track = tracks.find(question);
  if (track == tracks.end() || track->second.next >= track->second.replies.size()) return false;
  return track->second.replies[track->second.next].receipt().original_usage.has_value();
}

LMError Cassette::Core::unknown(const RecordedRequest& question) const {
  const std::string message = "the cassette " + options.path.string() + " has no reply to this request";
  const std::string text = question.text();
  const auto lines = lines_of(text);
  std::optional<std::string> nearest;
  std::size_t most = 0;
  for (const auto& [recorded_question, track] : tracks) {
    std::string candidate = recorded_question.text();
    const std::size_t bytes = likeness(lines, text, candidate);
    // Of equally near ones the first by text, whatever the order in the map.
    if (!nearest || bytes > most || (bytes == most && candidate < *nearest)) {
      most = bytes;
      nearest = std::move(candidate);
    }
  }
  if (!nearest) return {LMError::Kind::script, message + "; it is empty"};
  return {LMError::Kind::script,
          message + ". The nearest one that is recorded (-) differs from it (+):\n" + detail::line_diff(*nearest, text, 4000)};
}

void Cassette::Core::write(std::vector<Job> batch) {
  const std::string fault = fault_of(batch);
  for (Job& job : batch) {
    const auto unkept = [&] {
      return job.outcome.failed(
          std::make_exception_ptr(StateError("the reply came, but the cassette cannot keep it: " + fault)));
    };
    tgd::detail::call_back(job.then, fault.empty() ? std::move(job.outcome) : unkept());
  }
}

std::string Cassette::Core::fault_of(const std::vector<Job>& batch) {
  std::string blocks;
  for (const Job& job : batch) blocks += job.block;
  std::string fault;
  {
    const std::lock_guard lock(file_mutex);
    try {
      if (!journal) open_journal();
      journal->append(blocks);
      is_saved = false;
      recorded += batch.size();
      return {};
    } catch (const std::exception& error) {
      fault = error.what();
    }
    if (options.on_fault == OnFault::go_on && std::exchange(fault_reported, true)) return {};
  }
  if (options.on_fault == OnFault::stop) return fault;
  notice(fault + "; the run goes on, and its replies are not recorded");
  return {};
}

void Cassette::Core::save() {
  const std::lock_guard lock(file_mutex);
  if (is_saved || !journal) return;
  // The file holds what this object and other processes have added.
  const tgd::detail::AppendFile::Lock file_lock(*journal);
  const auto exchanges = detail::parse_cassette(tgd::detail::read_file(journal->path()));
  std::optional<tgd::detail::FileLock> target_lock;  // of those who add to the file that is replaced
  if (journal->path() != options.path) target_lock.emplace(options.path);
  tgd::detail::write_file(options.path, detail::print_cassette(exchanges));
  is_saved = true;
}

Cassette::Cassette(CassetteOptions options) : core_(std::make_shared<Core>(std::move(options))) {
  if (core_->options.mode == CassetteMode::replay) return;
  core_->worker = std::make_unique<tgd::detail::BatchWorker<Core::Job>>(
      [core = core_](std::vector<Core::Job> batch) { core->write(std::move(batch)); });
}

// The worker holds the core, and the core holds the worker: closing it unties the knot.
Cassette::~Cassette() {
  if (core_->worker) core_->worker->close();
  if (!core_->origin.is_here()) {
    tgd::detail::keep_for_ever(core_);  // the file is the parent's
    return;
  }
  try {
    core_->save();
    std::error_code ignored;
    if (core_->options.mode == CassetteMode::record && core_->journal) std::filesystem::remove(core_->journal_path(), ignored);
  } catch (const std::exception& error) {
    core_->notice("the cassette could not be put in order; what was recorded is in " + core_->journal_path().string() + ": " +
                  error.what());
  }
}

void Cassette::save() { core_->save(); }
std::size_t Cassette::size() const { return core_->loaded; }
std::size_t Cassette::replayed() const { return core_->replayed; }
std::size_t Cassette::recorded() const { return core_->recorded; }
CassetteMode Cassette::mode() const noexcept { return core_->options.mode; }

std::string Cassette::only_model() const {
  const std::lock_guard lock(core_->mutex);
  std::optional<std::string> model;
  for (const auto& [question, track] : core_->tracks) {
    if (model && *model != question.model) return {};
    model = question.model;
  }
  return model.value_or("");
}

/// Those of the cassette with those of a call; most calls of a model have the same.
class Recorded::AllSecrets {
 public:
  std::shared_ptr<const Secrets> with(const Secrets& of_cassette, const std::shared_ptr<const Secrets>& of_call) {
    const std::lock_guard lock(mutex_);
    if (of_call_ != of_call) {
      auto all = std::make_shared<Secrets>(of_cassette);
      for (const std::string& value : of_call->values()) all->add(value);
      of_call_ = of_call;
      all_ = std::move(all);
    }
    return all_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const Secrets> of_call_;
  std::shared_ptr<const Secrets> all_;
};

Recorded::Recorded(ChatModelPtr model, std::shared_ptr<Cassette> cassette)
    : CallDecorator(std::move(model)),
      cassette_(std::move(cassette)),
      secrets_(std::make_shared<AllSecrets>()),
      replayed_(std::make_shared<UsageMeter>()) {
  if (!cassette_) throw ValueError("Recorded needs a cassette, but it was given none");
}

Recorded::Recorded(std::shared_ptr<Cassette> cassette, const std::string& model_name)
    : Recorded(no_model(cassette, model_name), cassette) {}

Usage Recorded::usage() const {
  Usage usage = inner().usage();
  usage += replayed_->total();
  return usage;
}

bool Recorded::is_free(const Call& call) const {
  const auto secrets = secrets_->with(cassette_->core_->secrets, call.secrets());
  return cassette_->core_->is_free(detail::question_of(call, *secrets));
}

void Recorded::start_call(Call call, OnText on_text, Done done) {
  const Usage nothing{.calls = 1};
  if (!cassette_->core_->origin.is_here()) return done(Outcome(tgd::detail::Origin::error("the cassette"), nothing));
  if (call.stop().stop_requested()) return done(Outcome(LMError(LMError::Kind::cancelled, "the call was cancelled"), nothing));
  const auto secrets = secrets_->with(cassette_->core_->secrets, call.secrets());
  RecordedRequest question = detail::question_of(call, *secrets);
  Cassette::Core::Take take = cassette_->core_->take(question);
  if (take.outcome) {
    replayed_->add(take.outcome->usage());
    return detail::give(on_text, done, *std::move(take.outcome));
  }
  // The cassette lives until its last reply is in the file, and no longer: whoever has got that and drops the cassette ends it.
  auto keep = [cassette = cassette_, question = std::move(question), secrets, number = take.number,
               done = std::move(done)](Outcome outcome) mutable {
    if (!cassette) return;  // a model that answers twice
    if (!detail::is_recordable(outcome)) return done(std::move(outcome));
    std::string block = detail::print_exchange({question, {{number, detail::blanked(*secrets, outcome)}}});
    Cassette::Core& core = *cassette->core_;
    core.worker->post(
        {std::move(block), std::move(outcome), [cassette = std::move(cassette), done = std::move(done)](Outcome kept) mutable {
           cassette.reset();
           done(std::move(kept));
         }});
  };
  inner().start_call(std::move(call), std::move(on_text), std::move(keep));
}

}  // namespace tgd::lm
