// The node of a function that a language model cannot see into: a plain C++ function, or a command. Private to the library.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/variable.hpp>

#include "cognitive/critique.hpp"
#include "core/storage.hpp"
#include "core/variable_impl.hpp"

namespace tgd::detail {

/// How Variables take part in an operation on items.
inline std::vector<Use> uses_of(const std::vector<Variable>& inputs) {
  std::vector<Use> uses;
  for (const Variable& input : inputs)
    uses.push_back(
        {input.is_batch() ? Spread::itemwise : Spread::shared, 0, input.role(), tgd::detail::impl_of(input)->storage});
  return uses;
}

class BlackBoxNode final : public CritiqueNode {
 public:
  BlackBoxNode(std::string name, std::string role, std::string description, const std::vector<Variable>& inputs,
               std::shared_ptr<Storage> output, FeedbackOptions options);

  std::string name() const override { return name_; }
  std::string output_role(std::size_t) const override { return role_; }

 protected:
  const Use& use(std::size_t edge) const override { return uses_[edge]; }
  std::size_t sample_count() const override { return output_->size(); }
  bool is_batch() const override { return output_->is_batch(); }
  std::string transcript(std::size_t sample, std::size_t criticised) const override;
  ProblemPtr problem(std::size_t sample) const override { return output_->problem(sample); }
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

}  // namespace tgd::detail
