#include <tgd/lm/observed.hpp>

#include <array>
#include <utility>

#include "core/enum_names.hpp"
#include "lm/error_kinds.hpp"
#include "lm/wrap/call_note.hpp"
#include "net/secrets.hpp"

namespace tgd::lm {

namespace {

using Clock = std::chrono::steady_clock;

struct Ended {
  CallRecord::Status ending;
  std::string type;
};

std::string type_of(const LMError& error) {
  if (error.status() != 0) return std::to_string(error.status());
  const char* name = tgd::detail::name_in(detail::error_kinds, error.kind());
  return name != nullptr ? name : "_OTHER";
}

Ended ended(const Outcome& outcome) {
  if (outcome.ok()) return {CallRecord::Status::ok, {}};
  try {
    std::rethrow_exception(outcome.error());
  } catch (const LMError& error) {
    const bool cancelled = error.kind() == LMError::Kind::cancelled;
    return {cancelled ? CallRecord::Status::cancelled : CallRecord::Status::error, type_of(error)};
  } catch (const BudgetError&) {
    return {CallRecord::Status::refused, "budget"};
  } catch (...) {
    return {CallRecord::Status::error, "_OTHER"};
  }
}

void add_reply(CallRecord& record, const Reply& reply, bool with_text) {
  record.response_model = reply.model;
  record.finish_reason = reply.finish_reason;
  if (!with_text) return;
  record.replies.push_back(reply.content);
  record.replies.insert(record.replies.end(), reply.alternatives.begin(), reply.alternatives.end());
}

/// Texts come from people, endpoints and errors.
void blank(const net::Secrets& secrets, CallRecord& record) {
  if (secrets.empty()) return;
  for (std::string* text : {&record.model, &record.response_model, &record.finish_reason}) *text = secrets.blank(*text);
  record.error_message = secrets.blank_quoted(record.error_message);
  for (Message& message : record.messages) message.content = secrets.blank(message.content);
  for (std::string& reply : record.replies) reply = secrets.blank(reply);
  nlohmann::ordered_json args = record.args.value();
  secrets.blank_texts(args);
  record.args = std::move(args);
}

}  // namespace

namespace detail {

CallNote::CallNote(const Call& call, std::string provider, bool is_streamed, bool with_text)
    : secrets_(call.secrets()), with_text_(with_text) {
  const Request& request = call.request();
  record_.time = std::chrono::system_clock::now();
  record_.info = request.info;
  record_.provider = std::move(provider);
  record_.model = call.model();
  record_.args = request.args;
  record_.sample = request.sample;
  record_.request_hash = call.digest();
  record_.streamed = is_streamed;
  if (with_text) record_.messages = request.messages;
}

CallRecord CallNote::end(const Outcome& outcome) const {
  CallRecord record = record_;
  const Ended end = ended(outcome);
  record.ending = end.ending;
  record.error_type = end.type;
  record.error_message = outcome.error_message();
  record.receipt = outcome.receipt();
  record.receipt.seconds = Clock::now() - began_;
  if (outcome.ok()) add_reply(record, outcome.value(), with_text_);
  blank(*secrets_, record);
  return record;
}

}  // namespace detail

Observed::Observed(ChatModelPtr model, std::shared_ptr<Ledger> ledger)
    : CallDecorator(std::move(model)), ledger_(std::move(ledger)) {
  if (!ledger_) throw ValueError("Observed needs a ledger, but it was given none");
}

void Observed::start_call(Call call, OnText on_text, Done done) {
  if (const std::string fault = ledger_->fault(); !fault.empty()) {
    const std::string advice = ". Make room, or let the ledger go on (OnFault::go_on)";
    return done(Outcome::refused(std::make_exception_ptr(StateError("the call was not sent, because " + fault + advice))));
  }
  const bool is_streamed = static_cast<bool>(on_text);
  const auto note = std::make_shared<const detail::CallNote>(call, provider(), is_streamed, ledger_->includes_text());
  auto noted = [ledger = ledger_, note, model = call.model(), done = std::move(done)](Outcome outcome) {
    try {
      ledger->count(model, outcome);
      ledger->add(note->end(outcome));
    } catch (...) {
      // on_call broke its promise not to throw; whoever waits for the call hears of it.
      outcome = outcome.failed(std::current_exception());
    }
    done(std::move(outcome));
  };
  inner().start_call(std::move(call), std::move(on_text), std::move(noted));
}

}  // namespace tgd::lm
