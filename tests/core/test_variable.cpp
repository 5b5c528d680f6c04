#include <tgd/variable.hpp>

#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <tgd/functions.hpp>

#include "catch.hpp"
#include "core/storage.hpp"
#include "core/variable_impl.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::Data;
using tgd::StateError;
using tgd::ValueError;
using tgd::Variable;

using Texts = std::vector<std::string>;

namespace {

Texts texts_of(const std::vector<Variable>& variables) {
  Texts texts;
  for (const Variable& variable : variables) texts.push_back(variable.text());
  return texts;
}

}  // namespace

TEST_CASE("A new Variable is a leaf without gradients and history", "[core][variable]") {
  const Variable nothing;
  CHECK(nothing.data() == Data(""));
  CHECK(nothing.role().empty());
  CHECK_FALSE(nothing.requires_grad());

  const Variable variable("hello", "greeting", true);
  CHECK(variable.text() == "hello");
  CHECK(variable.role() == "greeting");
  CHECK(variable.requires_grad());
  CHECK(variable.is_leaf());
  CHECK(variable.grad().empty());
  CHECK(variable.grad_fn() == nullptr);
  CHECK(variable.output_nr() == 0);
  CHECK(variable.ready());
  CHECK_FALSE(variable.retains_grad());
}

TEST_CASE("A Variable is made of whatever makes data", "[core][variable]") {
  CHECK(Variable(3).data() == Data(3));
  CHECK(Variable(0).data() == Data(0));
  CHECK(Variable(0.5).data() == Data(0.5));
  CHECK(Variable(std::string("x")).data() == Data("x"));
  CHECK(Variable(Texts{"a", "b"}).texts() == Texts{"a", "b"});
  CHECK(Variable(std::vector<int>{1, 2}).data() == Data(std::vector<int>{1, 2}));
}

TEST_CASE("Copies of a Variable are the same Variable", "[core][variable]") {
  Variable a("x", "r", true);
  Variable b = a;
  const Variable equal("x", "r", true);
  CHECK(is_same(a, b));
  CHECK_FALSE(is_same(a, equal));
  b.set_data("y");
  b.set_role("s");
  b.append_grad("g");
  CHECK(a.text() == "y");
  CHECK(a.role() == "s");
  CHECK(a.grad().size() == 1);
}

TEST_CASE("Whether a Variable is a leaf", "[core][variable]") {
  Variable leaf("x", "", true);
  const Variable result = leaf + "y";
  CHECK(leaf.is_leaf());
  CHECK_FALSE(result.is_leaf());
  CHECK(Variable("x").is_leaf());
  CHECK((Variable("x") + "y").is_leaf());
  SECTION("requires_grad can be switched for leaves only") {
    leaf.set_requires_grad(false);
    CHECK_FALSE(leaf.requires_grad());
    CHECK_THROWS_AS(Variable(result).set_requires_grad(false), StateError);
  }
}

TEST_CASE("Setting the data of a result keeps its history", "[core][variable][concurrent]") {
  const Variable leaf("x", "leaf", true);
  Variable result = leaf + "y";
  const auto node = result.grad_fn();
  result.set_data(42);
  CHECK(result.data() == Data(42));
  CHECK(result.grad_fn() == node);
  result.backward("wrong");
  REQUIRE(leaf.grad().size() == 1);
  CHECK_THAT(leaf.grad()[0].text(), ContainsSubstring("wrong"));
}

TEST_CASE("Gradients of a leaf are collected in order", "[core][variable]") {
  Variable leaf("x", "", true);
  leaf.append_grad("first");
  leaf.append_grad("");
  leaf.append_grad("first");
  CHECK(texts_of(leaf.grad()) == Texts{"first", "", "first"});
  leaf.clear_grad();
  CHECK(leaf.grad().empty());
}

