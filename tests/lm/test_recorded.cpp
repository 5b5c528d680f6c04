#include <tgd/lm/recorded.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <tgd/lm/cost_meter.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"
#include "core/append_file.hpp"
#include "core/file.hpp"
#include "lm/wrap/cassette.hpp"
#include "support/child.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::LMError;
using tgd::Notice;
using tgd::StateError;
using tgd::lm::Cassette;
using tgd::lm::CassetteMode;
using tgd::lm::CassetteOptions;
using tgd::lm::OnFault;
using tgd::lm::Outcome;
using tgd::lm::Recorded;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::lm::Usage;

namespace {

const Usage paid{.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 100, .completion_tokens = 10};

/// Numbers its replies.
std::shared_ptr<Stub> stub() {
  return Stub::answering_in_full([n = 0](const Request& request) mutable {
    const std::string& question = request.messages.back().content;
    if (question == "fail") throw LMError(LMError::Kind::status, "too many", 429, true);
    return Reply{
        .content = question + " #" + std::to_string(n++), .finish_reason = "stop", .model = "gpt-4o-mini", .usage = paid};
  });
}

Request asking(const std::string& text) { return {.messages = {{"user", text}}, .args = {{"model", "gpt-4o-mini"}}}; }

struct Folder {
  tgd::test::TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "run.cassette";

