// Simulated: a small deterministic stand-in for a language model, so that the whole loop runs with no key and no network.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

/// How the simulated model behaves.
struct TGD_API SimulatedOptions {
  std::uint64_t seed = 0;
  std::chrono::microseconds latency{0};         ///< fixed part of the delay of each reply
  std::chrono::microseconds latency_jitter{0};  ///< mean of an added, heavy-tailed random part
  double error_rate = 0.0;                      ///< share of requests that fail with a retryable LMError (status 500)
  double slip_rate = 0.02;                      ///< share of classifications that slip to another label despite clear rules
};

/// A small deterministic stand-in for a language model, so that the whole loop runs with no key and no network.
///
/// It reads a classification prompt for the rules that it states in plain text (labels, cue words, precedence, default) and
/// follows them; where rules are missing it makes the mistakes that small models typically make. Shown a failing conversation
/// with feedback it criticises the prompt from what it sees there, and shown a value with feedback and constraints it rewrites
/// the value. It knows no task, no data and no answers. It is a simulation: good results with it say that the loop works, not
/// how well a language model would do.
///
/// Deterministic: the reply depends on the request, the seed and (for errors) the request's text alone, never on timing.
/// Thread-safety: like every ChatModel.
class TGD_API Simulated : public ChatModel {
 public:
  /// Throws ValueError for rates outside [0, 1] or negative latencies.
  explicit Simulated(SimulatedOptions options = {});
  ~Simulated() override;

  void start(Request request, Done done) override;
  void start_stream(Request request, OnText on_text, Done done) override;
  std::string provider() const override { return "simulated"; }
  std::string class_type() const override { return "Simulated"; }
  std::string model_name() const override { return "simulated"; }
  Json identity() const override;
  Usage usage() const override;
  void add_usage(const Usage& usage) override;

  /// The reply to a request, computed at once and without latency or errors.
  std::string reply_to(const Request& request) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tgd::lm
