#include "task/proxy.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <httplib.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/json_parser.hpp"
#include "core/one_line.hpp"
#include "core/start_thread.hpp"
#include "lm/message_text.hpp"
#include "task/document.hpp"

namespace tgd::cli {

namespace {

using Value = nlohmann::ordered_json;

constexpr std::size_t connections = 64;
constexpr std::size_t most_request = std::size_t{64} << 20U;

/// What a client is told, and how.
struct Refusal {
  int status;
  std::string type;
  std::string message;
};

std::string dumped(const Value& value) { return value.dump(-1, ' ', false, Value::error_handler_t::replace); }

std::string refusal_json(const Refusal& refusal) {
  return dumped({{"error", {{"message", refusal.message}, {"type", refusal.type}, {"param", nullptr}, {"code", nullptr}}}});
}

/// None of them makes a client try again what was tried here already.
Refusal refusal_of(const lm::Outcome& outcome) {
  try {
    std::rethrow_exception(outcome.error());
  } catch (const BudgetError& error) {
    return {402, "budget", error.what()};
  } catch (const LMError& error) {
    const bool is_said = error.status() >= 400 && error.status() < 500 && error.status() != 429 && error.status() != 408;
    return {is_said ? error.status() : 424, "upstream", error.what()};
  } catch (const std::exception& error) {
    return {424, "upstream", error.what()};
  }
}

std::string random_key() {
  std::array<unsigned char, 24> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw Error("no random key can be drawn for --proxy");
  std::string key = "tgd-";
  for (const unsigned char byte : bytes) key += fmt::format("{:02x}", byte);
  return key;
}

/// What is null is as good as absent.
bool has_member(const Value& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && !member->is_null() && !(member->is_structured() && member->empty());
}

constexpr const char* instead = "; let the program return a \"trace\" of its calls instead of using --proxy";

/// What would be lost on the way: nobody is to find that out from answers that are a little odd.
void expect_passable(const Value& body) {
  for (const char* name : {"tools", "functions", "audio", "modalities"}) {
    if (has_member(body, name))
      throw Refusal{
          400, "invalid_request_error",
          fmt::format("tgd's proxy passes on texts, no calls of tools and no sound: it cannot take \"{}\"{}", name, instead)};
  }
}

/// The messages of a request, which have to be texts.
std::vector<lm::Message> messages_of(const Value& body) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty())
    throw Refusal{400, "invalid_request_error", "\"messages\" has to be a list of messages"};
  std::vector<lm::Message> read;
  for (const Value& message : *messages) {
    const auto role = message.is_object() ? message.find("role") : message.end();
    const auto content = message.is_object() ? message.find("content") : message.end();
    const auto is_text_part = [](const Value& part) { return part.is_object() && part.value("type", "") == "text"; };
    const bool is_text =
        message.is_object() && content != message.end() &&
        (content->is_string() || (content->is_array() && std::all_of(content->begin(), content->end(), is_text_part)));
    const bool has_more = message.is_object() && (has_member(message, "tool_calls") || has_member(message, "function_call") ||
                                                  has_member(message, "tool_call_id") || has_member(message, "name"));
    if (!message.is_object() || role == message.end() || !role->is_string() || !is_text || has_more)
      throw Refusal{
          400, "invalid_request_error",
          fmt::format(
              "tgd's proxy passes on messages that are a \"role\" and a text, no pictures, names and calls of tools{}: {}",
              instead, tgd::detail::one_line(dumped(message), 300))};
    read.push_back({role->get<std::string>(), lm::detail::content_text(*content)});
  }
  return read;
}

lm::CallInfo info_of_calls() { return {.purpose = "forward", .node = "CommandAgent"}; }

/// What of a request is in a trace: enough to make it again.
Value asked_json(const lm::Request& request) {
  Value messages = Value::array();
  for (const lm::Message& message : request.messages)
    messages.push_back({{"role", message.role}, {"content", message.content}});
  return {{"messages", std::move(messages)}, {"args", request.args.value()}};
}

