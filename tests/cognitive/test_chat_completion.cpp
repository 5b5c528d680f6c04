#include <tgd/cognitive/chat_completion.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <tgd/functions.hpp>
#include <tgd/lm/decorator.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/variable_impl.hpp"
#include "support/gated_model.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::chat_completion;
using tgd::ChatOptions;
using tgd::Data;
using tgd::Input;
using tgd::Inputs;
using tgd::LMError;
using tgd::Messages;
using tgd::Notice;
using tgd::OnError;
using tgd::Problem;
using tgd::ValueError;
using tgd::Variable;
using tgd::lm::Message;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;

using Texts = std::vector<std::string>;

namespace {

/// Answers "re: <last message>".
std::shared_ptr<Stub> echoing() {
  return Stub::answering([](const Request& request) { return "re: " + request.messages.back().content; });
}

/// Answers "critique <n> of <role>", n counting from 0.
std::shared_ptr<Stub> critic() {
  return Stub::answering(
      [n = 0](const Request& request) mutable { return "critique " + std::to_string(n++) + " of " + request.info.parameter; });
}

std::string user_message(const Request& request) {
  for (const Message& message : request.messages) {
    if (message.role == "user") return message.content;
  }
  return {};
}

Texts gradient_texts(const Variable& variable) {
  Texts texts;
  for (const Variable& gradient : variable.grad()) texts.push_back(gradient.text());
  return texts;
}

std::vector<Variable> variables(const Texts& texts, const std::string& role) {
  std::vector<Variable> variables;
  for (const std::string& text : texts) variables.emplace_back(Data(text), role, true);
  return variables;
}

const Variable prompt_of_test() { return {"Be brief.", "system prompt", true}; }

}  // namespace

TEST_CASE("Messages are sent with their Variables joined by newlines and their placeholders filled",
          "[cognitive][chat][concurrent]") {
  const auto stub = echoing();
  const Variable prompt = prompt_of_test();
  const Variable reply = chat_completion(
      stub,
      {{"system", {prompt, "Use JSON: {\"a\": 1}."}}, {"user", {"{question}", Variable(7), "{question}!"}}, {"assistant", {}}},
      {{"question", "Why?"}}, {.args = {{"temperature", 0}}, .role = "answer"});
  CHECK(reply.text() == "re: ");
  CHECK(reply.role() == "answer");
  CHECK(reply.requires_grad());
  CHECK(reply.grad_fn()->name() == "ChatCompletionBackward");
  CHECK(reply.grad_fn()->next_functions().size() == 6);
  REQUIRE(stub->calls() == 1);
  const Request request = stub->requests()[0];
  CHECK(request.messages ==
        std::vector<Message>{{"system", "Be brief.\nUse JSON: {\"a\": 1}."}, {"user", "Why?\n7\nWhy?!"}, {"assistant", ""}});
  CHECK(request.args.dump() == R"({"temperature":0})");
  CHECK(request.info.purpose == "forward");
  CHECK_FALSE(request.info.item);
}

