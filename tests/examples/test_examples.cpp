// The example programs as a user runs them, without key and network: they say what they show, and what they claim is there.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tgd/lm/simulated.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/pattern.hpp"
#include "support/chat_server.hpp"
#include "support/golden.hpp"
#include "support/process.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using tgd::test::ProcessOptions;
using tgd::test::ProcessResult;
using tgd::test::TemporaryFolder;

namespace {

const std::string tickets = TGD_EXAMPLES_DIR "/tickets/tickets.jsonl";

ProcessResult run_example(const std::string& name, std::vector<std::string> arguments = {},
                          const ProcessOptions& options = {}) {
  arguments.insert(arguments.begin(), TGD_EXAMPLE_PROGRAMS "/" + name);
  return tgd::test::run_process(arguments, options);
}

/// What a successful run printed.
std::string output_of(const std::string& name, const std::vector<std::string>& arguments = {}) {
  const ProcessResult result = run_example(name, arguments);
  INFO(result.out << result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.empty());
  return result.out;
}

/// The number in the only group of the first match.
double number_in(const std::string& text, const std::string& pattern) {
  CAPTURE(text, pattern);
  const auto found = tgd::detail::Pattern(pattern).find(text);
  REQUIRE(found.has_value());
  return std::stod(*found);
}

}  // namespace

TEST_CASE("embed_minimal rewrites its prompt in one step", "[examples]") {
  const std::string out = output_of("embed_minimal");
  CHECK_THAT(out, ContainsSubstring("feedback to the prompt:\n") && ContainsSubstring("prompt after one step:\n"));
  CHECK_THAT(out.substr(out.find("prompt after one step:")), ContainsSubstring("vegetables"));
}

TEST_CASE("optimization_loop gains on the test part", "[examples]") {
  const std::string out = output_of("optimization_loop", {tickets});
  CHECK_THAT(out, ContainsSubstring("simulation"));
  const std::string last_epoch = out.substr(out.find("Epoch 5"));
  CHECK(number_in(last_epoch, R"(accuracy on the test part: (\S+)%)") > number_in(out, R"(before: (\S+)%)") + 10);
}

TEST_CASE("embed_service answers while it improves, and answers better then", "[examples]") {
  const std::string out = output_of("embed_service", {tickets});
  CHECK_THAT(out, ContainsSubstring("simulation") && ContainsSubstring("new prompt in service: held-out feedback"));
  CHECK_THAT(out, ContainsSubstring("left to a person because a call failed"));
  const double before = number_in(out, R"(Morning, .*right \((\d+)%\))");
  CHECK(number_in(out, R"(Afternoon, .*right \((\d+)%\))") > before + 10);
  CHECK(number_in(out, R"(Morning, .* (\d+) left to a person)") > 0);
}

TEST_CASE("custom_function sends feedback through functions of its own", "[examples]") {
  const std::string out = output_of("custom_function");
  CHECK_THAT(out, ContainsSubstring("simulation") && ContainsSubstring("One teapot -> We have nothing of the kind."));
  for (const std::string node : {"FirstFoundBackward", "SearchBackward", "TidyBackward"})
    CHECK_THAT(out, ContainsSubstring("(\"" + node));
  CHECK_THAT(out, ContainsSubstring("- (all is well)\n- Read as \"a thermostat that i can set from my keyboard\": "));
  CHECK_THAT(out, ContainsSubstring(
                      "Gradient of the apology:\n- Say that teapots come in again in May.\nCalls to the language model: 1,"));
}

TEST_CASE("judge improves a writer, and a judge", "[examples]") {
  const std::string out = output_of("judge");
  CHECK_THAT(out, ContainsSubstring("a simulation") && ContainsSubstring("scripted"));
  CHECK(number_in(out, R"(step 0: judged (\S+))") == 0);
  CHECK(number_in(out, R"(step 3: judged (\S+))") == 1);
  CHECK(number_in(out, R"(after: the judge agrees with people on (\d+) of 8)") >
        number_in(out, R"(before: the judge agrees with people on (\d+) of 8)"));
}

TEST_CASE("multi_stage improves both prompts and leaves a run folder", "[examples]") {
  const TemporaryFolder folder;
  const std::string run_folder = (folder.path() / "run").string();
  const std::string out = output_of("multi_stage", {tickets, run_folder});
  CHECK_THAT(out, ContainsSubstring("simulation") && ContainsSubstring("proposal taken"));
  CHECK(number_in(out, R"(Test part after: +(\S+)%)") > number_in(out, R"(Test part before: +(\S+)%)") + 10);
  for (const std::string name : {"first_reader", "second_reader"}) {
    const std::string prompt = tgd::test::read_text(run_folder + "/" + name + ".txt");
    CHECK_THAT(prompt, ContainsSubstring("Rules for choosing the label:"));
    CHECK_THAT(out, ContainsSubstring(name + ":\n" + prompt.substr(0, 200)));
  }
  SECTION("from which it goes on without a further step") {
    const std::string again = output_of("multi_stage", {tickets, run_folder});
    CHECK_THAT(again, !ContainsSubstring("step 1:"));
    CHECK(again.substr(again.find("Test part after")) == out.substr(out.find("Test part after")));
  }
}

