// ScoreScale: which scores are better, and where they end.
#pragma once

#include <algorithm>

namespace tgd::detail {

struct ScoreScale {
  double best = 1;
  bool higher_is_better = true;

  /// Whether a score is the best one, or beyond it.
  bool is_best(double score) const { return higher_is_better ? score >= best : score <= best; }
  bool is_beyond(double score) const { return higher_is_better ? score > best : score < best; }
  /// A score that falls short by 1.
  double short_of_best() const { return higher_is_better ? best - 1 : best + 1; }
  /// What an item with a problem gets, where nobody says otherwise.
  double worst() const { return higher_is_better ? std::min(0.0, short_of_best()) : short_of_best(); }
};

}  // namespace tgd::detail
