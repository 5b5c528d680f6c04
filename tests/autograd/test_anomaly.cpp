#include <tgd/anomaly.hpp>
#include <tgd/functions.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <tgd/lm/stub.hpp>

#include "autograd/asking_node.hpp"
#include "catch.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Kind = Notice::Kind;

namespace {

/// The anomalies of a pass through one node whose model gives `reply`.
std::vector<Notice> anomalies_of(const std::string& reply, const AnomalyOptions& options = {}) {
  std::vector<Notice> notices;
  const AnomalyGuard guard([&](const Notice& notice) { notices.push_back(notice); }, options);
  const Variable word = test::parameter("a word");
  test::ask_one({word}, "a sentence").backward("please put it shorter than this", {.model = lm::Stub::scripted({reply})});
  return notices;
}

}  // namespace

TEST_CASE("Anomaly mode reports odd feedback") {
  SECTION("none where there is none") { CHECK(anomalies_of("too long").empty()); }
  SECTION("without text") {
    const auto notices = anomalies_of(" \n ");
    REQUIRE_FALSE(notices.empty());
    CHECK(notices[0].kind == Kind::empty_feedback);
    CHECK(notices[0].operation == "AskBackward");
    CHECK(notices[0].role == "a sentence");
  }
  SECTION("that repeats its request") {
    const auto notices = anomalies_of("please put it shorter than this");
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].kind == Kind::echoed_feedback);
    CHECK_THAT(notices[0].text, ContainsSubstring("please put it shorter than this"));
  }
  SECTION("that is very long") {
    const auto notices = anomalies_of(std::string(101, 'x'), {.max_feedback = 100});
    REQUIRE_FALSE(notices.empty());
    CHECK(notices[0].kind == Kind::oversized_feedback);
    CHECK_THAT(notices[0].text, ContainsSubstring("101 characters"));
  }
  SECTION("that is no text") {
    const auto notices = anomalies_of("too \xff long");
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].kind == Kind::unparsable_feedback);
  }
}

TEST_CASE("Anomaly mode reports feedback that a function swallows, with the item and the place of the call") {
  const autograd::ItemFunction first_only{
      "First",
      [](std::span<const Data> inputs) -> Data { return inputs[0]; },
      [](std::span<const Data>, const Data& output, const std::string& feedback) {
        return std::vector<std::string>{output.text() == "b" ? std::string() : feedback};
      },
  };
  const Variable words(Data(std::vector<std::string>{"a", "b", "c"}), "words", true);
  std::vector<Notice> notices;
  const AnomalyGuard guard([&](const Notice& notice) { notices.push_back(notice); });
  const int line = __LINE__ + 1;
  autograd::apply(first_only, {words}).backward(Data(std::vector<std::string>{"x", "y", ""}));
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Kind::empty_feedback);
  CHECK(notices[0].item == 1);
  CHECK(notices[0].place == "test_anomaly.cpp:" + std::to_string(line));
  CHECK_THAT(notices[0].text, ContainsSubstring("\"words\""));
}

TEST_CASE("Without a callback the first anomaly ends the pass, and nothing has changed") {
  const AnomalyGuard guard;
  const Variable word = test::parameter("a word");
  const Variable sentence = test::ask_one({word}, "a sentence");
  CHECK_THROWS_AS(sentence.backward("shorter", {.retain_graph = true, .model = lm::Stub::scripted({""})}), GraphError);
  CHECK(word.grad().empty());
  sentence.backward("shorter", {.model = lm::Stub::scripted({"fine"})});
  CHECK(word.grad().size() == 1);
}

TEST_CASE("Under anomaly mode errors of a pass name the place of the call") {
  const autograd::ItemFunction broken{
      "Broken",
      [](std::span<const Data> inputs) -> Data { return inputs[0]; },
      [](std::span<const Data>, const Data&, const std::string&) -> std::vector<std::string> {
        throw std::runtime_error("oops");
      },
  };
  const auto message = [&] {
    const Variable result = autograd::apply(broken, {test::parameter("a word")});
    try {
      result.backward("no");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message() == "BrokenBackward of \"a word\": oops");
  const AnomalyGuard guard;
  CHECK_THAT(message(), ContainsSubstring("called at test_anomaly.cpp:") && ContainsSubstring("oops"));
}

TEST_CASE("Anomaly mode nests and ends with its guard", "[concurrent]") {
  int outer = 0;
  int inner = 0;
  const auto pass = [] {
    test::ask_one({test::parameter("a word")}, "a sentence").backward("shorter", {.model = lm::Stub::scripted({""})});
  };
  {
    const AnomalyGuard outer_guard([&](const Notice&) { ++outer; });
    {
      const AnomalyGuard inner_guard([&](const Notice&) { ++inner; });
      pass();
    }
    CHECK(outer == 0);
    CHECK(inner > 0);
    inner = 0;
    pass();
  }
  CHECK(outer > 0);
  outer = 0;
  pass();
  CHECK(outer == 0);
  CHECK(inner == 0);
}
