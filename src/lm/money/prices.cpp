#include <tgd/lm/prices.hpp>

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>

#include "core/file.hpp"
#include "core/json_reader.hpp"
#include "core/rethrow.hpp"
#include "lm/money/embedded_prices.hpp"

namespace tgd::lm {

namespace {

using Value = nlohmann::ordered_json;
using Reader = tgd::detail::JsonReader<Value>;

constexpr std::string_view unit = "USD per 1M tokens";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Whether the text is a pattern in which every '#' is a digit.
bool fits(std::string_view text, std::string_view pattern) {
  return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(),
                    [](char c, char expected) { return expected == '#' ? is_digit(c) : c == expected; });
}

/// "gpt-4o-2024-08-06", "claude-sonnet-4-20250514" and "gpt-4-0613" without the date; others as they are.
std::string_view without_date(std::string_view model) {
  for (const std::string_view pattern : {"-####-##-##", "-########", "-####"}) {
    if (model.size() <= pattern.size()) continue;
    const std::size_t stem = model.size() - pattern.size();
    if (fits(model.substr(stem), pattern)) return model.substr(0, stem);
  }
  return model;
}

// ---- Reading ---------------------------------------------------------------------------------------------------------

void expect_known_members(const Reader& entry) {
  for (const auto& [name, value] : entry.members()) {
    if (name == "model" || name == "input" || name == "cached_input" || name == "output" || name == "as_of") continue;
    value.fail("\"" + name + "\" is unknown; expected \"model\", \"input\", \"cached_input\", \"output\" and \"as_of\"");
  }
}

Price read_price(const Reader& entry) {
  Price price{.input = entry.at("input").number(), .output = entry.at("output").number()};
  if (const auto date = entry.find("as_of")) price.as_of = date->text();
  if (const auto cached = entry.find("cached_input")) price.cached_input = cached->number();
  return price;
}

void read_entry(PriceTable& table, const Reader& entry, std::map<std::string, bool>& seen) {
  const auto name = entry.find("model");
  const std::string model = name ? name->text() : "";
  entry.in_place([&] {
    if (std::exchange(seen[model], true)) throw ValueError("model \"" + model + "\": is there twice");
  });
  expect_known_members(entry);
  const Price price = read_price(entry);
  entry.in_place([&] {
    try {
      table.set(model, price);
    } catch (...) {
      tgd::detail::rethrow_with_prefix("model \"" + model + "\": ");
    }
  });
}

void read_table(PriceTable& table, const std::string& name, std::string_view text) {
  const tgd::detail::JsonDocument<Value> document(name, std::string(text));
  const Reader root = document.root();
  if (const auto given = root.find("unit"); given && given->text() != unit) {
    given->fail("the unit is \"" + given->text() + "\"; expected \"" + std::string(unit) + "\"");
  }
  std::map<std::string, bool> seen;
  for (const Reader& entry : root.at("models").items()) read_entry(table, entry, seen);
}

void check_amount(const char* name, double amount) {
  if (!(amount >= 0 && amount <= 1e6)) {
    throw ValueError(std::string("the price \"") + name + "\" is " + std::to_string(amount) +
                     "; expected USD per 1M tokens from 0 to 1000000");
  }
}

void check(const Price& price) {
  check_amount("input", price.input);
  check_amount("cached_input", price.cached_input.value_or(0));
  check_amount("output", price.output);
  if (!price.as_of.empty() && !fits(price.as_of, "####-##-##")) {
    throw ValueError("\"as_of\" is \"" + price.as_of + "\"; expected a date, YYYY-MM-DD");
  }
}

Cost per_token(double usd_per_million) { return Cost::from_usd(usd_per_million * 1e-6); }

}  // namespace

bool Price::is_free() const { return input == 0 && cached_input.value_or(0) == 0 && output == 0; }

PriceTable PriceTable::empty() { return PriceTable(Nothing{}); }

PriceTable::PriceTable() {
  static const PriceTable built_in = [] {
    PriceTable table{Nothing{}};
    read_table(table, "the built-in prices", detail::embedded_prices);
    return table;
  }();
  *this = built_in;
}

PriceTable& PriceTable::load(const std::filesystem::path& file) {
  PriceTable extended = *this;
  read_table(extended, file.string(), tgd::detail::read_file(file));
  return *this = std::move(extended);
}

PriceTable& PriceTable::set(const std::string& model, const Price& price) {
  if (model.empty()) throw ValueError("a price needs the model's name");
  check(price);
  if (model.back() == '*') {
    prefixes_[model.substr(0, model.size() - 1)] = price;
  } else {
    exact_[model] = price;
  }
  return *this;
}

std::optional<Price> PriceTable::find_full(std::string_view model) const {
  for (const std::string_view name : {model, without_date(model)}) {
    if (const auto entry = exact_.find(name); entry != exact_.end()) return entry->second;
  }
  std::optional<Price> longest;
  for (const auto& [prefix, price] : prefixes_) {  // in the order of names, shorter ones first
    if (model.starts_with(prefix)) longest = price;
  }
  return longest;
}

std::optional<Price> PriceTable::find(std::string_view model) const {
  constexpr std::string_view provider = "openai/";
  if (model.empty()) return std::nullopt;
  if (std::optional<Price> price = find_full(model)) return price;
  return model.starts_with(provider) ? find_full(model.substr(provider.size())) : std::nullopt;
}

std::optional<Cost> PriceTable::cost(std::string_view model, const Usage& usage) const {
  const std::optional<Price> price = find(model);
  if (!price) return std::nullopt;
  return lm::cost(*price, usage);
}

Cost cost(const Price& price, const Usage& usage) {
  const std::int64_t cached =
      std::clamp<std::int64_t>(usage.cached_prompt_tokens, 0, std::max<std::int64_t>(0, usage.prompt_tokens));
  // No figure of a model can make a cost negative.
  return per_token(price.input).times(std::max<std::int64_t>(0, usage.prompt_tokens) - cached) +
         per_token(price.cached_input.value_or(price.input)).times(cached) +
         per_token(price.output).times(std::max<std::int64_t>(0, usage.completion_tokens));
}

}  // namespace tgd::lm
