// Random: the Mersenne Twister MT19937 used exactly as CPython's `random` module uses it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>

namespace tgd {

/// The Mersenne Twister MT19937 used exactly as CPython's `random` module uses it. The same seed gives the same
/// numbers, shuffles, samples and choices as `random.Random(seed)`, on every platform.
///
/// Reference: M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); CPython's Lib/random.py.
/// Errors: ValueError for an empty range, a sample larger than its population, or weights that cannot be drawn from.
/// Thread-safety: a value type; one thread at a time for each object.
class TGD_API Random {
 public:
  /// Like random.Random(seed).
  explicit Random(std::uint64_t seed = 0);

  /// An integer of `bits` random bits, 0 to 64 of them.
  std::uint64_t getrandbits(unsigned bits);
  /// Uniform in [0, 1), with 53 bits.
  double random();
  /// Uniform between a and b.
  double uniform(double a, double b);
  /// A whole number in [0, n), for n > 0: random.randrange(n).
  std::uint64_t randbelow(std::uint64_t n);

  /// Shuffles anything with size(), operator[] and a swap for its items.
  template <class List>
  void shuffle(List& list) {
    using std::swap;
    for (std::size_t i = list.size(); i > 1; --i) swap(list[i - 1], list[randbelow(i)]);
  }
  /// `k` different numbers out of 0 … n - 1, in the order in which they were drawn: random.sample(range(n), k).
  std::vector<std::size_t> sample(std::size_t n, std::size_t k);
  /// `k` numbers out of 0 … weights.size() - 1, with replacement: random.choices(range(len(weights)), weights, k=k).
  /// Beyond CPython's checks, no weight may be negative.
  std::vector<std::size_t> choices(std::span<const double> weights, std::size_t k);

  /// The state as JSON, for checkpoints, and back. A malformed state throws ValueError and changes nothing.
  Json state() const;
  void set_state(const Json& state);

  friend bool operator==(const Random&, const Random&) = default;

 private:
  static constexpr std::size_t words = 624;

  std::uint32_t next();
  void refill();

  std::array<std::uint32_t, words> state_{};
  std::size_t index_ = words;
};

}  // namespace tgd
