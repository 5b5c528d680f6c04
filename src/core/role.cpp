#include "core/role.hpp"

#include <utility>
#include <vector>

namespace tgd::detail {

// Chains of roles can be as long as the graph: they are read and destroyed without recursion.
Role::Part::~Part() {
  if (!left && !right) return;
  thread_local std::vector<std::shared_ptr<const Part>>* outermost = nullptr;
  if (outermost != nullptr) {
    if (left) outermost->push_back(std::move(left));
    if (right) outermost->push_back(std::move(right));
    return;
  }
  std::vector<std::shared_ptr<const Part>> parts{std::move(left), std::move(right)};
  outermost = &parts;
  while (!parts.empty()) {
    const std::shared_ptr<const Part> part = std::move(parts.back());
    parts.pop_back();
  }
  outermost = nullptr;
}

Role::Role(std::string text) {
  if (text.empty()) return;
  auto part = std::make_shared<Part>();
  part->text = std::move(text);
  part_ = std::move(part);
}

Role Role::prefixed(std::string prefix, Role role) {
  auto part = std::make_shared<Part>();
  part->text = std::move(prefix);
  part->left = std::move(role.part_);
  Role result;
  result.part_ = std::move(part);
  return result;
}

Role Role::both(Role left, Role right) {
  if (left.empty()) return right;
  if (right.empty()) return left;
  auto part = std::make_shared<Part>();
  part->left = std::move(left.part_);
  part->right = std::move(right.part_);
  Role result;
  result.part_ = std::move(part);
  return result;
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
    text += part->text;
    if (part->right) {
      stack.push_back(part->right.get());
      stack.push_back(conjunction);
    }
    if (part->left) stack.push_back(part->left.get());
  }
  return text;
}

}  // namespace tgd::detail
