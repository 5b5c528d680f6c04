#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include <memory>
#include <string>
#include <vector>

#include "autograd/asking_node.hpp"
#include "catch.hpp"
#include "core/storage.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::GraphError;
using tgd::TypeError;
using tgd::ValueError;
using tgd::Variable;
using tgd::test::gradient_texts;
using tgd::test::parameter;

using Texts = std::vector<std::string>;
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

namespace {

std::string wrapped(const std::string& role, const std::string& feedback) {
  return "This feedback was given to a result of which " + role + " is a part: " + feedback;
}

}  // namespace

TEST_CASE("A result requires grad when an input does", "[autograd][graph]") {
  const Variable leaf = parameter("leaf");
  const Variable result = leaf + "y";
  CHECK(result.requires_grad());
  CHECK((result + "z").requires_grad());
  CHECK_FALSE((Variable("x") + "y").requires_grad());
  CHECK((Variable("x") + "y").grad_fn() == nullptr);
}

TEST_CASE("A node is named after its operation and knows its inputs' producers", "[autograd][graph][concurrent]") {
  const Variable leaf = parameter("leaf");
  const Variable constant("c");
  const Variable sum = leaf + constant;
  const Variable mapped = map(sum, [](const Data& data) { return data; });

  CHECK(sum.grad_fn()->name() == "AddBackward");
  CHECK(mapped.grad_fn()->name() == "MapBackward");
  REQUIRE(sum.grad_fn()->next_functions().size() == 2);
  const auto& accumulate = sum.grad_fn()->next_functions()[0].function;
  REQUIRE(accumulate);
  CHECK(accumulate->name() == "AccumulateGrad");
  CHECK(accumulate->output_role(0) == "leaf");
  CHECK_FALSE(sum.grad_fn()->next_functions()[1]);
  REQUIRE(mapped.grad_fn()->next_functions().size() == 1);
  CHECK(mapped.grad_fn()->next_functions()[0].function == sum.grad_fn());
  CHECK(mapped.grad_fn()->sequence_nr() > sum.grad_fn()->sequence_nr());
  CHECK(accumulate->sequence_nr() > mapped.grad_fn()->sequence_nr());
}

TEST_CASE("All uses of a leaf share one AccumulateGrad while a graph uses it", "[autograd][graph]") {
  const Variable leaf = parameter("leaf");
  const Variable twice = leaf + leaf;
  Variable other = leaf + "x";
  const auto& edges = twice.grad_fn()->next_functions();
  CHECK(edges[0].function == edges[1].function);
  CHECK(edges[0].function == other.grad_fn()->next_functions()[0].function);
  CHECK(is_same(dynamic_cast<const tgd::autograd::AccumulateGrad&>(*edges[0].function).variable(), leaf));
}

TEST_CASE("Outputs of one node are told apart by number", "[autograd][graph]") {
  const auto outputs = tgd::test::ask_many({parameter("p")}, {.role = "part", .outputs = 2});
  CHECK(outputs[0].grad_fn() == outputs[1].grad_fn());
  CHECK(outputs[0].output_nr() == 0);
  CHECK(outputs[1].output_nr() == 1);
  const Variable sum = outputs[1] + "x";
  CHECK(sum.grad_fn()->next_functions()[0].input_nr == 1);
}

TEST_CASE("add joins texts, adds numbers, and does so for lists item by item", "[autograd][graph]") {
  CHECK(tgd::add("a", "b").data() == Data("ab"));
  CHECK(tgd::add(1, 2).data() == Data(3));
  CHECK(tgd::add(1, 0.5).data() == Data(1.5));
  CHECK(tgd::add(Texts{"a", "b"}, Texts{"c", "d"}).data() == Data(Texts{"ac", "bd"}));
  CHECK(tgd::add(Integers{1, 2}, Integers{3, 4}).data() == Data(Integers{4, 6}));
  CHECK(tgd::add(Integers{1, 2}, Reals{0.5, 1}).data() == Data(Reals{1.5, 3}));
  CHECK(tgd::add("> ", Texts{"a", "b"}).data() == Data(Texts{"> a", "> b"}));

  CHECK_THROWS_AS(tgd::add("a", 1), TypeError);
  CHECK_THROWS_AS(tgd::add(1.5, "a"), TypeError);
  CHECK_THROWS_AS(tgd::add(Texts{"a"}, Integers{1}), TypeError);
  CHECK_THROWS_AS(tgd::add(Texts{"a"}, Texts{"b", "c"}), ValueError);
}

TEST_CASE("The sum's role names both parts", "[autograd][graph]") {
  CHECK(tgd::add(Variable("a", "left"), Variable("b", "right")).role() == "left and right");
  CHECK(tgd::add(Variable("a", "left"), "b").role() == "left");
  CHECK(tgd::add("a", Variable("b", "right")).role() == "right");
  CHECK(tgd::add("a", "b").role().empty());
  const Variable x("x", "x");
  CHECK((x + x + x).role() == "x and x and x");
}

