// Cost: an exact amount of money.
// Thread-safety: a value type.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include <tgd/export.hpp>

namespace tgd::lm {

/// An amount of money in whole pico-USD (1e-12 USD), so that sums are exact in any order. Holds up to 9.2 million USD; sums
/// beyond that stay there.
class TGD_API Cost {
 public:
  constexpr Cost() = default;
  static constexpr Cost from_pico_usd(std::int64_t amount) { return Cost(amount); }
  /// To the nearest pico-USD. Throws ValueError for what is no number or beyond 9 million.
  static Cost from_usd(double amount);

  constexpr std::int64_t pico_usd() const { return amount_; }
  constexpr double usd() const { return static_cast<double>(amount_) / 1e12; }
  /// "$0.0123": to the nearest micro-USD, at least two decimals; "<$0.000001" for less.
  std::string text() const;

  Cost& operator+=(Cost other);
  Cost& operator-=(Cost other);
  friend Cost operator+(Cost a, Cost b) { return a += b; }
  friend Cost operator-(Cost a, Cost b) { return a -= b; }
  /// So many times the amount.
  Cost times(std::int64_t count) const;
  friend constexpr auto operator<=>(const Cost&, const Cost&) = default;

 private:
  constexpr explicit Cost(std::int64_t amount) : amount_(amount) {}

  std::int64_t amount_ = 0;
};

}  // namespace tgd::lm
