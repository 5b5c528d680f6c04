#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include <tgd/lm/stub.hpp>

#include "autograd/asking_node.hpp"
#include "catch.hpp"
#include "support/gated_model.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::GraphError;
using tgd::LMError;
using tgd::ValueError;
using tgd::Variable;
using tgd::autograd::Answer;
using tgd::autograd::BackwardOptions;
using tgd::autograd::Feedback;
using tgd::lm::Reply;
using tgd::lm::Request;
using tgd::lm::Stub;
using tgd::test::ask_many;
using tgd::test::ask_one;
using tgd::test::AskingOptions;
using tgd::test::GatedModel;
using tgd::test::gradient_texts;
using tgd::test::parameter;

using Texts = std::vector<std::string>;

namespace {

/// Answers "[<question>]".
std::shared_ptr<Stub> echoing() {
  return Stub::answering([](const Request& request) { return "[" + request.messages[0].content + "]"; });
}

BackwardOptions with(tgd::lm::ChatModelPtr model) { return {.model = std::move(model)}; }

std::multiset<std::string> questions(const Stub& stub) {
  std::multiset<std::string> questions;
  for (const Request& request : stub.requests()) questions.insert(request.messages[0].content);
  return questions;
}

/// Throws what `action` throws, as a pair of type and text.
template <class E, class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  FAIL("nothing of that type was thrown");
  return {};
}

}  // namespace

TEST_CASE("A pass needs a gradient, except from an evaluator's output", "[autograd][engine][concurrent]") {
  const Variable leaf = parameter("leaf");
  CHECK_THROWS_AS((leaf + "x").backward(), GraphError);
  CHECK_THROWS_WITH((leaf + "x").backward(), ContainsSubstring("\"leaf\"") && ContainsSubstring("gradient"));
  CHECK_THROWS_AS(leaf.backward(), GraphError);
  CHECK_THROWS_AS(Variable("x").backward("no"), GraphError);
  CHECK_THROWS_AS((Variable("x") + "y").backward("no"), GraphError);
  CHECK(leaf.grad().empty());
}

TEST_CASE("A pass from a leaf gives it the gradient", "[autograd][engine]") {
  const Variable leaf = parameter("leaf");
  leaf.backward("no");
  leaf.backward(Variable("again", "some role"));
  CHECK(gradient_texts(leaf) == Texts{"no", "again"});
  CHECK(leaf.grad()[1].role() == "feedback to leaf");

  SECTION("but not when others were asked for") {
    leaf.backward("other", {.inputs = {parameter("other")}});
    CHECK(leaf.grad().size() == 2);
  }
}

TEST_CASE("A node's requests are sent, and its answers become the inputs' gradients", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable a = parameter("a");
  const Variable b = parameter("b");
  const Variable constant("c");
  ask_one({a, constant, b}, "result").backward("wrong", with(stub));
  CHECK(gradient_texts(a) == Texts{"[result -> input 0: wrong]"});
  CHECK(gradient_texts(b) == Texts{"[result -> input 2: wrong]"});
  CHECK(a.grad()[0].role() == "feedback to a");
  REQUIRE(stub->calls() == 2);
  CHECK(stub->requests()[0].info.purpose == "backward");
  CHECK(stub->requests()[0].info.node == "AskBackward");
}

TEST_CASE("The arguments of a pass lie over those of the requests", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const Variable result = ask_one({leaf}, AskingOptions{.ask = [](const Feedback&) {
                                    return std::vector<Request>{{.messages = {{"user", "?"}}, .args = {{"a", 1}, {"b", 1}}}};
                                  }});
  result.backward("no", {.model = stub, .args = {{"b", 2}}});
  CHECK(stub->requests().at(0).args.dump() == R"({"a":1,"b":2})");
}

TEST_CASE("Without a model in the options the backward model is asked", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
  const Variable result = ask_one({leaf}, "result");
  CHECK_THROWS_AS(result.backward("no"), tgd::StateError);
  tgd::set_backward_model(stub);
  result.backward("no");
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
  CHECK(leaf.grad().size() == 1);
}