TEST_CASE("Any list makes a batch, with one request for each index", "[cognitive][chat]") {
  const auto stub = echoing();
  struct Case {
    const char* name;
    Messages messages;
    Inputs inputs;
    Texts asked;
  };
  const std::vector<Case> cases{
      {"text", {{"user", {"{x}"}}}, {{"x", "a"}}, {"a"}},
      {"number", {{"user", {"{x}"}}}, {{"x", 0.5}}, {"0.5"}},
      {"scalar Variable", {{"user", {"{x}"}}}, {{"x", Variable("a")}}, {"a"}},
      {"texts", {{"user", {"{x}"}}}, {{"x", Texts{"a", "b"}}}, {"a", "b"}},
      {"a list of one", {{"user", {"{x}"}}}, {{"x", Texts{"a"}}}, {"a"}},
      {"batch Variable", {{"user", {"{x}"}}}, {{"x", Variable(std::vector<int>{1, 2, 3})}}, {"1", "2", "3"}},
      {"list of Variables", {{"user", {"{x}"}}}, {{"x", std::vector<Variable>{"a", 2}}}, {"a", "2"}},
      {"batch in a message", {{"user", {Texts{"a", "b"}}}}, {}, {"a", "b"}},
      {"scalars are broadcast",
       {{"user", {"{x}", Texts{"1", "2"}, "{y}", "{z}"}}},
       {{"x", Texts{"a", "b"}}, {"y", "c"}, {"z", std::vector<Variable>{"d", "e"}}},
       {"a\n1\nc\nd", "b\n2\nc\ne"}},
      {"templates in a batch", {{"user", {Texts{"{x}?", "{x}!"}}}}, {{"x", "a"}}, {"a?", "a!"}},
      {"no items", {{"user", {"{x}"}}}, {{"x", Texts{}}}, {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    stub->forget_requests();
    const Variable reply = chat_completion(stub, c.messages, c.inputs);
    reply.wait();
    Texts asked;
    for (const Request& request : stub->requests()) asked.push_back(user_message(request));
    CHECK(asked == c.asked);
    const bool is_batch = c.asked.size() != 1 || std::string(c.name) == "a list of one";
    CHECK(reply.is_batch() == is_batch);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      CHECK(reply[i].data() == Data("re: " + asked[i]));
      CHECK(stub->requests()[i].info.item == (is_batch ? std::optional(i) : std::nullopt));
    }
  }
}

TEST_CASE("Replies are in the order of the inputs whatever order they arrive in", "[cognitive][chat]") {
  const auto seed = GENERATE(range(std::uint64_t{0}, std::uint64_t{20}));
  const auto stub = echoing();
  stub->shuffled(seed, std::chrono::microseconds(500));
  Texts mails;
  Texts replies;
  for (int i = 0; i < 20; ++i) {
    mails.push_back(std::to_string(i));
    replies.push_back("re: " + std::to_string(i));
  }
  CHECK(chat_completion(stub, {{"user", {"{mail}"}}}, {{"mail", mails}}).texts() == replies);
}

TEST_CASE("All requests of a batch are in flight at once", "[cognitive][chat]") {
  const auto stub = echoing();
  stub->latency(std::chrono::milliseconds(50));
  chat_completion(stub, {{"user", {"{mail}"}}}, {{"mail", Texts(30, "x")}}).wait();
  CHECK(stub->max_in_flight() == 30);
}

TEST_CASE("Calls that cannot work are refused before anything is sent", "[cognitive][chat]") {
  const auto stub = echoing();
  const auto call = [&](const Messages& messages, const Inputs& inputs, ChatOptions options = {}) {
    return chat_completion(stub, messages, inputs, std::move(options));
  };
  CHECK_THROWS_AS(chat_completion(nullptr, {{"user", {"x"}}}), ValueError);
  CHECK_THROWS_AS(call({}, {}), ValueError);
  CHECK_THROWS_AS(call({{"", {"x"}}}, {}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"x"}}}, {}, {.feedback = {.samples_per_request = 0}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}{b}"}}}, {{"a", Texts{"1", "2"}}, {"b", Texts{"1"}}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}", Texts{"1", "2"}}}}, {{"a", Texts{"1"}}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}{b}"}}}, {{"a", Texts{"1", "2"}}, {"b", std::vector<Variable>{"1"}}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}"}}}, {{"a", std::vector<Variable>{Texts{"1"}}}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}"}}}, {{"a", "1"}, {"a", "2"}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{}"}}}, {{"", "1"}}), ValueError);
  CHECK_THROWS_AS(call({{"user", {"{a}"}}}, {{"a", "1"}, {"b", "2"}}), ValueError);
  CHECK_THROWS_WITH(call({{"user", {"{a}"}}}, {{"a", "{b}"}, {"b", "2"}}), ContainsSubstring("\"b\""));
  CHECK(stub->calls() == 0);
}

TEST_CASE("Replaced text is never scanned again", "[cognitive][chat]") {
  const auto stub = echoing();
  CHECK(chat_completion(stub, {{"user", {"{a} {b}"}}}, {{"a", "{b}"}, {"b", "{a} {\"x\": 1}"}}).text() ==
        "re: {b} {a} {\"x\": 1}");
}

