// What endpoints say of errors and of the ends of replies. The cases are in endpoint_errors.json and reply_ends.json.
#include "lm/openai/errors.hpp"

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "lm/openai/reply_end.hpp"
#include "support/table.hpp"

using nlohmann::json;
using std::chrono::milliseconds;
using tgd::lm::ReplyEnd;
using tgd::lm::detail::end_named;
using tgd::lm::detail::EndpointError;
using tgd::lm::detail::read_endpoint_error;
using Cause = EndpointError::Cause;

TEST_CASE("What an endpoint says went wrong is read as endpoint_errors.json says", "[lm][endpoint_error]") {
  const std::map<std::string, Cause> causes = {{"other", Cause::other},       {"overload", Cause::overload},
                                               {"quota", Cause::quota},       {"too_long", Cause::too_long},
                                               {"filtered", Cause::filtered}, {"roles", Cause::roles}};
  for (const json& row : tgd::test::table("lm/endpoint_errors.json")) {
    DYNAMIC_SECTION(row.at("name").get<std::string>()) {
      const json& body = row.at("body");
      const int status = row.at("status");
      const EndpointError error = read_endpoint_error(status, body.is_string() ? body.get<std::string>() : body.dump());
      if (row.contains("message")) CHECK(error.message == row["message"].get<std::string>());
      CHECK(error.cause == causes.at(row.at("cause")));
      CHECK(error.may_pass == row.at("may_pass").get<bool>());
      CHECK(error.status == row.value("names_status", status));
      if (row.contains("window")) CHECK(error.window == row["window"].get<std::int64_t>());
      if (row.contains("asked")) CHECK(error.asked == row["asked"].get<std::int64_t>());
      CHECK(error.wait.has_value() == row.contains("wait_ms"));
      if (error.wait && row.contains("wait_ms")) CHECK(*error.wait == milliseconds(row["wait_ms"].get<std::int64_t>()));
    }
  }
}

TEST_CASE("Each vendor's word for the end of a reply means one of five things", "[lm][reply_end]") {
  const std::map<std::string, ReplyEnd> ends = {{"whole", ReplyEnd::whole},
                                                {"cut", ReplyEnd::cut},
                                                {"filtered", ReplyEnd::filtered},
                                                {"failed", ReplyEnd::failed},
                                                {"tool", ReplyEnd::tool}};
  const json table = tgd::test::table("lm/reply_ends.json");
  for (const auto& [name, words] : table.items()) {
    for (const std::string word : words) {
      CAPTURE(name, word);
      for (const bool has_text : {false, true}) {
        const auto ending = end_named(word, has_text);
        CHECK(ending.is_known == (name != "unknown"));
        // An unknown word ends a reply well only where there is text.
        CHECK(ending.end == (ending.is_known ? ends.at(name) : has_text ? ReplyEnd::whole : ReplyEnd::failed));
      }
    }
  }
}
