#include "lm/http.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <unordered_map>

#include <curl/curl.h>

#include "core/text.hpp"
#include "lm/concurrency_limit.hpp"

namespace tgd::lm::detail {

namespace {

using Clock = HttpClient::Clock;
using OnStop = std::stop_callback<std::function<void()>>;

template <class T, auto release>
struct Release {
  void operator()(T* handle) const { release(handle); }
};
using Easy = std::unique_ptr<CURL, Release<CURL, curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Release<CURLM, curl_multi_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Release<curl_slist, curl_slist_free_all>>;

// Initialized once and never cleaned up: the program may use libcurl on its own.
void init_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error(std::string("libcurl cannot be initialized: ") + curl_easy_strerror(code));
}

Multi make_multi() {
  init_curl();
  Multi multi(curl_multi_init());
  if (!multi) throw std::bad_alloc();
  return multi;
}

void append(HeaderList& list, const std::string& line) {
  curl_slist* extended = curl_slist_append(list.get(), line.c_str());
  if (extended == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(extended);
}

HeaderList make_headers(const std::vector<std::pair<std::string, std::string>>& headers) {
  HeaderList list;
  // A semicolon is libcurl's way to send a header without a value.
  for (const auto& [name, value] : headers) append(list, std::string(name).append(value.empty() ? ";" : ": ").append(value));
  append(list, "Expect:");  // no round trip for permission to send a long body
  return list;
}

// OpenSSL writes to sockets without MSG_NOSIGNAL; a broken connection must not end the process.
void block_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// As libcurl wants it.
long milliseconds(std::chrono::milliseconds duration) {
  return std::chrono::duration_cast<std::chrono::duration<long, std::milli>>(duration).count();
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool can_help_to_retry(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
      return false;
    default:
      return true;
  }
}

// One post() on its way through the queues to its callback.
struct Job {
  Job(HttpClient::Body the_body, HttpClient::Done the_done, std::stop_token the_stop, Clock::time_point the_time)
      : body(std::move(the_body)), done(std::move(the_done)), stop(std::move(the_stop)), not_before(the_time) {}

  HttpClient::Body body;
  HttpClient::Done done;
  std::stop_token stop;
  std::unique_ptr<OnStop> on_stop;
  Clock::time_point not_before;

  Easy handle;  // while it runs
  Clock::time_point sent_at;
  std::size_t max_reply_bytes = 0;
  bool too_large = false;
  char error[CURL_ERROR_SIZE] = "";
  HttpResult result;
};
using JobPtr = std::unique_ptr<Job>;

// Moves the jobs that are to stop from `jobs` to `stopped`.
template <class Jobs, class JobOf>
void take_stopped(Jobs& jobs, JobOf job_of, std::vector<JobPtr>& stopped) {
  for (auto at = jobs.begin(); at != jobs.end();) {
    JobPtr& job = job_of(*at);
    if (job->stop.stop_requested()) {
      stopped.push_back(std::move(job));
      at = jobs.erase(at);
    } else {
      ++at;
    }
  }
}

// ---- libcurl's callbacks: no exception may pass through C ------------------------------------------------------------

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* job_pointer) noexcept {
  auto& job = *static_cast<Job*>(job_pointer);
  const std::size_t bytes = size * count;
  job.too_large = bytes > job.max_reply_bytes - job.result.body.size();
  if (job.too_large) return 0;  // which ends the transfer
  try {
    job.result.body.append(data, bytes);
  } catch (...) {
    return 0;
  }
  return bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* job_pointer) noexcept {
  auto& result = static_cast<Job*>(job_pointer)->result;
  const std::string_view line(data, size * count);
  try {
    const std::size_t colon = line.find(':');
    if (line.substr(0, 5) == "HTTP/") {
      result.headers.clear();  // a further answer (after "100 Continue") starts anew
    } else if (colon != std::string_view::npos) {
      result.headers.emplace_back(lower(tgd::detail::trim(line.substr(0, colon))), tgd::detail::trim(line.substr(colon + 1)));
    }
  } catch (...) {
    return 0;
  }
  return line.size();
}

}  // namespace

std::string HttpResult::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::string() : found->second;
}

// ---- The I/O thread --------------------------------------------------------------------------------------------------

class HttpClient::Core {
 public:
  explicit Core(HttpOptions options);

  void run();
  void post(JobPtr job);
  void pause(Clock::time_point until) { paused_until_ = std::max(paused_until_, until); }
  void close();
  std::thread thread;  // set before the first post(), ended by close()

