// CallNote: what is to be said of a call in a ledger, from its beginning to its end.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <tgd/lm/call.hpp>
#include <tgd/lm/observed.hpp>

namespace tgd::net {
class Secrets;
}

namespace tgd::lm::detail {

class CallNote {
 public:
  CallNote(const Call& call, std::string provider, bool is_streamed, bool with_text);

  /// The record of the call, which has ended, without the secrets.
  CallRecord end(const Outcome& outcome) const;

 private:
  CallRecord record_;
  std::shared_ptr<const net::Secrets> secrets_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool with_text_;
};

}  // namespace tgd::lm::detail
