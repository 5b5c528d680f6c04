#include "core/sequence_diff.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

using namespace tgd::detail;

namespace {

using Pieces = std::vector<std::string_view>;

/// "a -b +c" for what stays, goes and comes.
std::string shown(const Pieces& before, const Pieces& after) {
  std::string text;
  for (const PieceChange& change : changes_between(before, after)) {
    if (!text.empty()) text += ' ';
    if (change.mark != ' ') text += change.mark;
    text += change.piece;
  }
  return text;
}

}  // namespace

TEST_CASE("two sequences are told apart by their longest common one", "[core][text]") {
  CHECK(shown({}, {}).empty());
  CHECK(shown({"a", "b"}, {"a", "b"}) == "a b");
  CHECK(shown({"a", "b", "c"}, {"a", "x", "c"}) == "a -b +x c");
  CHECK(shown({}, {"a"}) == "+a");
  CHECK(shown({"a", "b"}, {}) == "-a -b");
  CHECK(shown({"x", "a", "y", "b"}, {"a", "b", "z"}) == "-x a -y b +z");
  CHECK(shown({"a", "a"}, {"a", "a", "a"}) == "a a +a");
}

TEST_CASE("where too much differs, all of it is replaced, and what stands around it stays", "[core][text]") {
  const Pieces many(3000, "a");
  Pieces before{"begin"};
  Pieces after{"begin"};
  before.insert(before.end(), many.begin(), many.end());
  after.insert(after.end(), 3000, "b");
  before.emplace_back("end");
  after.emplace_back("end");
  const std::vector<PieceChange> changes = changes_between(before, after);
  REQUIRE(changes.size() == 6002);
  CHECK(changes.front().mark == ' ');
  CHECK(changes[1].mark == '-');
  CHECK(changes[3001].mark == '+');
  CHECK(changes.back().mark == ' ');
}
