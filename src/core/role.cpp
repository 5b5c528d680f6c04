#include "core/role.hpp"

#include <utility>
#include <vector>

#include "core/doomed.hpp"

namespace tgd::detail {

// Small, because there is one for most operations.
struct Role::Piece {
  std::unique_ptr<const std::string> text;
  std::shared_ptr<const Piece> left;
  std::shared_ptr<const Piece> right;  // with left: both, joined by " and "

  Piece(std::unique_ptr<const std::string> own, std::shared_ptr<const Piece> first, std::shared_ptr<const Piece> second)
      : text(std::move(own)), left(std::move(first)), right(std::move(second)) {}
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  // Chains of roles can be as long as the graph.
  ~Piece() {
    if (!left && !right) return;
    Doomed<std::shared_ptr<const Piece>>::let_go([this](auto& doomed) {
      doomed.push(std::move(left));
      doomed.push(std::move(right));
    });
  }
};

Role::Role(std::shared_ptr<const Piece> part) : part_(std::move(part)) {}

Role::Role(std::string text) {
  if (!text.empty()) part_ = std::make_shared<Piece>(std::make_unique<const std::string>(std::move(text)), nullptr, nullptr);
}

Role Role::prefixed(std::string prefix, Role role) {
  return Role(std::make_shared<Piece>(std::make_unique<const std::string>(std::move(prefix)), std::move(role.part_), nullptr));
}

Role Role::both(Role left, Role right) {
  if (left.empty()) return right;
  if (right.empty()) return left;
  return Role(std::make_shared<Piece>(nullptr, std::move(left.part_), std::move(right.part_)));
}

std::string Role::text() const {
  std::string text;
  std::vector<const Piece*> stack{part_.get()};
  constexpr const Piece* conjunction = nullptr;
  if (!part_) return text;
  while (!stack.empty()) {
    const Piece* part = stack.back();
    stack.pop_back();
    if (part == conjunction) {
      text += " and ";
      continue;
    }
    if (part->text) text += *part->text;
    if (part->right) {
      stack.push_back(part->right.get());
      stack.push_back(conjunction);
    }
    if (part->left) stack.push_back(part->left.get());
  }
  return text;
}

}  // namespace tgd::detail
