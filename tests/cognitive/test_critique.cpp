// Black boxes, and what all critiques share: the size budget of a request and the summary of many replies.
#include <tgd/cognitive/black_box.hpp>
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/stub.hpp>

#include <fmt/format.h>

#include "autograd/graph.hpp"
#include "catch.hpp"
#include "cognitive/critique.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

std::size_t size_of(const lm::Request& request) {
  std::size_t size = 0;
  for (const lm::Message& message : request.messages) size += message.content.size();
  return size;
}

std::vector<std::string> repeated(const std::string& text, std::size_t count) { return std::vector<std::string>(count, text); }

}  // namespace

TEST_CASE("A black box asks a language model how its inputs should change") {
  const auto critic = lm::Stub::answering([](const lm::Request& request) { return "about " + request.info.parameter; });
  const Variable query("shoes", "search query", true);
  const Variable limits(Data(std::vector<int>{1, 2}), "number of hits", true);
  const Variable hits =
      black_box([](std::span<const Data> inputs) -> Data { return inputs[0].text() + "x" + inputs[1].item_text(); },
                "looks the query up in a catalogue", {query, limits}, {.name = "Search", .role = "hits"});
  CHECK(hits.texts() == std::vector<std::string>{"shoesx1", "shoesx2"});
  CHECK(hits.grad_fn()->name() == "SearchBackward");

  hits.backward(Variable(Data(std::vector<std::string>{"", "too many"})), {.model = critic});
  CHECK(query.grad().at(0).text() == "about search query");
  CHECK(limits.grad().at(0).texts() == std::vector<std::string>{"", "about number of hits"});
  REQUIRE(critic->calls() == 2);
  const std::string asked = critic->requests()[0].messages[1].content;
  CHECK_THAT(asked, ContainsSubstring("<FUNCTION>\nlooks the query up in a catalogue\n</FUNCTION>"));
  CHECK_THAT(asked, ContainsSubstring("<INPUT role=\"search query\">\n[the value to criticise]\n</INPUT>"));
  CHECK_THAT(asked, ContainsSubstring("<INPUT role=\"number of hits\">\n2\n</INPUT>"));
  CHECK_THAT(asked, ContainsSubstring("<REPLY>\nshoesx2\n</REPLY>") && ContainsSubstring("<FEEDBACK>\ntoo many\n</FEEDBACK>"));

  CHECK_THROWS_AS(black_box({}, "d", {query}), ValueError);
  CHECK_THROWS_AS(black_box([](std::span<const Data>) -> Data { return 1; }, "", {query}), ValueError);
  CHECK_THROWS_WITH(
      black_box([](std::span<const Data>) -> Data { return 1; }, "d", {query}, {.feedback = {.samples_per_request = 0}}),
      ContainsSubstring("FeedbackOptions::samples_per_request is 0"));
}

TEST_CASE("No request for feedback exceeds the budget") {
  const auto student = lm::Stub::answering([](const lm::Request&) { return "reply"; });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "critique"; });
  const Variable prompt("Be brief.", "prompt", true);
  std::vector<Notice> notices;
  ChatOptions options;
  options.feedback.context_budget = 5000;
  options.feedback.on_notice = [&](const Notice& notice) { notices.push_back(notice); };

  SECTION("samples that do not fit together go into several requests, none is lost") {
    std::vector<std::string> mails;
    for (int i = 0; i < 16; ++i) mails.push_back("mail number " + std::to_string(i) + "." + std::string(700, 'm'));
    const Variable replies = chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}}, options);
    replies.backward("wrong", {.model = critic});
    std::string all;
    for (const lm::Request& request : critic->requests()) {
      CHECK(size_of(request) <= 5000);
      all += request.messages[1].content;
    }
    for (int i = 0; i < 16; ++i) CHECK_THAT(all, ContainsSubstring("mail number " + std::to_string(i) + "."));
    CHECK(critic->calls() > 2);
    CHECK(notices.empty());
  }
  SECTION("a single sample that is too long is cut visibly and reported") {
    const std::string mail = "BEGIN " + std::string(20'000, 'x') + "\xC3\xA4\xC3\xA4 END";
    const Variable replies = chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mail}}, options);
    replies.backward("wrong", {.model = critic});
    REQUIRE(critic->calls() == 1);
    const lm::Request request = critic->requests()[0];
    CHECK(size_of(request) <= 5000);
    CHECK_THAT(request.messages[1].content, ContainsSubstring("BEGIN xxx") && ContainsSubstring("\xC3\xA4\xC3\xA4 END") &&
                                                ContainsSubstring("characters are left out here") &&
                                                ContainsSubstring("<FEEDBACK>\nwrong\n</FEEDBACK>"));
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].kind == Notice::Kind::trimmed_context);
  }
  SECTION("a value that leaves no room is refused with the budget that it needs") {
    const Variable long_prompt(std::string(6000, 'p'), "long prompt", true);
    const Variable replies = chat_completion(student, {{"system", {long_prompt}}}, {}, options);
    CHECK_THROWS_WITH(replies.backward("wrong", {.model = critic}), ContainsSubstring("raise the budget"));
    CHECK(long_prompt.grad().empty());
  }
}

