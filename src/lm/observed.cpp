#include <tgd/lm/observed.hpp>

#include <array>
#include <utility>

#include "lm/request_key.hpp"
#include "lm/secrets.hpp"

namespace tgd::lm {

namespace {

using Clock = std::chrono::steady_clock;

struct Ended {
  CallRecord::Ending ending;
  std::string type;
};

std::string type_of(const LMError& error) {
  if (error.status() != 0) return std::to_string(error.status());
  switch (error.kind()) {
    case LMError::Kind::transport:
      return "transport";
    case LMError::Kind::status:
      return "status";
    case LMError::Kind::malformed:
      return "malformed";
    case LMError::Kind::empty:
      return "empty";
    case LMError::Kind::truncated:
      return "truncated";
    case LMError::Kind::filtered:
      return "filtered";
    case LMError::Kind::too_long:
      return "too_long";
    case LMError::Kind::cancelled:
      return "cancelled";
    case LMError::Kind::script:
      return "script";
  }
  return "_OTHER";
}

Ended ended(const Outcome& outcome) {
  if (outcome.ok()) return {CallRecord::Ending::ok, {}};
  try {
    std::rethrow_exception(outcome.error());
  } catch (const LMError& error) {
    const bool cancelled = error.kind() == LMError::Kind::cancelled;
    return {cancelled ? CallRecord::Ending::cancelled : CallRecord::Ending::error, type_of(error)};
  } catch (const BudgetError&) {
    return {CallRecord::Ending::refused, "budget"};
  } catch (...) {
    return {CallRecord::Ending::error, "_OTHER"};
  }
}

void add_reply(CallRecord& record, const Reply& reply, bool with_text) {
  record.response_model = reply.model;
  record.finish_reason = reply.finish_reason;
  record.cached = reply.cached_usage.has_value();
  if (!with_text) return;
  record.replies.push_back(reply.content);
  record.replies.insert(record.replies.end(), reply.alternatives.begin(), reply.alternatives.end());
}

/// Texts come from people, endpoints and errors.
void blank(const detail::Secrets& secrets, CallRecord& record) {
  if (secrets.empty()) return;
  for (std::string* text : {&record.model, &record.response_model, &record.finish_reason}) *text = secrets.blank(*text);
  record.error_message = secrets.blank_quoted(record.error_message);
  for (Message& message : record.messages) message.content = secrets.blank(message.content);
  for (std::string& reply : record.replies) reply = secrets.blank(reply);
  nlohmann::json args = record.args.value();
  secrets.blank_texts(args);
  record.args = std::move(args);
}

void note(Ledger& ledger, CallRecord& record, const detail::Secrets& secrets, Clock::time_point begin, const Outcome& outcome) {
  const Ended end = ended(outcome);
  record.latency = Clock::now() - begin;
  record.ending = end.ending;
  record.error_type = end.type;
  record.error_message = outcome.error_message();
  record.usage = outcome.usage();
  if (outcome.ok()) add_reply(record, outcome.value(), ledger.includes_text());
  if (end.ending == CallRecord::Ending::refused) {
    record.cost = Cost();
  } else {
    record.cost = ledger.count(record.model, outcome);
  }
  blank(secrets, record);
  ledger.add(record);
}

}  // namespace

struct Observed::Keys : detail::RequestKeys {
  explicit Keys(const ChatModel& model)
      : RequestKeys(model.identity()), secrets(std::make_shared<const detail::Secrets>(model.secrets())) {}
  std::shared_ptr<const detail::Secrets> secrets;
};

Observed::Observed(ChatModelPtr model, std::shared_ptr<Ledger> ledger)
    : Decorator(std::move(model)), ledger_(std::move(ledger)) {
  if (!ledger_) throw ValueError("Observed needs a ledger, but it was given none");
  keys_ = std::make_unique<const Keys>(inner());
}

Observed::~Observed() = default;

bool Observed::refuses(const Done& done) const {
  const std::string fault = ledger_->fault();
  if (fault.empty()) return false;
  done(StateError("the call was not sent, because " + fault + ". Make room, or let the ledger go on (OnFault::go_on)"));
  return true;
}

ChatModel::Done Observed::noting(const Request& request, bool streamed, Done done) const {
  auto record = std::make_shared<CallRecord>();
  record->time = std::chrono::system_clock::now();
  record->info = request.info;
  record->provider = provider();
  record->model = detail::requested_model(inner(), request);
  record->args = request.args;
  record->sample = request.sample;
  record->request_hash = keys_->key(request);
  record->streamed = streamed;
  if (ledger_->includes_text()) record->messages = request.messages;
  return [ledger = ledger_, record = std::move(record), secrets = detail::with_secrets_of(request.options, keys_->secrets),
          begin = Clock::now(), done = std::move(done)](Outcome outcome) {
    try {
      note(*ledger, *record, *secrets, begin, outcome);
    } catch (...) {
      // on_call broke its promise not to throw; whoever waits for the call hears of it.
      outcome = Outcome(std::current_exception(), outcome.usage());
    }
    done(std::move(outcome));
  };
}

void Observed::start(Request request, Done done) {
  if (refuses(done)) return;
  Done noted = noting(request, false, std::move(done));
  inner().start(std::move(request), std::move(noted));
}

void Observed::start_stream(Request request, OnText on_text, Done done) {
  if (refuses(done)) return;
  Done noted = noting(request, true, std::move(done));
  inner().start_stream(std::move(request), std::move(on_text), std::move(noted));
}

}  // namespace tgd::lm
