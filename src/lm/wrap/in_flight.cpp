#include "lm/wrap/in_flight.hpp"

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/callbacks.hpp"

namespace tgd::lm::detail {

namespace {

using OnStop = std::stop_callback<std::function<void()>>;

bool same(const CallOptions& a, const CallOptions& b) {
  return a.headers == b.headers && a.query == b.query && a.timeout == b.timeout && a.deadline == b.deadline;
}

Outcome for_others(const Outcome& outcome) {
  const Receipt& first = outcome.receipt();
  Receipt receipt{.usage = {.calls = 1}, .source = ReplySource::flight, .refused = first.refused};
  if (outcome.ok()) receipt.original_usage = first.original_usage ? first.original_usage : first.usage;
  Outcome same = outcome;
  same.set_receipt(receipt);
  return same;
}

}  // namespace

struct InFlight::Passenger {
  std::uint64_t number = 0;
  Landed landed;
  // Destroyed only without the lock: its destructor waits for a running callback, which takes the lock.
  std::unique_ptr<OnStop> on_stop = nullptr;
};

struct InFlight::State {
  std::mutex mutex;
  std::unordered_map<std::string, FlightPtr> open;
};

struct InFlight::Flight {
  /// To be called with the lock held.
  void close() {
    const auto at = state->open.find(key);
    if (at != state->open.end() && at->second.get() == this) state->open.erase(at);
  }
  std::list<Passenger>::iterator find(std::uint64_t number) {
    return std::find_if(passengers.begin(), passengers.end(), [&](const Passenger& one) { return one.number == number; });
  }

  std::shared_ptr<State> state;
  std::string key;
  CallOptions options;
  std::stop_source stop = {};
  std::list<Passenger> passengers = {};
  std::uint64_t boarded = 0;
};

InFlight::InFlight() : state_(std::make_shared<State>()) {}

// InFlight that were never finished hold the state, and the state holds them.
InFlight::~InFlight() {
  std::unordered_map<std::string, FlightPtr> open;
  const std::lock_guard lock(state_->mutex);
  open.swap(state_->open);
}

InFlight::Ticket InFlight::join(const std::string& key, const CallOptions& options, Landed landed,
                                const std::stop_token& stop) {
  FlightPtr flight;
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(state_->mutex);
    const auto open = state_->open.find(key);
    if (open != state_->open.end() && same(open->second->options, options)) {
      flight = open->second;
    } else {
      flight = std::make_shared<Flight>(Flight{state_, key, options});
      if (open == state_->open.end()) state_->open.emplace(key, flight);
    }
    number = flight->boarded++;
    flight->passengers.push_back({number, std::move(landed)});
  }
  if (stop.stop_possible()) {
    auto on_stop = std::make_unique<OnStop>(stop, [flight, number] { leave(flight, number); });
    const std::lock_guard lock(state_->mutex);
    const auto passenger = flight->find(number);
    if (passenger != flight->passengers.end()) passenger->on_stop = std::move(on_stop);
  }
  return {flight, number == 0};
}

std::stop_token InFlight::stop_of(const FlightPtr& flight) { return flight->stop.get_token(); }

// Takes copies: the callback that calls this is destroyed with the passenger.
void InFlight::leave(const FlightPtr& of, std::uint64_t number) {
  const FlightPtr flight = of;
  std::list<Passenger> left;
  bool is_last = false;
  {
    const std::lock_guard lock(flight->state->mutex);
    const auto passenger = flight->find(number);
    if (passenger == flight->passengers.end()) return;
    is_last = flight->passengers.size() == 1;
    if (is_last) {
      flight->close();
    } else {
      left.splice(left.end(), flight->passengers, passenger);
    }
  }
  if (is_last) {
    flight->stop.request_stop();
  } else {
    left.front().landed(Outcome(LMError(LMError::Kind::cancelled, "the call was cancelled"), Usage{.calls = 1}), false);
  }
}

void InFlight::finish(const FlightPtr& flight, Outcome outcome) {
  std::list<Passenger> passengers;
  {
    const std::lock_guard lock(flight->state->mutex);
    flight->close();
    passengers.swap(flight->passengers);
  }
  for (Passenger& passenger : passengers) passenger.on_stop.reset();
  for (auto passenger = passengers.rbegin(); passenger != passengers.rend(); ++passenger) {
    const bool is_first = std::next(passenger) == passengers.rend();
    tgd::detail::call_back(passenger->landed, is_first ? std::move(outcome) : for_others(outcome), is_first);
  }
}

}  // namespace tgd::lm::detail
