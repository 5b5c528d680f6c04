// Black boxes, and what all critiques share: the size budget of a request and the summary of many replies.
#include <tgd/cognitive/black_box.hpp>
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"

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
}

TEST_CASE("No request for feedback exceeds the budget") {
  const auto student = lm::Stub::answering([](const lm::Request&) { return "reply"; });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "critique"; });
  const Variable prompt("Be brief.", "prompt", true);
  std::vector<Notice> notices;
  ChatOptions options;
  options.context_budget = 5000;
  options.on_notice = [&](const Notice& notice) { notices.push_back(notice); };

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
  options.samples_per_request = 1;
  options.summarize = true;
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
