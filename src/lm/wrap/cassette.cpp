#include "lm/wrap/cassette.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "core/brackets.hpp"
#include "core/json_parser.hpp"
#include "core/json_text.hpp"
#include "core/rethrow.hpp"
#include "lm/reply_json.hpp"
#include "lm/request_key.hpp"
#include "net/secrets.hpp"

namespace tgd::lm::detail {

namespace {

using Ordered = nlohmann::ordered_json;

constexpr std::int64_t version = 1;
/// Values are copied, which recurses.
constexpr int deepest_exchange = 64;

// ---- Texts as lists of lines -----------------------------------------------------------------------------------------

Ordered as_lines(const std::string& text) {
  if (text.find('\n') == std::string::npos) return text;
  Ordered lines = Ordered::array();
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// Puts lists of lines together in place.
void join_lines(Ordered& text) {
  if (!text.is_array()) return;
  std::string joined;
  for (const Ordered& line : text) {
    if (!line.is_string()) throw ParseError("a text must be a string or a list of strings");
    if (&line != &text.front()) joined += '\n';
    joined += line.get_ref<const std::string&>();
  }
  text = std::move(joined);
}

// ---- Replies ---------------------------------------------------------------------------------------------------------

/// Texts of several lines as lists of lines.
Ordered with_lines(Ordered json) {
  if (json.contains("content")) json["content"] = as_lines(json["content"].get<std::string>());
  if (json.contains("alternatives")) {
    for (Ordered& text : json["alternatives"]) text = as_lines(text.get<std::string>());
  }
  return json;
}

Outcome outcome_of(Ordered json) {
  if (json.is_object() && json.contains("content")) join_lines(json["content"]);
  if (json.is_object() && json.contains("alternatives") && json["alternatives"].is_array()) {
    for (Ordered& text : json["alternatives"]) join_lines(text);
  }
  return outcome_from_json(json, ReplySource::cassette);
}

// ---- Exchanges -------------------------------------------------------------------------------------------------------

std::uint64_t number_member(const Ordered& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end()) return 0;
  if (!member->is_number_unsigned()) throw ParseError(std::string("\"") + name + "\" must be a whole number from 0 up");
  return member->get<std::uint64_t>();
}

Ordered& list_member(Ordered& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_array()) throw ParseError(std::string("an exchange needs a list \"") + name + "\"");
  return *member;
}

Message message_from_json(Ordered& json) {
  if (!json.is_object() || !json.contains("content"))
    throw ParseError("a message must be an object with \"role\" and \"content\"");
  join_lines(json["content"]);
  return {text_member(json, "role"), text_member(json, "content")};
}

RecordedRequest question_in(Ordered& json) {
  if (!json.is_object()) throw ParseError("an exchange must be an object");
  RecordedRequest question;
  question.model = text_member(json, "model");
  question.sample = number_member(json, "sample");
  if (const auto args = json.find("args"); args != json.end()) {
    if (!args->is_object()) throw ParseError("\"args\" must be an object");
    question.args = canonical_args(*args);
  }
  for (Ordered& message : list_member(json, "messages")) question.messages.push_back(message_from_json(message));
  return question;
}

Exchange exchange_from_json(Ordered json) {
  Exchange exchange{.question = question_in(json)};
  std::uint64_t number = number_member(json, "first");
  if (number > 1'000'000'000) throw ParseError("\"first\" is too large");
  for (Ordered& reply : list_member(json, "replies")) exchange.replies.emplace(number++, outcome_of(std::move(reply)));
  return exchange;
}

void expect_version(const Ordered& header) {
  const auto member = header.is_object() ? header.find("tgd_cassette") : header.end();
  if (member == header.end() || !member->is_number_integer()) throw ParseError("a cassette begins with {\"tgd_cassette\": 1}");
  if (*member > version) {
    throw ParseError("the cassette was written by a newer version of tgd (format " + member->dump() + ", this one knows " +
                     std::to_string(version) + "); update tgd");
  }
}

// ---- Objects of a file -----------------------------------------------------------------------------------------------

struct Block {
  std::string_view text;
  std::size_t line;
};

/// Takes the next object off a text. Each ends with the line "}" or stands on one line.
class Blocks {
 public:
  explicit Blocks(std::string_view text) : rest_(text) {}

  /// Nothing at the end, and for an object that was cut off.
  std::optional<Block> next() {
    while (!rest_.empty() && (rest_.front() == '\n' || rest_.front() == '\r')) take_line();
    const std::string_view begin = rest_;
    const std::size_t first = line_;
    bool is_first = true;
    while (!rest_.empty()) {
      std::string_view line = take_line();
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (is_first && !line.starts_with('{')) throw ParseError("line " + std::to_string(first) + ": expected an object, \"{\"");
      if (line == "}" || (is_first && line.ends_with('}'))) return Block{begin.substr(0, begin.size() - rest_.size()), first};
      is_first = false;
    }
    return std::nullopt;
  }

 private:
  std::string_view take_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++line_;
    return line;
  }

  std::string_view rest_;
  std::size_t line_ = 1;
};

template <class Read>
void read_block(const Block& block, const Read& read) {
  try {
    if (tgd::detail::nesting(block.text) > deepest_exchange)
      throw ParseError("it is nested more than " + std::to_string(deepest_exchange) + " deep");
    read(tgd::detail::parse_shallow<Ordered>(block.text));
  } catch (const Ordered::exception& error) {
    throw ParseError("line " + std::to_string(block.line) + ": " + error.what());
  } catch (const Error&) {
    tgd::detail::rethrow_with_prefix("line " + std::to_string(block.line) + ": ");
  }
}

}  // namespace