TEST_CASE("The gradient of a result is there only when it is retained", "[core][variable]") {
  const Variable leaf("x", "leaf", true);
  Variable result = leaf + "y";
  CHECK_THROWS_AS(result.grad(), StateError);
  CHECK_THROWS_WITH(result.grad(), ContainsSubstring("\"leaf\"") && ContainsSubstring("retain_grad()"));
  CHECK_THROWS_AS(result.append_grad("g"), StateError);
  CHECK_NOTHROW(result.clear_grad());

  result.retain_grad();
  result.retain_grad();
  CHECK(result.retains_grad());
  CHECK(result.grad().empty());
  result.append_grad("g");
  CHECK(texts_of(result.grad()) == Texts{"g"});

  CHECK_THROWS_AS(Variable(leaf).retain_grad(), StateError);
  CHECK_THROWS_AS(Variable("x").retain_grad(), StateError);
}

TEST_CASE("A detached Variable shares the data and nothing else", "[core][variable]") {
  Variable leaf("x", "role", true);
  leaf.append_grad("g");
  Variable detached = leaf.detach();
  CHECK(detached.text() == "x");
  CHECK(detached.role() == "role");
  CHECK_FALSE(detached.requires_grad());
  CHECK(detached.grad().empty());
  CHECK_FALSE(is_same(leaf, detached));

  const Variable result = leaf + "y";
  CHECK(result.detach().grad_fn() == nullptr);
  CHECK(result.detach().text() == "xy");

  detached.set_data("z");
  CHECK(leaf.text() == "x");
}

TEST_CASE("A clone is independent", "[core][variable]") {
  Variable leaf("x", "role", true);
  leaf.append_grad(Variable("g", "feedback"));
  Variable clone = leaf.clone();
  CHECK(clone.text() == "x");
  CHECK(clone.role() == "role");
  CHECK(clone.requires_grad());
  REQUIRE(texts_of(clone.grad()) == Texts{"g"});
  CHECK(clone.grad()[0].role() == "feedback");

  clone.set_data("z");
  clone.grad()[0].set_data("h");
  clone.append_grad("i");
  CHECK(leaf.text() == "x");
  CHECK(texts_of(leaf.grad()) == Texts{"g"});
  CHECK_THROWS_AS((leaf + "y").clone(), StateError);
}

TEST_CASE("copy_ takes data, role and requires_grad of the same shape", "[core][variable]") {
  Variable scalar("x", "old", false);
  Variable batch(Texts{"a", "b"}, "old", false);
  scalar.copy_(Variable(7, "new", true));
  CHECK(scalar.data() == Data(7));
  CHECK(scalar.role() == "new");
  CHECK(scalar.requires_grad());
  batch.copy_(Variable(Texts{"c", "d"}));
  CHECK(batch.texts() == Texts{"c", "d"});

  SECTION("and later changes of the source do not show") {
    Variable source("s");
    scalar.copy_(source);
    source.set_data("t");
    CHECK(scalar.text() == "s");
  }
  SECTION("and changes nothing when the shapes differ") {
    CHECK_THROWS_AS(scalar.copy_(batch), ValueError);
    CHECK_THROWS_AS(batch.copy_(scalar), ValueError);
    CHECK_THROWS_AS(batch.copy_(Variable(Texts{"c"}, "r", true)), ValueError);
    CHECK_THROWS_AS(scalar.copy_(Variable(Texts{"c"})), ValueError);
    CHECK(scalar.data() == Data(7));
    CHECK(batch.role().empty());
    CHECK_FALSE(batch.requires_grad());
  }
}

TEST_CASE("A Variable's shape and items", "[core][variable]") {
  const Variable batch(Texts{"a", "b"});
  CHECK(batch.is_batch());
  CHECK(batch.size() == 2);
  CHECK(batch[1].data() == Data("b"));
  CHECK_THROWS_AS(batch[2], ValueError);
  CHECK_FALSE(Variable("x").is_batch());
  CHECK(Variable("x").size() == 1);
  CHECK(Variable("x")[0].data() == Data("x"));
  CHECK_THROWS_AS(Variable("x")[1], ValueError);
}

TEST_CASE("Hooks are for Variables that require grad", "[core][variable]") {
  CHECK_THROWS_AS(Variable("x").register_hook([](const Variable& g) { return g; }), StateError);
}

