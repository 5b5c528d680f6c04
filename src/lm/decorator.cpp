#include <tgd/lm/decorator.hpp>

namespace tgd::lm {

Decorator::Decorator(ChatModelPtr inner) : inner_(std::move(inner)) {
  if (!inner_) throw ValueError("a model that stands before another one needs that one, but it was given none");
}

}  // namespace tgd::lm
