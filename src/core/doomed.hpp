// Doomed: what a destructor has let go of and still has to be destroyed, so that long linked structures end without recursion.
//
//   ~Link() { Doomed<std::shared_ptr<Link>>::let_go([this](auto& doomed) { doomed.push(std::move(next_)); }); }
//
// The outermost destructor on a thread destroys what all the inner ones let go of. No reference count is looked at: another
// thread may let go of the same object at the same time.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

namespace tgd::detail {

template <class T>
class Doomed {
 public:
  /// `give` pushes what is let go of.
  template <class Give>
  static void let_go(Give&& give) {
    thread_local Doomed* outermost = nullptr;
    if (outermost != nullptr) return give(*outermost);
    Doomed doomed;
    give(doomed);
    outermost = &doomed;
    while (doomed.count_ > 0 || !doomed.many_.empty()) {
      const T dies_here = doomed.pop();
    }
    outermost = nullptr;
  }

  void push(T object) {
    if (!object) return;
    if (count_ < few_.size()) {
      few_[count_++] = std::move(object);
    } else {
      many_.push_back(std::move(object));
    }
  }

 private:
  T pop() {
    if (many_.empty()) return std::move(few_[--count_]);
    T last = std::move(many_.back());
    many_.pop_back();
    return last;
  }

  std::array<T, 4> few_;  // enough for most structures, and free of allocations
  std::size_t count_ = 0;
  std::vector<T> many_;
};

}  // namespace tgd::detail
