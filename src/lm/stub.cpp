#include <tgd/lm/stub.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/one_line.hpp"
#include "core/origin.hpp"
#include "core/seconds.hpp"
#include "core/split_mix.hpp"
#include "lm/delivery.hpp"
#include "lm/streamed.hpp"

namespace tgd::lm {

namespace {

using Clock = detail::Delivery::Clock;

Reply text_reply(std::string content) {
  return Reply{.content = std::move(content), .finish_reason = "stop", .model = "stub", .usage = {}};
}

Stub::FullAnswer fixed(std::string reply) {
  return [reply = std::move(reply)](const Request&) { return text_reply(reply); };
}

bool mentions(const Request& request, const std::string& text) {
  return std::any_of(request.messages.begin(), request.messages.end(),
                     [&](const Message& message) { return message.content.find(text) != std::string::npos; });
}

std::string quoted(const Request& request) {
  std::string text;
  for (const Message& message : request.messages) text += message.role + ": " + message.content + "\n";
  return tgd::detail::in_quotes(text);
}

constexpr std::chrono::microseconds longest_latency = tgd::detail::longest_span;

// Of a call that has no other figures.
constexpr Usage one_call{.calls = 1, .attempts = 1};

Outcome cancelled(const Usage& usage) {
  return {LMError(LMError::Kind::cancelled, "the call was cancelled before the stub's reply was due"), usage};
}

/// Lets threads do something one at a time, in order of arrival. No lock: what they do is up to the user, and may ask the stub itself.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns& turns) : turns_(turns) { turns_.begin(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { turns_.end(); }

   private:
    Turns& turns_;
  };

 private:
  void begin() {
    std::unique_lock lock(mutex_);
    if (depth_ == 0 || thread_ != std::this_thread::get_id()) {
      const std::uint64_t number = arrived_++;
      changed_.wait(lock, [&] { return number == served_; });
      thread_ = std::this_thread::get_id();
    }
    ++depth_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    if (--depth_ > 0) return;
    ++served_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t arrived_ = 0;
  std::uint64_t served_ = 0;
  std::thread::id thread_;
  std::size_t depth_ = 0;
};

}  // namespace

struct Stub::State {
  struct Rule {
    std::function<bool(const Request&)> matches;
    FullAnswer answer;
  };

  /// The answer and how long it takes.
  std::pair<Outcome, std::chrono::microseconds> answer_in_turn(const Request& request);
  Outcome answer(const Request& request);
  Reply reply_to(const Request& request) const;
  std::size_t note_start(const Request& request);
  void finish(const Done& done, Outcome outcome);

  // Set up before the first request.
  std::vector<Rule> rules;
  FullAnswer fallback;
  Latency latency;

  Turns answering;
  mutable std::mutex mutex;
  std::vector<Request> requests;
  std::size_t arrived = 0;
  std::size_t in_flight = 0;
  std::size_t max_in_flight = 0;

  UsageMeter meter;
  detail::Delivery delivery;
};

std::pair<Outcome, std::chrono::microseconds> Stub::State::answer_in_turn(const Request& request) {
  const Turns::Turn turn(answering);
  const std::size_t number = note_start(request);
  Outcome outcome = answer(request);
  std::chrono::microseconds delay(0);
  try {
    if (latency) delay = std::clamp(latency(number, request), std::chrono::microseconds(0), longest_latency);
  } catch (...) {
    outcome = Outcome(std::current_exception(), one_call);
  }
  return {std::move(outcome), delay};
}

Outcome Stub::State::answer(const Request& request) {
  try {
    Reply reply = reply_to(request);
    reply.usage.calls = 1;
    reply.usage.attempts = std::max<std::int64_t>(1, reply.usage.attempts);
    return reply;
  } catch (...) {
    return {std::current_exception(), one_call};
  }
}

Reply Stub::State::reply_to(const Request& request) const {
  for (const Rule& rule : rules) {
    if (rule.matches(request)) return rule.answer(request);
  }
  if (fallback) return fallback(request);
  throw LMError(LMError::Kind::script, "the stub has no answer: none of its " + std::to_string(rules.size()) +
                                           " rules matches, and there is no otherwise(). Request: " + quoted(request));
}

