#include <cmath>

#include <fmt/format.h>
#include <tgd/error.hpp>
#include <tgd/lm/cost.hpp>

#include "core/saturating.hpp"

namespace tgd::lm {

namespace {

constexpr double pico_per_usd = 1e12;
constexpr std::int64_t pico_per_micro = 1'000'000;
constexpr std::int64_t micro_per_usd = 1'000'000;

}  // namespace

Cost Cost::from_usd(double amount) {
  if (!(std::abs(amount) <= 9e6))
    throw ValueError(fmt::format("{} is no amount of USD; it has to be within 9 million", amount));
  return Cost(std::llround(amount * pico_per_usd));
}

Cost& Cost::operator+=(Cost other) {
  amount_ = tgd::detail::saturated_sum(amount_, other.amount_);
  return *this;
}

Cost& Cost::operator-=(Cost other) {
  amount_ = tgd::detail::saturated_difference(amount_, other.amount_);
  return *this;
}

Cost Cost::times(std::int64_t count) const { return Cost(tgd::detail::saturated_product(amount_, count)); }

std::string Cost::text() const {
  const std::string sign = amount_ < 0 ? "-" : "";
  const std::uint64_t size = amount_ < 0 ? 0 - static_cast<std::uint64_t>(amount_) : static_cast<std::uint64_t>(amount_);
  const std::uint64_t micros = (size + pico_per_micro / 2) / pico_per_micro;
  if (micros == 0) return size == 0 ? "$0.00" : sign + "<$0.000001";
  std::string text = fmt::format("{}${}.{:06}", sign, micros / micro_per_usd, micros % micro_per_usd);
  const std::size_t two_decimals = text.find('.') + 3;
  while (text.size() > two_decimals && text.back() == '0') text.pop_back();
  return text;
}

}  // namespace tgd::lm