 private:
  bool take_incoming();
  void end_stopped();
  void release_due(Clock::time_point now);
  void send_ready(Clock::time_point now);
  bool may_send(Clock::time_point now) const;
  void send(JobPtr job);
  void end_transfers();
  void end_transfer(CURL* handle, CURLcode code);
  void read_ending(Job& job, CURLcode code) const;
  void note_pace(const Job& job);
  void wait(Clock::time_point now);
  void cancel(JobPtr job);
  void cancel_all();
  void retire(Job& job);
  static void call_back(JobPtr job);

  Easy make_handle() const;
  void notice_stop();
  void wake() { curl_multi_wakeup(multi_.get()); }

  const HttpOptions options_;
  const HeaderList headers_;

  // Shared with the callers.
  std::mutex mutex_;
  std::vector<JobPtr> incoming_;
  bool closing_ = false;
  std::atomic<bool> stop_seen_ = false;  // some job's stop was requested since the jobs were last searched

  // Touched by the I/O thread only.
  Multi multi_;
  std::vector<Easy> idle_;
  std::multimap<Clock::time_point, JobPtr> delayed_;
  std::deque<JobPtr> ready_;
  std::unordered_map<CURL*, JobPtr> running_;
  ConcurrencyLimit limit_;
  Clock::time_point paused_until_ = Clock::time_point::min();
};

HttpClient::Core::Core(HttpOptions options)
    : options_(std::move(options)),
      headers_(make_headers(options_.headers)),
      multi_(make_multi()),
      limit_(options_.max_in_flight) {
  // Keep as many connections as can be busy; libcurl's own default may close some of them between two requests.
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS,
                    static_cast<long>(std::min<std::size_t>(options_.max_in_flight, 10'000)));
}

void HttpClient::Core::post(JobPtr job) {
  if (job->stop.stop_possible()) job->on_stop = std::make_unique<OnStop>(job->stop, [this] { notice_stop(); });
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      // Only the first of several needs to wake the thread: it takes all of them.
      if (incoming_.empty()) wake();
      incoming_.push_back(std::move(job));
      return;
    }
  }
  call_back(std::move(job));
}

void HttpClient::Core::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
  }
  wake();
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void HttpClient::Core::notice_stop() {
  stop_seen_ = true;
  wake();
}

void HttpClient::Core::run() {
  block_sigpipe();
  while (take_incoming()) {
    const Clock::time_point now = Clock::now();
    end_stopped();
    release_due(now);
    send_ready(now);
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    end_transfers();
    wait(now);
  }
  cancel_all();
}

bool HttpClient::Core::take_incoming() {
  std::vector<JobPtr> taken;
  bool closing = false;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(incoming_);
    closing = closing_;
  }
  for (JobPtr& job : taken) {
    // Its stop callback may have run before the job was here to be found.
    if (job->stop.stop_requested()) stop_seen_ = true;
    if (job->not_before == Clock::time_point()) {
      ready_.push_back(std::move(job));
    } else {
      delayed_.emplace(job->not_before, std::move(job));
    }
  }
  return !closing;
}

void HttpClient::Core::end_stopped() {
  if (!stop_seen_.exchange(false)) return;
  std::vector<JobPtr> stopped;
  const auto second = [](auto& entry) -> JobPtr& { return entry.second; };
  take_stopped(running_, second, stopped);
  take_stopped(delayed_, second, stopped);
  take_stopped(
      ready_, [](JobPtr& job) -> JobPtr& { return job; }, stopped);
  for (JobPtr& job : stopped) cancel(std::move(job));
}

void HttpClient::Core::release_due(Clock::time_point now) {
  const auto end = delayed_.upper_bound(now);
  // Backwards, so that the one due first ends up in front.
  for (auto at = end; at != delayed_.begin();) ready_.push_front(std::move((--at)->second));
  delayed_.erase(delayed_.begin(), end);
}

bool HttpClient::Core::may_send(Clock::time_point now) const {
  return !ready_.empty() && running_.size() < limit_.value() && now >= paused_until_;
}

void HttpClient::Core::send_ready(Clock::time_point now) {
  while (may_send(now)) {
    JobPtr job = std::move(ready_.front());
    ready_.pop_front();
    send(std::move(job));
  }
}

void HttpClient::Core::send(JobPtr job) {
  if (idle_.empty()) idle_.push_back(make_handle());
  job->handle = std::move(idle_.back());
  idle_.pop_back();
  job->sent_at = Clock::now();
  job->max_reply_bytes = options_.max_reply_bytes;
  job->result.sent = true;

  CURL* handle = job->handle.get();
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(job->body->size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, job->body->data());
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, job.get());
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, job.get());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, job->error);
  running_.emplace(handle, std::move(job));
  if (curl_multi_add_handle(multi_.get(), handle) != CURLM_OK) end_transfer(handle, CURLE_FAILED_INIT);
}

