#include "support/chat_server.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include <nlohmann/json.hpp>

#include "core/split_mix.hpp"

namespace tgd::test {

namespace {

using Value = nlohmann::json;

constexpr std::string_view completions_path = "/chat/completions";

std::string dump(const Value& value) { return Json(value).dump(); }

Value choice(std::size_t index, std::string_view content, std::string_view finish_reason) {
  return {{"index", index},
          {"message", {{"role", "assistant"}, {"content", content}}},
          {"finish_reason", finish_reason.empty() ? Value(nullptr) : Value(finish_reason)}};
}

Value usage_of(const lm::Reply& reply) {
  return {{"prompt_tokens", reply.usage.prompt_tokens},
          {"completion_tokens", reply.usage.completion_tokens},
          {"total_tokens", reply.usage.prompt_tokens + reply.usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", reply.usage.cached_prompt_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", reply.usage.reasoning_tokens}}}};
}

Value completion(const lm::Reply& reply) {
  Value choices = Value::array({choice(0, reply.content, reply.finish_reason)});
  for (const std::string& text : reply.alternatives) choices.push_back(choice(choices.size(), text, "stop"));
  Value body = {{"id", "chatcmpl-test"},
                {"object", "chat.completion"},
                {"created", 1700000000},
                {"model", reply.model},
                {"choices", std::move(choices)}};
  if (reply.usage.reported > 0) body["usage"] = usage_of(reply);
  return body;
}

Value chunk(const std::string& model, Value choices) {
  return {{"id", "chatcmpl-test"}, {"object", "chat.completion.chunk"}, {"model", model}, {"choices", std::move(choices)}};
}

Value delta(std::size_t index, Value content, Value finish_reason = nullptr) {
  return Value::array({{{"index", index}, {"delta", std::move(content)}, {"finish_reason", std::move(finish_reason)}}});
}

// A chunk for each word of each choice, its reason to finish, and the usage if it is asked for.
std::string completion_stream(const lm::Reply& reply, bool with_usage) {
  std::vector<std::string> texts = {reply.content};
  texts.insert(texts.end(), reply.alternatives.begin(), reply.alternatives.end());
  std::string body;
  const auto add = [&](Value choices) { body += event(dump(chunk(reply.model, std::move(choices)))); };
  for (std::size_t i = 0; i < texts.size(); ++i) {
    add(delta(i, {{"role", "assistant"}, {"content", ""}}));
    for (std::size_t from = 0; from < texts[i].size();) {
      const std::size_t to = std::min(texts[i].find(' ', from + 1), texts[i].size());
      add(delta(i, {{"content", texts[i].substr(from, to - from)}}));
      from = to;
    }
    add(delta(i, Value::object(), reply.finish_reason.empty() ? "stop" : reply.finish_reason));
  }
  if (with_usage) {
    Value last = chunk(reply.model, Value::array());
    last["usage"] = usage_of(reply);
    body += event(dump(last));
  }
  return body + event("[DONE]");
}

HttpResponse stream_response(std::string body) {
  return {.headers = {{"Content-Type", "text/event-stream"}},
          .body = std::move(body),
          .framing = HttpResponse::Framing::chunked,
          .chunk_size = 1000};
}

std::string text_of(const Value& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Value& part : content) text += part.value("text", "");
  return text;
}

HttpResponse json_response(int status, std::string body) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

HttpResponse error_response(const LMError& error) {
  HttpResponse response = json_response(error.status() != 0 ? error.status() : 500, error_body(error.what(), "server_error"));
  if (error.retry_after()) response.headers.emplace_back("Retry-After-Ms", std::to_string(error.retry_after()->count()));
  return response;
}

HttpResponse answer(lm::ChatModel& model, const HttpRequest& http) {
  const std::string path = http.target.substr(0, http.target.find('?'));
  if (http.method != "POST" || !path.ends_with(completions_path)) {
    return json_response(404, error_body("no such endpoint: " + http.method + " " + http.target));
  }
  try {
    lm::Request request = parse_chat_request(http.body);
    const std::string name = request.args.get_text("model");
    const Value args = request.args.value();
    lm::Reply reply = model.chat(std::move(request));
    if (!name.empty()) reply.model = name;
    if (!args.value("stream", false)) return json_response(200, dump(completion(reply)));
    const Value stream_options = args.value("stream_options", Value::object());
    return stream_response(completion_stream(reply, stream_options.value("include_usage", false)));
  } catch (const LMError& error) {
    return error_response(error);
  } catch (const Error& error) {
    return json_response(400, error_body(error.what()));
  }
}

// The handler runs on the connection's own thread, so it may sleep.
HttpServer::Handler handler(lm::ChatModelPtr model, const ChatServerOptions& options) {
  return [model = std::move(model), options](const HttpRequest& request) {
    std::chrono::microseconds delay = options.latency;
    if (options.shuffle.count() > 0) {
      const auto range = static_cast<std::uint64_t>(options.shuffle.count());
      delay += std::chrono::microseconds(static_cast<std::int64_t>(detail::split_mix64(options.seed, request.number) % range));
    }
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    return answer(*model, request);
  };
}

}  // namespace

ChatServer::ChatServer(lm::ChatModelPtr model, ChatServerOptions options)
    : server_(handler(std::move(model), options), options.max_connections) {}

std::string completion_body(std::string_view content, std::string_view finish_reason) {
  return dump(completion({.content = std::string(content), .finish_reason = std::string(finish_reason), .model = "test"}));
}

std::string event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

std::string error_body(std::string_view message, std::string_view type) {
  return dump({{"error", {{"message", message}, {"type", type}, {"param", nullptr}, {"code", nullptr}}}});
}

lm::Request parse_chat_request(std::string_view body) {
  Value json = Json::parse(body).value();
  lm::Request request;
  try {
    for (const Value& message : json.at("messages")) {
      request.messages.push_back({message.at("role").get<std::string>(), text_of(message.at("content"))});
    }
  } catch (const Value::exception& error) {
    throw ValueError(std::string("not a chat request: ") + error.what());
  }
  json.erase("messages");
  request.args = std::move(json);
  return request;
}

}  // namespace tgd::test