/// The requests that an answer was made of.
std::vector<lm::Request> requests_of(const lm::Reply& answer) {
  std::vector<lm::Request> requests;
  const Value json = tgd::detail::parse_or_discard<Value>(answer.content);
  const auto trace = json.is_object() ? json.find("trace") : json.end();
  if (!json.is_object() || trace == json.end() || !trace->is_array()) return requests;
  for (const Value& call : *trace) {
    if (!call.is_object() || !call.contains("args") || !call.contains("messages")) continue;  // the program's own
    lm::Request request{.messages = messages_of(call), .args = Json(call["args"])};
    request.info = info_of_calls();
    requests.push_back(std::move(request));
  }
  return requests;
}

Value usage_json(const lm::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

std::string finish_reason(const lm::Reply& reply) { return reply.finish_reason.empty() ? "stop" : reply.finish_reason; }

/// What the model could not say has, as with OpenAI's endpoint, a number that is low enough.
Value chance_json(const std::string& token, double logprob) {
  constexpr double least = -9999;
  return {{"token", token}, {"logprob", std::max(logprob, least)}, {"bytes", nullptr}};
}

Value logprobs_json(const std::vector<lm::TokenLogprob>& logprobs) {
  Value list = Value::array();
  for (const lm::TokenLogprob& token : logprobs) {
    Value json = chance_json(token.token, token.logprob);
    json["top_logprobs"] = Value::array();
    for (const lm::TokenChance& other : token.alternatives)
      json["top_logprobs"].push_back(chance_json(other.token, other.logprob));
    list.push_back(std::move(json));
  }
  return list;
}

/// The pieces of a stream on their way from the model's thread to the client's.
class Pieces {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(std::move(text));
    changed_.notify_one();
  }
  void end(lm::Outcome outcome) {
    const std::lock_guard lock(mutex_);
    outcome_.emplace(std::move(outcome));
    changed_.notify_one();
  }
  /// The next piece, or how it ended.
  std::pair<std::string, std::optional<lm::Outcome>> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !pieces_.empty() || outcome_; });
    if (pieces_.empty()) return {{}, outcome_};
    std::string piece = std::move(pieces_.front());
    pieces_.pop_front();
    return {std::move(piece), std::nullopt};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::optional<lm::Outcome> outcome_;
};

std::string chunk(const std::string& model, const Value& delta, const Value& reason, const Value& usage = nullptr,
                  std::size_t index = 0) {
  Value event{{"id", "chatcmpl-tgd"},
              {"object", "chat.completion.chunk"},
              {"created", 0},
              {"model", model},
              {"choices", {{{"index", index}, {"delta", delta}, {"finish_reason", reason}}}}};
  if (!usage.is_null()) event["usage"] = usage;
  return "data: " + dumped(event) + "\n\n";
}

}  // namespace

std::string completion_json(const lm::Reply& reply, const std::string& model) {
  Value message{{"role", "assistant"}, {"content", reply.content}};
  if (!reply.reasoning.empty()) message["reasoning_content"] = reply.reasoning;
  Value choices = Value::array();
  choices.push_back({{"index", 0}, {"message", std::move(message)}, {"finish_reason", finish_reason(reply)}});
  if (!reply.logprobs.empty()) choices[0]["logprobs"] = {{"content", logprobs_json(reply.logprobs)}};
  for (const std::string& text : reply.alternatives)
    choices.push_back(
        {{"index", choices.size()}, {"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", "stop"}});
  return dumped({{"id", "chatcmpl-tgd"},
                 {"object", "chat.completion"},
                 {"created", 0},
                 {"model", reply.model.empty() ? model : reply.model},
                 {"choices", choices},
                 {"usage", usage_json(reply.usage)}});
}

ProxiedAgent::ProxiedAgent(lm::ChatModelPtr agent, lm::ChatModelPtr student)
    : CallDecorator(std::move(agent)), student_(std::move(student)) {}

