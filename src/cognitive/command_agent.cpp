#include <tgd/cognitive/command_agent.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>
#include <tgd/lm/command.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/black_box.hpp"
#include "cognitive/command_answer.hpp"
#include "cognitive/command_calls.hpp"
#include "cognitive/critique.hpp"
#include "cognitive/judgement.hpp"
#include "core/text.hpp"
#include "lm/message_text.hpp"

namespace tgd {

namespace {

using detail::quoted_json;
using detail::Spread;
using detail::Storage;
using detail::Use;
using Value = nlohmann::ordered_json;

constexpr const char* agent_operation = "command_agent";

/// One of the program's own calls of a model.
struct TracedCall {
  std::vector<std::size_t> parameters = {};  // that it was made with
  std::vector<lm::Message> messages = {};
  std::string reply = {};
};
using Trace = std::vector<TracedCall>;

/// Reads what a program says of its own calls.
class TraceReader {
 public:
  TraceReader(const std::vector<std::string>& names, const std::vector<std::string>& values) : names_(names), values_(values) {}

  /// The trace, or what is wrong with it.
  std::variant<Trace, std::string> read(const Value& json) const {
    if (!json.is_array()) return "its \"trace\" is no list of calls: " + quoted_json(json);
    Trace trace;
    for (const Value& each : json) {
      TracedCall call;
      if (auto problem = read_call(each, call)) return "a call in its \"trace\" " + *problem + ": " + quoted_json(each);
      trace.push_back(std::move(call));
    }
    return trace;
  }

 private:
  std::optional<std::string> read_call(const Value& json, TracedCall& call) const {
    if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array())
      return "is no object with \"messages\", a list such as [{\"role\": \"user\", \"content\": \"…\"}]";
    for (const Value& message : json["messages"]) {
      if (!message.is_object() || !message.contains("role") || !message["role"].is_string() || !message.contains("content"))
        return "has a message that is no object with \"role\" and \"content\"";
      call.messages.push_back({message["role"].get<std::string>(), lm::detail::content_text(message["content"])});
    }
    if (const auto reply = json.find("reply"); reply != json.end() && !reply->is_null())
      call.reply = reply->is_string() ? reply->get<std::string>() : lm::detail::content_text(*reply);
    return read_parameters(json, call);
  }

  std::optional<std::string> read_parameters(const Value& json, TracedCall& call) const {
    const auto named = json.find("parameter");
    if (named == json.end() || named->is_null()) {
      call.parameters = lm::detail::values_in(call.messages, values_);
      return std::nullopt;
    }
    for (const Value& name : named->is_array() ? *named : Value::array({*named})) {
      const auto found = name.is_string() ? std::find(names_.begin(), names_.end(), name.get<std::string>()) : names_.end();
      if (found == names_.end())
        return fmt::format("names the parameter {}, and there are {}", quoted_json(name), detail::join(names_, ", "));
      call.parameters.push_back(static_cast<std::size_t>(found - names_.begin()));
    }
    return std::nullopt;
  }

  std::vector<std::string> names_;
  std::vector<std::string> values_;
};

/// What the items' programs said of their calls.
using Traces = detail::PerItem<std::shared_ptr<const Trace>>;

/// The parameters' edges come first.
class CommandAgentBackward final : public detail::CritiqueNode {
 public:
  CommandAgentBackward(const NamedInputs& parameters, const NamedInputs& inputs, const std::vector<Variable>& variables,
                       std::shared_ptr<Storage> output, std::shared_ptr<const Traces> traces,
                       const CommandAgentOptions& options)
      : CritiqueNode(variables, options.feedback),
        role_(options.role),
        description_(options.description),
        parameters_(parameters.size()),
        uses_(detail::uses_of(variables)),
        output_(std::move(output)),
        traces_(std::move(traces)) {
    for (const NamedInputs* list : {&parameters, &inputs}) {
      for (const auto& each : *list) names_.push_back(each.first);
    }
  }

  std::string name() const override { return "CommandAgentBackward"; }
  std::string output_role(std::size_t) const override { return role_; }

 protected:
  const Use& use(std::size_t edge) const override { return uses_[edge]; }
  std::size_t sample_count() const override { return output_->size(); }
  bool is_batch() const override { return output_->is_batch(); }
  detail::ProblemPtr problem(std::size_t sample) const override { return output_->problem(sample); }
  std::string outcome(std::size_t sample) const override { return output_->item(sample).item_text(); }
  std::string_view system_prompt() const override { return "agent_system"; }

