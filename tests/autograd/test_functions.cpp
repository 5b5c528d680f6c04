#include <atomic>
#include <thread>

#include <tgd/functions.hpp>
#include <tgd/lm/stub.hpp>

#include "catch.hpp"

using namespace tgd;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

std::vector<std::string> texts_of(const std::vector<Variable>& variables) {
  std::vector<std::string> texts;
  for (const Variable& variable : variables) texts.push_back(variable.text());
  return texts;
}

const std::string to_part_of = "This feedback was given to a result of which ";

}  // namespace

TEST_CASE("sum adds numbers, itemizes texts and works by position on lists") {
  SECTION("integers stay integers, reals are contagious") {
    CHECK(sum({Variable(1), Variable(2), Variable(3)}).data() == Data(6));
    CHECK(sum({Variable(1), Variable(0.5)}).data() == Data(1.5));
  }
  SECTION("an integer sum that overflows becomes real") {
    CHECK(sum({Variable(INT64_MAX), Variable(1)}).data().kind() == Data::Kind::real);
  }
  SECTION("texts") { CHECK(sum({"a", "b"}).text() == "<ITEM>a</ITEM><ITEM>b</ITEM>"); }
  SECTION("lists by position, scalars broadcast") {
    const Variable total = sum({Variable(std::vector<int>{1, 2}), Variable(10)});
    CHECK(total.data() == Data(std::vector<int>{11, 12}));
  }
  SECTION("roles are joined") { CHECK(sum({Variable(1, "a"), Variable(2, "b"), Variable(3, "c")}).role() == "a and b and c"); }
  SECTION("misuse") {
    CHECK_THROWS_AS(sum({}), ValueError);
    CHECK_THROWS_AS(sum({Variable("a"), Variable(1)}), TypeError);
    CHECK_THROWS_AS(sum({Variable(std::vector<int>{1, 2}), Variable(std::vector<int>{1, 2, 3})}), ValueError);
  }
}

TEST_CASE("Feedback to a sum reaches every input that requires grad, wrapped once") {
  const Variable a("x", "the first text", true);
  const Variable b("y", "the second text");
  const Variable c("z", "the third text", true);
  const Variable nested = sum({sum({a, b}), c});
  nested.backward("shorter");
  CHECK(texts_of(a.grad()) == std::vector<std::string>{to_part_of + "the first text is a part: shorter"});
  CHECK(texts_of(c.grad()) == std::vector<std::string>{to_part_of + "the third text is a part: shorter"});
  CHECK(a.grad()[0].role() == "feedback to the first text");
  CHECK(b.grad().empty());
}

TEST_CASE("sum of lists and a scalar gives the scalar one feedback for all items") {
  const Variable list(Data(std::vector<std::string>{"a", "b", "c"}), "a list", true);
  const Variable scalar("z", "a scalar", true);
  const Variable total = sum({scalar, list});
  CHECK(total.texts()[1] == "<ITEM>z</ITEM><ITEM>b</ITEM>");
  total.backward(Variable(Data(std::vector<std::string>{"first", "", "third"})));
  REQUIRE(scalar.grad().size() == 1);
  CHECK_FALSE(scalar.grad()[0].is_batch());
  CHECK_THAT(scalar.grad()[0].text(), ContainsSubstring("<ITEM>first</ITEM><ITEM>third</ITEM>"));
  REQUIRE(list.grad().size() == 1);
  CHECK(list.grad()[0].size() == 3);
  CHECK(list.grad()[0].texts()[1].empty());
}

TEST_CASE("A value that is used on several paths gets gradients of its own for each") {
  const Variable word("a", "a word", true);
  (word + word).backward("more");
  REQUIRE(word.grad().size() == 2);
  CHECK(word.grad()[0].text() == word.grad()[1].text());
  word.grad()[0].set_data("changed");
  CHECK(word.grad()[1].text() != "changed");
}

TEST_CASE("split cuts as Python's str.split does") {
  const auto parts = [](const char* text, std::optional<std::string> separator, int maxsplit) {
    return texts_of(split(Variable(text), separator, maxsplit));
  };
  using Parts = std::vector<std::string>;
  CHECK(parts("  a  b c ", std::nullopt, -1) == Parts{"a", "b", "c"});
  CHECK(parts(" a  b  c ", std::nullopt, 1) == Parts{"a", "b  c "});
  CHECK(parts(" a b", std::nullopt, 0) == Parts{"a b"});
  CHECK(parts("", std::nullopt, -1).empty());
  CHECK(parts("", ",", -1) == Parts{""});
  CHECK(parts("a,,b,", ",", -1) == Parts{"a", "", "b", ""});
  CHECK(parts("a,b,c", ",", 1) == Parts{"a", "b,c"});
  CHECK(parts("a--b---c", "--", -1) == Parts{"a", "b", "-c"});
  CHECK_THROWS_AS(split(Variable("a"), ""), ValueError);
  CHECK_THROWS_AS(split(Variable(1)), TypeError);
}

