#include "support/chat_server.hpp"

#include <algorithm>
#include <memory>
#include <thread>

#include <nlohmann/json.hpp>

#include "lm/mix.hpp"

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

Value completion(const lm::Reply& reply) {
  Value choices = Value::array({choice(0, reply.content, reply.finish_reason)});
  for (const std::string& text : reply.alternatives) choices.push_back(choice(choices.size(), text, "stop"));
  Value body = {{"id", "chatcmpl-test"},
                {"object", "chat.completion"},
                {"created", 1700000000},
                {"model", reply.model},
                {"choices", std::move(choices)}};
  if (reply.usage.reported > 0) {
    body["usage"] = {{"prompt_tokens", reply.usage.prompt_tokens},
                     {"completion_tokens", reply.usage.completion_tokens},
                     {"total_tokens", reply.usage.prompt_tokens + reply.usage.completion_tokens},
                     {"prompt_tokens_details", {{"cached_tokens", reply.usage.cached_prompt_tokens}}},
                     {"completion_tokens_details", {{"reasoning_tokens", reply.usage.reasoning_tokens}}}};
  }
  return body;
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
    lm::Reply reply = model.chat(std::move(request));
    if (!name.empty()) reply.model = name;
    return json_response(200, dump(completion(reply)));
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
      delay += std::chrono::microseconds(static_cast<std::int64_t>(lm::detail::mix(options.seed, request.number) % range));
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
