#include "train/journal.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <tgd/lm/budgeted.hpp>
#include <tgd/lm/tokens.hpp>

#include "core/callbacks.hpp"
#include "core/digest.hpp"
#include "core/file.hpp"
#include "core/json_text.hpp"
#include "core/problem.hpp"
#include "core/rethrow.hpp"
#include "core/saturating.hpp"
#include "lm/call_secrets.hpp"
#include "lm/exactly_once.hpp"
#include "lm/reply_json.hpp"
#include "lm/streamed.hpp"
#include "lm/wrap/cassette.hpp"

namespace tgd::detail {

namespace {

namespace fs = std::filesystem;
using RecordReader = JsonReader<JournalRecord>;
using lm::detail::cost_of_call;

constexpr const char* journal_name = "journal.jsonl";
constexpr const char* calls_name = "calls.jsonl";

const RecordFormat journal_format{.begin = "{\"kind\":\"session\"", .end = "\n"};

JournalRecord cost_json(const std::optional<lm::Cost>& cost) {
  return cost ? JournalRecord(cost->pico_usd()) : JournalRecord(nullptr);
}

std::optional<lm::Cost> known_cost(const lm::ModelCost& call) {
  return call.unknown_calls == 0 ? std::optional(call.cost) : std::nullopt;
}

std::optional<lm::Cost> recorded_cost(const RecordReader& record) {
  const RecordReader cost = record.at("cost_pico_usd");
  return cost.is_null() ? std::nullopt : std::optional(lm::Cost::from_pico_usd(cost.integer()));
}

lm::Usage recorded_usage(const RecordReader& record) {
  const RecordReader usage = record.at("usage");
  return usage.in_place([&] { return lm::detail::usage_from_json(usage.json()); });
}

/// Whether a run can go on with this outcome as if it had just come.
bool is_of_use(const lm::Outcome& outcome) { return outcome.ok() && outcome.value().end() == lm::ReplyEnd::whole; }

lm::ModelCost minus(const lm::ModelCost& a, const lm::ModelCost& b) {
  lm::Usage usage = a.usage;
  usage -= b.usage;
  return {usage, saturated_difference(a.failed, b.failed), a.cost - b.cost,
          saturated_difference(a.unknown_calls, b.unknown_calls), a.has_price};
}

/// Who asks is part of the call: equal requests for two items get their own replies whatever arrives first.
std::string name_of_call(const lm::Call& call, const std::string& model) {
  const lm::CallInfo& info = call.request().info;
  Digest who;
  who.add(model).add(info.purpose).add(info.node).add(info.parameter);
  if (info.item) who.add(*info.item);
  return call.digest() + " " + who.pieces();
}

}  // namespace

Journal::Key Journal::key_of(const JsonReader<JournalRecord>& record) {
  return {record.at("interval").count(), record.at("call").text(), record.at("number").count()};
}

/// What the records of a journal come to.
struct Journal::History {
  struct Line {
    std::uint64_t end;
    std::string text;
    bool is_void_behind_border = true;  // calls that were made, or are given again, stay
  };
  std::uint64_t bytes = 0;
  std::uint64_t next_id = 0;
  bool is_recording = false;
  std::map<std::string, std::vector<Line>> lines;           // by view
  std::map<std::string, std::vector<JournalRecord>> files;  // the versions of views that are written whole
  std::map<Key, Ended> replies;
  std::map<std::uint64_t, Key> keys;  // of the replies, by the ids of their calls
  std::set<Key> rejected;
  std::map<std::uint64_t, std::pair<Key, lm::ModelCost>> on_their_way;
  lm::ModelCost paid;
  std::map<std::string, lm::Usage> unpriced;
  lm::ModelCost lost;  // of that, by calls that were cancelled on their way
  /// What views held before sessions that no other record follows: a process that died there may have left them so.
  std::vector<std::map<std::string, std::string>> left;

