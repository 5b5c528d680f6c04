#include "train/evidence.hpp"

#include <cmath>

namespace tgd::detail {

void EProcess::add(double gain) {
  if (gain > 0) ++wins_;
  if (gain < 0) ++losses_;
}

double EProcess::value() const {
  constexpr int shares = 9;
  double sum = 0;
  for (int share = 1; share <= shares; ++share) {
    const double stake = share / (shares + 1.0);
    sum += std::exp(static_cast<double>(wins_) * std::log1p(stake) + static_cast<double>(losses_) * std::log1p(-stake));
  }
  return sum / shares;
}

}  // namespace tgd::detail