TEST_CASE("Without grad mode or Variables that require grad there is no history", "[cognitive][chat]") {
  const auto stub = echoing();
  CHECK(chat_completion(stub, {{"user", {"x"}}}).is_leaf());
  const tgd::NoGradGuard no_grad;
  CHECK(chat_completion(stub, {{"user", {prompt_of_test()}}}).is_leaf());
}

TEST_CASE("A failed item fails the call, with the index and the model's error", "[cognitive][chat]") {
  const auto stub = Stub::answering([](const Request& request) -> std::string {
    const std::string& text = request.messages.back().content;
    if (text == "b" || text == "c") throw LMError(LMError::Kind::status, "overloaded " + text, 503, true);
    return "re: " + text;
  });
  if (GENERATE(false, true)) stub->shuffled(4);
  const Variable prompt = prompt_of_test();
  const Variable reply = chat_completion(stub, {{"user", {prompt, "{x}"}}}, {{"x", "a"}});
  CHECK(reply.text() == "re: Be brief.\na");

  const Variable failed = chat_completion(stub, {{"system", {prompt}}, {"user", {"{x}"}}}, {{"x", Texts{"a", "b", "c"}}});
  CHECK(failed[0].data() == Data("re: a"));
  CHECK_THROWS_WITH(failed.data(), "chat_completion: item 1 of 3: overloaded b");
  CHECK_THROWS_WITH(failed[2].data(), "chat_completion: item 2 of 3: overloaded c");
  try {
    failed.data();
  } catch (const LMError& error) {
    CHECK(error.status() == 503);
    CHECK(error.retryable());
  }
  CHECK_THROWS_WITH(failed.backward("no", {.model = critic()}), ContainsSubstring("item 1 of 3"));
  CHECK_THROWS_WITH(chat_completion(stub, {{"user", {"b"}}}).data(), "chat_completion: overloaded b");
  CHECK(prompt.grad().empty());
}

TEST_CASE("An item that fails by its own fault is kept with its problem where that is asked for", "[cognitive][chat]") {
  const auto stub = Stub::answering([](const Request& request) -> std::string {
    const std::string& text = request.messages.back().content;
    if (text == "b") throw LMError(LMError::Kind::filtered, "not this one", 400);
    if (text == "outage") throw LMError(LMError::Kind::status, "overloaded", 503);
    if (text == "crash") throw std::runtime_error("no LMError");
    if (text == "stop") throw LMError(LMError::Kind::cancelled, "stopped");
    if (text == "too dear") throw tgd::BudgetError("no money left");
    return "re: " + text;
  });
  const Variable prompt = prompt_of_test();
  const Variable mails(Texts{"a", "b", "c"}, "mails", true);
  std::vector<Notice> notices;
  ChatOptions options{.on_error = OnError::keep,
                      .feedback = {.on_notice = [&](const Notice& notice) { notices.push_back(notice); }}};

  const Variable reply = chat_completion(stub, {{"system", {prompt}}, {"user", {"{x}"}}}, {{"x", mails}}, options);
  CHECK(reply.texts() == Texts{"re: a", "", "re: c"});
  CHECK_FALSE(reply.problem(0));
  REQUIRE(reply.problem(1));
  CHECK(reply.problem(1)->kind == Problem::Kind::filtered);
  CHECK(reply.problem(1)->cause == "not this one");
  CHECK(reply.problems().size() == 1);
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::failed_item);
  CHECK(notices[0].item == 1);
  CHECK_THAT(notices[0].text, ContainsSubstring("item 1 of 3: not this one"));

  SECTION("and is criticised for it, without what a filter would withhold again") {
    const auto critical = critic();
    reply.backward("no", {.model = critical});
    REQUIRE(prompt.grad().size() == 1);
    CHECK_THAT(user_message(critical->requests()[0]), ContainsSubstring("re: a") && ContainsSubstring("re: c"));
    CHECK_THAT(user_message(critical->requests()[0]),
               ContainsSubstring("[There is none: a content filter withheld the reply.]"));
    CHECK_THAT(user_message(critical->requests()[0]), !ContainsSubstring("\nb\n"));
    CHECK(mails.grad().at(0).size() == 3);
  }
  SECTION("alone") {
    const Variable alone = chat_completion(stub, {{"system", {prompt}}, {"user", {"b"}}}, {}, options);
    CHECK(alone.text().empty());
    CHECK(alone.problem());
  }
  SECTION("but what is no fault of the item fails all the same") {
    CHECK_THROWS_AS(chat_completion(stub, {{"user", {"outage"}}}, {}, options).data(), LMError);
    CHECK_THROWS_AS(chat_completion(stub, {{"user", {"crash"}}}, {}, options).data(), tgd::Error);
    CHECK_THROWS_AS(chat_completion(stub, {{"user", {"stop"}}}, {}, options).data(), LMError);
    CHECK_THROWS_AS(chat_completion(stub, {{"user", {"too dear"}}}, {}, options).data(), tgd::BudgetError);
    CHECK_THROWS_AS(chat_completion(stub, {{"user", {"outage"}}}, {}, options).problem(), LMError);
  }
  SECTION("and an error of the callback is an error of the item") {
    options.feedback.on_notice = [](const Notice&) { throw std::runtime_error("broken"); };
    CHECK_THROWS_WITH(chat_completion(stub, {{"user", {"b"}}}, {}, options).data(), "broken");
  }
}

