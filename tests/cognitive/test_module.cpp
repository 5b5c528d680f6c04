#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/autograd.hpp>
#include <tgd/cognitive/module.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/damage.hpp"

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
using tgd::Module;
using tgd::NamedVariables;
using tgd::Parameter;
using tgd::ValueError;
using tgd::Variable;
using Names = std::vector<std::string>;

namespace {

struct Classifier : Module {
  Parameter prompt = register_parameter("prompt", {"Name the category.", "classifier prompt"});
  Variable classes = register_buffer("classes", {std::vector<std::string>{"billing", "technical"}, "classes"});
};

struct Agent : Module {
  Parameter system = register_parameter("system", {"Be brief.\nBe kind.", "system prompt"});
  Parameter user = register_parameter("user", {"{ticket}", "user prompt", false});
  Variable calls = register_buffer("calls", {0, "number of calls"}, false);
  Classifier classifier;
  Classifier& reviewer = emplace_module<Classifier>("reviewer");

  Agent() { register_module("classifier", classifier); }
};

/// Two names for one child.
struct Pair : Module {
  std::shared_ptr<Classifier> first = register_module("first", std::make_shared<Classifier>());
  std::shared_ptr<Classifier> second = register_module("second", first);
};

template <class T>
struct Holder : Module {};

template <class Named>
Names names(const Named& named) {
  Names names;
  for (const auto& item : named) names.push_back(item.first);
  return names;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<Agent> && !std::is_move_constructible_v<Agent>);
static_assert(std::is_convertible_v<Parameter, Variable>);

namespace {

// Names that a user may have, too.
struct Child {
  std::string name = "Mia";
};
struct Entry {
  std::string topic = "family";
};
std::string print(const Child& child) { return child.name; }

struct Family : Module {
  Parameter prompt = register_parameter("prompt", {"Answer.", "prompt"});
  Child child;
  Entry entry;
  std::string shown() const { return print(child) + ", " + entry.topic; }
};

}  // namespace

TEST_CASE("A module hides no name of the classes that derive from it", "[cognitive][module]") {
  const Family family;
  CHECK(family.shown() == "Mia, family");
  CHECK(family.parameters().size() == 1);
}

TEST_CASE("A Parameter is a Variable that requires grad", "[module]") {
  const Parameter parameter("text", "role");
  CHECK(parameter.requires_grad());
  CHECK(parameter.is_leaf());
  CHECK(parameter.role() == "role");
  CHECK_FALSE(Parameter("text", "role", false).requires_grad());
  CHECK(fmt::format("{}", parameter) == to_string(static_cast<const Variable&>(parameter)));

  Module module;
  CHECK(module.register_parameter("short", "just a text").requires_grad());
}

TEST_CASE("A module lists its parameters in order of registration, children last", "[module]") {
  Agent agent;
  CHECK(names(agent.named_parameters()) == Names{"system", "user", "reviewer.prompt", "classifier.prompt"});
  CHECK(names(agent.named_buffers()) == Names{"calls", "reviewer.classes", "classifier.classes"});
  REQUIRE(agent.parameters().size() == 4);
  CHECK(is_same(agent.parameters()[0], agent.system));
  CHECK(is_same(agent.parameters()[3], agent.classifier.prompt));
  CHECK(is_same(agent.buffers()[0], agent.calls));
  CHECK(names(agent.named_children()) == Names{"reviewer", "classifier"});
  CHECK(agent.children() == std::vector<Module*>{&agent.reviewer, &agent.classifier});
  CHECK(names(agent.named_modules()) == Names{"", "reviewer", "classifier"});
  CHECK(agent.modules()[0] == &agent);
  CHECK(Module().parameters().empty());
}

TEST_CASE("What is shared appears once, under its first name", "[module]") {
  Pair pair;
  CHECK(names(pair.named_parameters()) == Names{"first.prompt"});
  CHECK(names(pair.named_modules()) == Names{"", "first"});
  CHECK(names(pair.named_children()) == Names{"first", "second"});
  CHECK(pair.state_dict().value().size() == 2);
  int calls = 0;
  pair.apply([&](Module&) { ++calls; });
  CHECK(calls == 2);

  Module tied;
  const Parameter prompt = tied.register_parameter("prompt", "text");
  tied.register_parameter("same_prompt", prompt);
  CHECK(names(tied.named_parameters()) == Names{"prompt"});
}

TEST_CASE("Names have to be usable and free", "[module]") {
  Module module;
  module.register_parameter("prompt", "text");
  module.register_buffer("buffer", "text");
  module.emplace_module<Module>("child");

  for (const char* taken : {"prompt", "buffer", "child"}) {
    CAPTURE(taken);
    CHECK_THROWS_WITH(module.register_parameter(taken, "text"), ContainsSubstring(taken) && ContainsSubstring("is taken"));
    CHECK_THROWS_AS(module.register_buffer(taken, "text"), ValueError);
    CHECK_THROWS_AS(module.emplace_module<Module>(taken), ValueError);
  }
  CHECK_THROWS_WITH(module.register_parameter("", "text"), ContainsSubstring("is empty"));
  CHECK_THROWS_WITH(module.register_buffer("a.b", "text"), ContainsSubstring("dot"));
  CHECK_THROWS_AS(module.emplace_module<Module>("a.b"), ValueError);
  CHECK(names(module.named_parameters()) == Names{"prompt"});
}

TEST_CASE("A child cannot be null or contain its parent", "[module]") {
  Module root;
  Module& child = root.emplace_module<Module>("child");
  CHECK_THROWS_WITH(root.register_module("self", root), ContainsSubstring("contains its own parent"));
  CHECK_THROWS_AS(child.register_module("parent", root), ValueError);
  CHECK_THROWS_WITH(root.register_module("null", std::shared_ptr<Module>()), ContainsSubstring("null pointer"));
}

TEST_CASE("train and eval reach every module", "[module]") {
  Agent agent;
  CHECK(agent.is_training());
  CHECK(&agent.eval() == &agent);
  for (const Module* module : agent.modules()) CHECK_FALSE(module->is_training());
  agent.train();
  for (const Module* module : agent.modules()) CHECK(module->is_training());
}

TEST_CASE("requires_grad_ and clear_grad reach every parameter and no buffer", "[module]") {
  Agent agent;
  agent.requires_grad_(false);
  for (const Variable& parameter : agent.parameters()) CHECK_FALSE(parameter.requires_grad());
  agent.requires_grad_();
  for (const Variable& parameter : agent.parameters()) CHECK(parameter.requires_grad());
  for (const Variable& buffer : agent.buffers()) CHECK_FALSE(buffer.requires_grad());

  agent.system.append_grad("clearer");
  agent.reviewer.prompt.append_grad("shorter");
  agent.clear_grad();
  for (const Variable& parameter : agent.parameters()) CHECK(parameter.grad().empty());
}

TEST_CASE("apply visits children before their parents", "[module]") {
  Agent agent;
  std::vector<Module*> visited;
  CHECK(&agent.apply([&](Module& module) { visited.push_back(&module); }) == &agent);
  CHECK(visited == std::vector<Module*>{&agent.reviewer, &agent.classifier, &agent});
}

TEST_CASE("The state of a module goes through JSON", "[module]") {
  Agent trained;
  trained.system.set_data("Be precise.");
  trained.classifier.classes.set_data(std::vector<std::string>{"x", "y"});
  trained.classifier.prompt.set_role("better role");
  const tgd::Json state = tgd::Json::parse(trained.state_dict().dump());
  CHECK(tgd::Json(state.value()["system"]) ==
        tgd::Json{{"data", "Be precise."}, {"role", "system prompt"}, {"requires_grad", true}});
  CHECK_FALSE(state.contains("calls"));

  Agent agent;
  agent.classifier.prompt.set_requires_grad(false);
  agent.system.append_grad("kept");
  const tgd::StateDifference difference = agent.load_state_dict(state);
  CHECK(difference.missing.empty());
  CHECK(difference.unexpected.empty());
  CHECK(agent.system.text() == "Be precise.");
  CHECK(agent.classifier.classes.texts() == std::vector<std::string>{"x", "y"});
  CHECK(agent.classifier.prompt.role() == "better role");
  CHECK_FALSE(agent.classifier.prompt.requires_grad());
  CHECK(agent.system.grad().size() == 1);
  CHECK(is_same(agent.parameters()[0], agent.system));
}

TEST_CASE("A state that does not fit is refused as a whole", "[module]") {
  Agent agent;
  const tgd::Json before = agent.state_dict();
  json state = before.value();
  state["system"]["data"] = "new text";
  const auto problems = [&](bool strict = true) -> std::string {
    try {
      agent.load_state_dict(tgd::Json(state), strict);
      return "";
    } catch (const ValueError& error) {
      CHECK(agent.state_dict() == before);
      return error.what();
    }
  };

  SECTION("with all problems in one error: missing, unexpected, mismatched") {
    state.erase("user");
    state["users"] = state["system"];
    state["classifier.prompt"]["data"] = {"a", "list"};
    state["reviewer.classes"]["data"] = {"only one"};
    CHECK(problems() ==
          "the state does not fit Agent; nothing was changed\n"
          "  missing: \"user\"\n"
          "  unexpected: \"users\" (the module has \"user\")\n"
          "  mismatched: \"reviewer.classes\": the module holds a list of 2 texts, the state a list of 1 text, "
          "\"classifier.prompt\": the module holds text, the state a list of 2 texts");
  }
  SECTION("when not strict, only for what is mismatched") {
    state.erase("user");
    state["other"] = state["system"];
    state["classifier.prompt"]["data"] = 5;
    const std::string text = problems(false);
    CHECK_THAT(text, ContainsSubstring("mismatched: \"classifier.prompt\"") && ContainsSubstring("integer"));
    CHECK_THAT(text, !ContainsSubstring("missing") && !ContainsSubstring("unexpected"));
  }
  SECTION("for entries of another form") {
    const json entry = GENERATE(json("text"), json::object(), json{{"data", "x"}}, json{{"data", "x"}, {"role", 1}},
                                json{{"data", nullptr}, {"role", "r"}}, json{{"data", {1, "x"}}, {"role", "r"}});
    CAPTURE(entry);
    state["user"] = entry;
    CHECK_THAT(problems(), ContainsSubstring("mismatched: \"user\": "));
  }
  SECTION("for a state that is no object") {
    CHECK_THROWS_WITH(agent.load_state_dict(tgd::Json::parse("[1]")),
                      ContainsSubstring("JSON object") && ContainsSubstring("array"));
  }
}

TEST_CASE("A state that is not strict reports what differs", "[module]") {
  Agent agent;
  const auto difference = agent.load_state_dict(
      tgd::Json(json{{"system", {{"data", "new"}, {"role", "r"}}}, {"other", {{"data", ""}, {"role", ""}}}}), false);
  CHECK(agent.system.text() == "new");
  CHECK(difference.missing == Names{"user", "reviewer.prompt", "reviewer.classes", "classifier.prompt", "classifier.classes"});
  CHECK(difference.unexpected == Names{"other"});
}

TEST_CASE("A module prints as an indented tree", "[module]") {
  const Agent agent;
  const std::string expected = fmt::format(
      "Agent(\n"
      "  (system): {}\n"
      "  (user): {}\n"
      "  (calls): {}\n"
      "  (reviewer): Classifier(\n"
      "    (prompt): {}\n"
      "    (classes): {}\n"
      "  )\n"
      "  (classifier): Classifier(\n"
      "    (prompt): {}\n"
      "    (classes): {}\n"
      "  )\n"
      ")",
      agent.system, agent.user, agent.calls, agent.reviewer.prompt, agent.reviewer.classes, agent.classifier.prompt,
      agent.classifier.classes);
  CHECK(to_string(agent) == expected);
  std::ostringstream out;
  out << agent;
  CHECK(out.str() == expected);
  CHECK(to_string(Module()) == "Module()");
  CHECK_THAT(to_string(Holder<tgd::Parameter>()), Catch::Matchers::StartsWith("Holder<"));
}

TEST_CASE("A damaged state of a module is refused as a whole, or is read as what it says", "[module][damage]") {
  Agent agent;
  const tgd::Json before = agent.state_dict();
  tgd::test::check_damages(tgd::test::damaged_values(before.dump()), "", [&](const std::string& content) {
    agent.load_state_dict(tgd::Json::parse(content));
    agent.load_state_dict(agent.state_dict());
    agent.load_state_dict(before);
  });
  CHECK(agent.state_dict() == before);
}
