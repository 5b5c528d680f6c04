#include "lm/call_secrets.hpp"

#include <exception>
#include <string>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::lm::detail {

std::shared_ptr<const net::Secrets> with_secrets_of(const Request& request, const std::shared_ptr<const net::Secrets>& base) {
  net::Secrets own;  // nearly always none
  own.add_named(request.options.headers);
  own.add_named(request.options.query);
  own.add_named_members(request.args.value());
  if (own.empty()) return base;
  auto all = std::make_shared<net::Secrets>(*base);
  for (const std::string& value : own.values()) all->add(value);
  return all;
}

Outcome blanked(const net::Secrets& secrets, Outcome outcome) {
  if (secrets.empty()) return outcome;
  if (outcome.ok()) {
    Reply reply = std::move(outcome).value();
    for (std::string* text : {&reply.content, &reply.reasoning, &reply.finish_reason, &reply.model})
      *text = secrets.blank(*text);
    for (std::string& text : reply.alternatives) text = secrets.blank(text);
    Outcome result(std::move(reply));
    result.set_receipt(outcome.receipt());
    return result;
  }
  try {
    std::rethrow_exception(outcome.error());
  } catch (const LMError& error) {
    const std::string message = secrets.blank_quoted(error.what());
    return outcome.failed(
        std::make_exception_ptr(LMError(error.kind(), message, error.status(), error.retryable(), error.retry_after())));
  } catch (...) {
    return outcome;
  }
}

}  // namespace tgd::lm::detail