  void take(const RecordReader& record, std::uint64_t end);
  void take_call(const RecordReader& record, std::uint64_t end);
  void take_measured(const RecordReader& record);
  void give_again(const Key& key, Ended ended);
  void take_sent(const RecordReader& record);
  /// What is behind a checkpoint counts no longer, except for calls that were made.
  void cut(std::uint64_t from) {
    for (auto& [view, all] : lines) {
      std::erase_if(all, [from](const Line& line) { return line.is_void_behind_border && line.end > from; });
    }
  }
  void forget_useless() {
    std::erase_if(replies,
                  [this](const auto& entry) { return !is_of_use(entry.second.outcome) || rejected.contains(entry.first); });
  }
  std::map<std::string, std::string> texts() const {
    std::map<std::string, std::string> all;
    for (const auto& [view, of_view] : lines) {
      std::string& text = all[view];
      for (const Line& line : of_view) text.append(line.text).append("\n");
    }
    return all;
  }
};

void Journal::History::take(const RecordReader& record, std::uint64_t end) {
  const std::string kind = record.at("kind").text();
  if (kind != "session") left.clear();
  if (kind == "session") {
    left.push_back(texts());
    cut(record.at("from").count());
    is_recording = record.at("recording").flag();
  } else if (kind == "sent") {
    take_sent(record);
  } else if (kind == "call") {
    take_call(record, end);
  } else if (kind == "measured") {
    take_measured(record);
  } else if (kind == "again") {
    next_id = std::max(next_id, record.at("as").count() + 1);
  } else if (kind == "rejected") {
    const auto call = keys.find(record.at("id").count());
    if (call != keys.end()) rejected.insert(call->second);
  } else if (kind == "note") {
    lines[record.at("view").text()].push_back({end, json_text(record.at("line").json())});
  } else if (kind == "file") {
    record.at("content_sum").count();
    files[record.at("name").text()].push_back(record.json());
  } else if (kind == "failed") {
    forget_useless();
  }
}

void Journal::History::take_sent(const RecordReader& record) {
  const std::uint64_t id = record.at("id").count();
  on_their_way.insert_or_assign(id,
                                std::pair(key_of(record), cost_of_call(recorded_usage(record), recorded_cost(record), false)));
  next_id = std::max(next_id, id + 1);
}

void Journal::History::take_call(const RecordReader& record, std::uint64_t end) {
  const std::uint64_t id = record.at("id").count();
  next_id = std::max(next_id, id + 1);
  on_their_way.erase(id);
  lm::Receipt receipt{.usage = recorded_usage(record), .cost = recorded_cost(record), .source = lm::ReplySource::journal};
  const bool is_sent = record.at("sent").flag();
  const lm::ModelCost cost = cost_of_call(receipt.usage, receipt.cost, record.at("failed").flag());
  if (is_sent) paid += cost;
  const bool is_lost = record.find("lost").has_value();
  if (is_lost) lost += cost;
  if (is_sent && !is_lost && !receipt.cost) unpriced[record.at("model").text()] += receipt.usage;
  History::Line& line = lines[calls_name].emplace_back(History::Line{end, json_text(record.at("line").json()), !is_sent});

  // What is nobody's fault but the endpoint's may come to a better end.
  const auto came = record.find("outcome");
  if (!came) return;
  lm::Outcome outcome = came->in_place([&] { return lm::detail::outcome_from_json(came->json(), lm::ReplySource::journal); });
  if (!outcome.ok() && !own_fault(outcome.error())) return;
  line.is_void_behind_border = false;  // it is given again
  receipt.original_usage = outcome.receipt().original_usage;
  outcome.set_receipt(receipt);
  give_again(key_of(record), {id, std::move(outcome), record.at("model").text(), record.at("purpose").text()});
}

void Journal::History::take_measured(const RecordReader& record) {
  const std::uint64_t id = record.at("id").count();
  next_id = std::max(next_id, id + 1);
  const RecordReader came = record.at("outcome");
  give_again(key_of(record),
             {.id = id,
              .outcome = came.in_place([&] { return lm::detail::outcome_from_json(came.json(), lm::ReplySource::journal); }),
              .is_call = false});
}

void Journal::History::give_again(const Key& key, Ended ended) {
  keys.insert_or_assign(ended.id, key);
  rejected.erase(key);
  replies.insert_or_assign(key, std::move(ended));
}

// ---- The file --------------------------------------------------------------------------------------------------------

Journal::Journal(lm::PriceTable prices)
    : prices_(std::move(prices)), expected_completion_tokens_(lm::BudgetOptions().expected_completion_tokens) {}

Journal::~Journal() {
  if (worker_) worker_->close();
}

Journal::History Journal::read(const fs::path& folder) {
  History history;
  try {
    history.bytes = read_journal(folder / journal_name,
                                 [&history](const RecordReader& record, std::uint64_t end) { history.take(record, end); });
  } catch (...) {
    rethrow_with_prefix("the run cannot be gone on with: ");
  }
  return history;
}

std::unique_ptr<Views> Journal::restored_views(const fs::path& folder, History& history,
                                               const std::map<std::string, std::string>& former, Views::Say say) {
  history.left.push_back(former);
  auto views = std::make_unique<Views>(folder, std::move(say));
  for (const auto& [name, versions] : history.files) {
    for (const JournalRecord& version : versions) views->know(name, version.at("content_sum").get<std::uint32_t>());
  }
  std::map<std::string, std::string> texts = history.texts();
  std::map<std::string, std::vector<std::string>> versions;
  for (auto& each : history.left) {
    for (auto& [name, text] : each) versions[name].push_back(std::move(text));
  }
  for (const auto& [name, formers] : versions) views->restore(name, texts[name], formers);
  return views;
}

void Journal::open(const fs::path& folder, bool goes_on, const JournalPosition& from) {
  if (worker_) worker_->close();
  worker_.reset();
  file_.reset();
  if (!goes_on) {
    std::error_code ignored;  // of what is not there
    for (const char* name : {journal_name, calls_name, "metrics.jsonl"}) fs::remove(folder / name, ignored);
  }
  History history = read(folder);
  if (history.bytes < from.bytes)
    throw ValueError(
        fmt::format("the run cannot be gone on with: its checkpoint is at byte {} of {}, which has only {} that are "
                    "sound; go on from an earlier checkpoint, or put the file back as it was",
                    from.bytes, (folder / journal_name).string(), history.bytes));
  const std::map<std::string, std::string> former = history.texts();
  history.cut(from.bytes);
  std::erase_if(history.replies, [&](const auto& entry) { return entry.first.interval < from.interval; });

  auto file = std::make_unique<AppendFile>(folder / journal_name, journal_format, Access::owner);
  file->cut(history.bytes);
  if (history.bytes > 0) is_recording_ = history.is_recording;
  file->append(sealed({{"kind", "session"}, {"from", from.bytes}, {"interval", from.interval}, {"recording", is_recording_}}));
  views_ = restored_views(folder, history, former, say_);
  worker_ = std::make_unique<tgd::detail::BatchWorker<Job>>([this](std::vector<Job> batch) { write_calls(std::move(batch)); });

  const std::lock_guard lock(mutex_);
  fault_.clear();
  entered_.clear();
  notes_.clear();
  for (const auto& [view, lines] : history.lines) {
    if (view == calls_name) continue;
    for (const History::Line& line : lines) notes_[view].push_back(line.text);
  }
  from_ = from;
  interval_ = from.interval;
  next_id_ = history.next_id;
  replies_ = std::move(history.replies);
  lost_ = history.lost;
  lost_calls_.clear();
  paid_ = history.paid;
  for (const auto& [id, call] : history.on_their_way) {
    lost_ += call.second;
    paid_ += call.second;
    lost_calls_.insert(call);
  }
  unpriced_ = std::move(history.unpriced);
  on_their_way_.clear();
  file_ = std::move(file);
  is_fresh_ = true;
}

void Journal::begin_fit(const fs::path& folder, bool goes_on, const JournalPosition& from) {
  if (!is_fresh_ || from != from_) open(folder, goes_on, from);
  is_fresh_ = false;
}

void Journal::make_views(const fs::path& folder, Views::Say say) {
  History history = read(folder);
  const auto views = restored_views(folder, history, history.texts(), std::move(say));
  for (const auto& [name, versions] : history.files) {
    const JournalRecord& last = versions.back();
    const auto content = last.find("content");
    if (content != last.end()) views->write(name, content->get<std::string>(), [](std::uint32_t) {});
  }
}

bool Journal::has_begun(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / journal_name, ignored)) return false;
  bool has_begun = false;
  const std::uint64_t sound = read_journal(folder / journal_name, [&](const RecordReader& record, std::uint64_t) {
    const std::string kind = record.at("kind").text();
    has_begun = has_begun || (kind != "session" && kind != "file");
  });
  // Behind its records is the beginning of one, or it is somebody else's file.
  const std::string rest = read_file(folder / journal_name).substr(sound);
  return has_begun || rest.find('\n') != rest.npos || !(rest.empty() || rest.starts_with(R"({"kind":)"));
}

