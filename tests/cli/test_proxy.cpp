// Programs whose own calls go through tgd.
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <nlohmann/json.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "cli/tickets.hpp"
#include "support/chat_server.hpp"
#include "support/program.hpp"
#include "task/document.hpp"
#include "task/proxy.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using Value = nlohmann::json;

namespace {

const std::string plan_text = "Plan how the ticket is sorted, briefly.";
const std::string answer_text = "Now name the topic in one word.";

/// It knows nothing of tgd but its lines.
const std::string program = R"py(
import json, os, signal, sys, urllib.request
count = 0
def chat(prompt, text, stream):
    body = json.dumps({"model": "small", "stream": stream, "messages": [{"role": "system", "content": prompt + " Be quick."},
                                                                          {"role": "user", "content": text}]})
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body.encode(),
        {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        said = response.read().decode()
    if not stream:
        return json.loads(said)["choices"][0]["message"]["content"]
    events = [line[6:] for line in said.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]", said
    return "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1])
for line in sys.stdin:
    asked = json.loads(line)
    try:
        plan = chat(asked["parameters"]["plan"], asked["inputs"]["ticket"], False)
        count += 1
        if os.environ.get("KILLS") == "itself" and count == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        with open("seen", "a") as seen:
            seen.write("x")
        if os.environ.get("KILLS") == "tgd" and os.path.getsize("seen") >= 40 and not os.path.exists("cut"):
            open("cut", "w").close()
            os.kill(os.getppid(), signal.SIGKILL)
        output = {"output": chat(asked["parameters"]["answer"], plan, True)}
    except Exception as error:
        output = {"problem": str(error)}
    print(json.dumps({"id": asked["id"], **output}), flush=True)
)py";

/// The small task as such a program, its endpoint, and what that was asked.
class Programmed {
 public:
  explicit Programmed(const std::string& answer = answer_text, const Value& env = Value::object()) : server_(answering()) {
    const fs::path small = test::write_small_task(folder_, 24);
    folder_.write("work.py", program);
    Value task = Value::parse(test::read_text(small));
    task.erase("messages");
    task.erase("output");
    task["parameters"] = {{"plan", {{"role", "plan"}, {"value", plan_text}}},
                          {"answer", {{"role", "answer"}, {"value", answer}}}};
    task["agent"] = {{"run", {"python3", "work.py"}}, {"workers", 3}, {"env", env}};
    task["models"] = {
        {"student",
         {{"provider", "openai"}, {"model", "small"}, {"base_url", server_.url()}, {"price", {{"input", 1}, {"output", 1}}}}}};
    task["training"]["epochs"] = 1;
    task_ = folder_.write("working.json", task.dump());
  }

  std::string task() const { return task_.string(); }
  const fs::path& folder() const { return folder_.path(); }
  /// The requests for feedback.
  std::string criticised() const {
    std::string text;
    for (const lm::Request& request : stub_->requests()) {
      if (request.messages.at(0).content.find("You are a critic") != std::string::npos) text += request.messages.at(1).content;
    }
    return text;
  }

 private:
  lm::ChatModelPtr answering() {
    stub_ = lm::Stub::answering([](const lm::Request& request) -> std::string {
      const std::string& prompt = request.messages.at(0).content;
      if (prompt.find("You are a critic") != prompt.npos) return "be clearer";
      if (prompt.starts_with("Plan how")) return "look for the topic";
      return "billing";
    });
    return stub_;
  }
  test::TemporaryFolder folder_;
  std::shared_ptr<lm::Stub> stub_;
  test::ChatServer server_;
  fs::path task_;
};

bool has_python() {
  if (test::find_program("python3")) return true;
  WARN("The proxy was not tried with a program: there is no python3 on this machine.");
  return false;
}

/// Status and body.
std::pair<long, std::string> post(const cli::Proxy& proxy, const std::string& path, const std::string& body) {
  std::string answer;
  long status = 0;
  const auto append = +[](char* data, std::size_t size, std::size_t count, void* to) {
    static_cast<std::string*>(to)->append(data, size * count);
    return size * count;
  };
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, ("Authorization: Bearer " + proxy.key(3)).c_str()), curl_slist_free_all);
  curl_easy_setopt(handle.get(), CURLOPT_URL, (proxy.url() + path).c_str());
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_perform(handle.get());
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return {status, answer};
}

