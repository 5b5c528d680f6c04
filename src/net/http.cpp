#include "net/http.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/callbacks.hpp"
#include "core/origin.hpp"
#include "core/start_thread.hpp"
#include "core/text.hpp"
#include "net/concurrency_limit.hpp"
#include "net/handles.hpp"
#include "net/retry.hpp"

namespace tgd::net {

namespace {

using Clock = HttpClient::Clock;
using Reading = HttpClient::Reading;
using OnStop = std::stop_callback<std::function<void()>>;

// How long a connection may take to end in order after its answer is complete; then it is cut.
constexpr std::chrono::milliseconds patience_after_enough{250};

// OpenSSL writes to sockets without MSG_NOSIGNAL; a broken connection must not end the process.
void block_sigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// A handle with its surroundings, used for one attempt after the other.
struct Slot {
  Easy handle;
  char error[CURL_ERROR_SIZE] = "";
  HeaderList headers = {};  // of a post that has its own
};
using SlotPtr = std::unique_ptr<Slot>;

// One post() on its way through the queues to its callback.
struct Job {
  Job(std::shared_ptr<const HttpPost> the_post, HttpClient::Done the_done, HttpClient::Sending the_sending)
      : post(std::move(the_post)), done(std::move(the_done)), sending(std::move(the_sending)) {}

  bool has_expired(Clock::time_point now) const { return sending.deadline <= now; }

  std::shared_ptr<const HttpPost> post;
  HttpClient::Done done;
  HttpClient::Sending sending;
  std::unique_ptr<OnStop> on_stop;
  std::unique_ptr<OnStop> on_hold;