void ProxiedAgent::start_call(lm::Call call, OnText on_text, Done done) {
  auto answered = [student = student_, done = std::move(done)](const lm::Outcome& outcome) {
    const lm::ReplySource source = outcome.receipt().source;
    const bool is_again = outcome.ok() && (source == lm::ReplySource::journal || source == lm::ReplySource::cassette);
    std::vector<lm::Request> requests;
    try {
      if (is_again) requests = requests_of(outcome.value());
    } catch (const Refusal&) {
      // No trace of the proxy's.
    }
    // The last one that lets go of it hands the answer over.
    const std::shared_ptr<void> last(nullptr, [done, outcome](void*) { done(outcome); });
    for (lm::Request& request : requests) student->start(std::move(request), [last](const lm::Outcome&) {});
  };
  inner().start_call(std::move(call), std::move(on_text), std::move(answered));
}

class Proxy::Server {
 public:
  Server() : key_(random_key()) {
    server_.new_task_queue = [] {
      return new httplib::ThreadPool(connections);
    };  // NOLINT(cppcoreguidelines-owning-memory): its way
    server_.set_payload_max_length(most_request);
    server_.set_keep_alive_timeout(1);
    server_.set_tcp_nodelay(true);
    server_.Post("/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response, [&](std::size_t process) { complete(process, request, response); });
    });
    server_.Get("/v1/models", [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response, [&](std::size_t) {
        response.set_content(dumped({{"object", "list"}, {"data", {{{"id", model()->model_name()}, {"object", "model"}}}}}),
                             "application/json");
      });
    });
    server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
      if (response.status != 404 || !response.body.empty()) return;
      refuse(response,
             {404, "not_found",
              fmt::format("tgd's proxy has POST /v1/chat/completions and GET /v1/models, and not {} {}: let the program ask "
                          "for that at another address than OPENAI_BASE_URL",
                          request.method, tgd::detail::one_line(request.path))});
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    if (port_ <= 0) throw TaskError("--proxy: no port of this machine can be had for programs to make their calls through");
    thread_ = tgd::detail::start_thread("the calls of programs", [this] { server_.listen_after_bind(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    // What is told to stop before it has begun would go on.
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    thread_.join();
  }

  void set_model(lm::ChatModelPtr model) {
    const std::lock_guard lock(mutex_);
    model_.swap(model);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/v1", port_); }
  std::string key(std::size_t process) const { return fmt::format("{}.{}", key_, process); }
  const std::string& secret() const { return key_; }

  /// A sample begins: what a process that died has asked for it is no part of the trace.
  void begin(std::size_t process) {
    const std::lock_guard lock(mutex_);
    traces_[process] = Value::array();
  }
  Value take_trace(std::size_t process) {
    const std::lock_guard lock(mutex_);
    Value trace = std::exchange(traces_[process], Value::array());
    return trace.empty() ? Value() : trace;
  }

 private:
  template <class Deed>
  void answer(const httplib::Request& request, httplib::Response& response, const Deed& deed) {
    try {
      deed(process_of(request));
    } catch (const Refusal& refusal) {
      refuse(response, refusal);
    } catch (const std::exception& error) {
      refuse(response, {400, "invalid_request_error", error.what()});
    }
  }

  static void refuse(httplib::Response& response, const Refusal& refusal) {
    response.status = refusal.status;
    response.set_content(refusal_json(refusal), "application/json");
  }

  /// Whose key it is. Takes as long for one that is nearly right.
  std::size_t process_of(const httplib::Request& request) const {
    const std::string given = request.get_header_value("Authorization");
    const std::string wanted = "Bearer " + key_ + ".";
    const bool is_right = given.size() > wanted.size() && CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) == 0;
    const std::string number = is_right ? given.substr(wanted.size()) : "";
    if (number.empty() || number.size() > 6 || number.find_first_not_of("0123456789") != number.npos)
      throw Refusal{401, "invalid_api_key",
                    "this is tgd's proxy, and the key is not that of this run: use OPENAI_API_KEY as it is"};
    return std::stoul(number);
  }

  lm::ChatModelPtr model() const {
    const std::lock_guard lock(mutex_);
    if (!model_) throw Refusal{503, "unavailable", "tgd's proxy is not ready"};
    return model_;
  }

  void complete(std::size_t process, const httplib::Request& http, httplib::Response& response) {
    Value body = tgd::detail::parse_or_discard<Value>(http.body);
    if (!body.is_object()) throw Refusal{400, "invalid_request_error", "the request is no object of JSON"};
    expect_passable(body);
    lm::Request request{.messages = messages_of(body)};
    const auto stream = body.find("stream");
    const bool is_stream = stream != body.end() && *stream == true;
    const std::string name = body.contains("model") && body["model"].is_string() ? body["model"].get<std::string>() : "";
    for (const char* own : {"messages", "stream", "stream_options"}) body.erase(own);
    request.args = Json(body);
    request.info = info_of_calls();
    is_stream ? give_stream(process, std::move(request), name, response)
              : give_whole(process, std::move(request), name, response);
  }

  void give_whole(std::size_t process, lm::Request request, const std::string& name, httplib::Response& response) {
    const Value asked = asked_json(request);
    const lm::Outcome outcome = std::move(model()->try_chat_all({std::move(request)}).front());
    if (!outcome.ok()) throw refusal_of(outcome);
    note(process, asked, outcome.value().content);
    response.set_content(completion_json(outcome.value(), name), "application/json");
  }

  void give_stream(std::size_t process, lm::Request request, const std::string& name, httplib::Response& response) {
    const auto pieces = std::make_shared<Pieces>();
    const Value asked = asked_json(request);
    model()->start_stream(
        std::move(request), [pieces](std::string_view text) { pieces->add(std::string(text)); },
        [pieces](lm::Outcome outcome) { pieces->end(std::move(outcome)); });
    response.set_chunked_content_provider("text/event-stream", [this, pieces, asked, process, name](std::size_t,
                                                                                                    httplib::DataSink& sink) {
      const auto send = [&](const std::string& text) { return sink.write(text.data(), text.size()); };
      const auto [text, outcome] = pieces->next();
      if (!outcome) return send(chunk(name, {{"content", text}}, nullptr));
      if (outcome->ok()) {
        note(process, asked, outcome->value().content);
        const std::vector<std::string>& others = outcome->value().alternatives;  // of a model that gives pieces of the first
        for (std::size_t i = 0; i < others.size(); ++i) send(chunk(name, {{"content", others[i]}}, "stop", nullptr, i + 1));
        send(chunk(name, Value::object(), finish_reason(outcome->value()), usage_json(outcome->usage())));
        send("data: [DONE]\n\n");
      } else {
        send("data: " + refusal_json(refusal_of(*outcome)) + "\n\n");
      }
      sink.done();
      return true;
    });
  }

  void note(std::size_t process, Value asked, const std::string& reply) {
    asked["reply"] = reply;
    const std::lock_guard lock(mutex_);
    traces_[process].push_back(std::move(asked));
  }

  const std::string key_;
  mutable std::mutex mutex_;
  lm::ChatModelPtr model_;
  std::map<std::size_t, Value> traces_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

Proxy::Proxy() : server_(std::make_shared<Server>()) {}
Proxy::~Proxy() = default;

void Proxy::set_model(lm::ChatModelPtr model) { server_->set_model(std::move(model)); }
std::string Proxy::url() const { return server_->url(); }
std::string Proxy::key(std::size_t process) const { return server_->key(process); }

lm::detail::CommandHooks Proxy::hooks() {
  return {.environment =
              [server = server_](std::size_t process) {
                return std::vector<std::pair<std::string, std::string>>{{"OPENAI_BASE_URL", server->url()},
                                                                        {"OPENAI_API_KEY", server->key(process)}};
              },
          .asked = [server = server_](std::size_t process) { server->begin(process); },
          .trace = [server = server_](std::size_t process) { return server->take_trace(process); },
          .secrets = {server_->secret()}};
}

}  // namespace tgd::cli
