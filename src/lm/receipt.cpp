#include <tgd/lm/receipt.hpp>

namespace tgd::lm {

const char* to_string(ReplySource source) {
  switch (source) {
    case ReplySource::endpoint:
      return "endpoint";
    case ReplySource::cache:
      return "cache";
    case ReplySource::flight:
      return "flight";
    case ReplySource::cassette:
      return "cassette";
    case ReplySource::journal:
      return "journal";
  }
  return "";
}

bool Receipt::sent() const {
  if (refused || original_usage) return false;
  return end.has_value() || usage.calls == 0 || usage.attempts > 0;
}

}  // namespace tgd::lm
