#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include "catch.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;

namespace {

std::size_t size_of(const lm::Request& request) {
  std::size_t size = 0;
  for (const lm::Message& message : request.messages) size += message.content.size();
  return size;
}

}  // namespace

TEST_CASE("A request for a new value stays within its budget, and says what it leaves out") {
  const auto teacher = lm::Stub::answering([](const lm::Request&) { return "<IMPROVED_VALUE>new</IMPROVED_VALUE>"; });
  const auto student = lm::Stub::answering([](const lm::Request&) { return "reply"; });
  const auto critic = lm::Stub::answering([](const lm::Request&) { return "the critique"; });
  Variable prompt("the whole value, never cut", "prompt", true);
  std::vector<std::string> notices;
  optim::TGDOptions options{.model = teacher, .constraints = {"the constraint, never cut"}, .momentum = 5};
  options.on_notice = [&](const Notice& notice) { notices.push_back(notice.text); };

  const auto give_feedback = [&](std::size_t conversations) {
    std::vector<std::string> mails;
    for (std::size_t i = 0; i < conversations; ++i) mails.push_back("mail " + std::to_string(i) + std::string(500, '.'));
    chat_completion(student, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}})
        .backward("wrong", {.model = critic});
  };
  const auto last_request = [&] {
    const lm::Request request = teacher->requests().back();
    CHECK_THAT(request.messages[1].content, ContainsSubstring("the constraint, never cut"));
    return request;
  };

  SECTION("everything fits") {
    optim::TGD optimizer({prompt}, options);
    give_feedback(20);
    optimizer.step();
    CHECK_THAT(last_request().messages[1].content, ContainsSubstring("mail 19"));
    CHECK(notices.empty());
  }
  SECTION("a model that finds it too long gets it shorter, as far as something may be left out") {
    optim::TGD optimizer({prompt}, options);
    give_feedback(20);
    optimizer.step();
    const lm::Request whole = last_request();
    REQUIRE(whole.shortened);
    for (const std::size_t part : {2U, 4U}) {
      const lm::Request shorter{.messages = whole.shortened(size_of(whole) / part)};
      CHECK(size_of(shorter) <= size_of(whole) / part);
      REQUIRE(shorter.messages.size() == whole.messages.size());
      CHECK_THAT(shorter.messages[1].content, ContainsSubstring("the constraint, never cut"));
    }
    CHECK(notices.empty());
  }
  SECTION("conversations go first, whole ones, the last before the others") {
    options.context_budget = 6000;
    optim::TGD optimizer({prompt}, options);
    give_feedback(20);
    optimizer.step();
    const std::string text = last_request().messages[1].content;
    CHECK(size_of(last_request()) <= 6000);
    CHECK(size_of(last_request()) > 5000);
    CHECK_THAT(text, ContainsSubstring("mail 0...") && ContainsSubstring("conversations are left out here"));
    CHECK_THAT(text, !ContainsSubstring("mail 19"));
    REQUIRE(notices.size() == 1);
    CHECK_THAT(notices[0], ContainsSubstring("of 20 conversations and 0 of 0 earlier versions"));
  }
  SECTION("then the oldest versions, then the middle of long feedback") {
    options.context_budget = 6000;
    optim::TGD optimizer({prompt}, options);
    for (int i = 0; i < 4; ++i) {
      prompt.set_data("version " + std::to_string(i) + " " + std::string(1200, 'v'));
      prompt.clear_grad();
      prompt.append_grad(Variable("shorter"));
      optimizer.step();
      CHECK(size_of(last_request()) <= 6000);
    }
    CHECK_THAT(last_request().messages[1].content,
               ContainsSubstring("version 2 ") && ContainsSubstring("older versions are left out"));
    CHECK_THAT(last_request().messages[1].content, !ContainsSubstring("version 0 "));
    prompt.clear_grad();
    prompt.append_grad(Variable("BEGIN" + std::string(50'000, 'f') + "END"));
    optimizer.step();
    CHECK(size_of(last_request()) <= 6000);
    CHECK_THAT(last_request().messages[1].content, ContainsSubstring("BEGINfff") && ContainsSubstring("fffEND"));
  }
  SECTION("a value that does not fit fails the step and changes nothing") {
    options.context_budget = 6000;
    prompt.set_data(std::string(7000, 'x'));
    optim::TGD optimizer({prompt}, options);
    prompt.append_grad(Variable("shorter"));
    CHECK_THROWS_AS(optimizer.step(), ValueError);
    CHECK(teacher->calls() == 0);
    CHECK(prompt.text() == std::string(7000, 'x'));
  }
}

TEST_CASE("A request that cannot be written fails the step before anything is asked", "[concurrent]") {
  const auto teacher = lm::Stub::answering([](const lm::Request&) { return "<IMPROVED_VALUE>new</IMPROVED_VALUE>"; });
  std::vector<Variable> prompts;
  for (const char* role : {"first", "second", "third"}) {
    prompts.emplace_back("a value", role, true);
    prompts.back().append_grad(Variable("shorter"));
  }
  optim::TGDOptions options{.model = teacher};
  const std::string too_long(options.context_budget, 'x');
  bool fits = false;
  SECTION("examples that are larger than the budget") { options.examples = {too_long}; }
  SECTION("everything fits") { fits = true; }
  SECTION("messages that are nearly as large as the budget") {
    options.messages = {{"system", {too_long.substr(5000)}}, {"user", {"{value}{feedback}"}}};
    prompts[2].set_data(too_long.substr(0, 6000));
  }
  optim::TGD optimizer(prompts, options);
  SECTION("a second group with a message that is no text any more") {
    const Variable message("{value}{feedback}");
    Variable last("a value", "last", true);
    last.append_grad(Variable("shorter"));
    optimizer.add_param_group({{last}, {.messages = tgd::Messages{{"user", {message}}}}});
    Variable(message).set_data(5);
  }
  SECTION("many small frozen parts") {
    std::string parts;
    for (int i = 0; i < 650; ++i) parts += "<FROZEN>x</FROZEN>,";
    prompts[2].set_data(parts);
  }
  SECTION("a value that is larger than the budget") { prompts[2].set_data(too_long); }
  SECTION("more feedback than the budget has room for") {
    for (int i = 0; i < 200; ++i) prompts[2].append_grad(Variable(std::string(1000, 'f')));
  }
  SECTION("a frozen part without its end") { prompts[2].set_data("a <FROZEN>value"); }
  SECTION("a value that is no text any more, and has no feedback") {
    prompts[2].clear_grad();
    prompts[2].set_data(5);
  }

  if (fits) {
    optimizer.step();
    CHECK(teacher->calls() == 3);
  } else {
    CHECK_THROWS_AS(optimizer.step(), Error);
    CHECK(teacher->calls() == 0);
    CHECK(prompts[0].text() == "a value");
  }
}