TEST_CASE("A reply that was cut off is an error unless its length was limited", "[cognitive][chat]") {
  const auto stub =
      Stub::answering_in_full([](const Request&) { return Reply{.content = "half a sen", .finish_reason = "length"}; });
  const auto call = [&](tgd::Json args) {
    return chat_completion(stub, {{"user", {"x"}}}, {}, {.args = std::move(args)}).data();
  };
  CHECK_THROWS_WITH(call({}), ContainsSubstring("cut off") && ContainsSubstring("half a sen"));
  try {
    call({});
  } catch (const LMError& error) {
    CHECK(error.kind() == LMError::Kind::truncated);
  }
  CHECK(call({{"max_tokens", 3}}) == Data("half a sen"));
  CHECK(call({{"max_completion_tokens", 3}}) == Data("half a sen"));
  CHECK(call({{"options", {{"num_predict", 3}}}}) == Data("half a sen"));
  CHECK_THROWS_AS(call({{"n_predict", -1}}), LMError);
}

TEST_CASE("A length that the model's own arguments limit is wanted, too", "[cognitive][chat]") {
  class Limited final : public tgd::lm::Decorator {
   public:
    Limited()
        : Decorator(Stub::answering_in_full(
              [](const Request&) { return Reply{.content = "half a sen", .finish_reason = "length"}; })) {}
    void start(Request request, Done done) override { inner().start(std::move(request), std::move(done)); }
    tgd::Json identity() const override { return {{"model", "m"}, {"args", {{"max_tokens", 4}}}}; }
  };
  CHECK(chat_completion(std::make_shared<Limited>(), {{"user", {"x"}}}).data() == Data("half a sen"));
}

TEST_CASE("A reply that was cut off in its thoughts is none, whoever set the limit, and the setting is named",
          "[cognitive][chat]") {
  Reply reply{.finish_reason = "length"};
  SECTION("that came") { reply.reasoning = "Let me see"; }
  SECTION("that were only counted") { reply.usage.reasoning_tokens = 24; }
  const auto stub = Stub::answering_in_full([&](const Request&) { return reply; });
  CHECK_THROWS_WITH(chat_completion(stub, {{"user", {"x"}}}, {}, {.args = {{"max_tokens", 24}}}).data(),
                    ContainsSubstring("while the model was thinking") && ContainsSubstring("max_completion_tokens") &&
                        ContainsSubstring("reasoning_effort"));
}

TEST_CASE("A critique that was cut off fails the pass", "[cognitive][chat]") {
  const auto cut_off =
      Stub::answering_in_full([](const Request&) { return Reply{.content = "half", .finish_reason = "length"}; });
  const Variable prompt = prompt_of_test();
  const Variable reply = chat_completion(echoing(), {{"user", {prompt}}});
  CHECK_THROWS_WITH(reply.backward("no", {.model = cut_off}),
                    ContainsSubstring("ChatCompletionBackward") && ContainsSubstring("half"));
  CHECK(prompt.grad().empty());
}