JournalPosition Journal::mark() {
  std::uint64_t interval = 0;
  {
    const std::lock_guard lock(mutex_);
    interval = ++interval_;
    entered_.clear();
    std::erase_if(replies_, [interval](const auto& entry) { return entry.first.interval < interval; });
  }
  write(sealed({{"kind", "checkpoint"}, {"interval", interval}}));
  check();
  const std::lock_guard lock(file_mutex_);
  file_->sync();
  return {fs::file_size(file_->path()), interval};
}

void Journal::check() const {
  const std::lock_guard lock(mutex_);
  if (!fault_.empty()) throw ValueError(fault_);
}

// What cannot be written must not keep a caller from its reply; the run ends at its next border instead.
void Journal::to_disk(const std::function<void()>& work) {
  std::string fault;
  {
    const std::lock_guard lock(file_mutex_);
    try {
      work();
    } catch (const std::exception& error) {
      fault = error.what();
    }
  }
  const std::lock_guard lock(mutex_);
  if (!fault.empty() && fault_.empty()) fault_ = fault;
}

void Journal::write(const std::string& records) {
  to_disk([&] { file_->append(records); });
}

void Journal::note(const std::string& view, const std::string& line) {
  write(sealed({{"kind", "note"}, {"view", view}}, "line", line));
  check();
  {
    const std::lock_guard lock(file_mutex_);
    views_->append(view, line + "\n");
  }
  const std::lock_guard lock(mutex_);
  notes_[view].push_back(line);
}