  std::shared_ptr<Cassette> open(CassetteMode mode) const {
    return std::make_shared<Cassette>(CassetteOptions{.path = path, .mode = mode});
  }
  std::string text() const { return tgd::detail::read_file(path); }
  std::vector<Reply> record(const std::vector<std::string>& questions, CassetteMode mode = CassetteMode::record) const {
    Recorded model(stub(), open(mode));
    std::vector<Reply> replies;
    for (const std::string& question : questions) replies.push_back(model.chat(asking(question)));
    return replies;
  }
};

std::string script_error(tgd::lm::ChatModel& model, const Request& request) {
  try {
    model.chat(request);
  } catch (const LMError& error) {
    CHECK(error.kind() == LMError::Kind::script);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("What was recorded is replayed without a model", "[lm][recorded][concurrent]") {
  const Folder folder;
  const auto recorded = folder.record({"blue", "red"});
  Recorded replay(folder.open(CassetteMode::replay));
  const Reply reply = replay.chat(asking("red"));
  CHECK(reply.content == recorded[1].content);
  CHECK(reply.finish_reason == "stop");
  CHECK(reply.model == "gpt-4o-mini");
  CHECK(replay.model_name() == "gpt-4o-mini");
  CHECK(replay.cassette()->size() == 2);
  CHECK(replay.cassette()->replayed() == 1);
}

TEST_CASE("A replayed run has used what the recorded one used", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue"});
  Recorded replay(folder.open(CassetteMode::replay));
  const Reply reply = replay.chat(asking("blue"));
  CHECK(reply.usage == paid);
  CHECK(replay.usage() == paid);
  CHECK(tgd::lm::call_cost({}, "gpt-4o-mini", reply) == tgd::lm::Cost::from_usd(0.000021));
}

TEST_CASE("Equal requests get their replies in order, and no more than there are", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue", "blue", "red"});
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK(replay.chat(asking("blue")).content == "blue #0");
  CHECK(replay.chat(asking("blue")).content == "blue #1");
  CHECK_THAT(script_error(replay, asking("blue")),
             ContainsSubstring("has 2 replies to this request, and it was asked once more"));
}

TEST_CASE("The cassette is the same in whatever order replies arrive", "[lm][recorded]") {
  const auto recorded = [](std::uint64_t seed) {
    const Folder folder;
    {
      const auto endpoint = Stub::answering([](const Request& request) { return "It is " + request.messages[0].content; });
      endpoint->shuffled(seed);
      Recorded model(endpoint, folder.open(CassetteMode::record));
      std::vector<Request> requests;
      for (int i = 0; i < 30; ++i) requests.push_back(asking(std::to_string(i % 20)));
      model.chat_all(requests);
    }
    return folder.text();
  };
  CHECK(recorded(1) == recorded(2));
}

TEST_CASE("Who asks, headers and the order of arguments do not matter, the sample number does", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue"});
  Recorded replay(folder.open(CassetteMode::replay));
  Request request = asking("blue");
  request.info = {.purpose = "judge"};
  request.options.headers = {{"X-Trace", "7"}};
  CHECK(replay.chat(request).content == "blue #0");
  request.sample = 1;
  CHECK_THAT(script_error(replay, request), ContainsSubstring("- sample: 0\n+ sample: 1\n"));
}

TEST_CASE("A cassette tells requests apart by the order within an argument, and keeps it", "[lm][recorded]") {
  const auto formatted = [](const char* args) {
    Request request = asking("a");
    request.args = tgd::Json::parse(args);
    return request;
  };
  const Request given = formatted(R"({"seed": 1, "response_format": {"properties": {"reasoning": 1, "answer": 2}}})");
  const Request turned = formatted(R"({"seed": 1, "response_format": {"properties": {"answer": 2, "reasoning": 1}}})");
  const Request moved = formatted(R"({"response_format": {"properties": {"reasoning": 1, "answer": 2}}, "seed": 1})");
  const Folder folder;
  {
    Recorded model(stub(), folder.open(CassetteMode::record));
    CHECK(model.chat(given).content == "a #0");
    CHECK(model.chat(turned).content == "a #1");
  }
  const std::string text = folder.text();
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK(replay.chat(turned).content == "a #1");
  CHECK(replay.chat(moved).content == "a #0");
  CHECK_THAT(text, ContainsSubstring("\"reasoning\": 1,\n") && ContainsSubstring("\"answer\": 2,\n"));
}

TEST_CASE("An unknown request is shown beside the nearest one that is recorded", "[lm][recorded]") {
  const Folder folder;
  folder.record({"One line.\nSay yes or no.\nThe mail: help", "Something else altogether"});
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK(script_error(replay, asking("One line.\nSay yes or NO.\nThe mail: help")) ==
        "the cassette " + folder.path.string() +
            " has no reply to this request. The nearest one that is recorded (-) differs from it (+):\n"
            "  ...\n"
            "  [user]\n"
            "  One line.\n"
            "- Say yes or no.\n"
            "+ Say yes or NO.\n"
            "  The mail: help\n"
            "  \n");
  CHECK(script_error(replay, asking(std::string(100'000, 'x'))).size() < 6000);
}

TEST_CASE("Append mode asks for everything, and adds it to what is there", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue", "red"}, CassetteMode::append);
  CHECK_THROWS(folder.record({"fail"}, CassetteMode::append));
  const auto endpoint = stub();
  {
    Recorded model(endpoint, folder.open(CassetteMode::append));
    CHECK(model.chat(asking("blue")).content == "blue #0");
    CHECK(model.chat(asking("blue")).content == "blue #1");
    CHECK(endpoint->calls() == 2);
    CHECK(model.cassette()->replayed() == 0);
  }
  {
    const auto better = Stub::answering([](const Request&) { return "worked"; });
    CHECK(Recorded(better, folder.open(CassetteMode::append)).chat(asking("fail")).content == "worked");
  }
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK(replay.chat(asking("blue")).content == "blue #0");
  CHECK(replay.chat(asking("blue")).content == "blue #0");
  CHECK(replay.chat(asking("blue")).content == "blue #1");
  CHECK(replay.chat(asking("red")).content == "red #1");
  CHECK(replay.chat(asking("fail")).content == "worked");
  CHECK_THAT(script_error(replay, asking("blue")), ContainsSubstring("has 3 replies"));
}

TEST_CASE("Automatic mode replays what is there and adds the rest", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue"}, CassetteMode::automatic);
  const auto endpoint = stub();
  {
    Recorded model(endpoint, folder.open(CassetteMode::automatic));
    CHECK(model.chat(asking("blue")).content == "blue #0");
    CHECK(endpoint->calls() == 0);
    CHECK(model.chat(asking("red")).content == "red #0");
    CHECK(model.chat(asking("blue")).content == "blue #1");
    CHECK(model.cassette()->replayed() == 1);
    CHECK(model.cassette()->recorded() == 2);
  }
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK(replay.chat(asking("blue")).content == "blue #0");
  CHECK(replay.chat(asking("blue")).content == "blue #1");
  CHECK(replay.chat(asking("red")).content == "red #0");
}

TEST_CASE("Record mode replaces the cassette when it ends", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue"});
  const std::string before = folder.text();
  {
    Recorded model(stub(), folder.open(CassetteMode::record));
    model.chat(asking("red"));
    CHECK(folder.text() == before);
  }
  CHECK(folder.text().find("blue") == std::string::npos);
  CHECK(folder.text().find("red") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder.path.string() + ".recording"));
}

TEST_CASE("What an endpoint failed with is replayed, and asked for again in automatic mode", "[lm][recorded]") {
  const Folder folder;
  {
    Recorded model(stub(), folder.open(CassetteMode::record));
    CHECK_THROWS_AS(model.chat(asking("fail")), LMError);
  }
  CHECK_THROWS_WITH(Recorded(folder.open(CassetteMode::replay)).chat(asking("fail")), "too many");
  const auto better = Stub::scripted({"worked"});
  CHECK(Recorded(better, folder.open(CassetteMode::automatic)).chat(asking("fail")).content == "worked");
  CHECK(Recorded(folder.open(CassetteMode::replay)).chat(asking("fail")).content == "worked");
}

TEST_CASE("Cancelled and refused calls are not recorded", "[lm][recorded]") {
  const Folder folder;
  {
    const auto refusing = Stub::answering([](const Request&) -> std::string { throw tgd::BudgetError("nothing left"); });
    Recorded model(refusing, folder.open(CassetteMode::record));
    CHECK_THROWS_AS(model.chat(asking("blue")), tgd::BudgetError);
    Request request = asking("red");
    std::stop_source stop;
    stop.request_stop();
    request.stop = stop.get_token();
    CHECK_THROWS_AS(model.chat(request), LMError);
  }
  CHECK(folder.text() == tgd::lm::detail::cassette_header);
}

TEST_CASE("Streams are recorded, and replayed in one piece", "[lm][recorded]") {
  const Folder folder;
  std::vector<std::string> pieces;
  const auto on_text = [&](std::string_view piece) { pieces.emplace_back(piece); };
  Recorded(stub(), folder.open(CassetteMode::record)).chat_stream(asking("blue"), on_text);
  Recorded(folder.open(CassetteMode::replay)).chat_stream(asking("blue"), on_text);
  CHECK(pieces == std::vector<std::string>{"blue ", "#0", "blue #0"});
}

TEST_CASE("No secret is written", "[lm][recorded]") {
  const Folder folder;
  Request request = asking("my password is open-sesame-1");
  request.args = request.args.with("user", "open-sesame-1").with("note", "open-sesame-2");
  request.options.headers = {{"Authorization", "Bearer open-sesame-2"}, {"X-Key", "open-sesame-3"}};
  const auto options = [&](CassetteMode mode) {
    return CassetteOptions{.path = folder.path, .mode = mode, .secrets = {"open-sesame-1"}};
  };
  {
    const auto telling = Stub::answering([](const Request&) { return std::string("open-sesame-1 and open-sesame-3"); });
    Recorded model(telling, std::make_shared<Cassette>(options(CassetteMode::record)));
    CHECK(model.chat(request).content == "open-sesame-1 and open-sesame-3");
  }
  CHECK(folder.text().find("open-sesame") == std::string::npos);
  CHECK(folder.text().find("my password is ***") != std::string::npos);
  Recorded replay(std::make_shared<Cassette>(options(CassetteMode::replay)));
  CHECK(replay.chat(request).content == "*** and ***");
}

TEST_CASE("A cassette that cannot be read is an error with file and line", "[lm][recorded]") {
  const Folder folder;
  CHECK_THROWS_WITH(folder.open(CassetteMode::replay), ContainsSubstring("there is no cassette"));
  folder.folder.write("run.cassette", "my notes\n");
  CHECK_THROWS_WITH(folder.open(CassetteMode::replay), ContainsSubstring("run.cassette, line 1: expected an object"));
  CHECK_THROWS_AS(folder.open(CassetteMode::automatic), tgd::ParseError);
  CHECK(folder.text() == "my notes\n");
  CHECK_THROWS_AS(Cassette({}), tgd::ValueError);
}

TEST_CASE("A cassette that was cut off or written by hand can be added to", "[lm][recorded]") {
  const Folder folder;
  folder.record({"blue"});
  const std::string whole = folder.text();
  SECTION("cut off") { folder.folder.write("run.cassette", whole + whole.substr(whole.find("\n}\n") + 3, 60)); }
  SECTION("without the last newline") { folder.folder.write("run.cassette", whole.substr(0, whole.size() - 1)); }
  folder.record({"blue", "red"}, CassetteMode::automatic);
  CHECK(folder.open(CassetteMode::replay)->size() == 2);
}

TEST_CASE("What another process is adding is not taken for cut off by who opens the cassette", "[lm][recorded][concurrent]") {
  const Folder folder;
  folder.record({"blue", "red"});
  const std::string whole = folder.text();
  const std::size_t cut = whole.rfind("\"messages\"");
  folder.folder.write("run.cassette", whole.substr(0, cut));
  std::shared_ptr<Cassette> cassette;
  std::thread opening;
  {
    const tgd::detail::FileLock adding(folder.path);
    opening = std::thread([&] { cassette = folder.open(CassetteMode::automatic); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::ofstream(folder.path, std::ios::app) << whole.substr(cut);
  }
  opening.join();
  CHECK(cassette->size() == 2);
  CHECK(folder.text() == whole);
}

TEST_CASE("Record mode replaces a cassette when nobody is adding to it", "[lm][recorded][concurrent]") {
  const Folder folder;
  folder.record({"blue"});
  const std::string before = folder.text();
  Recorded recording(stub(), folder.open(CassetteMode::record));
  recording.chat(asking("red"));
  std::thread saving;
  {
    const tgd::detail::FileLock adding(folder.path);
    saving = std::thread([&] { recording.cassette()->save(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(folder.text() == before);
  }
  saving.join();
  CHECK(folder.text() != before);
  CHECK(folder.open(CassetteMode::replay)->size() == 1);
}

TEST_CASE("A cassette hides nothing of what it holds", "[lm][recorded]") {
  const Folder folder;
  folder.record({"turn \u202E around \u009B"});
  CHECK_THAT(folder.text(), ContainsSubstring("turn \\u202e around \\u009b") && !ContainsSubstring("\u202E"));
  Recorded replay(folder.open(CassetteMode::replay));
  CHECK_THAT(replay.chat(asking("turn \u202E around \u009B")).content, ContainsSubstring("\u202E"));
}

TEST_CASE("Two cassettes on one file add to it together", "[lm][recorded]") {
  const Folder folder;
  {
    Recorded first(stub(), folder.open(CassetteMode::automatic));
    Recorded second(stub(), folder.open(CassetteMode::automatic));
    first.chat(asking("blue"));
    second.chat(asking("red"));
    first.cassette()->save();
    second.chat(asking("green"));
  }
  CHECK(folder.open(CassetteMode::replay)->size() == 3);
}

TEST_CASE("A full disk stops the run or is reported, as configured", "[lm][recorded]") {
  const Folder folder;
  std::vector<std::string> notices;
  const bool stop = GENERATE(true, false);
  const auto cassette = std::make_shared<Cassette>(CassetteOptions{
      .path = folder.path, .on_fault = stop ? OnFault::stop : OnFault::go_on, .on_notice = [&](const Notice& notice) {
        notices.push_back(notice.text);
      }});
  std::filesystem::create_symlink("/dev/full", folder.path);
  Recorded model(stub(), cassette);
  if (stop) {
    CHECK_THROWS_WITH(model.chat(asking("blue")), ContainsSubstring("the cassette cannot keep it: cannot write") &&
                                                      ContainsSubstring("No space left on device"));
  } else {
    CHECK(model.chat(asking("blue")).content == "blue #0");
    CHECK(model.chat(asking("red")).content == "red #1");
    CHECK(notices.size() == 1);
  }
}

TEST_CASE("child: is killed while it records", "[.recorded-killed]") {
  const char* path = std::getenv("TGD_TEST_CASSETTE");  // NOLINT(concurrency-mt-unsafe)
  REQUIRE(path != nullptr);
  const auto endpoint = stub();
  endpoint->shuffled(1, std::chrono::microseconds(500));
  Recorded model(endpoint, std::make_shared<Cassette>(CassetteOptions{.path = path}));
  std::atomic<int> seen{0};
  for (int i = 0; i < 1000; ++i) {
    model.start(asking(std::to_string(i)), [&seen](const Outcome&) {
      if (++seen == 100) raise(SIGKILL);
    });
  }
  std::this_thread::sleep_for(std::chrono::minutes(1));
}

TEST_CASE("A run that is killed has recorded every reply that it has seen", "[lm][recorded][process]") {
  const Folder folder;
  const auto result = tgd::test::run_child("[.recorded-killed]", {{"TGD_TEST_CASSETTE", folder.path.string()}});
  INFO(result.out << result.err);
  REQUIRE(result.status == 128 + SIGKILL);
  CHECK(folder.open(CassetteMode::replay)->size() >= 100);
}

TEST_CASE("Recorded needs a cassette, and a model unless it replays", "[lm][recorded]") {
  const Folder folder;
  CHECK_THROWS_AS(Recorded(stub(), nullptr), tgd::ValueError);
  CHECK_THROWS_AS(Recorded(nullptr, folder.open(CassetteMode::automatic)), tgd::ValueError);
  CHECK_THROWS_WITH(Recorded(folder.open(CassetteMode::automatic)), ContainsSubstring("can only be replayed"));
}