TEST_CASE("Each Variable that requires grad gets one gradient", "[cognitive][chat]") {
  const auto critical = critic();
  const Variable prompt = prompt_of_test();
  const Variable question("Why?", "question", true);
  const Variable constant("constant", "constant");
  const Variable reply =
      chat_completion(echoing(), {{"system", {prompt}}, {"user", {"{question}", constant}}}, {{"question", question}});
  reply.backward("too long", {.model = critical});
  CHECK(gradient_texts(prompt) == Texts{"critique 0 of system prompt"});
  CHECK(gradient_texts(question) == Texts{"critique 1 of question"});
  CHECK(prompt.grad()[0].role() == "feedback to system prompt");
  REQUIRE(critical->calls() == 2);
  CHECK(critical->requests()[0].info.node == "ChatCompletionBackward");
  CHECK(critical->requests()[0].info.purpose == "backward");

  const std::string asked = user_message(critical->requests()[0]);
  CHECK_THAT(asked, ContainsSubstring("has this role: system prompt") && ContainsSubstring("<VALUE>\nBe brief.\n</VALUE>"));
  CHECK_THAT(asked, ContainsSubstring("<SYSTEM>\n[the value to criticise]\n</SYSTEM>") &&
                        ContainsSubstring("<USER>\nWhy?\nconstant\n</USER>"));
  CHECK_THAT(asked, ContainsSubstring("<REPLY>\nre: Why?\nconstant\n</REPLY>") &&
                        ContainsSubstring("<FEEDBACK>\ntoo long\n</FEEDBACK>"));
  CHECK_THAT(user_message(critical->requests()[1]),
             ContainsSubstring("<SYSTEM>\nBe brief.\n</SYSTEM>") &&
                 ContainsSubstring("<USER>\n[the value to criticise]\nconstant\n</USER>"));
}

TEST_CASE("Items without feedback cost nothing", "[cognitive][chat]") {
  const Variable prompt = prompt_of_test();
  const Variable mails(Texts{"a", "b", "c"}, "mails", true);
  const std::vector<Variable> notes = variables({"x", "y", "z"}, "note");
  const Variable reply =
      chat_completion(echoing(), {{"system", {prompt}}, {"user", {"{mail} {note}"}}}, {{"mail", mails}, {"note", notes}});
  const auto critical = critic();

  SECTION("where some have it") {
    reply.backward(Texts{"", "wrong", ""}, {.model = critical});
    CHECK(critical->calls() == 3);
    CHECK(gradient_texts(prompt) == Texts{"critique 0 of system prompt"});
    CHECK(mails.grad().at(0).texts() == Texts{"", "critique 1 of mails", ""});
    CHECK(gradient_texts(notes[0]) == Texts{""});
    CHECK(gradient_texts(notes[1]) == Texts{"critique 2 of note"});
    CHECK(gradient_texts(notes[2]) == Texts{""});
    CHECK_THAT(user_message(critical->requests()[0]), ContainsSubstring("b y") && !ContainsSubstring("a x"));
    CHECK(critical->requests()[0].info.item == 1);
  }
  SECTION("where none has it") {
    reply.backward(GENERATE(Variable(""), Variable(Texts{"", "", ""})), {.model = critical});
    CHECK(critical->calls() == 0);
    CHECK(gradient_texts(prompt) == Texts{""});
    CHECK(mails.grad().at(0).texts() == Texts{"", "", ""});
    CHECK(gradient_texts(notes[2]) == Texts{""});
  }
  SECTION("where one text is for all") {
    reply.backward("wrong", {.model = critical});
    CHECK(critical->calls() == 1 + 3 + 3);
  }
  SECTION("and a list of another length is refused") {
    CHECK_THROWS_AS(reply.backward(Texts{"a", "b"}, {.model = critical}), ValueError);
  }
}

