// Counter-based random numbers: the n-th number of a seed, the same on every platform and in any order of asking.
#pragma once

#include <cstdint>

namespace tgd::detail {

/// The n-th 64-bit number of `seed` (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
constexpr std::uint64_t split_mix64(std::uint64_t seed, std::uint64_t n) {
  std::uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace tgd::detail
