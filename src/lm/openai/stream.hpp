// ChatStream: a streamed chat completion, read as it arrives: events of chunks with a "delta" for each choice.
// API: https://platform.openai.com/docs/api-reference/chat-streaming
// Judges by what comes and not by its content type: an endpoint that answers with a plain JSON completion is understood too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "lm/openai/end_marks.hpp"
#include "lm/openai/protocol.hpp"
#include "lm/openai/thoughts.hpp"
#include "lm/utf8_joiner.hpp"
#include "net/sse.hpp"

namespace tgd::lm::detail {

class ChatStream {
 public:
  /// `secrets`: what its errors must not quote.
  explicit ChatStream(Thoughts thoughts = Thoughts::strip,
                      std::shared_ptr<const net::Secrets> secrets = std::make_shared<net::Secrets>())
      : thoughts_(thoughts), secrets_(std::move(secrets)) {}

  /// Reads further bytes of the body. Returns what they add to the text of the first choice: whole characters.
  std::string feed(std::string_view bytes);

  /// Whether nothing more is to come: "[DONE]" or an error has arrived.
  bool complete() const { return done_ || error_.has_value(); }

  struct Finish {
    std::string rest = {};  ///< text of the first choice that feed() has not returned yet; empty for an error
    ParsedReply parsed;
  };
  /// At the end of the connection. `broken`: why it ended early, which does not matter to a reply that is complete.
  Finish finish(bool delimited, const std::optional<LMError>& broken = std::nullopt);

 private:
  struct Choice {
    std::string content = {};
    bool has_content = false;
    std::string reasoning = {};  // of a field of its own
    std::string refusal = {};
    bool calls_tools = false;
    std::string finish_reason = {};
    std::optional<nlohmann::json> error = {};  // the reason of the choice's own
    Utf8Joiner joiner = {};
    Utf8Joiner reasoning_joiner = {};
    nlohmann::json logprobs = nlohmann::json::array();  // of its tokens
  };
  enum class Form { unknown, json, events };

  void recognize(std::string_view bytes);
  void take_event(const net::SseEvent& event);
  void take_chunk(const nlohmann::json& chunk, bool hides_bytes);
  static std::string take_choice(Choice& choice, const nlohmann::json& json, bool hides_bytes);
  bool is_whole() const;
  std::optional<LMError> problem(const std::optional<LMError>& broken) const;
  nlohmann::json completion() const;

  std::string visible(std::string_view added) {
    return marks_.take(thoughts_ == Thoughts::keep ? std::string(added) : filter_.take(added));
  }

  Thoughts thoughts_;
  std::shared_ptr<const net::Secrets> secrets_;
  ThoughtFilter filter_;  // of the first choice
  EndMarkFilter marks_;   // behind it
  Form form_ = Form::unknown;
  std::string body_;  // all of it as long as it may be JSON, else its beginning, to be quoted
  net::SseParser parser_;
  std::size_t events_ = 0;
  bool done_ = false;
  std::optional<LMError> error_;
  std::optional<EndpointError> trouble_;    // what it was made of
  std::map<std::int64_t, Choice> choices_;  // by "index"
  std::string model_;
  nlohmann::json usage_;
  std::string fresh_;  // text of the first choice that was not returned yet
};

/// The body of a reply that was asked for as a whole. Some gateways stream all the same.
ParsedReply read_body(std::string_view body, bool delimited, Thoughts thoughts, const net::Secrets& secrets);

}  // namespace tgd::lm::detail
