// A paired test: whether one set of scores is better than another on the same samples by more than chance.
#pragma once

#include <span>

namespace tgd::detail {

/// The one-sided p-value of the sign-flip permutation test: how likely the sum of the differences would be as large as it is if
/// each difference could as well have been the other way round. 1 where nothing differs. Exact where all differences are of one
/// size (right and wrong answers: McNemar's exact test) and for up to 16 that are not 0, by the normal approximation beyond.
/// Source: R. A. Fisher, "The Design of Experiments" (1935), section 21; Q. McNemar, Psychometrika 12 (1947).
double probability_of_chance(std::span<const double> differences);

}  // namespace tgd::detail