TEST_CASE("Gradients that meet at a result are joined in the order of its consumers' creation", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const Variable shared = ask_one({leaf}, "shared");
  const Variable first = ask_one({shared}, "first");
  const Variable second = ask_one({shared, shared}, "second");
  ask_one({second, first}, "root").backward("no", with(stub));
  const std::string second_feedback = "[root -> input 0: no]";
  const std::string first_feedback = "[root -> input 1: no]";
  CHECK(gradient_texts(leaf) == Texts{"[shared -> input 0: <ITEM>[first -> input 0: " + first_feedback +
                                      "]</ITEM><ITEM>[second -> input 0: " + second_feedback +
                                      "]</ITEM><ITEM>[second -> input 1: " + second_feedback + "]</ITEM>]"});
}

TEST_CASE("Gradients are never joined at a leaf", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const Variable first = ask_one({leaf}, "first");
  const Variable second = ask_one({leaf, leaf}, "second");
  ask_one({second, first}, "root").backward("no", with(stub));
  CHECK(gradient_texts(leaf) == Texts{"[first -> input 0: [root -> input 1: no]]", "[second -> input 0: [root -> input 0: no]]",
                                      "[second -> input 1: [root -> input 0: no]]"});
}

TEST_CASE("Outputs of one node get their gradients apart, and one that is not used gets none", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const auto parts = ask_many({leaf}, {.role = "part", .outputs = 3});
  const Variable first = ask_one({parts[2]}, "first");
  ask_one({first, parts[0], parts[2]}, "root").backward("no", with(stub));
  CHECK(gradient_texts(leaf) ==
        Texts{"[part -> input 0: [root -> input 1: no] - "
              "<ITEM>[first -> input 0: [root -> input 0: no]]</ITEM><ITEM>[root -> input 2: no]</ITEM>]"});
}

TEST_CASE("Latency changes nothing", "[autograd][engine]") {
  // Three layers of four nodes, each on two results of the layer before, and leaves that several share.
  const auto run = [](const std::shared_ptr<Stub>& stub) {
    std::vector<Variable> leaves;
    for (int i = 0; i < 4; ++i) leaves.push_back(parameter("leaf " + std::to_string(i)));
    std::vector<Variable> layer = leaves;
    for (int depth = 0; depth < 3; ++depth) {
      std::vector<Variable> next;
      for (std::size_t i = 0; i < 4; ++i) {
        const std::string role = "node " + std::to_string(depth) + "." + std::to_string(i);
        next.push_back(ask_one({layer[i], layer[(i + 1) % 4], leaves[i]}, role));
      }
      layer = next;
    }
    ask_one(layer, "root").backward("no", with(stub));
    std::vector<Texts> gradients;
    gradients.reserve(leaves.size());
    for (const Variable& leaf : leaves) gradients.push_back(gradient_texts(leaf));
    return gradients;
  };
  const auto reference_stub = echoing();
  const auto reference = run(reference_stub);
  REQUIRE(reference_stub->calls() == 40);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    const auto stub = echoing();
    stub->shuffled(seed, std::chrono::microseconds(500));
    REQUIRE(run(stub) == reference);
    REQUIRE(questions(*stub) == questions(*reference_stub));
  }
}

TEST_CASE("Nodes that are ready together begin with the one made last", "[autograd][engine]") {
  std::vector<std::string> order;
  const auto note = [&order](std::string role) {
    return AskingOptions{.role = role, .on_ask = [&order, role](const Feedback&) { order.push_back(role); }};
  };
  const Variable leaf = parameter("leaf");
  const Variable a = ask_one({leaf}, note("a"));
  const Variable b = ask_one({leaf}, note("b"));
  const Variable c = ask_one({leaf}, note("c"));
  ask_one({b, c, a}, note("root")).backward("no", with(echoing()));
  CHECK(order == std::vector<std::string>{"root", "c", "b", "a"});
}

TEST_CASE("A node is ready when all its consumers are done, not before", "[autograd][engine]") {
  const auto model = std::make_shared<GatedModel>();
  const Variable leaf = parameter("leaf");
  const Variable shared = ask_one({leaf}, "shared");
  const Variable quick = ask_one({shared}, "quick");
  const Variable slow = ask_one({shared}, "slow");
  const Variable root = ask_one({quick, slow}, "root");
  std::thread pass([&] { root.backward("no", with(model)); });
  model->reply("root -> input 0", "q");
  model->reply("root -> input 1", "s");
  model->reply("quick", "from quick");
  // Only now may the shared node be asked for; it must not have been with half of its feedback.
  model->wait_for("slow");
  CHECK_FALSE(model->was_asked("shared"));
  model->reply("slow", "from slow");
  model->reply("shared -> input 0: <ITEM>from quick</ITEM><ITEM>from slow</ITEM>", "done");
  pass.join();
  CHECK(gradient_texts(leaf) == Texts{"done"});
}

