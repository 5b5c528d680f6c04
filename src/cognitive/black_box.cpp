#include <tgd/cognitive/black_box.hpp>

#include <fmt/format.h>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"
#include "cognitive/critique.hpp"

namespace tgd {

namespace {

using detail::Part;
using detail::Storage;
using detail::Use;

class BlackBoxBackward final : public detail::CritiqueNode {
 public:
  BlackBoxBackward(const std::vector<Variable>& inputs, std::string description, std::shared_ptr<Storage> output,
                   const BlackBoxOptions& options)
      : CritiqueNode(inputs, {options.samples_per_request, options.context_budget, options.summarize, options.on_notice, options.prompts}),
        name_(options.name + "Backward"), role_(options.role), description_(std::move(description)), output_(std::move(output)) {
    for (const Variable& input : inputs) {
      uses_.push_back({input.is_batch() ? Part::itemwise : Part::shared, 0, input.role(), input.impl()->storage});
    }
  }

  std::string name() const override { return name_; }
  std::string output_role(std::size_t) const override { return role_; }

 protected:
  const Use& use(std::size_t edge) const override { return uses_[edge]; }
  std::size_t sample_count() const override { return output_->size(); }
  bool is_batch() const override { return output_->is_batch(); }

  std::string transcript(std::size_t sample, std::size_t criticised) const override {
    std::string text = fmt::format("<FUNCTION>\n{}\n</FUNCTION>", description_);
    for (std::size_t edge = 0; edge < uses_.size(); ++edge) {
      const std::string value = edge == criticised ? std::string(prompts().get("backward_placeholder"))
                                                   : uses_[edge].data->item(sample).item_text();
      text += fmt::format("\n<INPUT role=\"{}\">\n{}\n</INPUT>", uses_[edge].role, value);
    }
    return text;
  }
  detail::ProblemPtr problem(std::size_t sample) const override { return output_->problem(sample); }
  std::string outcome(std::size_t sample) const override { return output_->item(sample).item_text(); }
  std::string_view system_prompt() const override { return "black_box_system"; }

  void release_saved() override {
    uses_.clear();
    output_.reset();
  }

 private:
  std::string name_;
  std::string role_;
  std::string description_;
  std::vector<Use> uses_;
  std::shared_ptr<Storage> output_;
};

}  // namespace

Variable black_box(std::function<Data(std::span<const Data>)> function, std::string description, const std::vector<Variable>& inputs,
                   const BlackBoxOptions& options, Place place) {
  const detail::CalledFrom called(place);
  if (!function) throw ValueError("black_box needs a function; it was given none");
  if (inputs.empty()) throw ValueError("black_box needs at least one input");
  if (description.empty()) {
    throw ValueError("black_box needs a description of what the function does: it is all that the language model knows of it");
  }
  auto data = detail::compute_items_elsewhere(
      options.name, inputs,
      {[function = std::move(function)](std::size_t, std::span<const Data> items) { return function(items); }});
  const bool recorded = detail::records_history(inputs);
  auto node = recorded ? std::make_shared<BlackBoxBackward>(inputs, std::move(description), data, options) : nullptr;
  return detail::make_result(std::move(data), detail::Role(options.role), std::move(node));
}

}  // namespace tgd
