#include "optim/reply/extract.hpp"

#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using tgd::Prompts;
using tgd::optim::UnusableReply;
using tgd::optim::detail::EchoGuard;
using tgd::optim::detail::FixedPart;
using tgd::optim::detail::read_value;

namespace {

/// What a request with every section is made of.
EchoGuard whole_prompt(const std::string& old_value) {
  const auto fixed = std::make_shared<FixedPart>();
  const Prompts prompts;
  for (const std::string_view name : Prompts::names()) {
    if (name.starts_with("tgd_")) fixed->add(prompts.get(name));
  }
  EchoGuard instructions(fixed);
  instructions.add_tag("IMPROVED_VALUE");
  instructions.add_mentions("Reply with <IMPROVED_VALUE> your text here </IMPROVED_VALUE>.", "IMPROVED_VALUE");
  instructions.allow(old_value);
  return instructions;
}

}  // namespace

TEST_CASE("A reply is a value or a reason why it is none", "[optim][reply]") {
  const nlohmann::json table = tgd::test::table("optim/replies.json");
  REQUIRE(table.size() >= 155);
  for (const nlohmann::json& c : table) {
    CAPTURE(c.at("name").get<std::string>(), c.at("reply").get<std::string>());
    const tgd::lm::Reply reply{.content = c.at("reply"), .finish_reason = c.value("finish_reason", "stop")};
    const std::string old_value = c.value("old", "old value");
    const auto read = read_value(reply, {"IMPROVED_VALUE", {}, old_value, whole_prompt(old_value), Prompts()});
    if (c.contains("value")) {
      if (const auto* unusable = std::get_if<UnusableReply>(&read)) FAIL_CHECK(unusable->reason);
      if (const auto* value = std::get_if<std::string>(&read)) CHECK(*value == c.at("value").get<std::string>());
    } else {
      REQUIRE(std::holds_alternative<UnusableReply>(read));
      CHECK(to_string(std::get<UnusableReply>(read).problem) == c.at("problem").get<std::string>());
      CHECK_FALSE(std::get<UnusableReply>(read).reason.empty());
    }
  }
}

TEST_CASE("A reply that is no UTF-8 is no text", "[optim][reply]") {
  const tgd::lm::Reply reply{.content = "<IMPROVED_VALUE>n\xFFw</IMPROVED_VALUE>"};
  const auto read = read_value(reply, {"IMPROVED_VALUE", {}, "old", EchoGuard(std::make_shared<FixedPart>()), Prompts()});
  REQUIRE(std::holds_alternative<UnusableReply>(read));
  CHECK(std::get<UnusableReply>(read).problem == UnusableReply::Problem::unreadable);
}

TEST_CASE("Of several values in one reply each is read from its own tags", "[optim][reply]") {
  const std::vector<std::string> tags{"A_1", "A_2", "A_3"};
  const auto read = [&](std::size_t index, const std::string& content, const std::string& finish_reason = "stop") {
    EchoGuard instructions(std::make_shared<FixedPart>());
    for (const std::string& tag : tags) instructions.add_tag(tag);
    std::vector<std::string> others = tags;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(index));
    const auto result =
        read_value({.content = content, .finish_reason = finish_reason}, {tags[index], others, "old", instructions, Prompts()});
    const auto* value = std::get_if<std::string>(&result);
    return value != nullptr ? *value : std::string(to_string(std::get<UnusableReply>(result).problem));
  };
  const std::string all = "<A_2>two</A_2>\n<A_1>one</A_1>\nand\n<A_3>three</A_3>";
  CHECK(read(0, all) == "one");
  CHECK(read(1, all) == "two");
  CHECK(read(2, all) == "three");
  CHECK(read(0, "<A_1>a</A_1><A_1>b</A_1><A_2>two</A_2>") == "b");
  CHECK(read(0, "<A_1>a</A_1> goes between <A_1> and </A_1> <A_2>two</A_2>\nDone.") == "a");
  CHECK(read(0, "<A_1>a</A_1><A_1>b</A_1><A_2>two</A_2>\nDone.") == "several_values");
  CHECK(read(0, "<A_1>a <A_2>two</A_2></A_1>") == "leaked_tag");
  CHECK(read(0, "<A_1>one</A_1><A_2>tw", "length") == "one");
  CHECK(read(1, "<A_1>one</A_1><A_2>tw", "length") == "cut_off");
  CHECK(read(2, "<A_1>one</A_1><A_2>tw", "length") == "cut_off");
}

TEST_CASE("Tags that are repeated many times are read in linear time", "[optim][reply]") {
  const std::size_t many = 200'000;
  const auto repeated = [&](const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < many; ++i) all += text;
    return all;
  };
  EchoGuard instructions(std::make_shared<FixedPart>());
  instructions.add_tag("V");
  const std::vector<std::string> others{"W"};
  const auto read = [&](const std::string& content, std::string_view old_value = "old") {
    const auto result = read_value({.content = content}, {"V", others, old_value, instructions, Prompts()});
    const auto* value = std::get_if<std::string>(&result);
    return value != nullptr ? *value : std::string(to_string(std::get<UnusableReply>(result).problem));
  };
  CHECK(read(repeated("<V>")) == "no_closing_tag");
  CHECK(read(repeated("</V>")) == "no_opening_tag");
  CHECK(read(repeated("<V>x</V>")) == "x");
  CHECK(read(repeated("between <V> x </V> ") + "<V>new</V>") == "new");
  CHECK(read(repeated("<V>") + repeated("</V>")) == "leaked_tag");
  CHECK(read("<V>new</V>" + repeated("<W>x</W>")) == "new");
  instructions.allow(repeated("x") + "<V>");
  CHECK(read("<V>a</V>" + repeated("</V>")) == "leaked_tag");
}