  SlotPtr slot;  // while it runs
  std::size_t max_reply_bytes = 0;
  std::size_t received = 0;
  bool too_large = false;
  bool enough = false;
  bool has_left = false;     // the request, at least in part
  bool was_refused = false;  // its HTTP/2 stream: the server has not looked at it, so that it has not left
  int local_port = 0;        // of its connection
  std::map<int, Clock::time_point>* ended_in_order = nullptr;  // connections by their ports, see Core
  bool was_lost = false;                   // it had left when its connection, used before, broke without an answer
  std::vector<Job*>* completed = nullptr;  // where to say that it is enough
  HttpResult result;
};
using JobPtr = std::unique_ptr<Job>;

// Moves the jobs that fulfil the condition from `jobs` to `taken`.
template <class Jobs, class JobOf, class Condition>
void take_if(Jobs& jobs, JobOf job_of, Condition condition, std::vector<JobPtr>& taken) {
  for (auto at = jobs.begin(); at != jobs.end();) {
    JobPtr& job = job_of(*at);
    if (condition(*job)) {
      taken.push_back(std::move(job));
      at = jobs.erase(at);
    } else {
      ++at;
    }
  }
}

// ---- libcurl's callbacks: no exception may pass through C ------------------------------------------------------------

bool is_success(const Job& job) {
  long status = 0;
  curl_easy_getinfo(job.slot->handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

// Whether the transfer goes on.
bool take_body(Job& job, std::string_view bytes) {
  job.too_large = bytes.size() > job.max_reply_bytes - job.received;
  if (job.too_large) return false;
  job.received += bytes.size();
  if (!job.sending.reader || !is_success(job)) {
    job.result.body += bytes;
    return true;
  }
  if (job.enough) return true;
  const Reading reading = job.sending.reader(bytes);
  job.enough = reading == Reading::enough;
  if (job.enough) job.completed->push_back(&job);
  return reading != Reading::stop;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* job_pointer) noexcept {
  try {
    const std::string_view bytes(data, size * count);
    return take_body(*static_cast<Job*>(job_pointer), bytes) ? bytes.size() : 0;  // 0 ends the transfer
  } catch (...) {
    return 0;
  }
}

/// Whether the connection from this port was ended by its server in order, not long ago.
bool ended_in_order(const Job& job, int local_port) {
  const auto found = job.ended_in_order->find(local_port);
  constexpr std::chrono::seconds shortest_reuse{60};  // of a port by another connection
  return found != job.ended_in_order->end() && Clock::now() - found->second < shortest_reuse;
}

// When a connection that was used before breaks without a byte of an answer, libcurl would send the request once more by itself.
// Whether it is sent again is for the caller to decide, who counts it; what has not left yet may go by another connection, and so may
// what the server says it has not taken (REFUSED_STREAM, or a stream behind the last one of a GOAWAY).
int on_request(void* job_pointer, char*, char*, int, int local_port) noexcept {
  auto& job = *static_cast<Job*>(job_pointer);
  long sent = 0;
  curl_easy_getinfo(job.slot->handle.get(), CURLINFO_REQUEST_SIZE, &sent);
  const int former_port = std::exchange(job.local_port, local_port);
  if (std::exchange(job.was_refused, false) || ended_in_order(job, former_port)) return CURL_PREREQFUNC_OK;
  job.was_lost = std::exchange(job.has_left, true) && sent > 0;
  return job.was_lost ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

// libcurl tells in its log only that a server has refused a stream, or ends a connection in order: what it has not answered by then it
// has not taken.
int on_log(CURL*, curl_infotype type, char* data, std::size_t size, void* job_pointer) noexcept {
  if (type != CURLINFO_TEXT || job_pointer == nullptr) return 0;
  auto& job = *static_cast<Job*>(job_pointer);
  const std::string_view text(data, size);
  try {
    if (text.starts_with("REFUSED_STREAM")) job.was_refused = true;
    if (text.find("GOAWAY, error=0") != std::string_view::npos) (*job.ended_in_order)[job.local_port] = Clock::now();
  } catch (...) {
    return 0;
  }
  return 0;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* job_pointer) noexcept {
  auto& result = static_cast<Job*>(job_pointer)->result;
  const std::string_view line(data, size * count);
  try {
    const std::size_t colon = line.find(':');
    if (line.substr(0, 5) == "HTTP/") {
      result.headers.clear();  // a further answer (after "100 Continue") starts anew
    } else if (colon != std::string_view::npos) {
      result.headers.emplace_back(tgd::detail::lower_case(tgd::detail::trim(line.substr(0, colon))),
                                  tgd::detail::trim(line.substr(colon + 1)));
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
  bool is_here() const noexcept { return origin_.is_here(); }
  RateLimit& rate() { return rate_; }
  void note_answer();
  void note_overload(const HttpResult& result);
  void close();
  std::thread thread;  // set before the first post(), ended by close()

 private:
  bool take_incoming();
  void end_overdue(Clock::time_point now);
  void release_due(Clock::time_point now);
  void send_ready(Clock::time_point now);
  bool has_place() const { return !ready_.empty() && running_.size() < limit_.value(); }
  Clock::time_point next_send(Clock::time_point now);
  void send(JobPtr job);
  void prepare(Job& job);
  void end_transfers();
  void hasten(Job& job);
  void end_transfer(CURL* handle, CURLcode code);
  void read_framing(Job& job) const;
  void read_ending(Job& job, CURLcode code);
  void note_limits(const Job& job);
  void wait();
  bool may_sleep();
  void cancel_all();
  void retire(Job& job);
  void set_deadline(Job& job, Clock::time_point deadline);
  void forget_deadline(const Job& job);
  void finish(JobPtr job);
  static void call_back(JobPtr job);

  SlotPtr make_slot() const;
  void notice_stop();
  void wake() { curl_multi_wakeup(multi_.get()); }

  const tgd::detail::Origin origin_ = {};
  const HttpOptions options_;
  const HeaderList headers_;
  const Authorities authorities_ = Authorities::from_environment();

  // Shared with the callers.
  std::mutex mutex_;
  std::vector<JobPtr> incoming_;
  bool is_full_ = false;  // so many requests run that a further one has to wait for their end
  bool closing_ = false;
  std::atomic<bool> stop_seen_ = false;  // some job's stop was requested since the jobs were last searched

  // Touched by the I/O thread only.
  Multi multi_;
  std::vector<SlotPtr> idle_;
  std::multimap<Clock::time_point, JobPtr> delayed_;
  std::deque<JobPtr> ready_;
  std::unordered_map<CURL*, JobPtr> running_;
  std::vector<Job*> completed_;                      // of the running ones, those that said so since the last end_transfers()
  std::multiset<Clock::time_point> deadlines_;       // of all jobs that have one
  std::map<int, Clock::time_point> ended_in_order_;  // when servers said so of connections, by their local ports
  ConcurrencyLimit limit_;
  RateLimit rate_;
  bool takes_as_it_comes_ = false;  // bodies are not what their Content-Encoding says: none is asked for and none undone
};

HttpClient::Core::Core(HttpOptions options)
    : options_(std::move(options)),
      headers_(make_header_list(options_.headers)),
      multi_(make_multi(options_.max_in_flight)),
      limit_(options_.max_in_flight),
      rate_(options_.per_minute) {}

void HttpClient::Core::post(JobPtr job) {
  const auto noticed = [this](const std::stop_token& token) {
    return token.stop_possible() ? std::make_unique<OnStop>(token, [this] { notice_stop(); }) : nullptr;
  };
  job->on_stop = noticed(job->sending.stop);
  job->on_hold = noticed(job->sending.hold);
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      // Only the first of several needs to wake the thread, which takes all of them; none that has to wait anyway.
      const bool has_time = job->sending.deadline != Clock::time_point::max() || job->sending.not_before != Clock::time_point();
      if (has_time || (incoming_.empty() && !is_full_)) wake();
      incoming_.push_back(std::move(job));
      return;
    }
  }
  call_back(std::move(job));
}

void HttpClient::Core::close() {
  if (!origin_.is_here()) return;
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
    end_overdue(now);
    release_due(now);
    send_ready(now);
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    end_transfers();
    wait();
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
    if (job->sending.stop.stop_requested() || job->sending.hold.stop_requested()) stop_seen_ = true;
    set_deadline(*job, job->sending.deadline);
    if (job->sending.not_before == Clock::time_point()) {
      ready_.push_back(std::move(job));
    } else {
      delayed_.emplace(job->sending.not_before, std::move(job));
    }
  }
  return !closing;
}

// Ends what was told to stop or is past its deadline, wherever it is.
void HttpClient::Core::end_overdue(Clock::time_point now) {
  const bool expired = !deadlines_.empty() && *deadlines_.begin() <= now;
  if (!stop_seen_.exchange(false) && !expired) return;
  std::vector<JobPtr> ended;
  const auto overdue = [now](const Job& job) { return job.sending.stop.stop_requested() || job.has_expired(now); };
  const auto unwanted = [&](const Job& job) { return job.sending.hold.stop_requested() || overdue(job); };
  const auto second = [](auto& entry) -> JobPtr& { return entry.second; };
  const auto itself = [](JobPtr& job) -> JobPtr& { return job; };
  take_if(running_, second, overdue, ended);
  take_if(delayed_, second, unwanted, ended);
  take_if(ready_, itself, unwanted, ended);
  for (JobPtr& job : ended) {
    if (job->enough) {
      read_ending(*job, CURLE_OK);
    } else {
      job->result.ending = job->has_expired(now) ? HttpResult::Fate::expired : HttpResult::Fate::cancelled;
    }
    finish(std::move(job));
  }
}

void HttpClient::Core::release_due(Clock::time_point now) {
  const auto end = delayed_.upper_bound(now);
  // Backwards, so that the one due first ends up in front.
  for (auto at = end; at != delayed_.begin();) ready_.push_front(std::move((--at)->second));
  delayed_.erase(delayed_.begin(), end);
}

// When the first of the ready ones may be sent, as far as it is a matter of time.
Clock::time_point HttpClient::Core::next_send(Clock::time_point now) {
  return rate_.earliest(now, ready_.front()->post->tokens);
}

void HttpClient::Core::send_ready(Clock::time_point now) {
  while (has_place() && next_send(now) <= now) {
    JobPtr job = std::move(ready_.front());
    ready_.pop_front();
    send(std::move(job));
  }
}

void HttpClient::Core::send(JobPtr job) {
  if (idle_.empty()) idle_.push_back(make_slot());
  job->slot = std::move(idle_.back());
  idle_.pop_back();
  if (job->sending.revise) {
    if (auto revised = job->sending.revise()) job->post = std::move(revised);
  }
  prepare(*job);
  job->max_reply_bytes = options_.max_reply_bytes;
  job->completed = &completed_;
  job->ended_in_order = &ended_in_order_;
  job->result.sent = true;
  job->result.sent_at = Clock::now();
  job->result.number = rate_.note_sent(job->result.sent_at, job->post->tokens);
  CURL* handle = job->slot->handle.get();
  running_.emplace(handle, std::move(job));
  if (curl_multi_add_handle(multi_.get(), handle) != CURLM_OK) end_transfer(handle, CURLE_FAILED_INIT);
}

// What differs from request to request. retire() undoes what the next one may not need.
void HttpClient::Core::prepare(Job& job) {
  const HttpPost& post = *job.post;
  CURL* handle = job.slot->handle.get();
  job.slot->error[0] = '\0';
  if (post.only_asks) {
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  } else {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, post.body.data());
  }
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &job);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &job);
  curl_easy_setopt(handle, CURLOPT_PREREQDATA, &job);
  curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &job);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, curl_milliseconds(job.sending.timeout.value_or(options_.timeout)));
  if (!post.compressible || takes_as_it_comes_) curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, nullptr);
  if (takes_as_it_comes_) curl_easy_setopt(handle, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  if (!post.url.empty()) curl_easy_setopt(handle, CURLOPT_URL, post.url.c_str());
  if (post.headers.empty()) return;
  job.slot->headers = make_header_list(post.headers);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, job.slot->headers.get());
}

