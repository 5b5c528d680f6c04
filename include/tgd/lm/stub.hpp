// Stub: a ChatModel for deterministic tests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tgd/lm/chat_model.hpp>

namespace tgd::lm {

/// A ChatModel for deterministic tests. Answers from a function, from rules or from a script, and keeps what it was asked.
///
///     auto stub = lm::Stub::scripted({"first reply", "second reply"});
///     auto stub = lm::Stub::answering([](const lm::Request& request) { return "hello"; });
///     auto stub = std::make_shared<lm::Stub>(); stub->when("invoice", "billing").otherwise("other");
///
/// Answers are made on the calling thread, one at a time, in order of arrival. Without a latency `done` runs before start()
/// returns; with one it runs on a thread of the stub, so that a test can show that timing changes nothing. Streams give the
/// text out word by word.
/// Errors: a request that nothing answers ends with LMError::Kind::script that quotes the request; what an answer throws ends
/// its call. The destructor cancels replies that are not due yet.
/// Thread-safety: like every ChatModel; set it up before the first request.
class TGD_API Stub : public ChatModel {
 public:
  /// Returns the reply's text; may throw an LMError to play a failing endpoint.
  using Answer = std::function<std::string(const Request&)>;
  /// Returns the whole reply, finish_reason and usage included.
  using FullAnswer = std::function<Reply(const Request&)>;
  /// How long the reply to the n-th request (from 0) takes.
  using Latency = std::function<std::chrono::microseconds(std::size_t n, const Request&)>;

  Stub();
  ~Stub() override;

  static std::shared_ptr<Stub> answering(Answer answer);
  static std::shared_ptr<Stub> answering_in_full(FullAnswer answer);
  /// Replies in the order in which the requests arrive.
  static std::shared_ptr<Stub> scripted(std::vector<std::string> replies);

  /// A request one of whose messages contains `text` is answered with `reply`; earlier rules first.
  Stub& when(std::string text, std::string reply);
  Stub& when(std::function<bool(const Request&)> matches, FullAnswer answer);
  /// The reply when no rule matches.
  Stub& otherwise(std::string reply);

  /// Delays every reply; called with the request's number in order of arrival.
  Stub& latency(Latency latency);
  Stub& latency(std::chrono::microseconds fixed);
  /// Random latency below `limit`, drawn from `seed` and the request's number: permutes the order of replies.
  Stub& shuffled(std::uint64_t seed, std::chrono::microseconds limit = std::chrono::milliseconds(5));

  void start(Request request, Done done) override;
  void start_stream(Request request, OnText on_text, Done done) override;
  std::string provider() const override { return "stub"; }
  std::string class_type() const override { return "Stub"; }
  Usage usage() const override;
  void add_usage(const Usage& usage) override;

  /// What was asked since the last forget_requests(), in order of arrival.
  std::vector<Request> requests() const;
  std::size_t calls() const;
  /// The highest number of requests that were being answered at the same time.
  std::size_t max_in_flight() const;
  /// Forgets what was asked; a script and the numbering of requests go on.
  void forget_requests();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tgd::lm
