// Module and Parameter: a program's prompts, named and kept in a tree.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/json.hpp>
#include <tgd/variable.hpp>

namespace tgd {

class Module;

namespace detail {
struct ModuleContents;
TGD_API void add_child(Module& parent, std::string name, std::shared_ptr<Module> child);
}  // namespace detail

/// A Variable that an optimizer may rewrite: it requires grad unless told otherwise.
class TGD_API Parameter : public Variable {
 public:
  Parameter(Data data = {}, std::string role = {}, bool requires_grad = true)  // NOLINT(google-explicit-constructor)
      : Variable(std::move(data), std::move(role), requires_grad) {}
  /// From whatever makes Data.
  template <class T>
  requires(std::convertible_to<T, Data> && !std::derived_from<std::remove_cvref_t<T>, Variable> &&
           !std::same_as<std::remove_cvref_t<T>, Data>) Parameter(T&& data)
      : Parameter(Data(std::forward<T>(data))) {}  // NOLINT(google-explicit-constructor)
};

using NamedVariables = std::vector<std::pair<std::string, Variable>>;

/// The names in which a state and a module differ.
struct StateDifference {
  std::vector<std::string> missing;     ///< in the module, but not in the state
  std::vector<std::string> unexpected;  ///< in the state, but not in the module
};

/// Module and Parameter: a program's prompts, named and kept in a tree.
///
///     struct Agent : tgd::Module {
///       tgd::Parameter prompt = register_parameter("prompt", {"Classify the ticket.", "system prompt"});
///       Rewriter& rewriter = emplace_module<Rewriter>("rewriter");
///     };
///
/// A registered Variable is a handle to the member's Variable: change it with set_data(). Assigning another Parameter to the
/// member leaves the module with the one that it registered.
/// A child is owned when it was emplaced or registered as a shared_ptr. One registered by reference, usually a member, has to
/// live as long as its parent. Modules therefore can be neither copied nor moved.
///
/// Order everywhere: a module's own Variables as they were registered, then its children as they were registered, their names
/// behind a dot. What is reachable on several ways appears once, under its first name.
/// Errors: ValueError for a name that is empty, dotted or taken, for a child that contains its parent, and for a state that
/// does not fit.
/// Thread-safety: registering and loading need the caller's own order; reading is safe from any number of threads.
/// Model: torch.nn.Module.
class TGD_API Module {
 public:
  using NamedModules = std::vector<std::pair<std::string, Module*>>;

  Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module();

  // ---- Registering ----

  Parameter register_parameter(std::string name, Parameter parameter);
  /// A Variable that is part of the module but not optimized. One that is not persistent stays out of the state.
  Variable register_buffer(std::string name, Variable buffer, bool persistent = true);

  template <std::derived_from<Module> M>
  M& register_module(std::string name, M& child) {
    detail::add_child(*this, std::move(name), std::shared_ptr<Module>(std::shared_ptr<void>(), &child));  // without owning it
    return child;
  }
  template <std::derived_from<Module> M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> child) {
    detail::add_child(*this, std::move(name), child);
    return child;
  }
  /// Makes a child out of `args` and owns it.
  template <std::derived_from<Module> M, class... Args>
  M& emplace_module(std::string name, Args&&... args) {
    return *register_module(std::move(name), std::make_shared<M>(std::forward<Args>(args)...));
  }

  // ---- Visiting ----

  std::vector<Variable> parameters() const;
  NamedVariables named_parameters() const;
  std::vector<Variable> buffers() const;
  NamedVariables named_buffers() const;

  /// The direct children.
  std::vector<Module*> children();
  NamedModules named_children();
  /// This module, whose name is empty, and all below it.
  std::vector<Module*> modules();
  NamedModules named_modules();
  /// Calls `fn` on all modules, children before their parents.
  Module& apply(const std::function<void(Module&)>& fn);

  // ---- Changing ----

  /// Sets training mode on all modules; eval() is train(false). A new module is in training mode.
  Module& train(bool training = true);
  Module& eval() { return train(false); }
  bool is_training() const noexcept;
  /// Sets whether the parameters require grad.
  Module& requires_grad_(bool requires_grad = true);
  /// Empties the gradients of all parameters.
  void clear_grad();

  // ---- State ----

  /// {"<name>": {"data": …, "role": …, "requires_grad": …}, …} of all parameters and persistent buffers.
  Json state_dict() const;
  /// Takes over data and roles; the Variables stay the same objects and keep their requires_grad and gradients. Data has to be
  /// a scalar or a list as before, of equal length, and text or numbers as before. Without `strict`, names may be missing or
  /// unexpected; they are returned. All that is wrong is in one ValueError, after which nothing has changed.
  StateDifference load_state_dict(const Json& state, bool strict = true);

  /// The name of the class, for printing.
  virtual std::string type_name() const;

 private:
  // Names of its own would hide those of classes that derive from it.
  friend struct detail::ModuleContents;
  std::unique_ptr<detail::ModuleContents> contents_;
};

/// The class with its parameters, buffers and children as an indented tree.
TGD_API std::string to_string(const Module& module);
TGD_API std::ostream& operator<<(std::ostream& out, const Module& module);

}  // namespace tgd

template <>
struct fmt::formatter<tgd::Parameter> : fmt::formatter<tgd::Variable> {};
