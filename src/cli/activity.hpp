// Activity: something that takes a while. While the object lives, a line on the terminal says how far it is; in a log, a line
// at the beginning and one now and then.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/cost.hpp>

#include "cli/terminal.hpp"

namespace tgd::cli {

struct ActivityStatus {
  double done = 0;
  double total = 0;            ///< 0: nobody knows
  std::string unit = "calls";  ///< of both
  std::int64_t in_flight = 0;
  bool has_cost = false;
  std::optional<lm::Cost> cost = {};  ///< so far; nothing: unknown
};

/// "measuring the test part  31/73 calls  0:12 left  $0.0031  8 in flight  3.1/s  42%": the most important first.
std::vector<std::string> activity_pieces(const std::string& what, const ActivityStatus& status, double seconds);

class Activity {
 public:
  /// `status` is asked from a thread of this object's.
  Activity(Terminal& terminal, std::string what, std::function<ActivityStatus()> status);
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;
  ~Activity();

 private:
  void tick();
  void show();

  Terminal& terminal_;
  const std::string what_;
  const std::function<ActivityStatus()> status_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread ticker_;
};

}  // namespace tgd::cli