Easy HttpClient::Core::make_handle() const {
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, options_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options_.connect_timeout));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds(options_.timeout));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);  // the key must not travel to another host
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Over TLS wait for the first connection to tell whether it can carry the other requests too.
  curl_easy_setopt(handle, CURLOPT_PIPEWAIT, options_.url.starts_with("https:") ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);  // answers take minutes, and routers forget silent connections
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);  // a cancelled call does not wait for its name lookup
#endif
  return easy;
}

void HttpClient::Core::end_transfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg == CURLMSG_DONE) end_transfer(message->easy_handle, message->data.result);
  }
}

void HttpClient::Core::end_transfer(CURL* handle, CURLcode code) {
  const auto found = running_.find(handle);
  JobPtr job = std::move(found->second);
  running_.erase(found);
  read_ending(*job, code);
  note_pace(*job);
  retire(*job);
  call_back(std::move(job));
}

void HttpClient::Core::read_ending(Job& job, CURLcode code) const {
  HttpResult& result = job.result;
  long status = 0;
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(job.handle.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(job.handle.get(), CURLINFO_HTTP_VERSION, &version);
  result.status = static_cast<int>(status);
  result.delimited = version >= CURL_HTTP_VERSION_2_0 || !result.header("content-length").empty() ||
                     !result.header("transfer-encoding").empty();
  if (code == CURLE_OK) {
    result.ending = HttpResult::Ending::answered;
    return;
  }
  result.ending = HttpResult::Ending::failed;
  if (job.too_large) {
    result.error = "the reply is longer than " + std::to_string(job.max_reply_bytes) + " bytes (max_reply_bytes)";
    return;
  }
  result.error = job.error[0] != '\0' ? job.error : curl_easy_strerror(code);
  result.retryable = can_help_to_retry(code);
}

void HttpClient::Core::note_pace(const Job& job) {
  if (job.result.status == 429) {
    limit_.note_refusal(job.sent_at, Clock::now());
  } else if (job.result.ending == HttpResult::Ending::answered) {
    limit_.note_answer();
  }
}

void HttpClient::Core::wait(Clock::time_point now) {
  if (may_send(now)) return;
  Clock::time_point wake_at = now + std::chrono::hours(1);
  if (!delayed_.empty()) wake_at = std::min(wake_at, delayed_.begin()->first);
  if (!ready_.empty() && paused_until_ > now) wake_at = std::min(wake_at, paused_until_);
  // Rounded up: waking early would mean to spin until the time has come.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake_at - Clock::now()).count();
  curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(std::max<decltype(wait)>(0, wait)), nullptr);
}

// Takes the job's handle back for the next one. Ends the transfer if it still runs.
void HttpClient::Core::retire(Job& job) {
  if (!job.handle) return;
  curl_multi_remove_handle(multi_.get(), job.handle.get());
  curl_easy_setopt(job.handle.get(), CURLOPT_ERRORBUFFER, nullptr);
  idle_.push_back(std::move(job.handle));
}

void HttpClient::Core::cancel(JobPtr job) {
  retire(*job);
  job->result.ending = HttpResult::Ending::cancelled;
  call_back(std::move(job));
}

void HttpClient::Core::cancel_all() {
  std::vector<JobPtr> all;
  for (auto& [handle, job] : running_) all.push_back(std::move(job));
  for (auto& [due, job] : delayed_) all.push_back(std::move(job));
  for (JobPtr& job : ready_) all.push_back(std::move(job));
  running_.clear();
  delayed_.clear();
  ready_.clear();
  for (JobPtr& job : all) cancel(std::move(job));
}

// The job, and with it its stop callback, dies here: always without a lock.
void HttpClient::Core::call_back(JobPtr job) {
  try {
    job->done(job->result);
  } catch (...) {
    // A callback that breaks its promise not to throw must not take the other calls down.
  }
}

// ---- The handle ------------------------------------------------------------------------------------------------------

HttpClient::HttpClient(HttpOptions options) : core_(std::make_shared<Core>(std::move(options))) {
  core_->thread = std::thread([core = core_] { core->run(); });
}

HttpClient::~HttpClient() { close(); }

void HttpClient::post(Body body, Done done, std::stop_token stop, Clock::time_point not_before) {
  core_->post(std::make_unique<Job>(std::move(body), std::move(done), std::move(stop), not_before));
}

void HttpClient::pause(Clock::time_point until) { core_->pause(until); }

void HttpClient::close() { core_->close(); }

}  // namespace tgd::lm::detail
