// What a Variable's handle points to. Private to the library.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <tgd/sample_outcome.hpp>
#include <tgd/variable.hpp>

#include "core/role.hpp"
#include "core/storage.hpp"

namespace tgd::detail {

struct VariableImpl {
  /// What few Variables have.
  struct Extras {
    std::vector<Variable> grad;
    std::vector<std::function<Variable(const Variable&)>> hooks;
    /// For a gradient: the conversations that it came from, each as a text for a prompt; shared by all gradients that come of
    /// them.
    std::vector<std::shared_ptr<const std::string>> contexts;
    /// For a gradient: the samples that it came from, with what was right; one entry for each evaluation. None are null.
    std::vector<std::shared_ptr<const SampleOutcomes>> outcomes;
    /// For a gradient: it is what evaluators said, and no critic was asked on its way.
    bool is_direct = false;
    /// For a parameter: the inputs that it has a placeholder for where it is used as a template.
    std::set<std::string, std::less<>> placeholders;
  };

  std::shared_ptr<Storage> storage;
  Role role;
  std::shared_ptr<autograd::Node> grad_fn;
  std::weak_ptr<autograd::Node> accumulator;  // a leaf's AccumulateGrad, while a graph uses it
  std::unique_ptr<Extras> extras;
  std::uint32_t output_nr = 0;
  bool requires_grad = false;
  bool retains_grad = false;
  /// For a gradient: it passed operations that hand feedback on unchanged; its receiver has yet to be told so.
  bool forwarded = false;

  Extras& make_extras() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
};

/// Guards gradients, hooks and accumulator of a Variable. Few mutexes serve all Variables.
std::mutex& mutex_of(const VariableImpl& impl);

/// Between gradients: what is made from one comes from the same samples and conversations.
void add_context(const VariableImpl& from, VariableImpl& to);

Variable make_variable(std::shared_ptr<Storage> storage, Role role, bool requires_grad = false);

}  // namespace tgd::detail
