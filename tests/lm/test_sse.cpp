// Server-sent events, in pieces of every size.
#include "net/sse.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "support/table.hpp"

using nlohmann::json;
using tgd::net::SseEvent;
using tgd::net::SseParser;

namespace {

json as_json(const std::vector<SseEvent>& events) {
  json list = json::array();
  for (const SseEvent& event : events) list.push_back({event.name, event.data, event.id});
  return list;
}

// In pieces of `size` bytes, each in memory of its own, so that the sanitizer sees any read beyond its end.
json parsed(const std::string& text, std::size_t size) {
  SseParser parser;
  std::vector<SseEvent> events;
  const auto keep = [&](const SseEvent& event) { events.push_back(event); };
  for (std::size_t at = 0; at < text.size(); at += size) {
    const std::string piece = text.substr(at, size);
    const std::vector<char> exact(piece.begin(), piece.end());
    parser.feed({exact.data(), exact.size()}, keep);
  }
  parser.finish(keep);
  return as_json(events);
}

}  // namespace

TEST_CASE("Events are read as sse.json says, whatever the borders of the pieces", "[lm][sse]") {
  for (const json& row : tgd::test::table("lm/sse.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const std::string text = row.at("text");
      for (std::size_t size = 1; size <= text.size() + 1; ++size) {
        CAPTURE(size);
        REQUIRE(parsed(text, size) == row.at("events"));
      }
    }
  }
}

TEST_CASE("An event is given out as soon as its blank line is there", "[lm][sse]") {
  SseParser parser;
  int events = 0;
  const auto count = [&](const SseEvent&) { ++events; };
  parser.feed("data: a\n", count);
  CHECK(events == 0);
  parser.feed("\n", count);
  CHECK(events == 1);
  parser.feed("data: b\r\n\r", count);
  CHECK(events == 2);
  parser.feed("\n", count);
  parser.finish(count);
  CHECK(events == 2);
}