TEST_CASE("A Variable is printed in short", "[core][variable]") {
  const std::string forty(40, 'x');
  const std::string forty_one = std::string(20, 'a') + "!" + std::string(20, 'b');
  std::string umlauts;
  for (int i = 0; i < 41; ++i) umlauts += "\xC3\xBC";

  struct Case {
    Variable variable;
    std::string printed;
  };
  const std::vector<Case> cases{
      {Variable(), R"(variable("", role=, requires_grad=false))"},
      {Variable("hi", "greeting", true), R"(variable("hi", role=greeting, requires_grad=true))"},
      {Variable(-3), "variable(-3, role=, requires_grad=false)"},
      {Variable(0.5), "variable(0.5, role=, requires_grad=false)"},
      {Variable(forty), fmt::format(R"(variable("{}", role=, requires_grad=false))", forty)},
      {Variable(forty_one), R"(variable("aaaaaaaaaaaaaaaaaaaa...bbbbbbbbbbbbbbbbbbbb", role=, requires_grad=false))"},
      {Variable(umlauts.substr(0, 80)), fmt::format(R"(variable("{}", role=, requires_grad=false))", umlauts.substr(0, 80))},
      {Variable(umlauts), fmt::format(R"(variable("{0}...{0}", role=, requires_grad=false))", umlauts.substr(0, 40))},
      {Variable(Texts{}), "variable([], role=, requires_grad=false)"},
      {Variable(Texts{"a"}), R"(variable(["a"], role=, requires_grad=false))"},
      {Variable(std::vector<int>{1, 2, 3, 4, 5, 6}), "variable([1, 2, 3, 4, 5, 6], role=, requires_grad=false)"},
      {Variable(std::vector<int>{1, 2, 3, 4, 5, 6, 7}), "variable([1, 2, 3, ..., 5, 6, 7], role=, requires_grad=false)"},
      {Variable(Texts{forty_one, "b"}),
       R"(variable(["aaaaaaaaaaaaaaaaaaaa...bbbbbbbbbbbbbbbbbbbb", "b"], role=, requires_grad=false))"},
      {Variable("a", "left", true) + Variable("b", "right"), R"(variable("ab", role=left and right, grad_fn=AddBackward))"},
  };
  for (const Case& c : cases) {
    std::ostringstream out;
    out << c.variable;
    CHECK(out.str() == c.printed);
    CHECK(to_string(c.variable) == c.printed);
    CHECK(fmt::format("{}", c.variable) == c.printed);
  }
  CHECK(fmt::format("{:>44}|", Variable(1)) == "     variable(1, role=, requires_grad=false)|");
}

TEST_CASE("A Variable on its way tells its shape; its data waits", "[core][variable]") {
  const auto storage = tgd::detail::Storage::pending_batch(2);
  const Variable variable = tgd::detail::make_variable(storage, tgd::detail::Role("r"));
  CHECK_FALSE(variable.ready());
  CHECK(variable.is_batch());
  CHECK(variable.size() == 2);
  const Variable detached = variable.detach();

  std::thread deliver([&] {
    storage->set_item(1, "b");
    storage->set_item(0, "a");
  });
  CHECK(variable[1].data() == Data("b"));
  variable.wait();
  CHECK(variable.ready());
  CHECK(variable.texts() == Texts{"a", "b"});
  CHECK(detached.texts() == Texts{"a", "b"});
  deliver.join();
}

TEST_CASE("A Variable whose operation failed throws where it is read, and is printed with the error", "[core][variable]") {
  const auto storage = tgd::detail::Storage::pending_scalar();
  const Variable variable = tgd::detail::make_variable(storage, tgd::detail::Role("r"));
  storage->fail_item(0, std::make_exception_ptr(tgd::LMError(tgd::LMError::Kind::status, "overloaded", 503)));
  CHECK(variable.ready());
  CHECK_NOTHROW(variable.wait());
  CHECK_THROWS_AS(variable.data(), tgd::LMError);
  CHECK_THROWS_AS(variable[0].data(), tgd::LMError);
  CHECK(to_string(variable) == "variable(<failed: overloaded>, role=r, requires_grad=false)");
}
