#include "optim/reply.hpp"

#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using tgd::optim::detail::read_value;
using tgd::optim::detail::Unusable;

TEST_CASE("A reply is a value or a reason why it is none", "[optim][reply]") {
  const nlohmann::json table = tgd::test::table("optim/replies.json");
  REQUIRE(table.size() >= 40);
  for (const nlohmann::json& c : table) {
    CAPTURE(c.at("name").get<std::string>(), c.at("reply").get<std::string>());
    const tgd::lm::Reply reply{.content = c.at("reply"), .finish_reason = c.value("finish_reason", "stop")};
    const auto read = read_value(reply, c.value("old", "old value"));
    if (c.contains("value")) {
      REQUIRE(std::holds_alternative<std::string>(read));
      CHECK(std::get<std::string>(read) == c.at("value").get<std::string>());
    } else {
      REQUIRE(std::holds_alternative<Unusable>(read));
      CHECK(std::get<Unusable>(read).reason == c.at("reason").get<std::string>());
    }
  }
}
