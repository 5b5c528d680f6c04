#include <cmath>
#include <vector>

#include <tgd/random.hpp>

#include "catch.hpp"
#include "train/evidence.hpp"

using namespace tgd;
using detail::EProcess;

namespace {

/// How many comparisons of `most` it takes until the evidence is enough; more than `most` where it never is.
std::size_t comparisons_until(double enough, double chance_of_win, double chance_of_draw, std::size_t most, Random& random) {
  EProcess process;
  for (std::size_t i = 1; i <= most; ++i) {
    if (random.random() >= chance_of_draw) process.add(random.random() < chance_of_win ? 1 : -1);
    if (process.value() >= enough) return i;
  }
  return most + 1;
}

double share_that_ends(double enough, double chance_of_win, double chance_of_draw, std::size_t most) {
  constexpr std::size_t runs = 4000;
  Random random(17);
  std::size_t ended = 0;
  for (std::size_t run = 0; run < runs; ++run)
    ended += comparisons_until(enough, chance_of_win, chance_of_draw, most, random) <= most ? 1 : 0;
  return static_cast<double>(ended) / runs;
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
  for (const double alpha : {0.2, 0.1, 0.05}) {
    CAPTURE(alpha);
    CHECK(share_that_ends(1 / alpha, 0.5, 0, 300) < alpha);
    CHECK(share_that_ends(1 / alpha, 0.5, 0.7, 300) < alpha);
    CHECK(share_that_ends(1 / alpha, 0.4, 0.3, 300) < alpha / 2);
  }
}

TEST_CASE("a clear difference shows soon", "[train][evidence]") {
  CHECK(share_that_ends(10, 0.9, 0, 30) > 0.95);
  CHECK(share_that_ends(10, 0.8, 0.3, 60) > 0.9);
  // Six wins and no loss are enough for 1 in 10.
  EProcess process;
  for (int i = 0; i < 6; ++i) process.add(1);
  CHECK(process.value() > 10);
}
