// What holds for all states of a module.
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/cognitive/module.hpp>

#include "catch.hpp"
#include "support/properties.hpp"

using tgd::Data;
using tgd::Json;
using tgd::test::any_text;
using tgd::test::holds;

namespace {

struct Agent : tgd::Module {
  explicit Agent(const std::vector<Data>& values, const std::string& role) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string name = "p" + std::to_string(i);
      i % 2 == 0 ? static_cast<void>(register_parameter(name, {values[i], role}))
                 : static_cast<void>(register_buffer(name, {values[i], role}));
    }
  }
};

Data any_data() {
  const auto size = *rc::gen::inRange<std::size_t>(1, 4);
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      return *rc::gen::container<std::vector<std::string>>(size, any_text());
    case 1:
      return *rc::gen::arbitrary<std::int64_t>();
    case 2:
      return *rc::gen::container<std::vector<std::int64_t>>(size, rc::gen::arbitrary<std::int64_t>());
    case 3:
      return *rc::gen::container<std::vector<double>>(size, rc::gen::arbitrary<double>());
    default:
      return *any_text();
  }
}

}  // namespace

TEST_CASE("A module's state that went through its text is the same state", "[module][properties]") {
  CHECK(holds("whatever the values are", [] {
    std::vector<Data> values(*rc::gen::inRange<std::size_t>(0, 5));
    for (Data& value : values) value = any_data();
    const Agent agent(values, *any_text());
    Agent other(values, "another role");
    other.load_state_dict(Json::parse(agent.state_dict().dump(*rc::gen::element(-1, 2))));
    RC_ASSERT((other.state_dict() == agent.state_dict()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto& name = "p" + std::to_string(i);
      RC_ASSERT((Data::from_json(Json(agent.state_dict().value()[name]["data"])) == values[i]));
    }
  }));
}