test::ProcessOptions with_key() { return {.environment = {{"OPENAI_API_KEY", "sk-of-the-test"}}}; }

}  // namespace

TEST_CASE("critics see the conversations of a program that returns no trace, when its calls go through tgd", "[cli][proxy]") {
  if (!has_python()) return;
  const Programmed programmed;
  const fs::path run = programmed.folder() / "run";
  const test::ProcessResult result =
      test::run_tgd({"optimize", programmed.task(), "--run-dir", run.string(), "--proxy", "--max-cost", "5"}, with_key());
  INFO(result.out + result.err);
  REQUIRE(result.status == 0);
  const std::string asked = programmed.criticised();
  CHECK_THAT(asked, ContainsSubstring("<SYSTEM>\n[the value to criticise] Be quick.\n</SYSTEM>") &&
                        ContainsSubstring("<REPLY>\nlook for the topic\n</REPLY>") &&
                        ContainsSubstring("<REPLY>\nbilling\n</REPLY>"));
  const Value outcome = test::read_result(run);
  CHECK(outcome["calls"]["forward"].get<int>() == 2 * outcome["calls"]["command"].get<int>());
  CHECK(outcome["accuracy"]["test"]["before"].get<double>() > 0);
  CHECK_THAT(test::read_text(run / "calls.jsonl"), !ContainsSubstring("tgd-"));  // no key
}

TEST_CASE("processes that are killed between their calls change no answer", "[cli][proxy]") {
  if (!has_python()) return;
  const auto answers = [](const Programmed& programmed) {
    const test::ProcessResult result =
        test::run_tgd({"evaluate", programmed.task(), "--split", "all", "--proxy", "--json"}, with_key());
    INFO(result.err);
    REQUIRE(result.status == 0);
    return Value::parse(result.out)["prompts"][0];
  };
  CHECK(answers(Programmed(answer_text, {{"KILLS", "itself"}})) == answers(Programmed()));
}

TEST_CASE("a run that was killed goes on to the same figures, and a recorded one is replayed, calls of the program included",
          "[cli][proxy]") {
  if (!has_python()) return;
  const auto run_of = [](const Programmed& programmed) { return programmed.folder() / "run"; };
  const auto optimized = [&](const Programmed& programmed) {
    return test::run_tgd({"optimize", programmed.task(), "--run-dir", run_of(programmed).string(), "--proxy", "--record"},
                         with_key());
  };
  const Programmed whole;
  const test::ProcessResult undisturbed = optimized(whole);
  INFO(undisturbed.out + undisturbed.err);
  REQUIRE(undisturbed.status == 0);
  SECTION("killed") {
    const Programmed cut(answer_text, {{"KILLS", "tgd"}});
    REQUIRE(optimized(cut).status != 0);
    const test::ProcessResult resumed = test::run_tgd({"optimize", "--resume", run_of(cut).string()}, with_key());
    INFO(resumed.out + resumed.err);
    REQUIRE(resumed.status == 0);
    for (const char* member : {"accuracy", "parameters", "calls"}) {
      INFO(member);
      CHECK(test::read_result(run_of(cut))[member] == test::read_result(run_of(whole))[member]);
    }
  }
  SECTION("recorded") {
    fs::remove(whole.folder() / "work.py");
    const test::ProcessResult replayed = test::run_tgd({"replay", run_of(whole).string()});
    INFO(replayed.out + replayed.err);
    CHECK(replayed.status == 0);
  }
}

TEST_CASE("the proxy is off unless it is asked for, and then for programs whose values can be told apart", "[cli][proxy]") {
  if (!has_python()) return;
  SECTION("off") {
    const Programmed programmed;
    const test::ProcessResult result = test::run_tgd({"evaluate", programmed.task()}, with_key());
    CHECK_THAT(result.out + result.err, ContainsSubstring("OPENAI_BASE_URL"));
  }
  SECTION("equal values") {
    const test::ProcessResult result = test::run_tgd({"evaluate", Programmed(plan_text).task(), "--proxy"}, with_key());
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("\"plan\" has the same") || ContainsSubstring("\"answer\" has the same"));
  }
  SECTION("short values") {
    const test::ProcessResult result = test::run_tgd({"evaluate", Programmed("One word.").task(), "--proxy"}, with_key());
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("\"One word.\" is too short for that"));
  }
  SECTION("no program") {
    const test::TemporaryFolder folder;
    const test::ProcessResult result = test::run_tgd({"evaluate", test::write_small_task(folder).string(), "--proxy"});
    CHECK(result.status == 2);
    CHECK_THAT(result.err, ContainsSubstring("--proxy is for tasks with an \"agent\""));
  }
}

