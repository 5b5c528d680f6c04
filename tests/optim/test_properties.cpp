// What holds for all texts and states.
#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/optim.hpp>

#include "catch.hpp"
#include "optim/improving.hpp"
#include "optim/reply/word_runs.hpp"
#include "support/properties.hpp"

using tgd::Json;
using tgd::optim::TGD;
using tgd::optim::detail::WordDistance;
using tgd::test::any_text;
using tgd::test::holds;

namespace {

std::size_t distance(const std::string& a, const std::string& b) { return WordDistance(a).to(b); }

/// Few different words, so that texts have some in common.
rc::Gen<std::vector<int>> some_words() { return rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5)); }

std::string text_of(const std::vector<int>& words) {
  std::string text;
  for (const int word : words) text += "w" + std::to_string(word) + " ";
  return text;
}

}  // namespace

TEST_CASE("The distance of texts in words is one", "[optim][words][properties]") {
  CHECK(holds("nothing is changed to get the same text, and as much there as back", [] {
    const std::string a = *any_text();
    const std::string b = *any_text();
    RC_ASSERT(distance(a, a) == 0U);
    RC_ASSERT(distance(a, b) == distance(b, a));
  }));
  CHECK(holds("no way round is shorter", [] {
    const std::string a = text_of(*some_words());
    const std::string b = text_of(*some_words());
    const std::string c = text_of(*some_words());
    RC_ASSERT(distance(a, c) <= distance(a, b) + distance(b, c));
  }));
  CHECK(holds("it is at least the difference in length, and at most the longer text", [] {
    const std::vector<int> a = *some_words();
    const std::vector<int> b = *some_words();
    const std::size_t found = distance(text_of(a), text_of(b));
    RC_ASSERT(found >= std::max(a.size(), b.size()) - std::min(a.size(), b.size()));
    RC_ASSERT(found <= std::max(a.size(), b.size()));
  }));
}

TEST_CASE("A state that went through its text is the same state", "[optim][state][properties]") {
  CHECK(holds("whatever values, roles and feedback are", [] {
    const auto parameters = [](const std::vector<std::string>& values) {
      std::vector<tgd::Variable> variables;
      for (const std::string& value : values) variables.emplace_back(value, "role of " + value, true);
      return variables;
    };
    std::vector<std::string> values = *rc::gen::scale(0.25, tgd::test::any_texts());
    values.push_back("last");
    const tgd::optim::TGDOptions options{.model = tgd::test::improving(),
                                         .momentum = *rc::gen::inRange<std::size_t>(0, 3),
                                         .max_reasks = 0,
                                         .history = *rc::gen::inRange<std::size_t>(0, 3)};
    std::vector<tgd::Variable> variables = parameters(values);
    TGD optimizer(variables, options);
    for (int step = 0; step < 2; ++step) {
      for (tgd::Variable& variable : variables) variable.append_grad(tgd::Variable(*any_text(), "feedback"));
      optimizer.step();
      optimizer.clear_grad();
    }
    const Json state = optimizer.state_dict();
    std::string text;
    tgd::optim::detail::append_state(text, optimizer);
    TGD other(parameters(values), options);
    other.load_state_dict(Json::parse(text));
    RC_ASSERT(other.state_dict().value()["state"] == state.value()["state"]);
    RC_ASSERT(other.state_dict().value()["records"] == state.value()["records"]);
  }));
}
