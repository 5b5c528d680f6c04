#include "lm/openai/stream.hpp"

#include <algorithm>
#include <utility>

#include "core/json_parser.hpp"
#include "core/one_line.hpp"
#include "core/text.hpp"
#include "lm/lenient_json.hpp"
#include "lm/openai/errors.hpp"
#include "lm/openai/reply_end.hpp"

namespace tgd::lm::detail {

namespace {

using Value = nlohmann::json;
using Kind = LMError::Kind;

constexpr std::size_t quotable = 1000;  // bytes of a body that an error may quote from

}  // namespace

std::string ChatStream::feed(std::string_view bytes) {
  if (form_ == Form::unknown || form_ == Form::json) {
    body_ += bytes;
  } else if (body_.size() < quotable) {
    body_ += bytes.substr(0, quotable);
  }
  if (form_ == Form::unknown) {
    recognize(body_);
    bytes = body_;  // nothing of it has been parsed yet
  }
  if (form_ == Form::events) parser_.feed(bytes, [this](const net::SseEvent& event) { take_event(event); });
  return std::exchange(fresh_, {});
}

// A line of an event stream never begins with a brace.
void ChatStream::recognize(std::string_view bytes) {
  const std::size_t start = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (start == std::string_view::npos) return;
  form_ = bytes[start] == '{' ? Form::json : Form::events;
}

void ChatStream::take_event(const net::SseEvent& event) {
  ++events_;
  const std::string_view data = tgd::detail::trim(event.data);
  if (complete() || data.empty()) return;
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  std::optional<Value> chunk = tgd::detail::parse_or_discard<Value>(data);
  const bool hides_bytes = chunk->is_discarded();
  if (hides_bytes) chunk = parse_json(hide_halves(hide_invalid_bytes(data)));
  if (!chunk) {
    error_ = LMError(Kind::unreadable,
                     "an event of the stream is not JSON: " + tgd::detail::in_quotes(secrets_->blank_quoted(data)), 0, true);
  } else if (event.name == "error" || names_an_error(*chunk)) {
    trouble_ = endpoint_error_in(0, *chunk);
    error_ = error_in_reply(*trouble_, *secrets_);
  } else {
    take_chunk(*chunk, hides_bytes);
  }
}

void ChatStream::take_chunk(const Value& chunk, bool hides_bytes) {
  if (const Value& usage = usage_in(chunk); usage.is_object()) usage_ = usage;
  if (model_.empty()) model_ = text(member(chunk, "model"));
  const Value& choices = member(chunk, "choices");
  if (!choices.is_array()) return;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const Value& number = member(choices[i], "index");
    const std::int64_t index = number.is_number_integer() ? count(number) : static_cast<std::int64_t>(i);
    const std::string added = take_choice(choices_[index], choices[i], hides_bytes);
    if (index == 0) fresh_ += visible(added);
  }
}

// Returns the text that it adds.
std::string ChatStream::take_choice(Choice& choice, const Value& json, bool hides_bytes) {
  // Some servers end the stream with the whole message.
  const bool has_delta = member(json, "delta").is_object() || !choice.content.empty();
  const Value& delta = member(json, has_delta ? "delta" : "message");
  const auto shown = [hides_bytes](const std::string& piece) { return hides_bytes ? show_invalid_bytes(piece) : piece; };
  std::string added;
  if (const std::optional<std::string> content = content_of(delta)) {
    added = choice.joiner.take(shown(*content));
    choice.has_content = true;
    choice.content += added;
  }
  choice.reasoning += choice.reasoning_joiner.take(shown(reasoning_of(delta)));
  choice.refusal += tgd::detail::valid_utf8(shown(refusal_of(delta)));
  if (const Value& tokens = member(member(json, "logprobs"), "content"); tokens.is_array()) {
    for (Value token : tokens) {
      if (hides_bytes && member(token, "token").is_string())
        token["token"] = tgd::detail::valid_utf8(shown(text(member(token, "token"))));
      choice.logprobs.push_back(std::move(token));
    }
  }
  choice.calls_tools = choice.calls_tools || calls_tools(delta);
  if (const std::string reason = finish_word(json); !reason.empty()) choice.finish_reason = reason;
  if (!member(json, "error").is_null()) choice.error = member(json, "error");
  return added;
}