std::vector<std::string> Journal::notes(const std::string& view) const {
  const std::lock_guard lock(mutex_);
  const auto lines = notes_.find(view);
  return lines == notes_.end() ? std::vector<std::string>() : lines->second;
}

void Journal::write_view(const std::string& name, std::string_view content, bool kept) {
  const std::lock_guard lock(file_mutex_);
  views_->write(name, content, [&](std::uint32_t sum) {
    JournalRecord record{{"kind", "file"}, {"name", name}, {"content_sum", sum}};
    if (kept) record["content"] = content;
    file_->append(sealed(record));
  });
}

// Calls were asked in the order of their ids; where one was asked again by a later process, that is its place.
void Journal::write_cassette(const std::string& name) {
  struct Used {
    std::uint64_t place;
    lm::detail::RecordedRequest question;
    lm::Outcome outcome;
  };
  std::map<Key, Used> used;
  std::map<std::uint64_t, Key> keys;
  read_journal(file_->path(), [&](const RecordReader& record, std::uint64_t) {
    const std::string kind = record.at("kind").text();
    if (kind == "again") {
      const auto call = keys.find(record.at("id").count());
      if (call != keys.end()) used.at(call->second).place = record.at("as").count();
      return;
    }
    const auto question = record.find("question");
    const auto came = record.find("outcome");
    if (kind != "call" || !question || !came) return;
    const std::uint64_t id = record.at("id").count();
    const Key key = key_of(record);
    record.in_place([&] {
      used.insert_or_assign(key, Used{id, lm::detail::question_from_json(question->json()),
                                      lm::detail::outcome_from_json(came->json(), lm::ReplySource::cassette)});
    });
    keys.insert_or_assign(id, key);
  });
  std::multimap<std::uint64_t, const Used*> in_order;  // earlier versions gave a place twice
  for (const auto& [key, call] : used) in_order.emplace(call.place, &call);
  std::map<lm::detail::RecordedRequest, std::size_t> numbers;
  std::vector<lm::detail::Exchange> exchanges;
  for (const auto& [place, call] : in_order)
    exchanges.push_back({call->question, {{numbers[call->question]++, call->outcome}}});
  write_view(name, lm::detail::print_cassette(exchanges), false);
}

