#include "core/role.hpp"

#include <utility>
#include <vector>

namespace tgd::detail {

// Chains of roles can be as long as the graph: they are read and destroyed without recursion.
Role::Part::~Part() {
  std::vector<std::shared_ptr<const Part>> parts;
  const auto take = [&parts](std::shared_ptr<const Part>& part) {
    if (part && (part->left || part->right)) parts.push_back(std::move(part));
  };
  take(left);
  take(right);
  while (!parts.empty()) {
    const std::shared_ptr<const Part> part = std::move(parts.back());
    parts.pop_back();
    if (part.use_count() != 1) continue;
    auto& last_use = const_cast<Part&>(*part);  // nobody else can see it any more
    take(last_use.left);
    take(last_use.right);
  }
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