TEST_CASE("A shared Variable is criticised in groups of samples, all at once, and gets one gradient", "[cognitive][chat]") {
  const Variable prompt = prompt_of_test();
  Texts mails;
  for (int i = 0; i < 20; ++i) mails.push_back("mail " + std::to_string(i) + ".");
  const auto critical = critic();
  critical->latency(std::chrono::milliseconds(30));
  const auto run = [&](ChatOptions options) {
    chat_completion(echoing(), {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}}, std::move(options))
        .backward("wrong", {.model = critical});
  };
  SECTION("of eight") {
    run({});
    REQUIRE(critical->calls() == 3);
    CHECK(critical->max_in_flight() == 3);
    CHECK(gradient_texts(prompt) == Texts{"<ITEM>critique 0 of system prompt</ITEM><ITEM>critique 1 of system prompt</ITEM>"
                                          "<ITEM>critique 2 of system prompt</ITEM>"});
    CHECK_THAT(user_message(critical->requests()[0]),
               ContainsSubstring("mail 0.") && ContainsSubstring("mail 7.") && !ContainsSubstring("mail 8."));
    CHECK_THAT(user_message(critical->requests()[2]), ContainsSubstring("mail 16.") && ContainsSubstring("mail 19."));
    CHECK_FALSE(critical->requests()[0].info.item);
  }
  SECTION("or as many as one likes") {
    run({.feedback = {.samples_per_request = 20}});
    CHECK(critical->calls() == 1);
    CHECK(gradient_texts(prompt) == Texts{"critique 0 of system prompt"});
  }
  SECTION("or one by one") {
    run({.feedback = {.samples_per_request = 1}});
    CHECK(critical->calls() == 20);
    CHECK(prompt.grad().size() == 1);
  }
}

TEST_CASE("What the critic sees is what the model saw", "[cognitive][chat]") {
  Variable prompt = prompt_of_test();
  Variable mails(Texts{"a", "b"}, "mails");
  const Variable reply = chat_completion(echoing(), {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}});
  reply.wait();
  prompt.set_data("Rewritten.");
  prompt.set_role("other role");
  mails.set_data(Texts{"c", "d"});
  const auto critical = critic();
  reply.backward("wrong", {.model = critical});
  const std::string asked = user_message(critical->requests().at(0));
  CHECK_THAT(asked, ContainsSubstring("Be brief.") && ContainsSubstring("has this role: system prompt") &&
                        ContainsSubstring("<USER>\na\n"));
  CHECK_THAT(asked, !ContainsSubstring("Rewritten") && !ContainsSubstring("\nc\n"));
}

TEST_CASE("A reply may be parsed in place, before or after it has come", "[cognitive][chat]") {
  const auto model = std::make_shared<tgd::test::GatedModel>();
  const Variable prompt = prompt_of_test();
  Variable reply = chat_completion(model, {{"system", {prompt}}, {"user", {"{x}"}}}, {{"x", Texts{"first", "second"}}});
  reply.set_data(Texts{"parsed", "parsed"});
  const auto critical = critic();
  std::thread pass([&] { reply.backward(Texts{"wrong", ""}, {.model = critical}); });
  model->reply("second", "raw 2");
  model->reply("first", "raw 1");
  pass.join();
  CHECK(prompt.grad().size() == 1);
  CHECK_THAT(user_message(critical->requests().at(0)), ContainsSubstring("<REPLY>\nraw 1\n</REPLY>"));
}

TEST_CASE("The items of a chain of calls flow independently of each other", "[cognitive][chat]") {
  const auto model = std::make_shared<tgd::test::GatedModel>();
  const Variable prompt = prompt_of_test();
  const Variable first = chat_completion(model, {{"system", {prompt}}, {"user", {"one {x}"}}}, {{"x", Texts{"a", "b", "c"}}});
  const Variable parsed = map(first, [](const Data& data) { return data.text() + "'"; });
  const Variable second = chat_completion(model, {{"user", {"two {y}"}}}, {{"y", parsed}});
  CHECK_FALSE(second.ready());

  model->reply("one c", "C");
  model->wait_for("two C'");
  CHECK_FALSE(model->was_asked("two A"));
  model->reply("two C'", "CC");
  CHECK(second[2].data() == Data("CC"));
  CHECK_FALSE(second.ready());
  CHECK_FALSE(first.ready());

  model->reply("one a", "A");
  model->reply("two A'", "AA");
  SECTION("to the end") {
    model->reply("one b", "B");
    model->reply("two B'", "BB");
    CHECK(second.texts() == Texts{"AA", "BB", "CC"});
    CHECK(first.texts() == Texts{"A", "B", "C"});
  }
  SECTION("and one that fails fails its own successors only") {
    model->fail("one b", LMError(LMError::Kind::status, "overloaded", 503));
    second.wait();
    CHECK(second[0].data() == Data("AA"));
    CHECK_THROWS_AS(second[1].data(), LMError);
    CHECK_THROWS_WITH(second.data(), ContainsSubstring("item 1 of 3") && ContainsSubstring("overloaded"));
    CHECK_FALSE(model->was_asked("two B"));
    CHECK_THROWS_AS(second.backward("no", {.model = critic()}), LMError);
    CHECK(prompt.grad().empty());
  }
}

