// What all requests with the same options have in common: made once a step, in which no parameter changes. Private to the library.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/reply/echo_guard.hpp"

namespace tgd::optim::detail {

using PromptNames = std::set<std::string, std::less<>>;

class PromptParts {
 public:
  /// `is_direct`: for feedback that came without a critique (see Step::direct).
  explicit PromptParts(const TGDOptions& options, bool is_direct = false);

  struct Template {
    std::string role;
    std::string content;
  };
  /// The messages of the options, or the default ones.
  const std::vector<Template>& messages() const noexcept { return messages_; }
  /// Whether some message has {name}.
  bool has_placeholder(std::string_view name) const;
  /// Whether a request may use other answer tags than those of the options: it has to say which.
  bool names_tags() const noexcept { return names_tags_; }

  /// The bytes of the messages and of all prompts that a request can be made of.
  std::size_t size() const noexcept { return size_; }

  /// The tags of all prompts that a request for new values can be made of, and those that a conversation must not have.
  const TagNames& tags() const noexcept { return tags_; }
  const TagNames& tags_beside_samples() const noexcept { return tags_beside_samples_; }

  /// The fixed part of a request that was made with these prompts beside the messages.
  std::shared_ptr<const FixedPart> fixed_part(const PromptNames& used);

  /// How a parameter is shown among the siblings of others; "" until that is filled in.
  std::string& sibling_item(const Variable& parameter) { return sibling_items_[tgd::detail::impl_of(parameter).get()]; }

 private:
  const TGDOptions& options_;
  std::vector<Template> messages_;
  std::size_t size_ = 0;
  TagNames tags_;
  TagNames tags_beside_samples_;
  bool names_tags_;
  std::map<PromptNames, std::shared_ptr<const FixedPart>> fixed_parts_;
  std::unordered_map<const void*, std::string> sibling_items_;
};

}  // namespace tgd::optim::detail
