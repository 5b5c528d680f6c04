// Forward, evaluation, backward and step together: whatever the latency and the number of threads, the same requests are sent,
// the same gradients arrive and the same prompts come out.
#include <tgd/functions.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "support/chat_calls.hpp"
#include "support/golden.hpp"
#include "support/http_server.hpp"

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

TEST_CASE("Arguments keep their order to the wire: of forward calls, critiques, and steps after a state was read again",
          "[optim][end_to_end]") {
  const std::string format = R"({"type":"json_schema","schema":{"properties":{"reasoning":{"z":1,"a":2},"answer":{}}}})";
  const tgd::Json args{{"response_format", tgd::Json::parse(format)}};
  tgd::test::HttpServer server([](const tgd::test::HttpRequest&) { return tgd::test::says("as you like"); });
  const auto client = std::make_shared<tgd::lm::OpenAI>(tgd::test::options_for(server.url()));
  const auto forward = Stub::answering([](const Request&) { return "spam"; });
  Variable prompt("Classify.", "a prompt", true);
  const auto answer_of = [&](const tgd::lm::ChatModelPtr& model, const tgd::Json& own) {
    return tgd::chat_completion(model, {{"user", {prompt}}}, {}, {.args = own});
  };

  SECTION("forward") { answer_of(client, args).wait(); }
  SECTION("a critique") {
    const auto evaluation = tgd::exact_match_evaluator(answer_of(forward, {}), "ham", {.critique = tgd::Critique::lm});
    tgd::autograd::backward(evaluation.score, std::nullopt, {.model = client, .args = args});
  }
  SECTION("a critique by the backward model") {
    tgd::set_backward_model(client, args);
    const auto evaluation = tgd::exact_match_evaluator(answer_of(forward, {}), "ham", {.critique = tgd::Critique::lm});
    evaluation.score.backward();
    tgd::set_backward_model(tgd::lm::ChatModelPtr());
  }
  SECTION("a step") {
    const TGD first({prompt}, {.model = client, .completion_args = args});
    CHECK(tgd::Json(first.state_dict().value()["param_groups"][0]["completion_args"]["response_format"]).dump() == format);
    std::string written;
    tgd::optim::detail::append_state(written, first);
    TGD second({prompt}, {.model = client});
    second.load_state_dict(tgd::Json::parse(written));
    prompt.append_grad(Variable("no", "feedback"));
    try {
      second.step();
    } catch (const tgd::Error&) {
      // The reply holds no improved value.
    }
  }
  REQUIRE(server.request_count() >= 1);
  for (const tgd::test::HttpRequest& request : server.requests())
    CHECK_THAT(request.body, Catch::Matchers::ContainsSubstring("\"response_format\":" + format));
}