SlotPtr HttpClient::Core::make_slot() const {
  auto slot = std::make_unique<Slot>();
  slot->handle = make_easy(options_, headers_, authorities_);
  curl_easy_setopt(slot->handle.get(), CURLOPT_ERRORBUFFER, slot->error);
  curl_easy_setopt(slot->handle.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(slot->handle.get(), CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(slot->handle.get(), CURLOPT_PREREQFUNCTION, on_request);
  if (options_.url.starts_with("https:")) {  // HTTP/2 is over TLS only
    curl_easy_setopt(slot->handle.get(), CURLOPT_DEBUGFUNCTION, on_log);
    curl_easy_setopt(slot->handle.get(), CURLOPT_VERBOSE, 1L);
  }
  return slot;
}

void HttpClient::Core::end_transfers() {
  for (Job* job : completed_) hasten(*job);
  completed_.clear();
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg == CURLMSG_DONE) end_transfer(message->easy_handle, message->data.result);
  }
}

void HttpClient::Core::hasten(Job& job) {
  const Clock::time_point deadline = std::min(job.sending.deadline, Clock::now() + patience_after_enough);
  forget_deadline(job);
  set_deadline(job, deadline);
}

void HttpClient::Core::end_transfer(CURL* handle, CURLcode code) {
  const auto found = running_.find(handle);
  JobPtr job = std::move(found->second);
  running_.erase(found);
  read_ending(*job, job->enough ? CURLE_OK : code);
  note_limits(*job);
  finish(std::move(job));
}

