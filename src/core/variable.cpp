#include <tgd/variable.hpp>

#include <array>
#include <ostream>
#include <utility>

#include <fmt/format.h>

#include "core/text.hpp"
#include "core/variable_impl.hpp"

namespace tgd {

namespace detail {

std::mutex& mutex_of(const VariableImpl& impl) {
  static std::array<std::mutex, 64> mutexes;
  return mutexes[(reinterpret_cast<std::uintptr_t>(&impl) / alignof(std::max_align_t) / 8) % mutexes.size()];
}

void add_context(const VariableImpl& from, VariableImpl& to) {
  if (!from.extras) return;
  const auto append = [&to](const auto& entries, auto VariableImpl::Extras::*member) {
    if (entries.empty()) return;
    auto& all = to.make_extras().*member;
    all.insert(all.end(), entries.begin(), entries.end());
  };
  append(from.extras->contexts, &VariableImpl::Extras::contexts);
  append(from.extras->outcomes, &VariableImpl::Extras::outcomes);
  if (from.extras->is_direct) to.make_extras().is_direct = true;
}

Variable make_variable(std::shared_ptr<Storage> storage, Role role, bool requires_grad) {
  auto impl = std::make_shared<VariableImpl>();
  impl->storage = std::move(storage);
  impl->role = std::move(role);
  impl->requires_grad = requires_grad;
  return variable_of(std::move(impl));
}

}  // namespace detail

namespace {

const detail::VariableImpl& with_grad(const Variable& variable) {
  if (!variable.is_leaf() && !variable.retains_grad()) {
    throw StateError(
        fmt::format("the gradient of \"{}\" is not kept, because it is the result of an operation: call "
                    "retain_grad() on it before backward()",
                    variable.role()));
  }
  return *tgd::detail::impl_of(variable);
}

}  // namespace

Variable::Variable(Data data, std::string role, bool requires_grad)
    : Variable(detail::make_variable(std::make_shared<detail::Storage>(std::move(data)), detail::Role(std::move(role)),
                                     requires_grad)) {}

const Data& Variable::data() const& { return impl_->storage->get(); }
bool Variable::ready() const { return impl_->storage->ready(); }
void Variable::wait() const { impl_->storage->wait(); }

std::optional<Problem> Variable::problem(std::size_t i) const {
  const detail::ProblemPtr problem = impl_->storage->problem(i);
  return problem ? std::optional(*problem) : std::nullopt;
}

std::map<std::size_t, Problem> Variable::problems() const {
  std::map<std::size_t, Problem> problems;
  for (const auto& [item, problem] : impl_->storage->parts().problems()) problems.emplace(item, *problem);
  return problems;
}

std::map<std::string, double> Variable::metrics(std::size_t i) const { return impl_->storage->parts().metrics(i); }

std::optional<SampleOrigin> Variable::origin(std::size_t i) const {
  const SampleOrigin* origin = impl_->storage->origin(i);
  return origin != nullptr ? std::optional(*origin) : std::nullopt;
}

void Variable::set_data(Data data) {
  auto storage = std::make_shared<detail::Storage>(std::move(data));
  const detail::Storage& before = *impl_->storage;
  if (storage->is_batch() == before.is_batch() && storage->size() == before.size()) storage->set_origins(before.origins());
  impl_->storage = std::move(storage);
}

std::string Variable::role() const { return impl_->role.text(); }
void Variable::set_role(std::string role) { impl_->role = detail::Role(std::move(role)); }

bool Variable::requires_grad() const { return impl_->requires_grad; }

void Variable::set_requires_grad(bool requires_grad) {
  if (impl_->grad_fn) {
    throw StateError(
        fmt::format("requires_grad of \"{}\" cannot be set, because it is the result of an operation: use "
                    "detach() for a copy without history",
                    role()));
  }
  impl_->requires_grad = requires_grad;
}

bool Variable::is_leaf() const { return !impl_->requires_grad || !impl_->grad_fn; }

std::vector<Variable> Variable::grad() const {
  const detail::VariableImpl& impl = with_grad(*this);
  const std::lock_guard lock(detail::mutex_of(impl));
  return impl.extras ? impl.extras->grad : std::vector<Variable>{};
}

void Variable::append_grad(Variable gradient) {
  with_grad(*this);
  const std::lock_guard lock(detail::mutex_of(*impl_));
  impl_->make_extras().grad.push_back(std::move(gradient));
}

void Variable::clear_grad() {
  std::vector<Variable> dropped;  // destroyed outside the lock
  const std::lock_guard lock(detail::mutex_of(*impl_));
  if (impl_->extras) dropped.swap(impl_->extras->grad);
}

bool Variable::retains_grad() const { return impl_->retains_grad; }

std::shared_ptr<autograd::Node> Variable::grad_fn() const { return impl_->grad_fn; }
std::size_t Variable::output_nr() const { return impl_->output_nr; }

Variable Variable::detach() const {
  Variable detached = detail::make_variable(impl_->storage, impl_->role);
  detail::add_context(*impl_, *tgd::detail::impl_of(detached));
  return detached;
}

Variable Variable::clone() const {
  if (!is_leaf()) {
    throw StateError(
        fmt::format("\"{}\" cannot be cloned, because it is the result of an operation: use detach() for a copy "
                    "without history",
                    role()));
  }
  Variable copy = detail::make_variable(impl_->storage, impl_->role, impl_->requires_grad);
  detail::add_context(*impl_, *tgd::detail::impl_of(copy));
  for (const Variable& gradient : grad()) copy.append_grad(gradient.clone());
  return copy;
}

void Variable::copy_(const Variable& source) {
  const Data& data = source.data();
  if (data.is_batch() != is_batch() || data.size() != size()) {
    throw ValueError(fmt::format("\"{}\" cannot take over the data of \"{}\": it holds {}, the source {}", role(),
                                 source.role(), this->data().description(), data.description()));
  }
  set_requires_grad(source.requires_grad());
  impl_->storage = source.impl_->storage;
  impl_->role = source.impl_->role;
}

bool Variable::is_batch() const { return impl_->storage->is_batch(); }
std::size_t Variable::size() const { return impl_->storage->size(); }

bool is_same(const Variable& a, const Variable& b) noexcept { return a.impl_ == b.impl_; }

std::ostream& operator<<(std::ostream& out, const Variable& variable) { return out << to_string(variable); }

}  // namespace tgd
