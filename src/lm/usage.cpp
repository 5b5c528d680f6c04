#include <tgd/lm/usage.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "core/json_count.hpp"
#include "core/saturating.hpp"
#include "lm/lenient_json.hpp"

namespace tgd::lm {

namespace {

struct Field {
  std::string_view name;
  std::int64_t Usage::*member;
  bool is_rare = false;  // left out of JSON where it is 0
};

// The one list of all figures: sums, to_json and from_json follow it.
constexpr std::array fields = {
    Field{"calls", &Usage::calls},
    Field{"attempts", &Usage::attempts},
    Field{"reported", &Usage::reported},
    Field{"prompt_tokens", &Usage::prompt_tokens},
    Field{"cached_prompt_tokens", &Usage::cached_prompt_tokens},
    Field{"completion_tokens", &Usage::completion_tokens},
    Field{"reasoning_tokens", &Usage::reasoning_tokens},
    Field{"thoughtful", &Usage::thoughtful, true},
    Field{"estimated_prompt_tokens", &Usage::estimated_prompt_tokens, true},
    Field{"estimated_completion_tokens", &Usage::estimated_completion_tokens, true},
    Field{"priced", &Usage::priced, true},
    Field{"cost_pico_usd", &Usage::cost_pico_usd, true},
};

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  for (const Field& field : fields) this->*field.member = tgd::detail::saturated_sum(this->*field.member, other.*field.member);
  return *this;
}

Usage& Usage::operator-=(const Usage& other) {
  for (const Field& field : fields) {
    this->*field.member = tgd::detail::saturated_difference(this->*field.member, other.*field.member);
  }
  return *this;
}

std::int64_t Usage::counted_prompt_tokens() const { return tgd::detail::saturated_sum(prompt_tokens, estimated_prompt_tokens); }

std::int64_t Usage::counted_completion_tokens() const {
  return tgd::detail::saturated_sum(completion_tokens, estimated_completion_tokens);
}

Json Usage::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Field& field : fields) {
    if (!field.is_rare || this->*field.member != 0) json[std::string(field.name)] = this->*field.member;
  }
  return json;
}

Usage Usage::from_json(const Json& json) {
  const nlohmann::ordered_json& object = json.value();
  if (!object.is_object()) throw ValueError("usage must be a JSON object, but is " + json.dump());
  Usage usage;
  for (const Field& field : fields) {
    const auto member = object.find(field.name);
    if (member == object.end()) continue;
    if (!tgd::detail::count_in(*member)) {
      throw ValueError("usage: \"" + std::string(field.name) + "\" must be a whole number from 0 up, but is " +
                       Json(*member).dump());
    }
    usage.*field.member = detail::count(*member);
  }
  return usage;
}

void UsageMeter::add(const Usage& usage) {
  const std::lock_guard lock(mutex_);
  total_ += usage;
}

Usage UsageMeter::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace tgd::lm
