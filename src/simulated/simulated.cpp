#include <tgd/lm/simulated.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/one_line.hpp"
#include "core/origin.hpp"
#include "core/seconds.hpp"
#include "core/utf8.hpp"
#include "lm/delivery.hpp"
#include "lm/streamed.hpp"
#include "simulated/abilities.hpp"

namespace tgd::lm {

namespace {

using detail::Delivery;
using detail::Dice;

std::string text_of(const Request& request) {
  std::string text;
  for (const Message& message : request.messages) text.append(message.role).append(":\n").append(message.content).append("\n");
  return text;
}

// The name of the tags that the request wants a new value between; empty when it wants none. Text that is shown as material does
// not count, so that a value or a conversation cannot ask for anything.
std::string requested_tag(std::string_view request) {
  constexpr std::size_t longest_name = 60;
  std::string instructions(request);
  for (const std::string_view tag : {"VALUE", "FEEDBACK", "EARLIER_VERSIONS", "REJECTED_PROPOSALS", "OTHER_VALUES", "EXAMPLES",
                                     "INSTRUCTIONS", "CONSTRAINTS", "SAMPLE"}) {
    instructions = detail::without_elements(instructions, tag);
  }
  const std::string_view text = instructions;
  for (std::size_t at = text.find("> and </"); at != text.npos; at = text.find("> and </", at + 1)) {
    const std::string_view after = text.substr(at + 8, longest_name);
    const std::string name(after.substr(0, after.find('>')));
    if (name.size() < after.size() && !name.empty() && text.substr(0, at).ends_with("<" + name)) return name;
  }
  return {};
}

// Several values in one request: each is rewritten by itself, from its own block and what stands around the blocks.
std::string rewrite_each(const std::vector<Message>& messages, const std::vector<std::string>& blocks) {
  std::string replies;
  for (const std::string& block : blocks) {
    std::vector<Message> own = messages;
    for (Message& message : own) {
      if (detail::elements(message.content, "PARAMETER").empty()) continue;
      message.content = block + "\n" + detail::without_elements(message.content, "PARAMETER");
    }
    replies += detail::rewrite(own, requested_tag(block)) + "\n";
  }
  return replies;
}

Usage estimated_usage(const std::string& question, const std::string& answer) {
  // The rule of thumb for English text.
  constexpr std::size_t characters_per_token = 4;
  const auto tokens = [](const std::string& text) { return static_cast<std::int64_t>(text.size() / characters_per_token + 1); };
  return {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = tokens(question), .completion_tokens = tokens(answer)};
}

// Of a call that has no other figures.
constexpr Usage one_call{.calls = 1, .attempts = 1};

Outcome cancelled(const Usage& usage) {
  return {LMError(LMError::Kind::cancelled, "the call was cancelled before the simulated reply was due"), usage};
}

bool is_share(double rate) { return rate >= 0.0 && rate <= 1.0; }

SimulatedOptions checked(SimulatedOptions options) {
  if (!is_share(options.error_rate))
    throw ValueError("SimulatedOptions::error_rate is " + std::to_string(options.error_rate) + "; it has to be in [0, 1]");
  if (!is_share(options.slip_rate))
    throw ValueError("SimulatedOptions::slip_rate is " + std::to_string(options.slip_rate) + "; it has to be in [0, 1]");
  for (const auto latency : {options.latency, options.latency_jitter}) {
    if (latency.count() < 0) throw ValueError("SimulatedOptions: a latency is negative");
    if (latency.count() > 0)
      tgd::detail::expect_span(std::chrono::ceil<std::chrono::milliseconds>(latency), "SimulatedOptions: a latency");
  }
  return options;
}

}  // namespace

struct Simulated::State {
  explicit State(SimulatedOptions given) : options(checked(given)), dice(options.seed) {}

  // Each further try of the same request has its own luck, so that a retry can succeed.
  bool fails(const Dice& request_dice) {
    if (options.error_rate <= 0.0) return false;
    const std::lock_guard lock(mutex);
    const std::size_t attempt = ++attempts[request_dice.state()];
    return request_dice.with("error " + std::to_string(attempt)).share() < options.error_rate;
  }