TEST_CASE("split gives parts that share one node") {
  const Variable text("one two three", "a list", true);
  const std::vector<Variable> parts = split(text);
  REQUIRE(parts.size() == 3);
  CHECK(parts[1].role() == "split part 1 of a list");
  CHECK(parts[2].output_nr() == 2);
  CHECK(parts[0].grad_fn() == parts[2].grad_fn());
  CHECK(parts[0].grad_fn()->name() == "SplitBackward");

  SECTION("feedback is combined in the order of the parts, empty where there is none") {
    const auto gradients = autograd::grad({parts[2], parts[0]}, {text}, {Variable("late"), Variable("early")});
    CHECK(texts_of(gradients[0]) == std::vector<std::string>{"<ITEM>early</ITEM><ITEM></ITEM><ITEM>late</ITEM>"});
  }
}

TEST_CASE("split of a batch pads short rows and transposes") {
  const Variable rows(Data(std::vector<std::string>{"a b", "c", "d e f"}), "rows", true);
  const std::vector<Variable> parts = split(rows);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].texts() == std::vector<std::string>{"a", "c", "d"});
  CHECK(parts[1].texts() == std::vector<std::string>{"b", "", "e"});
  CHECK(parts[2].texts() == std::vector<std::string>{"", "", "f"});
  parts[1].backward(Variable(Data(std::vector<std::string>{"x", "", "y"})));
  CHECK(rows.grad().at(0).texts() ==
        std::vector<std::string>{"<ITEM></ITEM><ITEM>x</ITEM><ITEM></ITEM>", "", "<ITEM></ITEM><ITEM>y</ITEM><ITEM></ITEM>"});
}

TEST_CASE("to casts item by item") {
  CHECK(Variable("2.5").to<double>().data() == Data(2.5));
  CHECK(to<std::string>(Variable(std::vector<int>{1, 2})).texts() == std::vector<std::string>{"1", "2"});
  CHECK_THROWS_AS(Variable("two").to<std::int64_t>().data(), ValueError);
}

TEST_CASE("A pair of functions becomes a node of the graph") {
  const autograd::ItemFunction join{
      "Join", [](std::span<const Data> inputs) -> Data { return inputs[0].text() + "/" + inputs[1].text(); },
      [](std::span<const Data> inputs, const Data& output, const std::string& feedback) {
        return std::vector<std::string>{output.text() + ": " + feedback, inputs[1].text() + "! " + feedback};
      }};
  const Variable shared("s", "shared", true);
  const Variable batch(Data(std::vector<std::string>{"p", "q", "r"}), "batch", true);
  const Variable joined = autograd::apply(join, {shared, batch});
  CHECK(joined.texts() == std::vector<std::string>{"s/p", "s/q", "s/r"});
  CHECK(joined.grad_fn()->name() == "JoinBackward");
  CHECK(joined.role() == "shared and batch");

  joined.backward(Variable(Data(std::vector<std::string>{"one", "", "three"})));
  CHECK(texts_of(shared.grad()) == std::vector<std::string>{"<ITEM>s/p: one</ITEM><ITEM>s/r: three</ITEM>"});
  CHECK(batch.grad().at(0).texts() == std::vector<std::string>{"p! one", "", "r! three"});

  SECTION("a backward half of the wrong size is named") {
    autograd::ItemFunction broken = join;
    broken.backward = [](std::span<const Data>, const Data&, const std::string&) {
      return std::vector<std::string>{"only one"};
    };
    const Variable result = autograd::apply(broken, {shared, batch});
    CHECK_THROWS_WITH(result.backward("x"), ContainsSubstring("JoinBackward") && ContainsSubstring("1 texts for its 2 inputs"));
    CHECK(shared.grad().size() == 1);
  }
  SECTION("a forward half that throws shows where the data is read, with name and item") {
    autograd::ItemFunction broken = join;
    broken.forward = [](std::span<const Data> inputs) -> Data {
      if (inputs[1].text() == "q") throw ParseError("no q, please");
      return "";
    };
    const Variable result = autograd::apply(broken, {shared, batch});
    CHECK_THROWS_AS(result.data(), ParseError);
    CHECK_THROWS_WITH(result.data(), "Join: item 1 of 3: no q, please");
    CHECK(result[0].text().empty());
    CHECK_THROWS_AS(result.backward("x"), ParseError);
  }
}

namespace {

/// Asks a language model which half of the text is to blame.
class Halves : public autograd::Function {
 public:
  std::string name() const override { return "Halves"; }

