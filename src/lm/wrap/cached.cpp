#include <tgd/lm/cached.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/batch_worker.hpp"
#include "core/callbacks.hpp"
#include "core/json_parser.hpp"
#include "core/origin.hpp"
#include "core/seconds.hpp"
#include "lm/call_secrets.hpp"
#include "lm/reply_json.hpp"
#include "lm/streamed.hpp"
#include "lm/wrap/in_flight.hpp"
#include "lm/wrap/reply_store.hpp"

namespace tgd::lm {

namespace {

using detail::InFlight;
using detail::ReplyStore;
using Ordered = nlohmann::ordered_json;

/// The digest's bytes instead of its digits: half the size in the file.
std::string packed(const std::string& hexadecimal) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  bytes.reserve(hexadecimal.size() / 2);
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hexadecimal[i]) * 16 + digit(hexadecimal[i + 1])));
  }
  return bytes;
}

/// What is kept of an outcome; nothing for errors and for replies that were cut off.
std::optional<std::string> storable(const Outcome& outcome, const net::Secrets& secrets) {
  if (!outcome.ok() || outcome.value().end() != ReplyEnd::whole) return std::nullopt;
  Reply reply = detail::blanked(secrets, outcome).value();
  reply.usage = outcome.receipt().original_usage.value_or(reply.usage);
  try {
    return detail::reply_to_json(reply).dump();
  } catch (const Ordered::exception&) {
    return std::nullopt;  // not UTF-8: it could not be given again as it was
  }
}

Outcome cancelled() {
  return {std::make_exception_ptr(LMError(LMError::Kind::cancelled, "the call was cancelled")), {.calls = 1}};
}

}  // namespace

struct Cache::Core {
  explicit Core(CacheOptions given);

  /// A hit, or the error of a lookup that stops the call; nothing when the endpoint has to be asked.
  std::optional<Outcome> answer(const std::string& key);
  Outcome read(const std::string& stored) const;
  /// Calls `then` with the outcome when it is in the file, without the secrets, or need not be.
  void store(std::string key, Outcome outcome, const net::Secrets& secrets, std::function<void(Outcome)> then);
  /// Does not give the reply any more, and takes it out of the file when there is time.
  void reject(const std::string& key);
  /// Whether calls end because of the fault; it is reported otherwise.
  bool stops(const std::string& fault);

  template <class Result>
  Result with_store(Result without, const std::function<Result(ReplyStore&)>& work) {
    const std::lock_guard lock(reading);
    return reader ? work(*reader) : without;
  }

  struct Job {
    ReplyStore::Entry entry;
    Outcome outcome;
    std::function<void(Outcome)> then;  // empty: the key is to be taken out
  };
  void write(std::vector<Job> batch);

  const CacheOptions options;
  std::atomic<std::int64_t> hits{0};
  std::atomic<std::int64_t> misses{0};
  std::atomic<bool> fault_reported{false};
  bool writes = false;
  InFlight flights;

  std::mutex reading;
  std::unordered_set<std::string> rejected;  // keys that are still in the file
  std::unique_ptr<ReplyStore> reader;        // null when the file cannot be used and the run goes on

  std::unique_ptr<ReplyStore> writer;                     // used by the worker only
  std::unique_ptr<tgd::detail::BatchWorker<Job>> worker;  // null when nothing is written
  const tgd::detail::Origin origin = {};
};

Cache::Core::Core(CacheOptions given) : options(std::move(given)) {
  tgd::detail::expect_span_or_0(options.busy_timeout, "CacheOptions::busy_timeout");
  try {
    if (options.path.empty()) throw ValueError("a cache needs the path of its file, and CacheOptions::path is empty");
    reader = std::make_unique<ReplyStore>(options.path, options.busy_timeout);
    writer = std::make_unique<ReplyStore>(options.path, options.busy_timeout);
    writes = !writer->is_read_only();
    if (!writes) throw ValueError("the cache " + options.path.string() + " is read-only; nothing can be stored in it");
  } catch (const ValueError& error) {
    if (stops(error.what())) throw;
    if (!writer) reader.reset();
  }
}

bool Cache::Core::stops(const std::string& fault) {
  if (options.on_fault == OnFault::stop) return true;
  if (!fault_reported.exchange(true)) {
    tgd::detail::tell(options.on_notice, "Cache", fault + "; the run goes on, and what the cache lacks is asked again");
  }
  return false;
}

std::optional<Outcome> Cache::Core::answer(const std::string& key) {
  try {
    const auto look_up = [this, &key](ReplyStore& store) { return rejected.contains(key) ? std::nullopt : store.find(key); };
    const auto stored = with_store<std::optional<std::string>>(std::nullopt, look_up);
    if (!stored) return std::nullopt;
    Outcome hit = read(*stored);
    ++hits;
    return hit;
  } catch (const Error& error) {
    if (!stops(error.what())) return std::nullopt;
    return Outcome(StateError(std::string("the call was not sent, because ") + error.what()), Usage{.calls = 1});
  }
}

Outcome Cache::Core::read(const std::string& stored) const {
  try {
    Outcome hit = detail::reply_from_json(tgd::detail::parse_shallow<Ordered>(stored));
    hit.set_receipt({.usage = {.calls = 1}, .source = ReplySource::cache, .original_usage = hit.usage()});
    return hit;
  } catch (const std::exception& error) {
    throw ParseError("the cache " + options.path.string() + " holds a damaged reply: " + error.what());
  }
}

void Cache::Core::store(std::string key, Outcome outcome, const net::Secrets& secrets, std::function<void(Outcome)> then) {
  std::optional<std::string> text = writes ? storable(outcome, secrets) : std::nullopt;
  if (!text) return then(std::move(outcome));
  worker->post({{std::move(key), *std::move(text)}, std::move(outcome), std::move(then)});
}

