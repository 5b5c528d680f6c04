// The text of cassettes: pure functions.
//
// A cassette is a sequence of JSON objects, each pretty-printed (its first line is "{", its last line "}") and therefore readable
// for jq as well. The first one is {"tgd_cassette": 1}. Each further one is an exchange:
//   {"model", "sample" (0 when absent), "args" (none when absent), "messages": [{"role", "content"}…], "first" (0 when absent),
//    "replies": [{"content", "alternatives", "finish_reason", "model", "usage", "cached_usage"} or {"error": {"kind", "message",
//    "status", "retryable"}, "usage"}…]}
// Texts of several lines are lists of lines. The replies are those to equal requests, in the order in which they were asked;
// "first" is the number of the first one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/lm/call.hpp>
#include <tgd/lm/chat_model.hpp>

namespace tgd::net {
class Secrets;
}

namespace tgd::lm::detail {

/// What makes a request: equal questions get each other's replies.
struct RecordedRequest {
  std::string model = {};
  std::uint64_t sample = 0;
  Json args = {};  ///< canonical
  std::vector<Message> messages = {};

  /// All of it, for people.
  std::string text() const;

  friend bool operator==(const RecordedRequest&, const RecordedRequest&) = default;
  /// The order on a cassette: by model, messages, arguments, sample number.
  bool operator<(const RecordedRequest& other) const;
  struct Hash {
    std::size_t operator()(const RecordedRequest& question) const noexcept;
  };
};

/// What a call asks, without the secrets.
RecordedRequest question_of(const Call& call, const net::Secrets& secrets);
/// As an exchange begins.
nlohmann::ordered_json question_to_json(const RecordedRequest& question);
RecordedRequest question_from_json(nlohmann::ordered_json json);

struct Exchange {
  RecordedRequest question = {};
  std::map<std::size_t, Outcome> replies = {};  ///< by their number
};

/// How every cassette that is written begins, and how its objects end.
inline constexpr std::string_view cassette_header = "{\n  \"tgd_cassette\": 1\n}\n";
inline constexpr std::string_view cassette_end = "\n}\n";

/// Exchanges in the order in which they stand there, several for one question if need be. A last one that was cut off is passed
/// over. Throws ParseError with the line for what is no cassette, or one of a newer version.
std::vector<Exchange> parse_cassette(std::string_view text);

/// One exchange as it stands in a file.
std::string print_exchange(const Exchange& exchange);

/// A whole cassette: one exchange for each question, ordered by model and messages, so that it does not depend on the order in
/// which replies came. Of two replies with one number the later one counts; numbers are made contiguous.
std::string print_cassette(const std::vector<Exchange>& exchanges);

}  // namespace tgd::lm::detail
