#include <tgd/cognitive/command_agent.hpp>
#include <tgd/cognitive/command_function.hpp>

#include <memory>
#include <string>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/evaluator.hpp>
#include <tgd/functions.hpp>
#include <tgd/lm/command.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::CommandAgent;
using tgd::CommandAgentOptions;
using tgd::CommandFunction;
using tgd::CommandFunctionOptions;
using tgd::CommandOptions;
using tgd::Data;
using tgd::OnError;
using tgd::Variable;

using Texts = std::vector<std::string>;

namespace {

/// A command in sh that answers each line with what `answer` prints behind the id.
CommandOptions answering(const std::string& answer) {
  return {.run = {"sh", "-c",
                  "while IFS= read -r line; do id=${line#*'\"id\":'}; id=${id%%,*}\nprintf '{\"id\":%s,' \"$id\"\n" + answer +
                      "\ndone"}};
}

/// It gives the query in capitals, and says what of it was too short.
const std::string shouting = R"sh(
query=${line#*'"query":"'}; query=${query%%'"'*}
case $line in
  *'"feedback":'*) echo '"feedback":{"query":"say more than '"$query"'"}}';;
  *) echo '"output":"'"$(printf %s "$query" | tr a-z A-Z)"'"}';;
esac)sh";

/// It says what it was shown.
const std::string showing = R"sh(shown=$(printf %s "$line" | tr '"' "'"); printf '"output":"%s"}\n' "$shown")sh";

std::string text_of(const tgd::lm::Request& request) {
  std::string text;
  for (const auto& message : request.messages) text += message.content + "\n";
  return text;
}

}  // namespace

TEST_CASE("A command is a function of its inputs", "[cognitive][command][concurrent]") {
  const CommandFunction shout(answering(shouting));
  CHECK(shout({{"query", Variable(Texts{"one", "two"}, "query")}}).texts() == Texts{"ONE", "TWO"});
  CHECK(shout({{"query", Variable("one", "query")}}).text() == "ONE");

  const CommandFunction show(answering(showing));
  CHECK(show({{"query", "a"}, {"count", 3}}).text() == "{'id':1,'inputs':{'query':'a','count':3}}");
  CHECK(CommandFunction(answering(R"(echo '"output":[1,{"a":null}]}')"))({{"query", "a"}}).text() == R"([1,{"a":null}])");
}

TEST_CASE("A language model works out the feedback to a command's inputs from its description",
          "[cognitive][command][concurrent]") {
  const CommandFunction shout(answering(shouting));
  const Variable query(Texts{"one", "two"}, "query", true);
  const Variable found = shout({{"query", query}}, {.description = "says it louder"});
  CHECK(found.grad_fn()->name() == "CommandFunctionBackward");
  const auto stub = std::make_shared<tgd::lm::Stub>();
  stub->otherwise("be louder");
  tgd::exact_match_evaluator(found, Texts{"ONE", "THREE"}).explanation.backward({.model = stub});
  REQUIRE(stub->requests().size() == 1);
  CHECK_THAT(text_of(stub->requests()[0]),
             ContainsSubstring("says it louder") && ContainsSubstring("TWO") && ContainsSubstring("THREE"));
  CHECK(query.grad().at(0).data().texts() == Texts{"", "be louder"});
  CHECK_THROWS_AS(shout({{"query", query}}), tgd::ValueError);  // of which nothing is known
}