void HttpClient::Core::read_framing(Job& job) const {
  HttpResult& result = job.result;
  long status = 0;
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(job.slot->handle.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(job.slot->handle.get(), CURLINFO_HTTP_VERSION, &version);
  result.status = static_cast<int>(status);
  result.delimited = version >= CURL_HTTP_VERSION_2_0 || !result.header("content-length").empty() ||
                     !result.header("transfer-encoding").empty();
}

void HttpClient::Core::read_ending(Job& job, CURLcode code) {
  read_framing(job);
  HttpResult& result = job.result;
  // A refusal that came before the connection was cut is one: whoever sends too much is not read to the end.
  const bool is_refused = result.status >= 300 && !job.too_large;
  if (code == CURLE_OK || is_refused) {
    result.ending = HttpResult::Fate::answered;
    return;
  }
  result.ending = HttpResult::Fate::failed;
  if (job.too_large) {
    result.error = "the reply is longer than " + std::to_string(job.max_reply_bytes) + " bytes (max_reply_bytes)";
    return;
  }
  if (job.was_lost) {
    result.error = "the connection, which had been used before, ended without an answer";
    result.prospect = Prospect::good;
    return;
  }
  if (code == CURLE_BAD_CONTENT_ENCODING) {
    result.wrong_encoding = result.header("content-encoding");
    result.error = "the reply is not in the encoding that its header names (Content-Encoding: " + result.wrong_encoding + ")";
    result.prospect = Prospect::some;  // several may be on their way before that is known
    takes_as_it_comes_ = true;
    return;
  }
  Failure failure = failure_of(job.slot->handle.get(), code, job.slot->error, options_.url);
  result.error = std::move(failure.message);
  result.prospect = failure.prospect;
  // The server says that it has done nothing with it.
  if (failure.was_not_taken || (result.status == 0 && ended_in_order(job, job.local_port))) result.sent = false;
}

void HttpClient::Core::note_answer() {
  limit_.note_answer();
  rate_.note_answer(Clock::now());
}

void HttpClient::Core::note_overload(const HttpResult& result) {
  const Clock::time_point now = Clock::now();
  limit_.note_refusal(result.sent_at, now);
  rate_.note_refusal(result.sent_at, now);
}

void HttpClient::Core::note_limits(const Job& job) {
  const Clock::time_point now = Clock::now();
  const LimitsLeft limits =
      limits_left([&](std::string_view name) { return job.result.header(name); }, std::chrono::system_clock::now());
  const auto is_near = [&](const std::optional<LimitLeft>& limit) { return limit && limit->resets <= options_.longest_wait; };
  if (is_near(limits.requests)) rate_.note_requests_left(limits.requests->left, now + limits.requests->resets);
  if (is_near(limits.tokens)) rate_.note_tokens_left(limits.tokens->left, now + limits.tokens->resets);
}

void HttpClient::Core::wait() {
  const Clock::time_point now = Clock::now();
  Clock::time_point wake_at = now + std::chrono::hours(1);
  if (!delayed_.empty()) wake_at = std::min(wake_at, delayed_.begin()->first);
  if (!deadlines_.empty()) wake_at = std::min(wake_at, *deadlines_.begin());
  if (has_place()) wake_at = std::min(wake_at, next_send(now));
  if (wake_at <= now || !may_sleep()) return;
  // Rounded up: waking early would mean to spin until the time has come.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake_at - now).count();
  curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait), nullptr);
}

