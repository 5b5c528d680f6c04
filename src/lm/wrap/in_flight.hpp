// InFlight: equal requests that are on their way at the same time travel as one.
// Thread-safety: every member may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm::detail {

class InFlight {
 public:
  /// Called once for each who joined. Who is not first gets the reply with nothing used, and Receipt::original_usage.
  using Landed = std::function<void(Outcome outcome, bool is_first)>;
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;
  struct Ticket {
    FlightPtr flight;
    bool is_first;  ///< who is has to send the request with stop_of(flight), and to call finish()
  };

  InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight();

  /// Boards the flight with this key, or begins one. Requests with other options travel alone. Whoever is stopped lands at once
  /// with a cancelled call; when nobody else is on board the flight itself is stopped instead.
  Ticket join(const std::string& key, const CallOptions& options, Landed landed, const std::stop_token& stop);

  static std::stop_token stop_of(const FlightPtr& flight);

  /// Lands all who are on board.
  static void finish(const FlightPtr& flight, Outcome outcome);

 private:
  struct State;
  struct Passenger;

  static void leave(const FlightPtr& flight, std::uint64_t number);

  std::shared_ptr<State> state_;
};

}  // namespace tgd::lm::detail