TEST_CASE("the proxy answers whoever has its key, and says what is wrong to all others", "[cli][proxy][concurrent]") {
  cli::Proxy proxy;
  const auto stub = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.messages.back().content == "too much") throw LMError(LMError::Kind::status, "no such model", 404);
    if (request.messages.back().content == "too dear") throw BudgetError("the budget is used up");
    return "hello, " + request.messages.back().content;
  });
  CHECK_THAT(proxy.url(), Catch::Matchers::StartsWith("http://127.0.0.1:"));
  proxy.set_model(stub);
  const auto hooks = proxy.hooks();
  hooks.asked(3);
  lm::OpenAI client({.model = "any", .base_url = proxy.url(), .api_key = proxy.key(3), .max_retries = 0});
  SECTION("whole and streamed, with arguments, and keeps a trace of it by process") {
    CHECK(client.chat({{"user", "you"}}, {{"temperature", 0.5}}).content == "hello, you");
    CHECK(stub->requests()[0].args.value()["temperature"] == 0.5);
    std::string streamed;
    std::mutex mutex;
    const lm::Reply reply = client.chat_stream(lm::Request{.messages = {{"user", "me"}}}, [&](std::string_view piece) {
      const std::lock_guard lock(mutex);
      streamed += piece;
    });
    CHECK(reply.content == "hello, me");
    CHECK(streamed == "hello, me");
    const Value trace = hooks.trace(3);
    REQUIRE(trace.size() == 2);
    CHECK(trace[0]["messages"] == Value::array({{{"role", "user"}, {"content", "you"}}}));
    CHECK(trace[0]["reply"] == "hello, you");
    CHECK(trace[0]["args"]["temperature"] == 0.5);
    CHECK(hooks.trace(3).is_null());
    CHECK(hooks.trace(4).is_null());
  }
  SECTION("what a process that died had asked for is forgotten") {
    CHECK(client.chat({{"user", "you"}}).content == "hello, you");
    hooks.asked(3);
    CHECK(hooks.trace(3).is_null());
  }
  SECTION("without the key") {
    lm::OpenAI stranger({.model = "any", .base_url = proxy.url(), .api_key = "tgd-0000.3", .max_retries = 0});
    CHECK_THROWS_WITH(stranger.chat({{"user", "you"}}), ContainsSubstring("401") && ContainsSubstring("key"));
    CHECK(stub->requests().empty());
  }
  SECTION("what is no text it refuses, and says so, rather than to pass half of it on") {
    const auto [row, words] = GENERATE(table<std::string, std::string>({
        {R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}]})", "tools"},
        {R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]})", "image_url"},
        {R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}]})", "tool_calls"},
        {R"({"messages":[{"role":"tool","content":"4","tool_call_id":"1"}]})", "tool_call_id"},
        {R"({"messages":[{"role":"user","name":"Ann","content":"hi"}]})", "Ann"},
    }));
    const auto answer = post(proxy, "/chat/completions", row);
    CHECK(answer.first == 400);
    CHECK_THAT(answer.second, ContainsSubstring(words) && ContainsSubstring("return a \\\"trace\\\""));
    CHECK(stub->requests().empty());
  }
  SECTION("absent tools are none") {
    CHECK(post(proxy, "/chat/completions", R"({"messages":[{"role":"user","content":"you","tool_calls":null}],"tools":[]})")
              .first == 200);
  }
  SECTION("other paths are not there, and it says which are") {
    for (const char* path : {"/embeddings", "/responses", "/completions"}) {
      const auto answer = post(proxy, path, R"({"input":"x"})");
      CHECK(answer.first == 404);
      CHECK_THAT(answer.second, ContainsSubstring("POST /v1/chat/completions") && ContainsSubstring(path));
    }
  }
  SECTION("the model's refusal and the budget's, which nobody tries again") {
    CHECK_THROWS_WITH(client.chat({{"user", "too much"}}), ContainsSubstring("404") && ContainsSubstring("no such model"));
    CHECK_THROWS_WITH(client.chat({{"user", "too dear"}}), ContainsSubstring("402") && ContainsSubstring("used up"));
    CHECK(stub->requests().size() == 2);
    CHECK(hooks.trace(3).is_null());
  }
}
