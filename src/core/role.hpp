// Role: a text that is put together from other roles ("<a> and <b>") and spelled out only when it is read, so that roles
// cost a constant each however long a chain of operations gets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tgd::detail {

class Role {
 public:
  Role() = default;
  explicit Role(std::string text);
  /// prefix + role. For example "feedback to " and the role of a parameter.
  static Role prefixed(std::string prefix, Role role);
  /// left + " and " + right.
  static Role both(Role left, Role right);

  std::string text() const;
  bool empty() const { return !part_; }

 private:
  struct Piece;
  explicit Role(std::shared_ptr<const Piece> part);

  std::shared_ptr<const Piece> part_;
};

}  // namespace tgd::detail
