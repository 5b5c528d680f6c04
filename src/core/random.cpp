#include <tgd/random.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/json_count.hpp"

namespace tgd {

namespace {

constexpr std::size_t middle = 397;

using Words = std::array<std::uint32_t, 624>;

/// init_genrand of the reference implementation.
void seed_with_number(Words& state, std::uint32_t seed) {
  state[0] = seed;
  for (std::uint32_t i = 1; i < state.size(); ++i) {
    state[i] = 1812433253U * (state[i - 1] ^ (state[i - 1] >> 30U)) + i;
  }
}

/// init_by_array of the reference implementation, which CPython feeds with the 32-bit digits of the seed.
void seed_with_key(Words& state, std::span<const std::uint32_t> key) {
  seed_with_number(state, 19650218U);
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i == state.size()) {
      state[0] = state.back();
      i = 1;
    }
  };
  const auto scrambled = [&] { return state[i - 1] ^ (state[i - 1] >> 30U); };
  std::size_t j = 0;
  for (std::size_t step = 0; step < state.size(); ++step) {
    state[i] = (state[i] ^ (scrambled() * 1664525U)) + key[j] + static_cast<std::uint32_t>(j);
    advance();
    j = (j + 1) % key.size();
  }
  for (std::size_t step = 1; step < state.size(); ++step) {
    state[i] = (state[i] ^ (scrambled() * 1566083941U)) - static_cast<std::uint32_t>(i);
    advance();
  }
  state[0] = 0x80000000U;
}

std::uint32_t twist(std::uint32_t high, std::uint32_t low) {
  const std::uint32_t mixed = (high & 0x80000000U) | (low & 0x7fffffffU);
  return (mixed >> 1U) ^ ((mixed & 1U) * 0x9908b0dfU);
}

/// Where CPython turns from a pool of all candidates to a set of those that are taken.
std::size_t largest_pool(std::size_t k) {
  std::size_t size = 21;
  if (k <= 5) return size;
  std::size_t table = 1;
  while (table / 3 < k && table <= std::numeric_limits<std::size_t>::max() / 4) table *= 4;
  return size + table;
}

std::vector<double> cumulative(std::span<const double> weights) {
  std::vector<double> sums(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] >= 0)) throw ValueError(fmt::format("weight {} is {}, expected 0 or more", i, weights[i]));
    sums[i] = weights[i] + (i == 0 ? 0.0 : sums[i - 1]);
  }
  const double total = sums.empty() ? 0.0 : sums.back();
  if (!(total > 0) || !std::isfinite(total)) {
    throw ValueError(fmt::format("the {} weights add up to {}, expected a finite number above 0", weights.size(), total));
  }
  return sums;
}

}  // namespace

Random::Random(std::uint64_t seed) {
  const std::array key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)};
  seed_with_key(state_, std::span(key).first(key[1] == 0 ? 1 : 2));
}

void Random::refill() {
  for (std::size_t i = 0; i < words - middle; ++i) state_[i] = state_[i + middle] ^ twist(state_[i], state_[i + 1]);
  for (std::size_t i = words - middle; i < words - 1; ++i) {
    state_[i] = state_[i + middle - words] ^ twist(state_[i], state_[i + 1]);
  }
  state_[words - 1] = state_[middle - 1] ^ twist(state_[words - 1], state_[0]);
  index_ = 0;
}

std::uint32_t Random::next() {
  if (index_ == words) refill();
  std::uint32_t y = state_[index_++];
  y ^= y >> 11U;
  y ^= (y << 7U) & 0x9d2c5680U;
  y ^= (y << 15U) & 0xefc60000U;
  return y ^ (y >> 18U);
}

std::uint64_t Random::getrandbits(unsigned bits) {
  if (bits > 64) throw ValueError(fmt::format("getrandbits({}): at most 64 bits at a time", bits));
  if (bits == 0) return 0;
  if (bits <= 32) return next() >> (32 - bits);
  const std::uint64_t low = next();
  return low | (static_cast<std::uint64_t>(next() >> (64 - bits)) << 32U);
}

double Random::random() {
  const std::uint32_t high = next() >> 5U;
  const std::uint32_t low = next() >> 6U;
  return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

double Random::uniform(double a, double b) {
  // A statement of its own, so that no compiler fuses the multiplication with the addition.
  const double offset = (b - a) * random();
  return a + offset;
}

std::uint64_t Random::randbelow(std::uint64_t n) {
  if (n == 0) throw ValueError("randbelow(0): there is no number in an empty range");
  const auto bits = static_cast<unsigned>(std::bit_width(n));
  std::uint64_t number = getrandbits(bits);
  while (number >= n) number = getrandbits(bits);
  return number;
}

std::vector<std::size_t> Random::sample(std::size_t n, std::size_t k) {
  if (k > n) throw ValueError(fmt::format("a sample of {} is larger than its population of {}", k, n));
  std::vector<std::size_t> result;
  result.reserve(k);
  if (n <= largest_pool(k)) {
    std::vector<std::size_t> pool(n);
    std::iota(pool.begin(), pool.end(), std::size_t{0});
    for (std::size_t left = n; left > n - k; --left) {
      const std::size_t j = randbelow(left);
      result.push_back(pool[j]);
      pool[j] = pool[left - 1];
    }
  } else {
    std::unordered_set<std::size_t> taken;
    while (result.size() < k) {
      const std::size_t j = randbelow(n);
      if (taken.insert(j).second) result.push_back(j);
    }
  }
  return result;
}

std::vector<std::size_t> Random::choices(std::span<const double> weights, std::size_t k) {
  const std::vector<double> sums = cumulative(weights);
  std::vector<std::size_t> result(k);
  for (std::size_t& choice : result) {
    const auto found = std::upper_bound(sums.begin(), sums.end() - 1, random() * sums.back());
    choice = static_cast<std::size_t>(found - sums.begin());
  }
  return result;
}

// The words are one text, so that a checkpoint stays readable.
Json Random::state() const {
  std::string text;
  text.reserve(8 * words);
  for (const std::uint32_t word : state_) text += fmt::format("{:08x}", word);
  return nlohmann::ordered_json{{"generator", "mt19937"}, {"index", index_}, {"words", text}};
}

void Random::set_state(const Json& state) {
  const nlohmann::ordered_json& value = state.value();
  const std::string text = state.get_text("words");
  const auto index = value.is_object() && value.contains("index") ? detail::count_in(value["index"]) : std::nullopt;
  const bool usable = index && *index <= words && state.get_text("generator") == "mt19937" && text.size() == 8 * words &&
                      text.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!usable) {
    throw ValueError(
        "this is not the state of a random generator; expected what Random::state() returned: the generator mt19937, an "
        "index of at most 624 and 624 words of 32 bits as hexadecimal digits");
  }
  for (std::size_t i = 0; i < words; ++i) {
    std::from_chars(text.data() + 8 * i, text.data() + 8 * (i + 1), state_[i], 16);
  }
  index_ = static_cast<decltype(index_)>(*index);
}

}  // namespace tgd
