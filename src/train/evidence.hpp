// Evidence: a test of paired comparisons that may be looked at, and stopped, after each of them.
#pragma once

#include <cstddef>

namespace tgd::detail {

/// An e-process for "the first is more often better than the second": the capital of somebody who bets on each comparison that
/// comes out one way or the other, at even odds. If the first is no more often better, the capital grows to c or more, at any
/// time, with a probability of at most 1/c (Ville's inequality): 1 / value() is a p-value whenever one looks. Draws are no
/// bets.
///
/// The stake is spread evenly over shares 0.1, 0.2 … 0.9 of the capital, which is a mixture of martingales, and so one itself.
/// Sources: J. Ville, "Étude critique de la notion de collectif" (1939); G. Shafer, "Testing by betting", JRSS A 184 (2021);
/// I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024).
class EProcess {
 public:
  /// `gain`: above 0 where the first was better, below 0 where the second was.
  void add(double gain);
  double value() const;

  std::size_t wins() const noexcept { return wins_; }
  std::size_t losses() const noexcept { return losses_; }

 private:
  std::size_t wins_ = 0;
  std::size_t losses_ = 0;
};

}  // namespace tgd::detail
