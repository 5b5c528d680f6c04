#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <tgd/random.hpp>

#include "catch.hpp"
#include "train/evidence.hpp"

using namespace tgd;
using detail::EProcess;

namespace {

/// The most evidence that there is at any time in each of many courses of so many comparisons.
std::vector<double> most_evidence(double chance_of_win, double chance_of_draw, std::size_t comparisons) {
  constexpr std::size_t courses = 4000;
  Random random(17);
  std::vector<double> most(courses, 1);
  for (double& of_course : most) {
    EProcess process;
    for (std::size_t i = 0; i < comparisons; ++i) {
      if (random.random() < chance_of_draw) continue;
      const bool is_won = random.random() < chance_of_win;
      process.add(is_won ? 1 : -1);
      if (is_won) of_course = std::max(of_course, process.value());  // a loss never adds to it
    }
  }
  return most;
}

double share_that_reaches(double enough, const std::vector<double>& most) {
  const auto reaching = std::count_if(most.begin(), most.end(), [&](double value) { return value >= enough; });
  return static_cast<double>(reaching) / static_cast<double>(most.size());
}

}  // namespace

TEST_CASE("evidence begins at 1, and each comparison moves it by what was at stake", "[train][evidence]") {
  EProcess process;
  CHECK(process.value() == Approx(1));
  process.add(0);  // a draw
  CHECK(process.value() == Approx(1));
  process.add(0.01);  // only the direction counts
  CHECK(process.value() == Approx(1.5));
  process.add(-3);
  double expected = 0;
  for (int share = 1; share <= 9; ++share) expected += (1 + share / 10.0) * (1 - share / 10.0) / 9;
  CHECK(process.value() == Approx(expected));
  CHECK(process.wins() == 1);
  CHECK(process.losses() == 1);
}

TEST_CASE("its mean is 1 after any number of comparisons of equals", "[train][evidence]") {
  // All courses of ten, each as likely as any other.
  double sum = 0;
  for (unsigned course = 0; course < 1024; ++course) {
    EProcess process;
    for (unsigned i = 0; i < 10; ++i) process.add((course >> i & 1U) != 0 ? 1 : -1);
    sum += process.value();
  }
  CHECK(sum / 1024 == Approx(1));
}

TEST_CASE("whoever looks after each comparison is misled as seldom as promised", "[train][evidence]") {
  const auto equals = most_evidence(0.5, 0, 300);
  const auto equals_with_draws = most_evidence(0.5, 0.7, 300);
  const auto worse = most_evidence(0.4, 0.3, 300);
  for (const double alpha : {0.2, 0.1, 0.05}) {
    CAPTURE(alpha);
    CHECK(share_that_reaches(1 / alpha, equals) < alpha);
    CHECK(share_that_reaches(1 / alpha, equals_with_draws) < alpha);
    CHECK(share_that_reaches(1 / alpha, worse) < alpha / 2);
  }
}

TEST_CASE("a clear difference shows soon", "[train][evidence]") {
  CHECK(share_that_reaches(10, most_evidence(0.9, 0, 30)) > 0.95);
  CHECK(share_that_reaches(10, most_evidence(0.8, 0.3, 60)) > 0.9);
  // Six wins and no loss are enough for 1 in 10.
  EProcess process;
  for (int i = 0; i < 6; ++i) process.add(1);
  CHECK(process.value() > 10);
}
