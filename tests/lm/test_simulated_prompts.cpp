// What the simulated model understands of prompts: a table of prompts with the replies that they have to lead to.
#include <string>

#include <tgd/lm/simulated.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using namespace tgd;

namespace {

std::string reply(const lm::Simulated& model, const std::string& prompt, const std::string& message) {
  return model.reply_to({.messages = {{"system", prompt}, {"user", message}}, .args = {}});
}

}  // namespace

TEST_CASE("Simulated follows the rules of a prompt in many wordings", "[lm][simulated][concurrent]") {
  const nlohmann::json table = test::table("lm/simulated_prompts.json");
  REQUIRE(table.size() >= 40);
  for (const nlohmann::json& entry : table) {
    for (const auto& [message, expected] : entry["replies"].items()) {
      CAPTURE(entry["about"].get<std::string>(), message);
      // No guess and no slip may be behind a right answer: it is the same for every seed.
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const lm::Simulated model({.seed = seed, .slip_rate = 0.0});
        CHECK(reply(model, entry["prompt"], message) == expected.get<std::string>());
      }
    }
  }
}