void Journal::fail(const std::exception_ptr& error) {
  if (!is_open()) return;
  try {
    std::rethrow_exception(error);
  } catch (const BudgetError&) {
  } catch (const std::exception& cause) {
    const auto* of_call = dynamic_cast<const LMError*>(&cause);
    if (of_call != nullptr && of_call->kind() == LMError::Kind::cancelled) return;
    write(sealed({{"kind", "failed"}, {"error", cause.what()}}));
  }
}

// ---- Calls -----------------------------------------------------------------------------------------------------------

Journal::Ticket Journal::enter(std::string call) {
  if (!is_open()) return {};
  const std::lock_guard lock(mutex_);
  EqualCalls& equal = entered_[call];
  equal.last_id = next_id_++;
  return {equal.last_id, interval_, std::move(call), equal.count++};
}

std::optional<lm::Outcome> Journal::recall(const Ticket& ticket) {
  std::optional<Ended> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto found = replies_.find({ticket.interval, ticket.call, ticket.number});
    if (found == replies_.end()) return std::nullopt;
    ended = std::move(found->second);
    replies_.erase(found);
    count(*ended);
  }
  if (is_recording_) write(sealed({{"kind", "again"}, {"id", ended->id}, {"as", ticket.id}}));
  return std::move(ended->outcome);
}

lm::ModelCost Journal::estimated(const lm::Call& call) const {
  const lm::Usage usage{.prompt_tokens = lm::estimate_prompt_tokens(call.request()),
                        .completion_tokens = lm::expected_completion_tokens(call.request(), expected_completion_tokens_)};
  return cost_of_call(usage, prices_.cost(call.model(), usage), false);
}

void Journal::send(const Ticket& ticket, const lm::Call& call) {
  const lm::ModelCost estimate = estimated(call);
  {
    const std::lock_guard lock(mutex_);
    on_their_way_.insert_or_assign(ticket.id, estimate);
  }
  write(sealed({{"kind", "sent"},
                {"id", ticket.id},
                {"interval", ticket.interval},
                {"call", ticket.call},
                {"number", ticket.number},
                {"model", call.model()},
                {"usage", lm::detail::usage_to_json(estimate.usage)},
                {"cost_pico_usd", cost_json(known_cost(estimate))}}));
}

// A reply that a cache kept and this journal had no time for: it was paid, and this call is the one that it was paid for.
void Journal::find_again(const Ticket& ticket, lm::Outcome& outcome) {
  lm::Receipt receipt = outcome.receipt();
  if (receipt.source != lm::ReplySource::cache || !receipt.original_usage) return;
  {
    const std::lock_guard lock(mutex_);
    const auto lost = lost_calls_.find({ticket.interval, ticket.call, ticket.number});
    if (lost == lost_calls_.end()) return;
    lost_ = minus(lost_, lost->second);
    paid_ = minus(paid_, lost->second);
    lost_calls_.erase(lost);
  }
  receipt.usage = *std::exchange(receipt.original_usage, std::nullopt);
  receipt.cost.reset();
  receipt.source = lm::ReplySource::endpoint;
  outcome.set_receipt(receipt);
}

