// Forward, evaluation, backward and step together: whatever the latency and the number of threads, the same requests are sent,
// the same gradients arrive and the same prompts come out.
#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "support/golden.hpp"

using tgd::Data;
using tgd::Variable;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::optim::TGD;

using Texts = std::vector<std::string>;

namespace {

/// Replies that depend on the whole request, so that a difference anywhere shows everywhere after it.
std::string digest(const Request& request) {
  std::uint64_t hash = 14695981039346656037U;
  for (const tgd::lm::Message& message : request.messages) {
    for (const char c : message.role + "\n" + message.content + "\n")
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return std::to_string(hash);
}

struct Record {
  Texts requests;  // sorted: their order is that of arrival
  std::vector<Texts> gradients;
  Texts prompts;
  Texts scores;
};

Record run(const std::optional<std::uint64_t>& seed) {
  const auto stub = Stub::answering([](const Request& request) -> std::string {
    if (request.info.purpose == "optimize") return "<IMPROVED_VALUE>" + digest(request) + " {ticket}</IMPROVED_VALUE>";
    if (request.info.purpose == "backward") return "critique " + digest(request);
    return digest(request).ends_with("1") ? "right" : "wrong " + digest(request);
  });
  if (seed) stub->shuffled(*seed, std::chrono::microseconds(300));

  Texts tickets;
  for (int i = 0; i < 12; ++i) tickets.push_back("ticket " + std::to_string(i));
  Variable first("Summarize. {ticket}", "first prompt", true);
  Variable second("Classify. {ticket}", "second prompt", true);
  TGD optimizer({first, second}, {.model = stub, .momentum = 2});
  Record record;
  for (int epoch = 0; epoch < 2; ++epoch) {
    const Variable summary = tgd::chat_completion(stub, {{"user", {first}}}, {{"ticket", tickets}});
    const Variable trimmed = map(summary, [](const Data& data) { return data.text().substr(0, 20); });
    const Variable label = tgd::chat_completion(stub, {{"system", {first + second}}, {"user", {second}}}, {{"ticket", trimmed}},
                                                {.feedback = {.samples_per_request = 5}});
    const auto [score, explanation] = exact_match_evaluator(label, "right");
    optimizer.clear_grad();
    score.backward({.model = stub});
    for (const Variable& parameter : {first, second}) {
      Texts texts;
      for (const Variable& gradient : parameter.grad()) texts.push_back(gradient.text());
      record.gradients.push_back(std::move(texts));
    }
    optimizer.step();
    record.scores.push_back(score.data().item_text());
    record.prompts.push_back(first.text());
    record.prompts.push_back(second.text());
  }
  for (const Request& request : stub->requests()) record.requests.push_back(tgd::test::sent_text({&request, 1}));
  std::sort(record.requests.begin(), record.requests.end());
  return record;
}

}  // namespace

TEST_CASE("The whole loop gives the same requests, gradients and prompts whatever the timing",
          "[optim][end_to_end][concurrent]") {
  const Record reference = run(std::nullopt);
  REQUIRE(reference.gradients.size() == 4);
  REQUIRE(reference.gradients[0].size() == 2);  // used as a template and as a part of a sum
  REQUIRE(reference.gradients[1].size() == 2);
  REQUIRE(reference.requests.size() > 50);
  REQUIRE(reference.prompts[0] != reference.prompts[2]);

  const std::size_t threads = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{6});
  std::vector<Record> records(30);
  std::vector<std::thread> workers;
  for (std::size_t worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&, worker] {
      for (std::size_t i = worker; i < records.size(); i += threads) records[i] = run(i);
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::size_t i = 0; i < records.size(); ++i) {
    CAPTURE(threads, i);
    REQUIRE(records[i].requests == reference.requests);
    REQUIRE(records[i].gradients == reference.gradients);
    REQUIRE(records[i].prompts == reference.prompts);
    REQUIRE(records[i].scores == reference.scores);
  }
}
