// The OpenAI chat-completions protocol as pure functions: request bodies out, replies and errors in.
// API: https://platform.openai.com/docs/api-reference/chat/create
// Lenient in what it reads, because compatible servers differ; errors quote a short excerpt of what came,
// with the given secrets blanked before anything is cut off.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tgd/lm/openai.hpp>

#include "lm/openai/errors.hpp"
#include "lm/openai/reply_end.hpp"
#include "net/secrets.hpp"

namespace tgd::lm::detail {

enum class Streaming { none, plain, with_usage };

/// The JSON to post. `model` is used unless `args` names one. Invalid UTF-8 becomes U+FFFD. With usage: a stream that ends with
/// figures, unless `args` hold stream_options of their own.
/// Throws ValueError for no messages, and for arguments that would make the reply unreadable.
std::string request_body(const std::vector<Message>& messages, const Json& args, std::string_view model,
                         Streaming streaming = Streaming::none);

/// A body of request_body() without its stream_options.
std::string without_stream_options(std::string_view body);

/// A body of request_body() with other messages.
std::string with_messages(std::string_view body, const std::vector<Message>& messages);

/// The same conversation for a model that takes the turns of user and assistant only: the text of system messages goes into the turn of the
/// user, and neighbours of one role become one. Nothing when that changes nothing.
std::optional<std::string> folded_body(std::string_view body);

/// The limit of a reply's length, by whatever name the arguments give it.
struct NamedLimit {
  const char* name;
  std::int64_t tokens;
};
std::optional<NamedLimit> named_reply_limit(const Json& args);
/// The limit of the reply's length that the arguments name, for all its choices together; nothing when they name none. Stays at the
/// largest number where that is too much for one.
std::optional<std::int64_t> reply_limit(const Json& args);

/// Whether a status and its body say that the endpoint does not take stream_options.
bool refuses_stream_options(int status, std::string_view body);

/// The window of a model in the list that an endpoint gives of its models, in tokens: llama.cpp's n_ctx, vLLM's max_model_len and what
/// others call it; 0 where it says nothing.
std::int64_t window_in_list(std::string_view body, std::string_view model);

struct ParsedReply {
  std::variant<Reply, LMError> result;
  Usage usage;  ///< token figures and `reported`; present for errors too, since those tokens cost as well
  /// A figure that cannot be, as `"prompt_tokens": -5`; the usage is unknown then. Mostly empty.
  std::string absurd_usage = {};
  std::optional<EndpointError> trouble = {};  ///< what the error was made of, when the endpoint itself spoke of one
  std::string unknown_end = {};               ///< the word that it ends with, when nobody knows that
  std::string end_mark = {};                  ///< that was taken off the end of its text
  std::string mended = {};                    ///< where it was no UTF-8, for people; mostly empty
};

/// What a call cost as the endpoint itself says it. False for an amount that cannot be.
bool note_cost(Usage& usage, double usd);

/// Where a completion or a chunk of one has its token figures; null where it has none.
const nlohmann::json& usage_in(const nlohmann::json& json);

/// Reads the body of a 2xx answer. `delimited` says whether the HTTP framing told where the body ends; without it, JSON that
/// stops in the middle counts as a cut connection.
ParsedReply parse_reply(std::string_view body, bool delimited, Thoughts thoughts = Thoughts::strip,
                        const net::Secrets& secrets = {});

/// The same of the JSON of a completion with its choices; `body` to be quoted.
ParsedReply read_completion(const nlohmann::json& completion, std::string_view body, Thoughts thoughts = Thoughts::strip,
                            const net::Secrets& secrets = {});

/// Explains JSON that says that something went wrong, although the status was 2xx.
LMError error_in_reply(const EndpointError& trouble, const net::Secrets& secrets = {});

/// Why a reply that ended so is none, for the ends that no caller can make use of; nothing for a whole one and a cut one.
/// `word`: as the endpoint gives it.
std::optional<LMError> bad_end(const EndOfReply& ending, std::string_view word, const net::Secrets& secrets = {});

/// Parts of a message, or of a chunk's delta. Content is a string or a list of parts; nothing when there is none to read.
std::optional<std::string> content_of(const nlohmann::json& message);
/// Thoughts that have a place of their own; empty where there is none.
std::string reasoning_of(const nlohmann::json& message);
std::string refusal_of(const nlohmann::json& message);
bool calls_tools(const nlohmann::json& message);

/// What a request was, as far as the explanation of an error needs it.
struct Asked {
  std::string_view model;
  std::string_view location = {};  ///< header of a redirect
  bool added_version = false;      ///< /v1 is in the URL because tgd put it there
  bool is_wait_named = false;      ///< in a header
};
/// Explains an answer with another status.
ParsedReply read_refusal(int status, std::string_view body, const Asked& asked, const net::Secrets& secrets = {});

/// The same, without what it was made of.
LMError status_error(int status, std::string_view body, std::string_view model, std::string_view location = {},
                     const net::Secrets& secrets = {});

}  // namespace tgd::lm::detail