TEST_CASE("A command may answer feedback itself, and then nobody else is asked", "[cognitive][command][concurrent]") {
  const CommandFunction shout(answering(shouting));
  const auto nobody = std::make_shared<tgd::lm::Stub>();
  SECTION("to each item of a batch") {
    const Variable query(Texts{"one", "two"}, "query", true);
    const Variable found = shout({{"query", query}}, {.answers_feedback = true});
    tgd::exact_match_evaluator(found, Texts{"ONE", "THREE"}).explanation.backward({.model = nobody});
    CHECK(query.grad().at(0).data().texts() == Texts{"", "say more than two"});
  }
  SECTION("to what all items share, once") {
    const Variable query("two", "query", true);
    const Variable count(Texts{"1", "2", "3"}, "count");
    const Variable found = shout({{"query", query}, {"count", count}}, {.answers_feedback = true});
    tgd::exact_match_evaluator(found, Texts{"ONE", "TWO", "THREE"}).explanation.backward({.model = nobody});
    REQUIRE(query.grad().size() == 1);
    CHECK(query.grad()[0].data().text() == "<ITEM>say more than two</ITEM><ITEM>say more than two</ITEM>");
  }
  CHECK(nobody->requests().empty());
}

TEST_CASE("An answer of a command that cannot be used is the item's problem", "[cognitive][command][concurrent]") {
  const auto [answer, words] =
      GENERATE(table<std::string, std::string>({{R"("result":"x"})", "it has no \"output\""},
                                                {R"("output":null})", "it has no \"output\""},
                                                {R"("problem":"there is no such page"})", "there is no such page"},
                                                {R"(oops)", "standard output belongs to the protocol"},
                                                {R"("output":"x","usage":{"cost_usd":-1}})", "its \"usage\" has to be"}}));
  INFO(answer);
  const CommandFunction half(answering("case $line in *odd*) echo '" + answer + "';; *) echo '\"output\":\"fine\"}';; esac"));
  const Variable query(Texts{"even", "odd"}, "query");
  SECTION("kept") {
    const Variable found = half({{"query", query}}, {.on_error = OnError::keep});
    CHECK(found.data().texts()[0] == "fine");
    REQUIRE(found.problem(1));
    CHECK_THAT(tgd::to_string(*found.problem(1)), ContainsSubstring(words));
    CHECK_FALSE(found.problem(0));
  }
  SECTION("or the end of it") {
    CHECK_THROWS_WITH(half({{"query", query}}).data(),
                      ContainsSubstring(words) && ContainsSubstring("command_function: item 1 of 2"));
  }
}

TEST_CASE("Feedback of a command that cannot be used is left out, and none at all is an error",
          "[cognitive][command][concurrent]") {
  const auto [answer, words] =
      GENERATE(table<std::string, std::string>({{R"("output":"x"})", "has to answer with an object \"feedback\""},
                                                {R"("feedback":"x"})", "has to answer with an object \"feedback\""},
                                                {R"("feedback":{"question":"x"}})", "to \"question\", which is no input of it"},
                                                {R"("feedback":{"query":1}})", "to \"query\" is no text"}}));
  INFO(answer);
  const CommandFunction odd(answering("case $line in *'\"feedback\":'*odd*) echo '" + answer +
                                      "';; *'\"feedback\":'*) echo '\"feedback\":{\"query\":\"fine\"}}';; *'\"query\":\"odd'*) "
                                      "echo '\"output\":\"odd\"}';; *) echo '\"output\":\"even\"}';; esac"));
  std::vector<std::string> notices;
  const CommandFunctionOptions options{
      .answers_feedback = true, .feedback = {.on_notice = [&](const tgd::Notice& notice) { notices.push_back(notice.text); }}};
  const auto nobody = std::make_shared<tgd::lm::Stub>();
  const Variable query(Texts{"even", "odd"}, "query", true);
  tgd::exact_match_evaluator(odd({{"query", query}}, options), "x").explanation.backward({.model = nobody});
  CHECK(query.grad().at(0).data().texts() == Texts{"fine", ""});
  REQUIRE(notices.size() == 1);
  CHECK_THAT(notices[0], ContainsSubstring(words));

  const Variable alone("odd", "query", true);
  CHECK_THROWS_WITH(tgd::exact_match_evaluator(odd({{"query", alone}}, options), "x").explanation.backward({.model = nobody}),
                    ContainsSubstring(words));
}