void Journal::end(const Ticket& ticket, const lm::Call& call, const lm::detail::CallNote* note, lm::Outcome outcome,
                  lm::ChatModel::Done done) {
  lm::settle_cost(outcome, prices_, call.model());
  const std::string& purpose = call.request().info.purpose;
  const lm::Receipt& receipt = outcome.receipt();
  const bool is_lost = lm::detail::was_abandoned(outcome);
  const lm::ModelCost cost = is_lost ? estimated(call) : cost_of_call(receipt.usage, receipt.cost, !outcome.ok());
  {
    const std::lock_guard lock(mutex_);
    on_their_way_.erase(ticket.id);
    if (!is_lost) count({ticket.id, outcome, call.model(), purpose});
    if (is_lost) lost_ += cost;
    if (receipt.sent()) paid_ += cost;
    if (receipt.sent() && !is_lost && !receipt.cost) unpriced_[call.model()] += receipt.usage;
  }
  if (note == nullptr) return done(std::move(outcome));
  std::string line = lm::to_json_line(note->end(outcome));
  JournalRecord json{{"kind", "call"},      {"id", ticket.id},         {"interval", ticket.interval},
                     {"call", ticket.call}, {"number", ticket.number}, {"model", call.model()},
                     {"purpose", purpose},  {"sent", receipt.sent()},  {"failed", !outcome.ok()}};
  if (lm::detail::is_recordable(outcome))
    json["outcome"] = lm::detail::outcome_to_json(lm::detail::blanked(*call.secrets(), outcome));
  json["usage"] = lm::detail::usage_to_json(is_lost ? cost.usage : receipt.usage);
  json["cost_pico_usd"] = cost_json(is_lost ? known_cost(cost) : receipt.cost);
  if (is_lost) json["lost"] = true;
  if (is_recording_) json["question"] = lm::detail::question_to_json(lm::detail::question_of(call, *call.secrets()));
  std::string record = sealed(json, "line", line);
  worker_->post({std::move(record), std::move(line), std::move(outcome), std::move(done)});
}

void Journal::keep(const Ticket& ticket, const lm::Call& call, lm::Outcome outcome, lm::ChatModel::Done done) {
  if (!lm::detail::is_recordable(outcome)) return done(std::move(outcome));
  std::string record = sealed({{"kind", "measured"},
                               {"id", ticket.id},
                               {"interval", ticket.interval},
                               {"call", ticket.call},
                               {"number", ticket.number},
                               {"outcome", lm::detail::outcome_to_json(lm::detail::blanked(*call.secrets(), outcome))}});
  worker_->post({std::move(record), {}, std::move(outcome), std::move(done)});
}

void Journal::write_calls(std::vector<Job> batch) {
  std::string records;
  std::string lines;
  for (const Job& job : batch) {
    records += job.record;
    if (!job.line.empty()) lines += job.line + "\n";
  }
  write(records);
  if (!lines.empty()) to_disk([&] { views_->append(calls_name, lines); });
  for (Job& job : batch) tgd::detail::call_back(job.done, std::move(job.outcome));
}

void Journal::reject(const std::string& call) {
  std::optional<std::uint64_t> id;
  {
    const std::lock_guard lock(mutex_);
    if (const auto equal = entered_.find(call); equal != entered_.end()) id = equal->second.last_id;
  }
  if (id) write(sealed({{"kind", "rejected"}, {"id", *id}}));
}

// ---- Sums ------------------------------------------------------------------------------------------------------------

void Journal::count(const Ended& ended) {
  const lm::Receipt& receipt = ended.outcome.receipt();
  if (receipt.refused || !ended.is_call) return;
  counts_.add(ended.purpose, receipt);
  lm::ModelCost call = cost_of_call(receipt.usage, receipt.cost, !ended.outcome.ok());
  call.has_price = prices_.find(ended.model).has_value();
  used_.models[ended.model] += call;
}

lm::CostReport Journal::usage() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

CallCounts Journal::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Journal::set_usage(const lm::CostReport& usage, CallCounts counts) {
  const std::lock_guard lock(mutex_);
  used_ = usage;
  counts_ = std::move(counts);
}

lm::ModelCost Journal::paid() const {
  const std::lock_guard lock(mutex_);
  return paid_;
}

lm::Cost Journal::price_of_estimates(const std::string& model, const lm::Usage& usage) const {
  const lm::Usage estimated{.prompt_tokens = usage.estimated_prompt_tokens,
                            .completion_tokens = usage.estimated_completion_tokens};
  return prices_.cost(model, estimated).value_or(lm::Cost());
}

lm::Cost Journal::estimated_of_paid() const {
  const std::lock_guard lock(mutex_);
  lm::Cost sum;
  for (const auto& [model, usage] : unpriced_) sum += price_of_estimates(model, usage);
  return sum;
}