TEST_CASE("Branches of a forward pass do not wait for each other", "[cognitive][chat]") {
  const auto model = std::make_shared<tgd::test::GatedModel>();
  const Variable slow = chat_completion(model, {{"user", {"slow"}}});
  const Variable quick = chat_completion(model, {{"user", {"quick"}}});
  const Variable after_quick = chat_completion(model, {{"user", {"after {x}"}}}, {{"x", quick}});
  model->reply("quick", "Q");
  model->reply("after Q", "done");
  CHECK(after_quick.text() == "done");
  CHECK_FALSE(slow.ready());
  model->reply("slow", "S");
}

TEST_CASE("Messages may be on their way, too", "[cognitive][chat]") {
  const auto model = std::make_shared<tgd::test::GatedModel>();
  const Variable message = chat_completion(model, {{"user", {"write a template"}}});
  const Variable used = chat_completion(model, {{"user", {message}}}, {{"x", "value"}});
  const Variable unused = chat_completion(model, {{"user", {message}}}, {{"z", "value"}});
  model->reply("write a template", "use {x}");
  model->reply("use value", "fine");
  CHECK(used.text() == "fine");
  CHECK_THROWS_AS(unused.data(), ValueError);
  CHECK_THROWS_WITH(unused.data(), ContainsSubstring("\"z\""));
}

TEST_CASE("A call that was given up needs nobody", "[cognitive][chat]") {
  auto stub = echoing();
  stub->latency(std::chrono::hours(1));
  std::weak_ptr<Stub> gone = stub;
  {
    const Variable reply = chat_completion(stub, {{"user", {"{x}"}}}, {{"x", Texts(10, "x")}});
    CHECK_FALSE(reply.ready());
  }
  SUCCEED();
}

TEST_CASE("The model may be dropped while calls are under way", "[cognitive][chat]") {
  auto stub = echoing();
  stub->latency(std::chrono::milliseconds(2));
  const std::weak_ptr<Stub> watched = stub;
  const Variable first = chat_completion(stub, {{"user", {"{x}"}}}, {{"x", Texts{"a", "b"}}});
  const Variable second = chat_completion(stub, {{"user", {"{x}"}}}, {{"x", first}});
  stub.reset();
  CHECK(second.texts() == Texts{"re: re: a", "re: re: b"});
}

TEST_CASE("A parameter remembers the placeholders it is used with", "[cognitive][chat]") {
  Variable prompt("Answer {question} about {topic}.", "prompt", true);
  chat_completion(echoing(), {{"user", {prompt, "{other}"}}}, {{"question", "q"}, {"topic", "t"}, {"other", "o"}}).wait();
  CHECK(tgd::detail::impl_of(prompt)->extras->placeholders == std::set<std::string, std::less<>>{"question", "topic"});
}

TEST_CASE("Bytes that are no UTF-8 stay in memory, are made valid in the request, and are reported", "[cognitive][chat]") {
  const auto stub = Stub::answering([](const Request&) { return "fine"; });
  const Variable mails(Texts{"good",
                             "b\xff"
                             "d"},
                       "mails");
  std::vector<Notice> notices;
  const ChatOptions options{.feedback = {.on_notice = [&](const Notice& notice) { notices.push_back(notice); }}};
  chat_completion(stub, {{"user", {"{x}"}}}, {{"x", mails}}, options).wait();
  CHECK(mails.texts()[1] ==
        "b\xff"
        "d");
  CHECK(stub->requests()[1].messages[0].content ==
        "b\xEF\xBF\xBD"
        "d");
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::repaired_text);
  CHECK(notices[0].item == 1);
}

