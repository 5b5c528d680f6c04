// CallRecord as a line of JSON.
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tgd/lm/observed.hpp>

#include "core/json_reader.hpp"
#include "core/json_text.hpp"

namespace tgd::lm {

namespace {

using Ordered = nlohmann::ordered_json;

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min, utc.tm_sec, (since_epoch % std::chrono::seconds(1)).count());
}

const char* name_of(CallRecord::Status ending) {
  switch (ending) {
    case CallRecord::Status::ok:
      return "ok";
    case CallRecord::Status::error:
      return "error";
    case CallRecord::Status::cancelled:
      return "cancelled";
    case CallRecord::Status::refused:
      return "refused";
  }
  return "";
}

void add_request(Ordered& line, const CallRecord& record) {
  line["gen_ai.request.model"] = record.model;
  struct Argument {
    const char* argument;
    const char* attribute;
  };
  for (const Argument& known : {Argument{"temperature", "gen_ai.request.temperature"},
                                {"top_p", "gen_ai.request.top_p"},
                                {"max_tokens", "gen_ai.request.max_tokens"},
                                {"max_completion_tokens", "gen_ai.request.max_tokens"},
                                {"seed", "gen_ai.request.seed"},
                                {"n", "gen_ai.request.choice.count"}}) {
    if (record.args.contains(known.argument)) line[known.attribute] = record.args.value()[known.argument];
  }
}

void add_usage(Ordered& line, const Usage& usage) {
  if (usage.reported == 0) return;
  line["gen_ai.usage.input_tokens"] = usage.prompt_tokens;
  line["gen_ai.usage.output_tokens"] = usage.completion_tokens;
  line["gen_ai.usage.cache_read.input_tokens"] = usage.cached_prompt_tokens;
  line["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens;
}

void add_purpose(Ordered& line, const CallInfo& info) {
  line["tgd.purpose"] = info.purpose;
  if (!info.node.empty()) line["tgd.node"] = info.node;
  if (!info.parameter.empty()) line["tgd.parameter"] = info.parameter;
  if (info.item) line["tgd.item"] = *info.item;
}

Ordered message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"parts", Ordered::array({{{"type", "text"}, {"content", content}}})}};
}

void add_texts(Ordered& line, const CallRecord& record) {
  if (record.messages.empty()) return;
  Ordered input = Ordered::array();
  for (const Message& asked : record.messages) input.push_back(message(asked.role, asked.content));
  line["gen_ai.input.messages"] = std::move(input);
  Ordered output = Ordered::array();
  for (const std::string& reply : record.replies) output.push_back(message("assistant", reply));
  line["gen_ai.output.messages"] = std::move(output);
}

}  // namespace

std::string to_json_line(const CallRecord& record) {
  Ordered line;
  line["timestamp"] = rfc3339(record.time);
  line["gen_ai.operation.name"] = "chat";
  line["gen_ai.provider.name"] = record.provider;
  add_request(line, record);
  if (!record.response_model.empty()) line["gen_ai.response.model"] = record.response_model;
  if (!record.finish_reason.empty()) line["gen_ai.response.finish_reasons"] = Ordered::array({record.finish_reason});
  add_usage(line, record.receipt.usage);
  if (!record.error_type.empty()) {
    line["error.type"] = record.error_type;
    line["error.message"] = record.error_message;
  }
  add_purpose(line, record.info);
  line["tgd.sample"] = record.sample;
  line["tgd.attempts"] = record.receipt.usage.attempts;
  line["tgd.latency_s"] = record.receipt.seconds.count();
  line["tgd.cost_usd"] = record.receipt.cost ? Ordered(record.receipt.cost->usd()) : Ordered();
  line["tgd.outcome"] = name_of(record.ending);
  line["tgd.cached"] = record.receipt.original_usage.has_value();
  line["tgd.streamed"] = record.streamed;
  line["tgd.request.hash"] = record.request_hash;
  add_texts(line, record);
  return tgd::detail::json_text(line);
}

std::vector<Json> read_ledger(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) throw ValueError("cannot read the ledger " + file.string() + ": there is no such file");
  std::vector<Json> lines;
  tgd::detail::read_json_lines<Ordered>(
      file, [&lines](const tgd::detail::JsonReader<Ordered>& line) { lines.emplace_back(line.json()); });
  return lines;
}

}  // namespace tgd::lm