// "[DONE]" is the end, and a reason to finish is as good.
bool ChatStream::is_whole() const {
  const auto has_ended = [](const auto& choice) { return !choice.second.finish_reason.empty(); };
  return done_ || (!choices_.empty() && std::all_of(choices_.begin(), choices_.end(), has_ended));
}

std::optional<LMError> ChatStream::problem(const std::optional<LMError>& broken) const {
  if (error_) return error_;
  if (is_whole()) return std::nullopt;
  if (broken) return broken;
  if (events_ == 0 && !tgd::detail::trim(body_).empty()) {
    return LMError(Kind::malformed, "the reply is no event stream: " + tgd::detail::in_quotes(secrets_->blank_quoted(body_)), 0,
                   true);
  }
  return LMError(Kind::transport, "the stream ended before the reply did, without \"[DONE]\" or a finish_reason", 0, true);
}

Value ChatStream::completion() const {
  Value choices = Value::array();
  for (const auto& [index, choice] : choices_) {
    Value message = {{"content", nullptr}, {"refusal", choice.refusal}, {"reasoning_content", choice.reasoning}};
    if (choice.has_content) message["content"] = choice.content;
    if (choice.calls_tools) message["tool_calls"] = Value::array({true});
    Value ended = {{"message", std::move(message)}, {"finish_reason", choice.finish_reason}};
    if (!choice.logprobs.empty()) ended["logprobs"] = {{"content", choice.logprobs}};
    if (choice.error) ended["error"] = *choice.error;
    choices.push_back(std::move(ended));
  }
  return {{"choices", std::move(choices)}, {"model", model_}, {"usage", usage_}};
}

ChatStream::Finish ChatStream::finish(bool delimited, const std::optional<LMError>& broken) {
  if (form_ == Form::json) {
    Finish ending{.parsed = broken ? ParsedReply{*broken, {}} : parse_reply(body_, delimited, thoughts_, *secrets_)};
    if (const auto* reply = std::get_if<Reply>(&ending.parsed.result)) ending.rest = reply->content;
    return ending;
  }
  // The last event of a connection that was cut is only its beginning.
  if (!broken) parser_.finish([this](const net::SseEvent& event) { take_event(event); });
  std::string mended;
  for (auto& [index, choice] : choices_) {
    const std::string half = choice.joiner.finish();
    choice.content += half;
    choice.reasoning += choice.reasoning_joiner.finish();
    if (const auto at = choice.joiner.mended_at(); at && mended.empty())
      mended = "byte " + std::to_string(*at) + " of a reply's text";
    if (index == 0) fresh_ += visible(half) + marks_.take(filter_.finish()) + marks_.finish();
  }
  Finish ending{.parsed = read_completion(completion(), body_, thoughts_, *secrets_)};
  ending.parsed.mended = std::move(mended);
  if (const auto error = problem(broken)) ending.parsed.result = *error;
  if (error_) ending.parsed.trouble = trouble_;
  const auto* reply = std::get_if<Reply>(&ending.parsed.result);
  // Without a choice of number 0 nothing was returned yet.
  if (reply != nullptr) ending.rest = choices_.contains(0) ? fresh_ : reply->content;
  return ending;
}

ParsedReply read_body(std::string_view body, bool delimited, Thoughts thoughts, const net::Secrets& secrets) {
  const std::string_view beginning = tgd::detail::trim(body.substr(0, 64));
  const bool is_stream = beginning.starts_with("data:") || beginning.starts_with("event:") || beginning.starts_with(": ");
  if (!is_stream) return parse_reply(body, delimited, thoughts, secrets);
  ChatStream stream(thoughts, std::make_shared<net::Secrets>(secrets));
  stream.feed(body);
  return stream.finish(delimited).parsed;
}

}  // namespace tgd::lm::detail