std::string RecordedRequest::text() const {
  std::string text = "model: " + model + "\nsample: " + std::to_string(sample) + "\nargs: " + args.dump() + "\n";
  for (const Message& message : messages) text += "[" + message.role + "]\n" + message.content + "\n";
  return text;
}

bool RecordedRequest::operator<(const RecordedRequest& other) const {
  if (model != other.model) return model < other.model;
  const auto precedes = [](const Message& a, const Message& b) {
    return std::tie(a.role, a.content) < std::tie(b.role, b.content);
  };
  if (messages != other.messages) {
    return std::lexicographical_compare(messages.begin(), messages.end(), other.messages.begin(), other.messages.end(),
                                        precedes);
  }
  if (args == other.args) return sample < other.sample;
  return args.dump() < other.args.dump();
}

// Without the arguments, in which equal messages seldom differ.
std::size_t RecordedRequest::Hash::operator()(const RecordedRequest& question) const noexcept {
  const std::hash<std::string> of;
  std::size_t hash = of(question.model);
  const auto mix = [&hash](std::size_t more) { hash = hash * 1'000'003 + more; };
  mix(static_cast<std::size_t>(question.sample));
  for (const Message& message : question.messages) {
    mix(of(message.role));
    mix(of(message.content));
  }
  return hash;
}

std::vector<Exchange> parse_cassette(std::string_view text) {
  Blocks blocks(text);
  std::vector<Exchange> exchanges;
  const std::optional<Block> header = blocks.next();
  if (!header) return exchanges;
  read_block(*header, expect_version);
  while (const std::optional<Block> block = blocks.next()) {
    read_block(*block, [&exchanges](Ordered json) {
      // Two processes that begin a file at the same time may write two headers.
      if (json.contains("tgd_cassette")) return expect_version(json);
      exchanges.push_back(exchange_from_json(std::move(json)));
    });
  }
  return exchanges;
}

RecordedRequest question_of(const Call& call, const net::Secrets& secrets) {
  const Request& request = call.request();
  RecordedRequest question{.model = call.model(), .sample = request.sample, .args = {}, .messages = request.messages};
  Ordered args = canonical_args(request.args).value();
  args.erase("model");
  secrets.blank_texts(args);
  question.args = std::move(args);
  for (Message& message : question.messages) message.content = secrets.blank(message.content);
  return question;
}

RecordedRequest question_from_json(Ordered json) { return question_in(json); }

Ordered question_to_json(const RecordedRequest& question) {
  Ordered json;
  json["model"] = question.model;
  if (question.sample != 0) json["sample"] = question.sample;
  if (!question.args.empty()) json["args"] = question.args.value();
  json["messages"] = Ordered::array();
  for (const Message& message : question.messages) {
    json["messages"].push_back({{"role", message.role}, {"content", as_lines(message.content)}});
  }
  return json;
}

std::string print_exchange(const Exchange& exchange) {
  Ordered json = question_to_json(exchange.question);
  if (!exchange.replies.empty() && exchange.replies.begin()->first != 0) json["first"] = exchange.replies.begin()->first;
  json["replies"] = Ordered::array();
  for (const auto& [number, outcome] : exchange.replies) json["replies"].push_back(with_lines(outcome_to_json(outcome)));
  return tgd::detail::json_text(json, 2) + "\n";
}

std::string print_cassette(const std::vector<Exchange>& exchanges) {
  std::map<RecordedRequest, std::map<std::size_t, Outcome>> in_order;
  for (const Exchange& exchange : exchanges) {
    auto& replies = in_order[exchange.question];
    for (const auto& [number, outcome] : exchange.replies) replies.insert_or_assign(number, outcome);
  }
  std::string text(cassette_header);
  for (auto& [question, replies] : in_order) {
    std::map<std::size_t, Outcome> contiguous;
    for (auto& [number, outcome] : replies) contiguous.emplace(contiguous.size(), std::move(outcome));
    text += print_exchange({question, std::move(contiguous)});
  }
  return text;
}

}  // namespace tgd::lm::detail