TEST_CASE("A problem of an input passes a command by, and feedback to it, too", "[cognitive][command][concurrent]") {
  const CommandFunction shout(answering(shouting));
  const auto parse = [](const Data& item) -> Data {
    if (item.text() == "bad") throw tgd::ParseError("it is bad");
    return item;
  };
  const Variable query(Texts{"good", "bad"}, "query", true);
  const Variable found =
      shout({{"query", tgd::map(query, parse, {}, OnError::keep)}}, {.answers_feedback = true, .on_error = OnError::keep});
  REQUIRE(found.problem(1));
  CHECK_THAT(found.problem(1)->text, ContainsSubstring("it is bad"));
  const auto nobody = std::make_shared<tgd::lm::Stub>();
  tgd::exact_match_evaluator(found, Texts{"GOOD", "x"}, {.on_error = OnError::keep}).explanation.backward({.model = nobody});
  CHECK_THAT(query.grad().at(0).data().texts()[1], ContainsSubstring("it is bad"));
}

TEST_CASE("A deterministic command is asked the same once", "[cognitive][command][concurrent]") {
  CommandOptions options = answering(R"sh(n=$((n+1)); echo '"output":"'$n'"}')sh");
  const Variable queries(Texts{"a", "b", "a", "a"}, "query");
  CHECK(CommandFunction(options)({{"query", queries}}).texts() == Texts{"1", "2", "3", "4"});
  options.is_deterministic = true;
  const CommandFunction counted(options);
  CHECK(counted({{"query", queries}}).texts() == Texts{"1", "2", "1", "1"});
  CHECK(counted({{"query", Variable(Texts{"b", "c"})}}).texts() == Texts{"2", "3"});
}

TEST_CASE("What a command writes to standard error goes to its file, without its secrets", "[cognitive][command][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  CommandOptions options = answering(R"(echo "looking with $SEARCH_API_KEY" >&2; echo '"output":"x"}')");
  options.env = {{"SEARCH_API_KEY", "abc123def456"}};
  options.error_file = folder.path() / "search.stderr";
  { CHECK(CommandFunction(options)({{"query", Variable(Texts{"a", "b"})}}).texts() == Texts{"x", "x"}); }
  CHECK(tgd::detail::read_file(options.error_file) == "looking with ***\nlooking with ***\n");
}

TEST_CASE("Another version of a script is another command", "[cognitive][command]") {
  const tgd::test::TemporaryFolder folder;
  const auto identity = [&](const std::string& script) {
    folder.write("search.sh", script);
    return tgd::lm::Command({.run = {"sh", "search.sh"}, .folder = folder.path()}).identity().dump();
  };
  const std::string first = identity("echo 1");
  CHECK(identity("echo 2") != first);
  CHECK(identity("echo 1") == first);
}

// ---- Whole programs ------------------------------------------------------------------------------------------------------

namespace {

const std::string plan_text = "Plan what to look for.";
const std::string answer_text = "Answer in one word.";

struct Prompts {
  Variable plan{plan_text, "plan", true};
  Variable answer{answer_text, "answer", true};
  tgd::NamedInputs all() const { return {{"plan", plan}, {"answer", answer}}; }
};

/// What its critic is asked about a parameter.
std::string asked_about(const tgd::lm::Stub& stub, const std::string& role) {
  for (const tgd::lm::Request& request : stub.requests()) {
    if (request.info.parameter == role) return text_of(request);
  }
  return {};
}

}  // namespace

TEST_CASE("A program gets its parameters and inputs, and its output is scored", "[cognitive][command][concurrent]") {
  const Prompts prompts;
  const CommandAgent show(answering(showing));
  CHECK(show(prompts.all(), {{"question", Variable(Texts{"why?"}, "question")}}).texts()[0] ==
        "{'id':1,'parameters':{'plan':'" + plan_text + "','answer':'" + answer_text + "'},'inputs':{'question':'why?'}}");
}