void Cache::Core::reject(const std::string& key) {
  if (!writes) return;
  {
    const std::lock_guard lock(reading);
    rejected.insert(key);
  }
  worker->post({{key, {}}, Outcome(Reply{}), {}});
}

void Cache::Core::write(std::vector<Job> batch) {
  std::string fault;  // why the calls have to end with an error
  try {
    std::vector<ReplyStore::Entry> entries;
    const auto put = [&] {
      writer->put(entries);
      entries.clear();
    };
    for (const Job& job : batch) {
      if (job.then) {
        entries.push_back(job.entry);
        continue;
      }
      put();  // what came before it
      writer->remove(job.entry.key);
      const std::lock_guard lock(reading);
      rejected.erase(job.entry.key);
    }
    put();
  } catch (const Error& error) {
    if (stops(error.what())) fault = error.what();
  }
  for (Job& job : batch) {
    const auto unkept = [&] { return job.outcome.failed(std::make_exception_ptr(StateError("the reply came, but " + fault))); };
    tgd::detail::call_back(job.then, fault.empty() ? std::move(job.outcome) : unkept());
  }
}

Cache::Cache(CacheOptions options) : core_(std::make_shared<Core>(std::move(options))) {
  if (!core_->writes) return;
  core_->worker = std::make_unique<tgd::detail::BatchWorker<Core::Job>>(
      [core = core_](std::vector<Core::Job> batch) { core->write(std::move(batch)); });
}

// The worker holds the core, and the core holds the worker: closing it unties the knot.
Cache::~Cache() {
  if (core_->worker) core_->worker->close();
  // A database that a parent process has open must not even be closed here.
  if (!core_->origin.is_here()) tgd::detail::keep_for_ever(core_);
}

std::int64_t Cache::hits() const { return core_->hits; }
std::int64_t Cache::misses() const { return core_->misses; }

std::int64_t Cache::size() const {
  return core_->with_store<std::int64_t>(0, [](ReplyStore& store) { return store.size(); });
}

std::int64_t Cache::bytes() const {
  return core_->with_store<std::int64_t>(0, [](ReplyStore& store) { return store.bytes(); });
}

std::int64_t Cache::prune(std::int64_t max_entries) {
  if (max_entries < 0) throw ValueError("a cache cannot be pruned to " + std::to_string(max_entries) + " entries");
  return core_->with_store<std::int64_t>(0, [max_entries](ReplyStore& store) { return store.keep_newest(max_entries); });
}

std::int64_t Cache::prune(std::chrono::system_clock::time_point older_than) {
  return core_->with_store<std::int64_t>(0, [older_than](ReplyStore& store) { return store.remove_older_than(older_than); });
}

void Cache::clear() { prune(0); }

Cached::Cached(ChatModelPtr model, std::shared_ptr<Cache> cache)
    : CallDecorator(std::move(model)), cache_(std::move(cache)), hits_(std::make_shared<UsageMeter>()) {
  if (!cache_) throw ValueError("Cached needs a cache, but it was given none");
}

Usage Cached::usage() const {
  Usage usage = inner().usage();
  usage += hits_->total();
  return usage;
}

/// Whether the cache had the answer, which `done` has got then.
bool Cached::answered(const std::string& key, const OnText& on_text, const Done& done) const {
  std::optional<Outcome> known = cache_->core_->answer(key);
  if (!known) return false;
  if (known->ok()) hits_->add({.calls = 1});
  detail::give(on_text, done, *std::move(known));
  return true;
}

void Cached::reject(const Request& request) {
  if (cache_->core_->origin.is_here()) cache_->core_->reject(packed(described(request).digest()));
  inner().reject(request);
}

void Cached::start_call(Call call, OnText on_text, Done done) {
  if (!cache_->core_->origin.is_here()) return done(Outcome(tgd::detail::Origin::error("the cache"), Usage{.calls = 1}));
  if (call.stop().stop_requested()) return done(cancelled());
  const std::string key = packed(call.digest());
  if (answered(key, on_text, done)) return;

  // What a stream has given out cannot be given to others from its beginning.
  if (on_text) return ask(std::move(call), std::move(on_text), key, std::move(done));

  auto landed = [cache = cache_, hits = hits_, done = std::move(done)](Outcome outcome, bool is_first) {
    if (!is_first && outcome.ok()) {
      hits->add({.calls = 1});
      ++cache->core_->hits;
    }
    done(std::move(outcome));
  };
  const InFlight::Ticket ticket = cache_->core_->flights.join(key, call.request().options, std::move(landed), call.stop());
  if (!ticket.is_first) return;
  // An equal flight may have landed since the file was looked at.
  if (answered(key, {}, [&ticket](Outcome known) { InFlight::finish(ticket.flight, std::move(known)); })) return;
  ask(call.with_stop(InFlight::stop_of(ticket.flight)), {}, key,
      [flight = ticket.flight](Outcome outcome) { InFlight::finish(flight, std::move(outcome)); });
}

/// Sends the call, and keeps its reply before it is given to `done`.
void Cached::ask(Call call, OnText on_text, const std::string& key, Done done) const {
  ++cache_->core_->misses;
  auto keep = [cache = cache_, key, secrets = call.secrets(), done = std::move(done)](Outcome outcome) {
    cache->core_->store(key, std::move(outcome), *secrets, [cache, done](Outcome stored) { done(std::move(stored)); });
  };
  inner().start_call(std::move(call), std::move(on_text), std::move(keep));
}

}  // namespace tgd::lm
