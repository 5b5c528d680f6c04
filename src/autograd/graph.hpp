// How operations make their results. Private to the library.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <tgd/autograd.hpp>
#include <tgd/lm/chat_model.hpp>

#include "core/variable_impl.hpp"

namespace tgd::detail {

/// Who hears of the merged gradient of an output, for a result of a node.
struct GradientWatch {
  std::size_t output_nr;
  std::function<Variable(const Variable&)> hook;  // may replace it; empty when it is only retained
  std::weak_ptr<VariableImpl> retain;             // receives it
};

/// What few nodes have.
struct NodeExtras {
  std::vector<GradientWatch> watches = {};
  Place place = {};
};

struct NodeAccess {
  static NodeExtras& make_extras(autograd::Node& node);
  static std::span<const GradientWatch> watches(const autograd::Node& node) noexcept;
};

/// Whether a result of these inputs gets history: grad mode is on and some input requires grad.
bool records_history(std::span<const Variable> inputs);

/// Output `output_nr` of `node`; a leaf without history when `node` is null.
Variable make_result(std::shared_ptr<Storage> storage, Role role, std::shared_ptr<autograd::Node> node,
                     std::size_t output_nr = 0);

/// The edge to the producer of a Variable; empty when it does not require grad.
autograd::Edge gradient_edge(const Variable& variable);

/// The common length of those inputs that are batches, nullopt when all are scalars. Throws ValueError naming the operation
/// and the roles when lengths differ.
std::optional<std::size_t> batch_size(std::string_view operation, std::span<const Variable> inputs);

/// Runs `task` when item i of every storage has arrived or failed: at once, on this thread, if they all have; otherwise on the
/// executor.
void when_items(const std::vector<std::shared_ptr<Storage>>& storages, std::size_t i, std::function<void()> task);

/// The same for all items of all storages.
void when_complete(const std::vector<std::shared_ptr<Storage>>& storages, std::function<void()> task);

/// How the items of a result are made.
struct ItemComputation {
  /// May throw: the item fails with that. Not called for an item of which an input has a problem: the problem passes on.
  std::function<Data(std::size_t i, std::span<const Data> items)> compute;
  OnError on_error = OnError::fail;  ///< of what `compute` throws; a problem stands with the first input's item
  /// What stands beside a problem that passes on; by default the item that has it.
  std::function<Data(std::size_t i, const Problem& problem)> instead = {};
};

/// Data computed item by item from the inputs' items. Inputs that are all there are computed at once and errors are thrown
/// here.
std::shared_ptr<Storage> compute_items(std::string_view operation, std::span<const Variable> inputs,
                                       ItemComputation computation);

/// The same for a user's function: never on the calling thread, and errors appear in the result only.
std::shared_ptr<Storage> compute_items_elsewhere(std::string_view operation, std::span<const Variable> inputs,
                                                 ItemComputation computation);

/// The samples that a result is of: those of the first input that knows them and has the result's shape.
void inherit_origins(Storage& result, const std::vector<std::shared_ptr<Storage>>& inputs);

/// The roles of the inputs joined by " and ".
Role joined_role(std::span<const Variable> inputs);

/// A scalar computed from all items of the inputs; otherwise like compute_items.
std::shared_ptr<Storage> compute_whole(const std::vector<std::shared_ptr<Storage>>& inputs, std::function<Data()> compute);

/// Item `from` of a storage, its problem or its error, as item `to` of another; when it has arrived.
void pass_on(const std::shared_ptr<Storage>& source, std::size_t from, const std::shared_ptr<Storage>& target, std::size_t to);

/// Item i of a batch as a scalar, there when it is, whatever becomes of the others.
std::shared_ptr<Storage> item_of(const std::shared_ptr<Storage>& batch, std::size_t i);

/// A text for a gradient's receiver.
Variable make_gradient(Data data, bool forwarded = false);

/// The feedback to item i as text: a scalar gradient means every item; empty when there is none.
std::string feedback_text(const autograd::Gradient& gradient, std::size_t i);

}  // namespace tgd::detail