TEST_CASE("A branch goes on while another one waits", "[autograd][engine]") {
  const auto model = std::make_shared<GatedModel>();
  const Variable leaf = parameter("leaf");
  const Variable deep = ask_one({ask_one({leaf}, "deepest")}, "deep");
  const Variable stuck = ask_one({leaf}, "stuck");
  const Variable root = ask_one({deep, stuck}, "root");
  std::thread pass([&] { root.backward("no", with(model)); });
  model->reply("root -> input 0", "d");
  model->reply("root -> input 1", "s");
  model->wait_for("stuck");
  model->reply("deep ->", "dd");
  model->reply("deepest", "ddd");
  model->reply("stuck", "ss");
  pass.join();
  // The leaf's gradients are in the order of its consumers' creation all the same.
  CHECK(gradient_texts(leaf) == Texts{"ddd", "ss"});
}

TEST_CASE("The calls of all nodes that are ready are in flight at once", "[autograd][engine]") {
  const auto stub = echoing();
  stub->latency(std::chrono::milliseconds(50));
  const Variable leaf = parameter("leaf");
  std::vector<Variable> branches;
  for (int i = 0; i < 20; ++i) branches.push_back(ask_one({leaf}, "branch " + std::to_string(i)));
  ask_one(branches, "root").backward("no", with(stub));
  CHECK(stub->max_in_flight() == 20);
  CHECK(leaf.grad().size() == 20);
}

TEST_CASE("A node may ask again, gets the replies of each round, and keeps what it needs in a state of the pass",
          "[autograd][engine]") {
  struct Heard final : tgd::autograd::NodeState {
    explicit Heard(int& counted) : count(counted) { ++count; }
    ~Heard() override { --count; }
    int& count;
    std::size_t rounds = 0;
    std::string all;
  };
  const auto stub = echoing();
  const auto first_round = GENERATE(std::size_t{0}, std::size_t{2});
  const Variable leaf = parameter("leaf");
  const auto request = [](const std::string& text) { return Request{.messages = {{"user", text}}}; };
  int alive = 0;
  int made = 0;
  AskingOptions options;
  options.ask = [&](const Feedback&) { return std::vector<Request>(first_round, request("first")); };
  options.make_state = [&] {
    ++made;
    return std::make_unique<Heard>(alive);
  };
  options.answer_with_state = [&](tgd::autograd::NodeState* state, std::span<const Reply> replies) -> Answer {
    Heard& heard = dynamic_cast<Heard&>(*state);
    CHECK(alive >= 1);
    for (const Reply& reply : replies) heard.all += reply.content;
    ++heard.rounds;
    if (heard.rounds == 1) return {{}, {request("second"), request("third")}};
    if (heard.rounds == 2) return {{}, {request("last")}};
    return {{Variable(heard.all)}};
  };
  const Variable root = ask_one({leaf}, options);
  root.backward("no", {.retain_graph = true, .model = stub});
  root.backward("no", with(stub));  // with a state of its own
  const std::string expected = std::string(first_round == 0 ? "" : "[first][first]") + "[second][third][last]";
  CHECK(gradient_texts(leaf) == Texts{expected, expected});
  CHECK(made == 2);
  CHECK(alive == 0);
}

TEST_CASE("A result may be kept for another pass", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const Variable inner = ask_one({leaf}, "inner");
  const Variable root = ask_one({inner}, "root");
  root.backward("first", {.retain_graph = true, .model = stub});
  root.backward("second", with(stub));
  CHECK(leaf.grad().size() == 2);

  CHECK_THROWS_AS(root.backward("third", with(stub)), GraphError);
  CHECK_THROWS_WITH(root.backward("third", with(stub)), ContainsSubstring("retain_graph") && ContainsSubstring("\"root\""));
  CHECK_THROWS_AS(inner.backward("third", with(stub)), GraphError);
  CHECK_THROWS_AS((inner + "new").backward("third", with(stub)), GraphError);
  CHECK(leaf.grad().size() == 2);
  CHECK(stub->calls() == 4);
}

