// How to test code that uses language models: with a stub, which answers from rules and keeps what it was asked, and with a
// cassette, which records real replies once and replays them without key and network.
//
//   testing [folder]
//
// The cassette goes to the folder (default: the system's folder for temporary files). In a project it belongs beside the tests,
// under version control. Plain checks stand in for your test framework; the exit status is that of a test program.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;
using Texts = std::vector<std::string>;

// ---- The code to be tested ----------------------------------------------------------------------------------------------

/// Asks whether mails are urgent. It gets its model from outside: that is all it takes to be testable.
class UrgencyCheck {
 public:
  explicit UrgencyCheck(lm::ChatModelPtr model) : model_(std::move(model)) {}

  Variable ask(const Texts& mails) const {
    return chat_completion(model_, {{"system", {prompt}}, {"user", {"{mail}"}}}, {{"mail", mails}}, {.role = "urgency"});
  }
  /// What a step of the optimizer would learn from these mails.
  std::string critique(const Texts& mails, const Texts& labels) const {
    exact_match_evaluator(ask(mails), labels).explanation.backward({.model = model_});
    return prompt.grad().front().text();
  }

  Variable prompt{"Sort the mail: is it urgent or normal? Answer with the label only.", "instructions of a mail sorter", true};

 private:
  lm::ChatModelPtr model_;
};

const Texts mails{"The cellar is under water!", "Thanks, all is well.", "Smoke in the kitchen!"};

// ---- Checks -------------------------------------------------------------------------------------------------------------

bool all_passed = true;

void check(bool passed, const std::string& what) {
  fmt::print("{} {}\n", passed ? "ok    " : "FAILED", what);
  all_passed = all_passed && passed;
}

/// What the error says that `fn` ends with; empty when it ends well.
template <class Fn>
std::string error_of(Fn fn) {
  try {
    fn();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

// ---- With a stub --------------------------------------------------------------------------------------------------------

void test_rules() {
  const auto stub = std::make_shared<lm::Stub>();
  stub->when("water", "urgent").when("Smoke", "urgent").otherwise("normal");
  check(UrgencyCheck(stub).ask(mails).texts() == Texts{"urgent", "normal", "urgent"},
        "the answers are in the order of the mails");

  const std::vector<lm::Request> requests = stub->requests();
  check(requests.size() == mails.size(), "each mail costs one request");
  check(requests[1].messages.back() == lm::Message{"user", "Thanks, all is well."}, "a mail is sent as it is");
}

void test_order_of_arrival() {
  std::set<std::string> critiques;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const auto stub = lm::Stub::answering([](const lm::Request& request) {
      return request.info.purpose == "backward" ? request.messages.back().content : "normal";  // the critic repeats what it saw
    });
    stub->shuffled(seed);  // replies arrive in a random order
    critiques.insert(UrgencyCheck(stub).critique(mails, {"urgent", "normal", "urgent"}));
  }
  check(critiques.size() == 1, "the critic sees the same text whatever the order of the replies");
}

void test_failure() {
  const auto broken = lm::Stub::answering([](const lm::Request& request) -> std::string {
    if (request.messages.back().content.find("Smoke") == std::string::npos) return "normal";
    throw LMError(LMError::Kind::status, "the endpoint is overloaded", 503, true);
  });
  const std::string message = error_of([&] { UrgencyCheck(broken).ask(mails).texts(); });
  check(message.find("item 2") != std::string::npos, "an endpoint that fails is reported with the mail: " + message);
}

// ---- With a cassette ----------------------------------------------------------------------------------------------------

void test_cassette(const std::filesystem::path& file) {
  // Once, by hand, with the real model: lm::OpenAI. Here the simulated one takes its place.
  const auto recorder = std::make_shared<lm::Cassette>(lm::CassetteOptions{.path = file, .mode = lm::CassetteMode::record});
  const UrgencyCheck recorded(std::make_shared<lm::Recorded>(std::make_shared<lm::Simulated>(), recorder));
  const Texts answers = recorded.ask(mails).texts();
  recorder->save();  // or let it end; models and calls on their way keep it alive, though
  fmt::print("       {} replies of the simulated model recorded in {}\n", recorder->recorded(), file.string());

  const auto cassette = std::make_shared<lm::Cassette>(lm::CassetteOptions{.path = file, .mode = lm::CassetteMode::replay});
  UrgencyCheck replayed(std::make_shared<lm::Recorded>(cassette));
  check(replayed.ask(mails).texts() == answers && cassette->replayed() == mails.size(), "the cassette answers without a model");

  replayed.prompt.set_data("Sort the mail: is it urgent or not? Answer with the label only.");
  const std::string message = error_of([&] { replayed.ask(mails).texts(); });
  check(message.find("urgent or not") != std::string::npos, "a changed prompt does not go unnoticed:");
  fmt::print("{}\n", message);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path();
    test_rules();
    test_order_of_arrival();
    test_failure();
    test_cassette(folder / "urgency.cassette");
    return all_passed ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::cerr << "testing: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
