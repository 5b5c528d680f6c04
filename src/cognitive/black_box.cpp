#include "cognitive/black_box.hpp"

#include <tgd/cognitive/black_box.hpp>

#include <utility>

#include <fmt/format.h>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"

namespace tgd {

detail::BlackBoxNode::BlackBoxNode(std::string name, std::string role, std::string description,
                                   const std::vector<Variable>& inputs, std::shared_ptr<Storage> output,
                                   FeedbackOptions options)
    : CritiqueNode(inputs, std::move(options)),
      name_(std::move(name)),
      role_(std::move(role)),
      description_(std::move(description)),
      uses_(uses_of(inputs)),
      output_(std::move(output)) {}

std::string detail::BlackBoxNode::transcript(std::size_t sample, std::size_t criticised) const {
  std::string text = fmt::format("<FUNCTION>\n{}\n</FUNCTION>", description_);
  for (std::size_t edge = 0; edge < uses_.size(); ++edge) {
    const std::string value =
        edge == criticised ? std::string(prompts().get("backward_placeholder")) : uses_[edge].data->item(sample).item_text();
    text += fmt::format("\n<INPUT role=\"{}\">\n{}\n</INPUT>", uses_[edge].role, value);
  }
  return text;
}

Variable black_box(std::function<Data(std::span<const Data>)> function, std::string description,
                   const std::vector<Variable>& inputs, const BlackBoxOptions& options, Place place) {
  const detail::CalledFrom called(place);
  if (!function) throw ValueError("black_box needs a function; it was given none");
  if (inputs.empty()) throw ValueError("black_box needs at least one input");
  if (description.empty()) {
    throw ValueError("black_box needs a description of what the function does: it is all that the language model knows of it");
  }
  detail::expect_usable(options.feedback);
  auto data = detail::compute_items_elsewhere(
      options.name, inputs,
      {[function = std::move(function)](std::size_t, std::span<const Data> items) { return function(items); }});
  std::shared_ptr<autograd::Node> node;
  if (detail::records_history(inputs)) {
    node = std::make_shared<detail::BlackBoxNode>(options.name + "Backward", options.role, std::move(description), inputs, data,
                                                  options.feedback);
  }
  return detail::make_result(std::move(data), detail::Role(options.role), std::move(node));
}

}  // namespace tgd
