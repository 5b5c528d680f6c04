// What an endpoint says went wrong: one reader for the bodies of statuses, errors inside a 2xx, events of a stream and the pages
// of proxies, in every form that servers, gateways and routers are known to use.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tgd::lm::detail {

struct EndpointError {
  enum class Cause {
    other,
    overload,  ///< too much is asked of it just now
    quota,     ///< nothing is left, and waiting does not bring it back: money, a limit of use, a request over a minute's limit
    too_long,  ///< the request does not fit the model's window
    filtered,  ///< a filter took offence at the request or its answer
    roles      ///< the model takes no system messages, or its roles have to alternate
  };

  std::string message = {};  ///< the inner reason, not a gateway's phrase around it; whole, and unquoted
  int status = 0;            ///< of HTTP, or the one that the body names where HTTP had none; 0 where neither does
  Cause cause = Cause::other;
  bool may_pass = false;                               ///< the same request could succeed later
  std::optional<std::chrono::milliseconds> wait = {};  ///< as the body names it
  std::int64_t window = 0;  ///< tokens that the model takes, where it is told of a request that is too long; 0 where not
  std::int64_t asked = 0;   ///< tokens that this request has, likewise
};

/// `status`: of HTTP; 0, or a 2xx, for an error inside an answer that was none by its status. `is_wait_named`: in a header.
EndpointError read_endpoint_error(int status, std::string_view body, bool is_wait_named = false);
/// The same of a body that was parsed.
EndpointError endpoint_error_in(int status, const nlohmann::json& json, bool is_wait_named = false);

/// Whether an answer that is no completion has a member that explains it.
bool says_what_is_wrong(const nlohmann::json& json);

/// Whether JSON that came as an answer says that something went wrong.
bool names_an_error(const nlohmann::json& json);

/// The text of a page as a reader sees it, on one line.
std::string visible_text(std::string_view html);

}  // namespace tgd::lm::detail