  std::chrono::microseconds delay(const Dice& request_dice) const {
    // Pareto type II with shape 3: most replies come soon, a few very late. Its mean is half of its scale.
    const double rest = 1.0 - request_dice.with("latency").share();
    const double jitter = 2.0 * static_cast<double>(options.latency_jitter.count()) * (std::pow(rest, -1.0 / 3.0) - 1.0);
    return options.latency + std::chrono::microseconds(static_cast<std::int64_t>(jitter));
  }

  bool is_immediate() const { return options.latency.count() == 0 && options.latency_jitter.count() == 0; }

  void finish(const Done& done, Outcome outcome) {
    meter.add(outcome.usage());
    done(std::move(outcome));
  }

  const SimulatedOptions options;
  const Dice dice;
  std::mutex mutex;
  std::unordered_map<std::uint64_t, std::size_t> attempts;  // by request
  UsageMeter meter;
  Delivery delivery;
};

Simulated::Simulated(SimulatedOptions options) : state_(std::make_shared<State>(options)) {}

// The closures on their way hold the state, and the state holds the delivery: closing it unties the knot.
Simulated::~Simulated() { state_->delivery.close(); }

std::string Simulated::reply_to(const Request& request) const {
  const std::string text = text_of(request);
  const bool shows_value = !detail::elements(text, "VALUE").empty();
  if (shows_value) {
    if (const std::string tag = requested_tag(text); !tag.empty()) {
      const std::vector<std::string> blocks = detail::elements(text, "PARAMETER");
      return tgd::detail::valid_utf8(blocks.empty() ? detail::rewrite(request.messages, tag)
                                                    : rewrite_each(request.messages, blocks));
    }
    if (!detail::elements(text, "CONVERSATION").empty()) return tgd::detail::valid_utf8(detail::criticise(text));
  }
  if (!shows_value && detail::asks_for_verdict(text))
    return tgd::detail::valid_utf8(detail::judge(request.messages.back().content));
  return tgd::detail::valid_utf8(detail::perform(request.messages, state_->options.slip_rate, state_->dice.with(text)));
}

void Simulated::start(Request request, Done done) {
  if (!state_->delivery.is_here()) return done(Outcome(tgd::detail::Origin::error("the model"), Usage{.calls = 1}));
  if (request.stop.stop_requested()) return done(cancelled({}));

  // A copy of the pointer: `done` may destroy the model.
  const std::shared_ptr<State> state = state_;
  const std::string question = text_of(request);
  const Dice dice = state->dice.with(question);
  Outcome outcome(LMError(LMError::Kind::status, "the simulated endpoint failed (its error_rate asks for it)", 500, true),
                  one_call);
  if (!state->fails(dice)) {
    std::string answer = reply_to(request);
    const Usage usage = estimated_usage(question, answer);
    outcome = Reply{.content = std::move(answer), .finish_reason = "stop", .model = "simulated", .usage = usage};
  }
  if (state->is_immediate()) return state->finish(done, std::move(outcome));
  auto deliver = [state, done = std::move(done), outcome = std::move(outcome)](Delivery::Occasion ending) mutable {
    state->finish(done, ending == Delivery::Occasion::due ? std::move(outcome) : cancelled(one_call));
  };
  state->delivery.post(Delivery::Clock::now() + state->delay(dice), std::move(deliver), request.stop);
}

void Simulated::start_stream(Request request, OnText on_text, Done done) {
  detail::start_in_words(*this, std::move(request), std::move(on_text), std::move(done));
}

Json Simulated::identity() const {
  const SimulatedOptions& options = state_->options;
  return {{"provider", provider()}, {"model", model_name()}, {"seed", options.seed}, {"slip_rate", options.slip_rate}};
}

Usage Simulated::usage() const { return state_->meter.total(); }
void Simulated::add_usage(const Usage& usage) { state_->meter.add(usage); }

}  // namespace tgd::lm