  std::vector<Variable> forward(const std::vector<Variable>& inputs) override {
    save_for_backward(inputs);
    const std::string& text = inputs[0].text();
    return {Variable(text.substr(0, text.size() / 2), "left half"), Variable(text.substr(text.size() / 2), "right half")};
  }
  std::vector<lm::Request> ask(const autograd::Feedback& feedback) const override {
    std::vector<lm::Request> requests;
    for (const autograd::Gradient& gradient : feedback.grad_outputs) {
      if (gradient) requests.push_back({{{"user", saved()[0].text() + "|" + gradient->text()}}});
    }
    return requests;
  }
  std::vector<autograd::Gradient> backward(const autograd::Feedback&, std::span<const lm::Reply> replies) const override {
    std::string all;
    for (const lm::Reply& reply : replies) all += reply.content + ";";
    return {Variable(all)};
  }
};

}  // namespace

TEST_CASE("A derived Function saves snapshots, asks, and answers") {
  const auto stub = lm::Stub::answering([](const lm::Request& request) { return "re " + request.messages[0].content; });
  Variable text("abcd", "text", true);
  const std::vector<Variable> halves = autograd::apply(std::make_shared<Halves>(), {text});
  REQUIRE(halves.size() == 2);
  CHECK(halves[1].text() == "cd");
  CHECK(halves[1].role() == "right half");
  CHECK(halves[1].grad_fn()->name() == "HalvesBackward");
  text.set_data("changed later");
  halves[1].backward("bad", {.model = stub});
  CHECK(texts_of(text.grad()) == std::vector<std::string>{"re abcd|bad;"});

  SECTION("its state is freed with the graph") { CHECK_THROWS_AS(halves[0].backward("again", {.model = stub}), GraphError); }
}

TEST_CASE("autograd::grad returns gradients and leaves the Variables alone") {
  const Variable a("a", "role a", true);
  const Variable b("b", "role b", true);
  const Variable joined = a + b;
  const Variable twice = joined + joined;
  const auto gradients = autograd::grad({twice}, {joined, a}, {Variable("hm")});
  REQUIRE(gradients.size() == 2);
  CHECK(gradients[0].size() == 1);
  CHECK(gradients[1].size() == 1);
  CHECK(a.grad().empty());
  CHECK(b.grad().empty());
  CHECK(gradients[0][0].role() == "feedback to role a and role b");

  SECTION("an input that nothing reaches gets none") {
    const Variable c("c", "role c", true);
    CHECK(autograd::grad({a + b}, {c, b}, {Variable("x")})[0].empty());
  }
  SECTION("misuse") {
    const Variable plain("p", "plain");
    CHECK_THROWS_AS(autograd::grad({}, {a}), ValueError);
    CHECK_THROWS_AS(autograd::grad({a + b}, {plain}, {Variable("x")}), GraphError);
    CHECK_THROWS_AS(autograd::grad({a + b}, {a}), GraphError);
    CHECK_THROWS_AS(autograd::grad({a + b}, {a}, {Variable("x"), Variable("y")}), ValueError);
  }
}

TEST_CASE("User functions run off the caller's thread, several items at once") {
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> inside = 0;
  std::atomic<bool> met = false;
  const Variable batch(Data(std::vector<std::string>{"a", "b"}), "batch");
  const Variable mapped = map(batch, [&](const Data& item) -> Data {
    ++inside;
    for (int i = 0; i < 5000 && inside < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (inside == 2) met = true;
    return std::this_thread::get_id() == caller ? Data("caller") : item;
  });
  CHECK(mapped.texts() == std::vector<std::string>{"a", "b"});
  CHECK(met);
}

TEST_CASE("The graph can be drawn", "[concurrent]") {
  const Variable a("say \"hi\"", "greeting", true);
  const Variable b("x < y", "a <rule>", true);
  const Variable joined = a + b;
  joined.backward("fine", {.retain_graph = true});
  CHECK(autograd::to_dot(joined) ==
        "digraph tgd {\n"
        "  rankdir=LR;\n"
        "  n0 [label=\"AddBackward\\ngreeting and a <rule>\\nsay \\\"hi\\\"x < y\", shape=ellipse];\n"
        "  n1 [label=\"greeting\\nsay \\\"hi\\\"\\ngrad: This feedback was gi...ting is a part: fine\", shape=box];\n"
        "  n2 [label=\"a <rule>\\nx < y\\ngrad: This feedback was gi...ule> is a part: fine\", shape=box];\n"
        "  n1 -> n0;\n"
        "  n2 -> n0;\n"
        "}\n");
  const std::string mermaid = autograd::to_mermaid(joined);
  CHECK_THAT(mermaid, StartsWith("graph LR\n  n0(\"AddBackward<br>greeting and a #lt;rule#gt;<br>"));
  CHECK_THAT(mermaid, ContainsSubstring("  n1 --> n0\n  n2 --> n0\n"));
  CHECK(autograd::to_dot(Variable("alone", "leaf")) ==
        "digraph tgd {\n  rankdir=LR;\n  n0 [label=\"leaf\\nalone\", shape=box];\n}\n");
}