  std::string transcript(std::size_t sample, std::size_t criticised) const override {
    std::string conversations;
    if (const auto trace = traces_->find(sample)) {
      for (const TracedCall& call : **trace) {
        if (std::find(call.parameters.begin(), call.parameters.end(), criticised) != call.parameters.end())
          conversations += conversation(call, uses_[criticised].data->item(sample).item_text());
      }
    }
    return conversations.empty() ? seen_from_outside(sample, criticised) : conversations;
  }

  std::optional<std::string> own_text(std::size_t sample) const override {
    std::vector<std::string> values;
    std::vector<std::string> lines;
    for (std::size_t edge = parameters_; edge < uses_.size(); ++edge) {
      values.push_back(uses_[edge].data->item(sample).item_text());
      lines.push_back(fmt::format("{}: {}", names_[edge], values.back()));
    }
    return values.size() == 1 ? values.front() : detail::join(lines, "\n");
  }

  /// Several, where nobody knows.
  std::size_t calls() const override {
    std::size_t most = 0;
    for (std::size_t sample = 0; sample < output_->size(); ++sample) {
      if (output_->problem(sample)) continue;
      const auto trace = traces_->find(sample);
      if (!trace) return 2;
      most = std::max(most, (*trace)->size());
    }
    return most;
  }

  void release_saved() override {
    uses_.clear();
    output_.reset();
    traces_.reset();
  }

 private:
  std::string conversation(const TracedCall& call, const std::string& value) const {
    const std::string_view placeholder = prompts().get("backward_placeholder");
    std::string text = "<CALL>\n";
    for (const lm::Message& message : call.messages)
      text += fmt::format("<{0}>\n{1}\n</{0}>\n", detail::upper_case(message.role),
                          lm::detail::with_replaced(message.content, value, placeholder));
    return text + fmt::format("<REPLY>\n{}\n</REPLY>\n</CALL>\n", call.reply);
  }

  std::string seen_from_outside(std::size_t sample, std::size_t criticised) const {
    std::string text = description_.empty() ? std::string() : fmt::format("<PROGRAM>\n{}\n</PROGRAM>\n", description_);
    for (std::size_t edge = 0; edge < uses_.size(); ++edge) {
      const std::string value =
          edge == criticised ? std::string(prompts().get("backward_placeholder")) : uses_[edge].data->item(sample).item_text();
      text += fmt::format("<{0} name=\"{1}\">\n{2}\n</{0}>\n", edge < parameters_ ? "PROMPT" : "INPUT", names_[edge], value);
    }
    return text;
  }

  std::string role_;
  std::string description_;
  std::size_t parameters_;
  std::vector<std::string> names_;
  std::vector<Use> uses_;
  std::shared_ptr<Storage> output_;
  std::shared_ptr<const Traces> traces_;
};

}  // namespace

CommandAgent::CommandAgent(CommandOptions options) : CommandAgent(std::make_shared<lm::Command>(std::move(options))) {}

CommandAgent::CommandAgent(lm::ChatModelPtr command) : command_(std::move(command)) {
  if (!command_) throw ValueError("a CommandAgent needs a command; it was given none");
}

Variable CommandAgent::operator()(const NamedInputs& parameters, const NamedInputs& inputs, const CommandAgentOptions& options,
                                  Place place) const {
  const detail::CalledFrom called(place);
  detail::expect_usable(options.feedback);
  const std::vector<Variable> variables = detail::variables_of(agent_operation, {&parameters, &inputs});
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.is_batch())
      throw ValueError(fmt::format("the parameter \"{}\" of a CommandAgent is a list of {}; it has to be one for all items",
                                   name, parameter.size()));
    names.push_back(name);
    values.push_back(parameter.data().item_text());
  }
  const auto traces = std::make_shared<Traces>();
  auto look = [traces, reader = TraceReader(names, values)](std::size_t item,
                                                            const Value& answer) -> std::optional<std::string> {
    const auto trace = answer.find("trace");
    if (trace == answer.end() || trace->is_null()) return std::nullopt;
    auto read = reader.read(*trace);
    if (auto* problem = std::get_if<std::string>(&read)) return std::move(*problem);
    traces->set(item, std::make_shared<const Trace>(std::get<Trace>(std::move(read))));
    return std::nullopt;
  };
  auto output = detail::start_command_calls({.operation = agent_operation,
                                             .command = command_,
                                             .groups = {{"parameters", parameters}, {"inputs", inputs}},
                                             .on_error = options.on_error,
                                             .look = std::move(look)});
  std::shared_ptr<autograd::Node> node;
  if (detail::records_history(variables))
    node = std::make_shared<CommandAgentBackward>(parameters, inputs, variables, output, traces, options);
  return detail::make_result(std::move(output), detail::Role(options.role), std::move(node));
}

}  // namespace tgd