lm::Cost Journal::estimated_of_used() const {
  const std::lock_guard lock(mutex_);
  lm::Cost sum;
  for (const auto& [name, model] : used_.models) {
    if (model.unknown_calls > 0) sum += price_of_estimates(name, model.usage);
  }
  return sum;
}

lm::ModelCost Journal::spent() const {
  const std::lock_guard lock(mutex_);
  lm::ModelCost spent = used_locked();
  return spent += lost_;
}

lm::ModelCost Journal::used() const {
  const std::lock_guard lock(mutex_);
  return used_locked();
}

lm::ModelCost Journal::used_locked() const {
  lm::ModelCost used = used_.total();
  used.usage.calls = 0;  // less what a cache answered
  for (const auto& [purpose, count] : counts_.by_purpose) used.usage.calls = saturated_sum(used.usage.calls, count);
  return used;
}

lm::ModelCost Journal::abandoned() const {
  const std::lock_guard lock(mutex_);
  lm::ModelCost abandoned = minus(paid_, used_locked());
  for (const auto& [id, call] : on_their_way_) abandoned += call;
  return abandoned;
}

// ---- Tracked ---------------------------------------------------------------------------------------------------------

Tracked::Tracked(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal)
    : CallDecorator(std::move(model)), name_(std::move(name)), journal_(std::move(journal)) {}

void Tracked::start_call(lm::Call call, OnText on_text, Done done) {
  const bool is_kept = journal_->is_open();
  Journal::Ticket ticket = journal_->enter(is_kept ? name_of_call(call, name_) : std::string());
  if (std::optional<lm::Outcome> known = journal_->recall(ticket)) {
    meter_->add(known->receipt().usage);
    return lm::detail::give(on_text, std::move(done), *std::move(known));
  }
  std::shared_ptr<const lm::detail::CallNote> note;
  if (is_kept) note = std::make_shared<const lm::detail::CallNote>(call, provider(), static_cast<bool>(on_text), false);
  // Neither what waits for its turn nor what a cache answers is in flight.
  const auto flight = std::make_shared<Journal::Flight>(journal_);
  lm::Call sent = call.with_witness([flight, is_kept, ticket, call] {
    if (is_kept) flight->journal().send(ticket, call);
    flight->begin();
  });
  auto ended = [journal = journal_, meter = meter_, flight, ticket = std::move(ticket), call, note,
                done = std::move(done)](lm::Outcome outcome) {
    flight->end();
    journal->find_again(ticket, outcome);
    if (!lm::detail::was_abandoned(outcome)) meter->add(outcome.usage());
    journal->end(ticket, call, note.get(), std::move(outcome), done);
  };
  inner().start_call(std::move(sent), std::move(on_text), lm::detail::exactly_once(std::move(ended)));
}

void Tracked::reject(const lm::Request& request) {
  if (journal_->is_open()) journal_->reject(name_of_call(described(request), name_));
  inner().reject(request);
}

void Tracked::set_usage(const lm::Usage& usage) {
  lm::Usage more = usage;
  meter_->add(more -= meter_->total());
}

// ---- Remembered ------------------------------------------------------------------------------------------------------

Remembered::Remembered(lm::ChatModelPtr model, std::string name, std::shared_ptr<Journal> journal)
    : CallDecorator(std::move(model)), name_(std::move(name)), journal_(std::move(journal)) {}

void Remembered::start_call(lm::Call call, OnText on_text, Done done) {
  if (!journal_->is_open()) return inner().start_call(std::move(call), std::move(on_text), std::move(done));
  Journal::Ticket ticket = journal_->enter(name_of_call(call, name_));
  if (std::optional<lm::Outcome> known = journal_->recall(ticket))
    return lm::detail::give(on_text, std::move(done), *std::move(known));
  auto ended = [journal = journal_, ticket = std::move(ticket), call, done = std::move(done)](lm::Outcome outcome) {
    journal->keep(ticket, call, std::move(outcome), done);
  };
  inner().start_call(std::move(call), std::move(on_text), lm::detail::exactly_once(std::move(ended)));
}

void Remembered::reject(const lm::Request& request) {
  if (journal_->is_open()) journal_->reject(name_of_call(described(request), name_));
  inner().reject(request);
}

}  // namespace tgd::detail
