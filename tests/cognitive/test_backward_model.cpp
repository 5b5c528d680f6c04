// Whom a pass asks for critiques.
#include <tgd/cognitive/chat_completion.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"

using tgd::Variable;
using tgd::lm::Stub;

namespace {

/// Sets the process's backward model and takes it back.
class BackwardModel {
 public:
  explicit BackwardModel(tgd::lm::ChatModelPtr model, tgd::Json args = {}) {
    tgd::set_backward_model(std::move(model), std::move(args));
  }
  ~BackwardModel() { tgd::set_backward_model(tgd::lm::ChatModelPtr()); }
  BackwardModel(const BackwardModel&) = delete;
  BackwardModel& operator=(const BackwardModel&) = delete;
};

Variable reply_to(const Variable& prompt) { return tgd::chat_completion(Stub::scripted({"reply"}), {{"user", {prompt}}}); }

}  // namespace

TEST_CASE("A pass asks the model of its options, else the one that was set", "[cognitive][backward_model][concurrent]") {
  const auto set = Stub::scripted({"from the one that was set"});
  const auto own = Stub::scripted({"from the pass's own"});
  const BackwardModel guard(set, {{"temperature", 0}, {"top_p", 1}});
  const Variable prompt("p", "prompt", true);

  reply_to(prompt).backward("no", {.model = own, .args = {{"seed", 1}}});
  reply_to(prompt).backward("no", {.args = {{"temperature", 2}}});
  REQUIRE(prompt.grad().size() == 2);
  CHECK(prompt.grad()[0].text() == "from the pass's own");
  CHECK(prompt.grad()[1].text() == "from the one that was set");
  CHECK(own->requests().at(0).args.dump() == R"({"seed":1})");
  CHECK(set->requests().at(0).args.dump() == R"({"temperature":2,"top_p":1})");
}

TEST_CASE("A pass that needs a model and has none says so, and changes nothing", "[cognitive][backward_model]") {
  const BackwardModel guard(nullptr);
  const Variable prompt("p", "prompt", true);
  const Variable reply = reply_to(prompt);
  CHECK_THROWS_AS(reply.backward("no"), tgd::StateError);
  CHECK(prompt.grad().empty());

  reply.backward("");
  CHECK(prompt.grad().at(0).text().empty());
}
