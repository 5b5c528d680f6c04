// Threads that may not start. Private to the library.
#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::detail {

/// A thread that runs `run`. Throws Error that says what it was for when the system has no more threads.
template <class Run>
std::thread start_thread(std::string_view purpose, Run run) {
  try {
    return std::thread(std::move(run));
  } catch (const std::system_error& error) {
    throw Error("no thread can be started for " + std::string(purpose) + " (" + error.what() +
                "): this process or this machine has reached its limit of threads");
  }
}

}  // namespace tgd::detail
