// Prices: what each model's tokens cost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <tgd/export.hpp>
#include <tgd/lm/cost.hpp>
#include <tgd/lm/usage.hpp>

namespace tgd::lm {

/// USD per 1,000,000 tokens. Exact to six decimals.
struct TGD_API Price {
  double input = 0;                         ///< prompt tokens
  std::optional<double> cached_input = {};  ///< prompt tokens that the endpoint had cached; without it they cost as others
  double output = 0;                        ///< completion tokens, reasoning included
  std::string as_of = {};                   ///< the day the price was read, YYYY-MM-DD; may be empty

  static Price free() { return {}; }
  bool is_free() const;
  friend bool operator==(const Price&, const Price&) = default;
};

/// Prices: what each model's tokens cost.
///
///     lm::PriceTable prices;                                      // the built-in table
///     prices.load("my_prices.json");                              // extended and overridden by a file
///     prices.set("my-local-model", lm::Price::free());
///     prices.cost("gpt-4o-mini-2024-07-18", usage)->text();       // "$0.0123"
///
/// A model that the table does not know has no cost; it is never taken as 0.
/// The built-in table holds OpenAI's standard prices with the day they were read. Prices change and contracts differ: check
/// them.
/// Thread-safety: value types; a table may be read from any thread while nobody changes it.
class TGD_API PriceTable {
 public:
  /// The built-in table.
  PriceTable();
  static PriceTable empty();

  /// Adds the prices of a file, over those there are:
  ///   {"unit": "USD per 1M tokens", "models": [{"model": "gpt-4o", "input": 2.5, "cached_input": 1.25, "output": 10,
  ///                                             "as_of": "2025-11-24"}, ...]}
  /// "cached_input" and "as_of" may be absent. Throws ValueError (unreadable file) or ParseError, naming the file and the
  /// place in it; nothing has changed then.
  PriceTable& load(const std::filesystem::path& file);
  /// `model`: a name; "name*" stands for all models whose name begins so, "*" for all. Throws ValueError for an empty name, a
  /// price that is negative or no number, or an `as_of` that is no date.
  PriceTable& set(const std::string& model, const Price& price);

  /// The price of the entry that fits best: the very name; then the name without the date behind it ("gpt-4o" for
  /// "gpt-4o-2024-08-06", but never for "gpt-4o-mini"); then the longest "name*". "openai/" in front is ignored where no entry
  /// has it.
  std::optional<Price> find(std::string_view model) const;

  /// What these tokens cost; nothing where the model's price is not known.
  std::optional<Cost> cost(std::string_view model, const Usage& usage) const;

 private:
  struct Nothing {};
  explicit PriceTable(Nothing) {}

  std::optional<Price> find_full(std::string_view model) const;

  std::map<std::string, Price, std::less<>> exact_;
  std::map<std::string, Price, std::less<>> prefixes_;  // without the '*'
};

/// What these tokens cost at this price.
TGD_API Cost cost(const Price& price, const Usage& usage);

}  // namespace tgd::lm