std::size_t Stub::State::note_start(const Request& request) {
  const std::lock_guard lock(mutex);
  requests.push_back(request);
  max_in_flight = std::max(max_in_flight, ++in_flight);
  return arrived++;
}

void Stub::State::finish(const Done& done, Outcome outcome) {
  {
    const std::lock_guard lock(mutex);
    --in_flight;
  }
  meter.add(outcome.usage());
  done(std::move(outcome));
}

Stub::Stub() : state_(std::make_shared<State>()) {}

// The closures on their way hold the state, and the state holds the delivery: closing it unties the knot.
Stub::~Stub() {
  state_->delivery.close();
  if (!state_->delivery.is_here()) tgd::detail::keep_for_ever(state_);
}

std::shared_ptr<Stub> Stub::answering(Answer answer) {
  return answering_in_full([answer = std::move(answer)](const Request& request) { return text_reply(answer(request)); });
}

std::shared_ptr<Stub> Stub::answering_in_full(FullAnswer answer) {
  auto stub = std::make_shared<Stub>();
  stub->state_->fallback = std::move(answer);
  return stub;
}

std::shared_ptr<Stub> Stub::scripted(std::vector<std::string> replies) {
  return answering_in_full([replies = std::move(replies), next = std::size_t{0}](const Request& request) mutable {
    if (next < replies.size()) return text_reply(replies[next++]);
    throw LMError(LMError::Kind::script, "the stub's script is exhausted after " + std::to_string(replies.size()) +
                                             " replies. Request: " + quoted(request));
  });
}

Stub& Stub::when(std::string text, std::string reply) {
  return when([text = std::move(text)](const Request& request) { return mentions(request, text); }, fixed(std::move(reply)));
}

Stub& Stub::when(std::function<bool(const Request&)> matches, FullAnswer answer) {
  state_->rules.push_back({std::move(matches), std::move(answer)});
  return *this;
}

Stub& Stub::otherwise(std::string reply) {
  state_->fallback = fixed(std::move(reply));
  return *this;
}

Stub& Stub::latency(Latency latency) {
  state_->latency = std::move(latency);
  return *this;
}

Stub& Stub::latency(std::chrono::microseconds fixed) {
  return latency([fixed](std::size_t, const Request&) { return fixed; });
}

Stub& Stub::shuffled(std::uint64_t seed, std::chrono::microseconds limit) {
  const auto range = static_cast<std::uint64_t>(std::max<std::int64_t>(1, limit.count()));
  return latency([seed, range](std::size_t n, const Request&) {
    return std::chrono::microseconds(static_cast<std::int64_t>(tgd::detail::split_mix64(seed, n) % range));
  });
}

void Stub::start(Request request, Done done) {
  if (!state_->delivery.is_here()) return done(Outcome(tgd::detail::Origin::error("the model"), Usage{.calls = 1}));
  if (request.stop.stop_requested()) return done(cancelled({}));

  State& state = *state_;
  auto [outcome, delay] = state.answer_in_turn(request);

  // A copy of the pointer: `done` may destroy the stub.
  const std::shared_ptr<State> alive = state_;
  if (!state.latency) return alive->finish(done, std::move(outcome));
  auto deliver = [alive, done = std::move(done), outcome = std::move(outcome)](detail::Delivery::Occasion ending) mutable {
    alive->finish(done, ending == detail::Delivery::Occasion::due ? std::move(outcome) : cancelled(one_call));
  };
  state.delivery.post(Clock::now() + delay, std::move(deliver), request.stop);
}

void Stub::start_stream(Request request, OnText on_text, Done done) {
  detail::start_in_words(*this, std::move(request), std::move(on_text), std::move(done));
}

Usage Stub::usage() const { return state_->meter.total(); }
void Stub::add_usage(const Usage& usage) { state_->meter.add(usage); }

std::vector<Request> Stub::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

std::size_t Stub::calls() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests.size();
}

std::size_t Stub::max_in_flight() const {
  const std::lock_guard lock(state_->mutex);
  return state_->max_in_flight;
}

void Stub::forget_requests() {
  const std::lock_guard lock(state_->mutex);
  state_->requests.clear();
  state_->max_in_flight = state_->in_flight;
}

}  // namespace tgd::lm