TEST_CASE("Many critiques can be condensed by a tree of calls", "[concurrent]") {
  const auto student = lm::Stub::answering([](const lm::Request&) { return "reply"; });
  const auto critic = lm::Stub::answering(
      [](const lm::Request& request) -> std::string { return request.info.purpose == "summarize" ? "summary" : "critique"; });
  critic->shuffled(3);
  const Variable prompt("Be brief.", "prompt", true);
  ChatOptions options;
  options.feedback = {.samples_per_request = 1, .summarize = true};
  const std::size_t items = GENERATE(1U, 2U, 8U, 9U, 70U);
  const Variable replies =
      chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", repeated("m", items)}}, options);
  replies.backward("wrong", {.model = critic});
  REQUIRE(prompt.grad().size() == 1);
  CHECK(prompt.grad()[0].text() == (items == 1 ? "critique" : "summary"));
  const std::size_t summaries = items == 1 ? 0 : items <= 8 ? 1 : items == 9 ? 2 : 9 + 2;
  CHECK(critic->calls() == items + summaries);
}

TEST_CASE("A critic's request can be made shorter: fewer samples, then shorter ones, the instructions whole") {
  const auto student = lm::Stub::answering([](const lm::Request&) { return "reply"; });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "critique"; });
  const Variable prompt("Be brief.", "prompt", true);
  std::vector<std::string> mails;
  for (int i = 0; i < 8; ++i) mails.push_back("mail " + std::to_string(i) + std::string(1000, 'm'));
  const Variable replies =
      chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", Variable(Data(mails), "mail")}});
  replies.backward("wrong", {.model = critic});
  const lm::Request whole = critic->requests().at(0);
  REQUIRE(whole.shortened);
  const auto bytes_of = [](const std::vector<lm::Message>& messages) {
    return messages.at(0).content.size() + messages.at(1).content.size();
  };
  const std::size_t size = bytes_of(whole.messages);
  const std::vector<lm::Message> half = whole.shortened(size / 2);
  CHECK(bytes_of(half) <= size / 2);
  CHECK(half[0].content == whole.messages[0].content);
  CHECK_THAT(half[1].content, ContainsSubstring("mail 0") && !ContainsSubstring("mail 7") && ContainsSubstring("Be brief."));
  const std::vector<lm::Message> least = whole.shortened(size - 7 * 1000 - 600);
  CHECK(bytes_of(least) <= size - 7 * 1000 - 600);
  CHECK_THAT(least[1].content, ContainsSubstring("mail 0") && !ContainsSubstring("mail 1m"));
  CHECK(whole.shortened(100).empty());
}

namespace {

/// Counts how often it is asked to tell how a sample came about.
class CountingNode final : public detail::CritiqueNode {
 public:
  CountingNode(const Variable& input, FeedbackOptions options)
      : CritiqueNode(std::vector<Variable>{input}, std::move(options)),
        use_{detail::Spread::shared, 0, input.role(), tgd::detail::impl_of(input)->storage} {}

  std::string name() const override { return "CountingBackward"; }
  std::string output_role(std::size_t) const override { return "result"; }
  std::size_t transcripts() const { return transcripts_; }

 protected:
  const detail::Use& use(std::size_t) const override { return use_; }
  std::size_t sample_count() const override { return 20; }
  bool is_batch() const override { return true; }
  detail::ProblemPtr problem(std::size_t) const override { return nullptr; }
  std::string transcript(std::size_t sample, std::size_t) const override {
    ++transcripts_;
    return fmt::format("conversation {}", sample);
  }
  std::string outcome(std::size_t sample) const override { return fmt::format("outcome {}", sample); }
  std::string_view system_prompt() const override { return "backward_system"; }

 private:
  detail::Use use_;
  mutable std::size_t transcripts_ = 0;
};

/// A critic that meets the sample "mail 3" with what the test says, as often as that is asked; and answers everything else.
struct OddCritic {
  explicit OddCritic(std::function<lm::Reply(const lm::Request&)> odd)
      : model(lm::Stub::answering_in_full([odd = std::move(odd)](const lm::Request& request) -> lm::Reply {
          if (request.messages.back().content.find("mail 3\n") != std::string::npos) return odd(request);
          return {.content = "fine words", .finish_reason = "stop"};
        })) {}
  std::shared_ptr<lm::Stub> model;
};

lm::Reply cut_reply() { return {.content = "half of", .finish_reason = "length"}; }

}  // namespace

