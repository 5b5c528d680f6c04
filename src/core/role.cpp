#include "core/role.hpp"

#include <utility>
#include <vector>

#include "core/doomed.hpp"

namespace tgd::detail {

// Small, because there is one for most operations.
struct Role::Part {
  std::unique_ptr<const std::string> text;
  std::shared_ptr<const Part> left;
  std::shared_ptr<const Part> right;  // with left: both, joined by " and "

  Part(std::unique_ptr<const std::string> own, std::shared_ptr<const Part> first, std::shared_ptr<const Part> second)
      : text(std::move(own)), left(std::move(first)), right(std::move(second)) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  // Chains of roles can be as long as the graph.
  ~Part() {
    if (!left && !right) return;
    Doomed<std::shared_ptr<const Part>>::let_go([this](auto& doomed) {
      doomed.push(std::move(left));
      doomed.push(std::move(right));
    });
  }
};

Role::Role(std::shared_ptr<const Part> part) : part_(std::move(part)) {}

Role::Role(std::string text) {
  if (!text.empty()) part_ = std::make_shared<Part>(std::make_unique<const std::string>(std::move(text)), nullptr, nullptr);
}

Role Role::prefixed(std::string prefix, Role role) {
  return Role(std::make_shared<Part>(std::make_unique<const std::string>(std::move(prefix)), std::move(role.part_), nullptr));
}

Role Role::both(Role left, Role right) {
  if (left.empty()) return right;
  if (right.empty()) return left;
  return Role(std::make_shared<Part>(nullptr, std::move(left.part_), std::move(right.part_)));
}

std::string Role::text() const {
  std::string text;
  std::vector<const Part*> stack{part_.get()};
  constexpr const Part* conjunction = nullptr;
  if (!part_) return text;
  while (!stack.empty()) {
    const Part* part = stack.back();
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