TEST_CASE("Only the leaves that were asked for get gradients, and nothing else costs a call", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable wanted = parameter("wanted");
  const Variable other = parameter("other");
  const Variable branch = ask_one({wanted, other}, "branch");
  const Variable dead_end = ask_one({other}, "dead end");
  const Variable root = ask_one({branch, dead_end}, "root");

  SECTION("one of them") {
    root.backward("no", {.inputs = {wanted}, .model = stub});
    CHECK(gradient_texts(wanted) == Texts{"[branch -> input 0: [root -> input 0: no]]"});
    CHECK(other.grad().empty());
    CHECK(questions(*stub) == std::multiset<std::string>{"root -> input 0: no", "branch -> input 0: [root -> input 0: no]"});
  }
  SECTION("one that the result does not depend on") {
    root.backward("no", {.inputs = {parameter("stranger")}, .model = stub});
    CHECK(stub->calls() == 0);
  }
  SECTION("which have to be leaves that require grad") {
    CHECK_THROWS_AS(root.backward("no", {.inputs = {branch}, .model = stub}), GraphError);
    CHECK_THROWS_AS(root.backward("no", {.inputs = {wanted, Variable("x")}, .model = stub}), GraphError);
    CHECK(stub->calls() == 0);
  }
}

TEST_CASE("A gradient may be a scalar for a batch, but not of another size", "[autograd][engine]") {
  const Variable batch(Texts{"a", "b"}, "batch", true);
  const auto identity = [](const Data& data) { return data; };
  map(batch, identity).backward("both");
  map(batch, identity).backward(Texts{"one", "two"});
  REQUIRE(batch.grad().size() == 2);
  CHECK(batch.grad()[0].data() == Data("both"));
  CHECK(batch.grad()[1].data() == Data(Texts{"one", "two"}));

  CHECK_THROWS_AS(map(batch, identity).backward(Texts{"one"}), ValueError);
  const Variable scalar = parameter("scalar");
  CHECK_THROWS_AS((scalar + "x").backward(Texts{"one"}), ValueError);
  CHECK(batch.grad().size() == 2);
}

TEST_CASE("A scalar gradient and a list that meet are joined item by item", "[autograd][engine]") {
  const Variable batch(Texts{"a", "b"}, "batch", true);
  const Variable middle = map(batch, [](const Data& data) { return data; });
  AskingOptions scalar;
  scalar.answer = [](const Feedback&, std::span<const Reply>) { return Answer{{Variable("all")}}; };
  scalar.ask = [](const Feedback&) { return std::vector<Request>{}; };
  AskingOptions list = scalar;
  list.answer = [](const Feedback&, std::span<const Reply>) { return Answer{{Variable(Texts{"", "second"})}}; };
  const Variable first = ask_one({middle}, scalar);
  const Variable second = ask_one({middle}, list);
  (first + second).backward("no");
  REQUIRE(batch.grad().size() == 1);
  CHECK(batch.grad()[0].texts() == Texts{"all", "<ITEM>all</ITEM><ITEM>second</ITEM>"});
}

TEST_CASE("Empty feedback travels without a call", "[autograd][engine]") {
  const Variable leaf = parameter("leaf");
  (leaf + "x").backward("");
  CHECK(gradient_texts(leaf) == Texts{""});

  SECTION("and is left out where it meets other feedback") {
    const Variable inner = parameter("p") + "x";
    const auto silent = [](std::string text) {
      return AskingOptions{.ask = [](const Feedback&) { return std::vector<Request>{}; },
                           .answer = [text](const Feedback&, std::span<const Reply>) { return Answer{{Variable(text)}}; }};
    };
    Variable middle = inner + "";
    middle.retain_grad();
    const Variable a = ask_one({middle}, silent(""));
    const Variable b = ask_one({middle}, silent("only this"));
    (a + b).backward("no");
    CHECK(gradient_texts(middle) == Texts{"only this"});
  }
}

