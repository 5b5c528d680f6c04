// What holds for all exchanges.
#include <string>
#include <vector>

#include "catch.hpp"
#include "lm/wrap/cassette.hpp"
#include "support/properties.hpp"

using tgd::LMError;
using tgd::lm::Message;
using tgd::lm::Outcome;
using tgd::lm::Reply;
using tgd::lm::Usage;
using tgd::lm::detail::Exchange;
using tgd::lm::detail::parse_cassette;
using tgd::lm::detail::print_cassette;
using tgd::lm::detail::print_exchange;
using tgd::test::any_text;
using tgd::test::holds;

namespace {

Outcome any_outcome() {
  const Usage usage{.calls = 1, .attempts = *rc::gen::inRange<std::int64_t>(0, 9)};
  if (*rc::gen::inRange(0, 4) == 0) return {LMError(LMError::Kind::status, *any_text(), 429, true), usage};
  return Reply{.content = *any_text(), .finish_reason = "stop", .usage = usage, .alternatives = *tgd::test::any_texts()};
}

Exchange any_exchange() {
  Exchange exchange;
  exchange.question.model = *any_text();
  exchange.question.sample = *rc::gen::inRange<std::uint64_t>(0, 3);
  exchange.question.args = {{"stop", *any_text()}};
  for (const std::string& content : *tgd::test::any_texts()) exchange.question.messages.push_back({*any_text(), content});
  for (std::size_t i = *rc::gen::inRange<std::size_t>(0, 3); i > 0; --i)
    exchange.replies.emplace(exchange.replies.size(), any_outcome());
  return exchange;
}

}  // namespace

TEST_CASE("A cassette is read as it was written", "[lm][cassette][properties]") {
  CHECK(holds("whatever was asked and answered", [] {
    const Exchange exchange = any_exchange();
    const std::vector<Exchange> read = parse_cassette(print_cassette({exchange}));
    RC_ASSERT(read.size() == 1U);
    RC_ASSERT((read[0].question == exchange.question));
    RC_ASSERT(read[0].replies.size() == exchange.replies.size());
    for (const auto& [number, outcome] : exchange.replies) {
      const Outcome& again = read[0].replies.at(number);
      RC_ASSERT(again.ok() == outcome.ok());
      RC_ASSERT((again.usage() == outcome.usage()));
      if (!outcome.ok()) continue;
      RC_ASSERT(again.value().content == outcome.value().content);
      RC_ASSERT(again.value().alternatives == outcome.value().alternatives);
    }
    RC_ASSERT(print_cassette(read) == print_cassette({exchange}));
  }));
  CHECK(holds("what was cut off is passed over, and no more", [] {
    const std::string whole = print_cassette({any_exchange()});
    const std::string last = print_exchange(any_exchange());
    const std::size_t cut = *rc::gen::inRange<std::size_t>(0, last.size() - 2);
    RC_ASSERT(parse_cassette(whole + last.substr(0, cut)).size() == 1U);
  }));
}