TEST_CASE("With a trace critics see the conversations of each parameter", "[cognitive][command][concurrent]") {
  const bool is_named = GENERATE(true, false);
  const std::string named = is_named ? R"("parameter":"plan",)" : "";
  const CommandAgent agent(answering(
      R"(echo '"output":"42","trace":[{)" + named + R"("messages":[{"role":"system","content":")" + plan_text +
      R"( Be quick."},{"role":"user","content":[{"type":"text","text":"How many?"}]}],"reply":"count them"},)" +
      R"({"parameter":["answer"],"messages":[{"role":"system","content":")" + answer_text + R"("}],"reply":"42!"}]}')"));
  const Prompts prompts;
  const Variable output = agent(prompts.all(), {{"question", Variable(Texts{"How many?"}, "question")}});
  const auto stub = std::make_shared<tgd::lm::Stub>();
  stub->otherwise("better");
  tgd::exact_match_evaluator(output, Texts{"43"}).explanation.backward({.model = stub});
  CHECK_THAT(asked_about(*stub, "plan"), ContainsSubstring("<SYSTEM>\n[the value to criticise] Be quick.\n</SYSTEM>") &&
                                             ContainsSubstring("<USER>\nHow many?\n</USER>") &&
                                             ContainsSubstring("<REPLY>\ncount them\n</REPLY>") && !ContainsSubstring("42!"));
  CHECK_THAT(asked_about(*stub, "answer"), ContainsSubstring("42!") && !ContainsSubstring("count them"));
  CHECK(prompts.plan.grad().at(0).text() == "better");
}

TEST_CASE("Without a trace critics see inputs and output", "[cognitive][command][concurrent]") {
  const CommandAgent agent(answering(R"(echo '"output":"42"}')"));
  const Prompts prompts;
  const Variable output =
      agent(prompts.all(), {{"question", Variable(Texts{"How many?"}, "question")}}, {.description = "answers questions"});
  const auto stub = std::make_shared<tgd::lm::Stub>();
  stub->otherwise("better");
  tgd::exact_match_evaluator(output, Texts{"43"}).explanation.backward({.model = stub});
  CHECK_THAT(asked_about(*stub, "plan"), ContainsSubstring("answers questions") && ContainsSubstring("How many?") &&
                                             ContainsSubstring(answer_text) &&
                                             ContainsSubstring("<PROMPT name=\"plan\">\n[the value to criticise]"));
  CHECK(stub->requests().size() == 2);
}

TEST_CASE("A trace that cannot be read is the item's problem", "[cognitive][command][concurrent]") {
  const auto [trace, words] = GENERATE(table<std::string, std::string>(
      {{R"("x")", "is no list of calls"},
       {R"([1])", "is no object with \"messages\""},
       {R"([{"messages":["x"]}])", "no object with \"role\" and \"content\""},
       {R"([{"parameter":"plot","messages":[]}])", "names the parameter \"plot\", and there are plan, answer"}}));
  INFO(trace);
  const Prompts prompts;
  const Variable output = CommandAgent(answering("echo '\"output\":\"42\",\"trace\":" + trace + "}'"))(
      prompts.all(), {{"question", Variable(Texts{"How many?"})}}, {.on_error = OnError::keep});
  REQUIRE(output.problem(0));
  CHECK_THAT(tgd::to_string(*output.problem(0)), ContainsSubstring(words));
}

TEST_CASE("What a program's own calls took is the call's usage", "[cognitive][command][concurrent]") {
  const auto command = std::make_shared<tgd::lm::Command>(
      answering(R"(echo '"output":"42","usage":{"prompt_tokens":900,"completion_tokens":40,"cost_usd":0.002}}')"));
  const Prompts prompts;
  CHECK(CommandAgent(command)(prompts.all(), {{"question", "How many?"}}).text() == "42");
  const tgd::lm::Usage usage = command->usage();
  CHECK(usage.calls == 1);
  CHECK(usage.prompt_tokens == 900);
  CHECK(usage.completion_tokens == 40);
  CHECK(usage.cost_pico_usd == 2'000'000'000);
}