TEST_CASE("A node that gives no gradient stops the path, and its producers are done all the same", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  const Variable inner = ask_one({leaf}, "inner");
  AskingOptions none;
  none.ask = [](const Feedback&) { return std::vector<Request>{}; };
  none.answer = [](const Feedback&, std::span<const Reply>) { return Answer{{std::nullopt}}; };
  SECTION("alone") {
    ask_one({inner}, none).backward("no", with(stub));
    CHECK(leaf.grad().empty());
    CHECK(stub->calls() == 0);
  }
  SECTION("beside one that gives some") {
    const Variable silent = ask_one({inner}, none);
    const Variable other = ask_one({inner}, "other");
    ask_one({silent, other}, "root").backward("no", with(stub));
    CHECK(gradient_texts(leaf) == Texts{"[inner -> input 0: [other -> input 0: [root -> input 1: no]]]"});
  }
}

TEST_CASE("A failed pass names the node, keeps the error's type, changes no leaf, and can be repeated", "[autograd][engine]") {
  const Variable before = parameter("before");
  const Variable leaf = parameter("leaf");
  std::string failing = "none";
  AskingOptions options{.name = "Mine", .role = "my result"};
  options.ask = [&](const Feedback&) {
    if (failing == "ask") throw tgd::ParseError("broken");
    return std::vector<Request>{{.messages = {{"user", "my question"}}}};
  };
  options.answer = [&](const Feedback&, std::span<const Reply>) -> Answer {
    if (failing == "answer") throw std::runtime_error("broken");
    if (failing == "count") return {{Variable("a"), Variable("b")}};
    if (failing == "size") return {{Variable(Texts{"a", "b"})}};
    return {{Variable("fine")}};
  };
  const auto stub = Stub::answering([&](const Request& request) -> std::string {
    if (failing == "model" && request.messages[0].content == "my question")
      throw LMError(LMError::Kind::status, "overloaded", 503, true);
    return "x";
  });
  if (GENERATE(false, true)) stub->shuffled(3);
  const Variable root = ask_one({before, ask_one({leaf}, options)}, "root");
  const auto pass = [&] { root.backward("no", with(stub)); };
  const std::string where = "MineBackward of \"my result\": ";

  SECTION("in ask") {
    failing = "ask";
    CHECK(message_of<tgd::ParseError>(pass) == where + "broken");
  }
  SECTION("in answer") {
    failing = "answer";
    CHECK(message_of<tgd::Error>(pass) == where + "broken");
  }
  SECTION("with a wrong number of gradients") {
    failing = "count";
    CHECK_THAT(message_of<GraphError>(pass), ContainsSubstring(where) && ContainsSubstring("2 gradients for its 1 inputs"));
  }
  SECTION("with a gradient of a wrong size") {
    failing = "size";
    CHECK_THAT(message_of<GraphError>(pass), ContainsSubstring(where) && ContainsSubstring("\"leaf\""));
  }
  SECTION("in the model") {
    failing = "model";
    CHECK(message_of<LMError>(pass) == where + "overloaded");
    try {
      pass();
    } catch (const LMError& error) {
      CHECK(error.kind() == LMError::Kind::status);
      CHECK(error.status() == 503);
      CHECK(error.retryable());
    }
  }
  SECTION("in a hook of a leaf") {
    const auto once = std::make_shared<bool>(true);  // the hook stays longer than this section
    Variable(before).register_hook([once](const Variable& gradient) {
      if (std::exchange(*once, false)) throw ValueError("broken");
      return gradient;
    });
    CHECK_THAT(message_of<ValueError>(pass), ContainsSubstring("\"before\"") && ContainsSubstring("broken"));
  }
  CHECK(before.grad().empty());
  CHECK(leaf.grad().empty());

  failing = "none";
  pass();
  CHECK(gradient_texts(before) == Texts{"x"});
  CHECK(gradient_texts(leaf) == Texts{"fine"});
}

TEST_CASE("The first error stops new calls and cancels those in flight", "[autograd][engine]") {
  const auto model = std::make_shared<GatedModel>();
  const Variable leaf = parameter("leaf");
  const Variable failing = ask_one({leaf}, "failing");
  const Variable hanging = ask_one({ask_one({leaf}, "never")}, "hanging");
  const Variable root = ask_one({failing, hanging}, "root");
  std::string error;
  std::thread pass([&] { error = message_of<LMError>([&] { root.backward("no", with(model)); }); });
  model->reply("root -> input 0", "f");
  model->reply("root -> input 1", "h");
  model->wait_for("hanging");
  model->fail("failing", LMError(LMError::Kind::status, "no", 500));
  pass.join();
  CHECK(error == "AskBackward of \"failing\": no");
  CHECK(model->cancelled() == std::vector<std::string>{"hanging -> input 0: h"});
  CHECK_FALSE(model->was_asked("never"));
  CHECK(leaf.grad().empty());
}