// Decides who wakes the thread: a new request, or only the end of one that runs.
bool HttpClient::Core::may_sleep() {
  const std::lock_guard lock(mutex_);
  is_full_ = running_.size() >= limit_.value();
  return is_full_ || incoming_.empty();
}

// Takes the job's handle back for the next one. Ends the transfer if it still runs.
void HttpClient::Core::retire(Job& job) {
  if (!job.slot) return;
  CURL* handle = job.slot->handle.get();
  curl_multi_remove_handle(multi_.get(), handle);
  curl_easy_setopt(handle, CURLOPT_DEBUGDATA, nullptr);
  if (job.post->only_asks) curl_easy_setopt(handle, CURLOPT_POST, 1L);
  if (!job.post->url.empty()) curl_easy_setopt(handle, CURLOPT_URL, options_.url.c_str());
  if (!job.post->headers.empty()) curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_.get());
  if (!job.post->compressible) curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, compressions);
  job.slot->headers.reset();
  idle_.push_back(std::move(job.slot));
}

void HttpClient::Core::set_deadline(Job& job, Clock::time_point deadline) {
  job.sending.deadline = deadline;
  if (deadline != Clock::time_point::max()) deadlines_.insert(deadline);
}

void HttpClient::Core::forget_deadline(const Job& job) {
  const auto found = deadlines_.find(job.sending.deadline);
  if (found != deadlines_.end()) deadlines_.erase(found);
}

void HttpClient::Core::cancel_all() {
  std::vector<JobPtr> all;
  for (auto& [handle, job] : running_) all.push_back(std::move(job));
  for (auto& [due, job] : delayed_) all.push_back(std::move(job));
  for (JobPtr& job : ready_) all.push_back(std::move(job));
  running_.clear();
  delayed_.clear();
  ready_.clear();
  for (JobPtr& job : all) finish(std::move(job));
}

void HttpClient::Core::finish(JobPtr job) {
  forget_deadline(*job);
  retire(*job);
  call_back(std::move(job));
}

// The job, and with it its stop callback, dies here: always without a lock.
void HttpClient::Core::call_back(JobPtr job) { tgd::detail::call_back(job->done, job->result); }

// ---- The handle ------------------------------------------------------------------------------------------------------

HttpClient::HttpClient(HttpOptions options) : core_(std::make_shared<Core>(std::move(options))) {
  core_->thread = tgd::detail::start_thread("HTTP", [core = core_] { core->run(); });
}

// To close connections that a parent process uses would end them in order, for the other side too.
HttpClient::~HttpClient() {
  close();
  if (!is_here()) tgd::detail::keep_for_ever(core_);
}

void HttpClient::post(std::shared_ptr<const HttpPost> post, Done done, Sending sending) {
  core_->post(std::make_unique<Job>(std::move(post), std::move(done), std::move(sending)));
}

void HttpClient::pause(Clock::time_point until) { core_->rate().pause(until); }

void HttpClient::note_answer() { core_->note_answer(); }

void HttpClient::note_overload(const HttpResult& result) { core_->note_overload(result); }

void HttpClient::correct_tokens(std::uint64_t number, std::int64_t tokens) { core_->rate().correct_tokens(number, tokens); }

void HttpClient::close() { core_->close(); }

bool HttpClient::is_here() const noexcept { return core_->is_here(); }

}  // namespace tgd::net
