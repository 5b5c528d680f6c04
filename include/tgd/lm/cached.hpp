// Cached: asks for the same thing once.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <tgd/lm/decorator.hpp>
#include <tgd/lm/on_fault.hpp>
#include <tgd/notice.hpp>

namespace tgd::lm {

/// Where a cache keeps its replies.
struct CacheOptions {
  std::filesystem::path path = {};  ///< made when there is none, in a folder that exists
  OnFault on_fault = OnFault::stop;
  std::chrono::milliseconds busy_timeout{10'000};  ///< how long to wait for another process that writes
  OnNotice on_notice = {};
};

/// The file, shared by any number of models.
class TGD_API Cache {
 public:
  /// Throws ValueError for a file that cannot be used, unless it goes on with a notice.
  explicit Cache(CacheOptions options);
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache();

  /// Calls of this process that were answered without being sent, and those that were sent.
  std::int64_t hits() const;
  std::int64_t misses() const;

  // These throw ValueError when the file cannot be used. Without a file (OnFault::go_on) there is nothing in it.

  /// Replies in the file. Takes some milliseconds for a million.
  std::int64_t size() const;
  /// Of the file on the disk.
  std::int64_t bytes() const;
  /// Keeps the newest replies only. Returns how many are gone; the space goes back to the disk.
  std::int64_t prune(std::int64_t max_entries);
  std::int64_t prune(std::chrono::system_clock::time_point older_than);
  void clear();

 private:
  friend class Cached;
  struct Core;

  std::shared_ptr<Core> core_;
};

/// Asks for the same thing once. Replies are kept in a file and given again for ever, also to other processes.
///
///     auto cache = std::make_shared<lm::Cache>(lm::CacheOptions{.path = "replies.db"});
///     auto model = std::make_shared<lm::Cached>(openai, cache);
///     model->chat(request);                 // asks the endpoint
///     model->chat(request);                 // does not
///     request.sample = 1; model->chat(request);   // another answer to the same question
///
/// Key: Call::digest(), which knows everything that can change the answer; who asks, timeouts, keys and "stream" do not count.
/// The texts of requests are not in the file, those of replies are.
///
/// A hit's usage has calls = 1 and nothing else, since nothing was sent; Receipt::original_usage says what the answer had used.
/// Not stored: errors, and replies that did not end well (ReplyEnd).
/// Requests that are equal and in flight at the same time are sent once, and all of them get the answer; the first one carries
/// the usage. A cancelled call leaves the others alone. Streamed calls are sent on their own, and their replies are stored as
/// well.
///
/// Durability: a reply is in the file before its caller gets it, so that a run which is killed at any moment (kill -9) pays for
/// nothing twice that it has seen. A power failure may lose the last moments. Replies that arrive together are written
/// together, by a thread of the cache; callbacks of calls that were not hits run on it. Several processes may use one file, on
/// a local disk (SQLite's WAL mode needs shared memory).
/// Errors: see OnFault. With `stop` a call whose lookup fails is not sent, and one whose reply cannot be stored ends with a
/// StateError; a file that is read-only is refused. With `go_on` such calls go to the endpoint, a read-only file still gives
/// hits, and the first fault is reported. A damaged file or one of another program is never changed.
/// Thread-safety: every member of Cache and Cached may be called from any thread.
class TGD_API Cached : public CallDecorator {
 public:
  /// Throws ValueError without a model or a cache.
  Cached(ChatModelPtr model, std::shared_ptr<Cache> cache);

  void start_call(Call call, OnText on_text, Done done) override;
  /// Takes the reply out of the cache, so that the next equal request asks the model.
  void reject(const Request& request) override;
  /// Of the model below, and the calls that were hits.
  Usage usage() const override;

  const std::shared_ptr<Cache>& cache() const noexcept { return cache_; }

 private:
  bool answered(const std::string& key, const OnText& on_text, const Done& done) const;
  void ask(Call call, OnText on_text, const std::string& key, Done done) const;

  std::shared_ptr<Cache> cache_;
  std::shared_ptr<UsageMeter> hits_;  // shared with the calls on their way
};

}  // namespace tgd::lm