TEST_CASE("A pass can be stopped", "[autograd][engine]") {
  const auto model = std::make_shared<GatedModel>();
  const Variable leaf = parameter("leaf");
  const Variable root = ask_one({leaf}, "root");
  std::stop_source stop;
  const auto pass = [&] {
    try {
      root.backward("no", {.model = model, .stop = stop.get_token()});
    } catch (const LMError& error) {
      return error.kind() == LMError::Kind::cancelled;
    }
    return false;
  };
  SECTION("while it waits") {
    bool cancelled = false;
    std::thread waiting([&] { cancelled = pass(); });
    model->wait_for("root");
    stop.request_stop();
    waiting.join();
    CHECK(cancelled);
  }
  SECTION("before it begins") {
    stop.request_stop();
    CHECK(pass());
  }
  CHECK(leaf.grad().empty());
}

TEST_CASE("A pass within a pass on the same thread is refused", "[autograd][engine]") {
  const Variable other = parameter("other");
  const Variable leaf = parameter("leaf");
  Variable result = leaf + "x";
  result.register_hook([&](const Variable& gradient) {
    (other + "y").backward("inner");
    return gradient;
  });
  CHECK_THROWS_AS(result.backward("outer"), GraphError);
  CHECK_THROWS_WITH(result.backward("outer"), ContainsSubstring("within"));
  CHECK(other.grad().empty());
  CHECK(leaf.grad().empty());
  (other + "y").backward("after");
  CHECK(other.grad().size() == 1);
}

TEST_CASE("Hooks see gradients and may replace them", "[autograd][engine]") {
  const auto stub = echoing();
  Variable leaf = parameter("leaf");
  Texts seen;
  const auto hook = [&seen](std::string replacement) {
    return [&seen, replacement](const Variable& gradient) {
      seen.push_back(gradient.text());
      return replacement.empty() ? gradient : Variable(replacement);
    };
  };

  SECTION("of a leaf, once per path, in order, role kept") {
    leaf.register_hook(hook(""));
    leaf.register_hook(hook("replaced"));
    leaf.register_hook(hook(""));
    ask_one({leaf, leaf}, "root").backward("no", with(stub));
    CHECK(seen == Texts{"[root -> input 0: no]", "[root -> input 0: no]", "replaced", "[root -> input 1: no]",
                        "[root -> input 1: no]", "replaced"});
    CHECK(gradient_texts(leaf) == Texts{"replaced", "replaced"});
    CHECK(leaf.grad()[0].role() == "feedback to leaf");
  }
  SECTION("of a leaf, which refuses what has another shape") {
    leaf.register_hook([](const Variable&) { return Variable(Texts{"a", "b"}); });
    CHECK_THROWS_AS((leaf + "x").backward("no"), GraphError);
    CHECK(leaf.grad().empty());
  }
  SECTION("and know them by their role") {
    Variable inner = ask_one({leaf}, "inner");
    std::vector<std::string> roles;
    const auto note = [&roles](const Variable& gradient) {
      roles.push_back(gradient.role());
      return gradient;
    };
    inner.register_hook(note);
    leaf.register_hook(note);
    inner.backward("no", with(stub));
    CHECK(roles == std::vector<std::string>{"feedback to inner", "feedback to leaf"});
  }
  SECTION("of a result, once, when all of it is there") {
    Variable inner = ask_one({leaf}, "inner");
    inner.register_hook(hook("replaced"));
    const Variable a = ask_one({inner}, "a");
    ask_one({a, inner}, "root").backward("no", with(stub));
    CHECK(seen == Texts{"<ITEM>[a -> input 0: [root -> input 0: no]]</ITEM><ITEM>[root -> input 1: no]</ITEM>"});
    CHECK(gradient_texts(leaf) == Texts{"[inner -> input 0: replaced]"});
  }
  SECTION("of the result that a pass begins with") {
    Variable root = ask_one({leaf}, "root");
    root.register_hook(hook("replaced"));
    root.backward("no", with(stub));
    CHECK(seen == Texts{"no"});
    CHECK(gradient_texts(leaf) == Texts{"[root -> input 0: replaced]"});
  }
  SECTION("of one output only") {
    auto parts = ask_many({leaf}, {.role = "part", .outputs = 2});
    parts[1].register_hook(hook("replaced"));
    ask_one({parts[0], parts[1]}, "root").backward("no", with(stub));
    CHECK(gradient_texts(leaf) == Texts{"[part -> input 0: [root -> input 0: no] replaced]"});
  }
  SECTION("and what is replaced on the way through a sum is still wrapped") {
    Variable sum = leaf + "x";
    sum = sum + "y";
    sum.register_hook(hook("replaced"));
    (sum + "z").backward("no");
    CHECK(seen == Texts{"no"});
    CHECK(gradient_texts(leaf) == Texts{"This feedback was given to a result of which leaf is a part: replaced"});
  }
}