TEST_CASE("testing passes its own checks and shows how a changed prompt is found", "[examples]") {
  const TemporaryFolder folder;
  const std::string out = output_of("testing", {folder.path().string()});
  CHECK_THAT(out, !ContainsSubstring("FAILED"));
  CHECK_THAT(out, ContainsSubstring("ok     the answers are in the order of the mails") && ContainsSubstring("simulated"));
  CHECK_THAT(out, ContainsSubstring("\n- Sort the mail: is it urgent or normal?") &&
                      ContainsSubstring("\n+ Sort the mail: is it urgent or not?"));
  CHECK(std::filesystem::exists(folder.path() / "urgency.cassette"));
}

TEST_CASE("local_server streams, asks several questions at once and counts", "[examples]") {
  const auto model = tgd::lm::Stub::answering([](const tgd::lm::Request& request) {
    return request.messages.back().content.find("violin") != std::string::npos ? "music room" : "kitchen";
  });
  const tgd::test::ChatServer server(model);
  const ProcessResult result =
      run_example("local_server", {server.url(), "my-model"}, {.environment = {{"OPENAI_API_KEY", "of-somebody-else"}}});
  CAPTURE(result.err);
  REQUIRE(result.status == 0);
  const std::string& out = result.out;
  CHECK_THAT(out, ContainsSubstring("Asking \"my-model\" at " + server.url() + "/chat/completions"));
  CHECK_THAT(out, ContainsSubstring("A reply as it arrives:\n  kitchen\n"));
  CHECK_THAT(out, ContainsSubstring("look for a violin? Answer with one word. -> music room\n"));
  CHECK_THAT(out, ContainsSubstring("$0.00"));
  CHECK(server.http().request_count() == 9);
  CHECK(server.http().max_concurrent() <= 4);
  for (const auto& request : server.http().requests()) CHECK(request.headers.at("authorization") == "Bearer none");
}

TEST_CASE("local_server says how to start a server where none answers", "[examples]") {
  const ProcessResult result =
      run_example("local_server", {"http://127.0.0.1:" + std::to_string(tgd::test::closed_port()) + "/v1"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, ContainsSubstring("local_server: POST http://127.0.0.1:") &&
                             ContainsSubstring("Is a server running there?") && ContainsSubstring("llama-server -m") &&
                             ContainsSubstring("ollama serve"));
}

TEST_CASE("An example that cannot do its work says why, on the error stream", "[examples]") {
  struct Mistake {
    std::string program;
    std::vector<std::string> arguments;
    std::string message;
  };
  const Mistake mistake = GENERATE(Mistake{"optimization_loop", {"/nowhere.jsonl"}, "/nowhere.jsonl"},
                                   Mistake{"embed_service", {"/nowhere.jsonl"}, "/nowhere.jsonl"},
                                   Mistake{"multi_stage", {"/nowhere.jsonl"}, "/nowhere.jsonl"},
                                   Mistake{"multi_stage", {tickets, "/dev/null/run"}, "/dev/null/run"},
                                   Mistake{"testing", {"/nowhere"}, "/nowhere/urgency.cassette"},
                                   Mistake{"local_server", {"localhost:8080"}, "localhost:8080"});
  const ProcessResult result = run_example(mistake.program, mistake.arguments);
  CAPTURE(mistake.program, result.out);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, StartsWith(mistake.program + ": ") && ContainsSubstring(mistake.message));
}

TEST_CASE("Examples run against the endpoint that the environment names", "[examples]") {
  SECTION("with the same outcome when the same model stands behind it") {
    const tgd::test::ChatServer server(std::make_shared<tgd::lm::Simulated>());
    const ProcessResult result = run_example(
        "custom_function", {}, {.environment = {{"OPENAI_BASE_URL", server.url()}, {"TGD_MODEL", "model-of-the-test"}}});
    CAPTURE(result.err);
    CHECK(result.status == 0);
    const std::string simulated = output_of("custom_function");
    CHECK(result.out == simulated.substr(simulated.find("\n\n") + 2));
    REQUIRE(server.http().request_count() == 1);
    CHECK_THAT(server.http().requests()[0].body, ContainsSubstring("model-of-the-test"));
  }
  SECTION("and say so when that is no URL") {
    const std::string program = GENERATE("custom_function", "judge", "multi_stage", "embed_service", "optimization_loop");
    const ProcessResult result =
        run_example(program, {}, {.folder = TGD_EXAMPLES_DIR "/..", .environment = {{"OPENAI_BASE_URL", "no URL"}}});
    CAPTURE(program, result.out);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, StartsWith(program + ": ") && ContainsSubstring("no URL"));
    CHECK_THAT(result.out, !ContainsSubstring("simulation"));
  }
}