TEST_CASE("What a critic is shown is put together once a pass, however many rounds it takes", "[cognitive][critique]") {
  const auto critic = lm::Stub::answering([](const lm::Request& request) { return request.info.purpose; });
  const Variable prompt("value", "prompt", true);
  const auto node = std::make_shared<CountingNode>(
      prompt, FeedbackOptions{.samples_per_request = 2, .context_budget = 20'000, .summarize = true});
  const Variable result = detail::make_result(std::make_shared<detail::Storage>(Data(std::vector<std::string>(20, "out"))),
                                              detail::Role("result"), node);
  result.backward("no", {.retain_graph = true, .model = critic});
  CHECK(critic->calls() == 13);  // 10 critiques, 2 summaries, 1 of these
  CHECK(node->transcripts() == 20);
  result.backward("no", {.model = critic});
  CHECK(node->transcripts() == 40);
}

TEST_CASE("The conversations of a critique are shared by all gradients that come of it", "[cognitive][critique]") {
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "no"; });
  const Variable prompt("value", "prompt", true);
  chat_completion(lm::Stub::answering([](const lm::Request&) { return "x"; }), {{"user", {prompt}}})
      .backward("no", {.model = critic});
  const Variable gradient = prompt.grad().at(0);
  REQUIRE(tgd::detail::impl_of(gradient)->extras->contexts.size() == 1);
  CHECK(tgd::detail::impl_of(gradient.detach())->extras->contexts[0] == tgd::detail::impl_of(gradient)->extras->contexts[0]);
  CHECK(tgd::detail::impl_of(gradient.clone())->extras->contexts[0] == tgd::detail::impl_of(gradient)->extras->contexts[0]);
}

TEST_CASE("One critique that cannot be had does not end a pass", "[cognitive][critique]") {
  std::vector<std::string> mails;
  for (int i = 0; i < 6; ++i) mails.push_back("mail " + std::to_string(i));
  const auto student = lm::Stub::answering([](const lm::Request&) { return "answer"; });
  const Variable prompt("Answer.", "prompt", true);
  std::vector<Notice> notices;
  ChatOptions options{
      .feedback = {.samples_per_request = 3, .on_notice = [&](const Notice& notice) { notices.push_back(notice); }}};
  const Variable replies = chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}}, options);
  const auto pass = [&](const OddCritic& critic) { replies.backward("wrong", {.retain_graph = true, .model = critic.model}); };
  const auto contexts = [&] { return detail::impl_of(prompt.grad().at(0))->extras->contexts.size(); };

  SECTION("cut off once, it is asked for again, as another sample of the same request") {
    std::vector<std::uint64_t> samples;
    const OddCritic critic([&](const lm::Request& request) -> lm::Reply {
      samples.push_back(request.sample);
      return request.sample == 0 ? cut_reply() : lm::Reply{.content = "whole", .finish_reason = "stop"};
    });
    pass(critic);
    CHECK(samples == std::vector<std::uint64_t>{0, 1});
    CHECK(prompt.grad().at(0).text() == "<ITEM>fine words</ITEM><ITEM>whole</ITEM>");
    CHECK(contexts() == 6);
    CHECK(notices.empty());
  }
  SECTION("cut off again and again, it is left out, and told") {
    const OddCritic critic([](const lm::Request&) { return cut_reply(); });
    pass(critic);
    CHECK(critic.model->calls() == 3);
    CHECK(prompt.grad().at(0).text() == "fine words");
    CHECK(contexts() == 3);
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].kind == Notice::Kind::failed_item);
    CHECK_THAT(notices[0].text, ContainsSubstring("cut off"));
  }
  SECTION("withheld by a filter for one sample, the others of its request are asked about alone") {
    const LMError::Kind kind = GENERATE(LMError::Kind::filtered, LMError::Kind::refused, LMError::Kind::too_long);
    const OddCritic critic([kind](const lm::Request&) -> lm::Reply { throw LMError(kind, "not this"); });
    pass(critic);
    CHECK(critic.model->calls() == 5);
    CHECK(contexts() == 5);
    CHECK(notices.size() == 1);
  }
  SECTION("without any text twice, it is left out") {
    const OddCritic critic([](const lm::Request&) -> lm::Reply { throw LMError(LMError::Kind::empty, "nothing"); });
    pass(critic);
    CHECK(critic.model->calls() == 3);
    CHECK(contexts() == 3);
  }
  SECTION("a fault of the endpoint ends the pass all the same") {
    const OddCritic critic([](const lm::Request&) -> lm::Reply { throw LMError(LMError::Kind::status, "down", 503); });
    CHECK_THROWS_AS(pass(critic), LMError);
    CHECK(prompt.grad().empty());
  }
}

TEST_CASE("A critic that never gets through ends the pass, but not one whose every request is filtered",
          "[cognitive][critique]") {
  const Variable prompt("Answer.", "prompt", true);
  const Variable reply = chat_completion(lm::Stub::answering([](const lm::Request&) { return "answer"; }),
                                         {{"system", {prompt}}, {"user", {"mail"}}});
  const auto failing = [](LMError::Kind kind) {
    return lm::Stub::answering([kind](const lm::Request&) -> std::string { throw LMError(kind, "no way"); });
  };
  SECTION("never") {
    CHECK_THROWS_WITH(reply.backward("no", {.model = failing(LMError::Kind::empty)}), ContainsSubstring("no way"));
    CHECK(prompt.grad().empty());
  }
  SECTION("filtered") {
    reply.backward("no", {.model = failing(LMError::Kind::filtered)});
    CHECK(prompt.grad().at(0).text().empty());
  }
}