TEST_CASE("+= makes a new Variable", "[autograd][graph]") {
  const Variable first = parameter("first");
  Variable sum = first;
  sum += Variable("!", "mark");
  CHECK(sum.text() == "value of first!");
  CHECK(first.text() == "value of first");
  CHECK_FALSE(is_same(sum, first));
  CHECK(sum.grad_fn() != nullptr);
}

TEST_CASE("Each part of a sum gets the feedback in a sentence that names its role", "[autograd][graph]") {
  const Variable left = parameter("left");
  const Variable right = parameter("right");
  (left + right).backward("too long");
  CHECK(gradient_texts(left) == Texts{wrapped("left", "too long")});
  CHECK(gradient_texts(right) == Texts{wrapped("right", "too long")});
  CHECK(left.grad()[0].role() == "feedback to left");
  CHECK_FALSE(left.grad()[0].requires_grad());

  SECTION("and one without a role is this value") {
    const Variable nameless("x", "", true);
    (nameless + "y").backward("no");
    CHECK(gradient_texts(nameless) == Texts{wrapped("this value", "no")});
  }
}

TEST_CASE("Feedback through several sums is wrapped once, and once per path", "[autograd][graph]") {
  const Variable x = parameter("x");
  Variable sum = x;
  for (int i = 0; i < 10; ++i) sum = sum + "!";
  sum.backward("too long");
  CHECK(gradient_texts(x) == Texts{wrapped("x", "too long")});

  const Variable twice = parameter("twice");
  (twice + twice).backward("no");
  CHECK(gradient_texts(twice) == Texts(2, wrapped("twice", "no")));
}

TEST_CASE("A scalar added to each item of a list gets all their feedback as one", "[autograd][graph]") {
  const Variable prefix = parameter("prefix");
  const Variable list(Texts{"a", "b", "c"}, "list", true);
  (prefix + list).backward(Texts{"first", "", "third"});
  CHECK(gradient_texts(prefix) == Texts{wrapped("prefix", "<ITEM>first</ITEM><ITEM>third</ITEM>")});
  REQUIRE(list.grad().size() == 1);
  CHECK(list.grad()[0].texts() == Texts{wrapped("list", "first"), "", wrapped("list", "third")});

  const Variable other = parameter("other");
  (list + other).backward(Texts{"", "", ""});
  CHECK(gradient_texts(other) == Texts{""});
}

TEST_CASE("map applies a function to each item and passes feedback through as it is", "[autograd][graph]") {
  const Variable list(Texts{"1", "2"}, "numbers", true);
  const Variable mapped = map(list, [](const Data& data) { return data.to<std::int64_t>(); });
  CHECK(mapped.data() == Data(Integers{1, 2}));
  CHECK(mapped.role() == "numbers");
  CHECK(map(
            list, [](const Data& data) { return data; }, "parsed")
            .role() == "parsed");
  CHECK(map(Variable("x"), [](const Data& data) { return data.text() + "!"; }).data() == Data("x!"));

  mapped.backward(Texts{"one", "two"});
  REQUIRE(list.grad().size() == 1);
  CHECK(list.grad()[0].texts() == Texts{"one", "two"});
  CHECK(list.grad()[0].role() == "feedback to numbers");
}

TEST_CASE("map's function has to return a scalar", "[autograd][graph]") {
  const auto mapped = [](const Variable& variable) {
    return map(variable, [](const Data&) { return Data(Texts{"a", "b"}); }).data();
  };
  CHECK_THROWS_AS(mapped("x"), TypeError);
  CHECK_THROWS_AS(mapped(Texts{"x"}), TypeError);
  CHECK_THROWS_WITH(mapped("x"), ContainsSubstring("map"));
}

TEST_CASE("Operations on data that is on its way return at once", "[autograd][graph]") {
  const auto storage = tgd::detail::Storage::pending_batch(2);
  const Variable coming = tgd::detail::make_variable(storage, tgd::detail::Role("coming"), true);
  const Variable sum = map(coming, [](const Data& data) { return data.text() + "?"; }) + "!";
  CHECK_FALSE(sum.ready());
  CHECK(sum.is_batch());
  CHECK(sum.size() == 2);

  SECTION("and give each item when it has come") {
    storage->set_item(1, "b");
    CHECK(sum[1].data() == Data("b?!"));
    CHECK_FALSE(sum.ready());
    storage->set_item(0, "a");
    CHECK(sum.texts() == Texts{"a?!", "b?!"});
  }
  SECTION("and fail with the item that failed") {
    storage->set_item(0, "a");
    storage->fail_item(1, std::make_exception_ptr(tgd::LMError(tgd::LMError::Kind::status, "overloaded", 503)));
    CHECK(sum[0].data() == Data("a?!"));
    CHECK_THROWS_AS(sum.data(), tgd::LMError);
    CHECK_THROWS_AS(sum.backward("no"), tgd::LMError);
    CHECK(coming.grad().empty());
  }
  SECTION("and are refused when the lengths cannot match") {
    CHECK_THROWS_AS(coming + Texts{"x"}, ValueError);
    // Whoever waits for data holds it: it has to come, or to fail, in the end.
    storage->set_item(0, "a");
    storage->set_item(1, "b");
    sum.wait();
  }
}