TEST_CASE("A result keeps its gradient when told to", "[autograd][engine]") {
  const auto stub = echoing();
  const Variable leaf = parameter("leaf");
  Variable inner = ask_one({leaf}, "inner");
  Variable root = ask_one({inner}, "root");
  inner.retain_grad();
  root.retain_grad();
  root.backward("no", {.retain_graph = true, .model = stub});
  CHECK(gradient_texts(inner) == Texts{"[root -> input 0: no]"});
  CHECK(inner.grad()[0].role() == "feedback to inner");
  CHECK(gradient_texts(root) == Texts{"no"});
  root.backward("again", with(stub));
  CHECK(inner.grad().size() == 2);

  SECTION("after the hooks that came before") {
    Variable other = ask_one({leaf}, "other");
    other.register_hook([](const Variable&) { return Variable("replaced"); });
    other.retain_grad();
    ask_one({other}, "root").backward("no", with(stub));
    CHECK(gradient_texts(other) == Texts{"replaced"});
  }
}

TEST_CASE("A failed pass keeps no gradient of results either", "[autograd][engine]") {
  const auto stub = Stub::scripted({"one"});
  Variable inner = ask_one({parameter("leaf")}, "inner");
  inner.retain_grad();
  CHECK_THROWS_AS(ask_one({inner}, "root").backward("no", with(stub)), LMError);
  CHECK(inner.grad().empty());
}

TEST_CASE("The given gradient is a snapshot", "[autograd][engine]") {
  const Variable leaf = parameter("leaf");
  Variable gradient("no");
  leaf.backward(gradient);
  gradient.set_data("changed");
  CHECK(gradient_texts(leaf) == Texts{"no"});
}

TEST_CASE("Nothing of a graph outlives it", "[autograd][engine]") {
  const auto stub = echoing();
  Variable leaf = parameter("leaf");
  std::vector<std::weak_ptr<tgd::autograd::Node>> nodes;
  std::weak_ptr<tgd::detail::VariableImpl> inner_data;
  const auto build = [&] {
    Variable inner = ask_one({leaf}, "inner");
    inner.retain_grad();
    inner.register_hook([](const Variable& gradient) { return gradient; });
    const Variable sum = inner + inner;
    Variable root = ask_one({sum, leaf}, "root");
    nodes = {inner.grad_fn(), sum.grad_fn(), root.grad_fn(), inner.grad_fn()->next_functions()[0].function};
    inner_data = tgd::detail::impl_of(inner);
    return root;
  };
  const auto all_gone = [&] {
    return inner_data.expired() && std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.expired(); });
  };
  SECTION("without a pass") {
    { const Variable root = build(); }
    CHECK(all_gone());
  }
  SECTION("after a pass") {
    {
      const Variable root = build();
      CHECK(inner_data.expired());
      root.backward("no", with(stub));
      CHECK_FALSE(nodes[0].expired());
    }
    CHECK(all_gone());
    CHECK(leaf.grad().size() == 2);
  }
  SECTION("after a failed pass") {
    const auto failing = Stub::scripted({"one"});
    {
      const Variable root = build();
      CHECK_THROWS(root.backward("no", with(failing)));
    }
    CHECK(all_gone());
  }
  SECTION("nor does a leaf that only the graph knew") {
    std::weak_ptr<tgd::detail::VariableImpl> temporary;
    {
      Variable sum;
      {
        const Variable local = parameter("local");
        temporary = tgd::detail::impl_of(local);
        sum = local + "x";
      }
      CHECK_FALSE(temporary.expired());
    }
    CHECK(temporary.expired());
  }
}