TEST_CASE("A Variable that is used twice in one conversation gets one gradient", "[cognitive][chat]") {
  const auto stub = Stub::answering([](const Request&) { return "a reply"; });
  const Variable tone("Be brief.", "tone", true);
  const Variable reply = chat_completion(stub, {{"system", {tone, "You help."}}, {"user", {"{x}", tone}}}, {{"x", "a mail"}});
  REQUIRE(reply.grad_fn()->next_functions().size() == 4);
  const auto critical = critic();
  reply.backward("no", {.model = critical});
  CHECK(tone.grad().size() == 1);
  REQUIRE(critical->calls() == 1);
  // Both of its places are marked, and neither shows the value a second time.
  const std::string asked = user_message(critical->requests()[0]);
  const tgd::Prompts prompts;
  const std::string mark(prompts.get("backward_placeholder"));
  const std::size_t first = asked.find(mark);
  REQUIRE(first != std::string::npos);
  CHECK(asked.find(mark, first + 1) != std::string::npos);
  CHECK(asked.find("Be brief.") == asked.rfind("Be brief."));
}

namespace {

/// Breaks what ChatModel asks of done.
class CarelessModel : public tgd::lm::ChatModel {
 public:
  explicit CarelessModel(int answers) : answers_(answers) {}
  void start(tgd::lm::Request, Done done) override {
    for (int i = 0; i < answers_; ++i) done(tgd::lm::Reply{.content = "answer " + std::to_string(i)});
    if (answers_ < 0) throw tgd::StateError("not today");
  }
  std::string provider() const override { return "test"; }
  std::string class_type() const override { return "CarelessModel"; }

 private:
  int answers_;
};

}  // namespace

TEST_CASE("A model that drops the callback, calls it twice or throws ends each call once", "[concurrent]") {
  const auto reply_of = [](int answers) {
    const auto model = std::make_shared<CarelessModel>(answers);
    const auto reply = tgd::chat_completion(model, {{"user", {tgd::Variable(std::vector<std::string>{"q", "r"})}}});
    return map(reply, [](const tgd::Data& item) { return item; });
  };
  CHECK_THROWS_WITH(reply_of(0).data(), Catch::Matchers::ContainsSubstring("dropped the callback"));
  CHECK_THROWS_WITH(CarelessModel(0).chat({{"user", "q"}}), Catch::Matchers::ContainsSubstring("dropped the callback"));
  CHECK(reply_of(2).texts() == std::vector<std::string>{"answer 0", "answer 0"});
  CHECK(CarelessModel(2).chat({{"user", "q"}}).content == "answer 0");
  CHECK_THROWS_WITH(reply_of(-1).data(), Catch::Matchers::ContainsSubstring("not today"));
}

TEST_CASE("Calls that functions of the user wait for overlap", "[concurrent]") {
  constexpr std::size_t items = 64;
  std::mutex mutex;
  class Gate : public tgd::lm::ChatModel {
   public:
    explicit Gate(std::function<void(Done)> ask) : ask_(std::move(ask)) {}
    void start(tgd::lm::Request, Done done) override { ask_(std::move(done)); }
    std::string provider() const override { return "test"; }
    std::string class_type() const override { return "Gate"; }

   private:
    std::function<void(Done)> ask_;
  };
  std::vector<tgd::lm::ChatModel::Done> waiting;
  // Nobody is answered before all have asked.
  Gate model([&](tgd::lm::ChatModel::Done done) {
    std::vector<tgd::lm::ChatModel::Done> complete;
    {
      const std::lock_guard lock(mutex);
      waiting.push_back(std::move(done));
      if (waiting.size() == items) complete.swap(waiting);
    }
    for (const auto& answer : complete) answer(tgd::lm::Reply{.content = "1"});
  });
  const auto answered = map(tgd::Variable(std::vector<std::string>(items, "a")), [&](const tgd::Data&) -> tgd::Data {
    return model.chat({{"user", "q"}}).content;
  });
  CHECK(answered.texts() == std::vector<std::string>(items, "1"));
}
