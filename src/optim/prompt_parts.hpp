// What all requests with the same options have in common: made once a step. Private to the library.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/optim/tgd.hpp>

#include "optim/instructions.hpp"

namespace tgd::optim::detail {

using PromptNames = std::set<std::string, std::less<>>;

class PromptParts {
 public:
  explicit PromptParts(const TGDOptions& options);

  struct Template {
    std::string role;
    std::string content;
  };
  /// The messages of the options, or the default ones.
  const std::vector<Template>& messages() const noexcept { return messages_; }
  /// Whether some message has {name}.
  bool has_placeholder(std::string_view name) const;

  /// The tags of all prompts that a request for new values can be made of, and those that a conversation must not have.
  const TagNames& tags() const noexcept { return tags_; }
  const TagNames& tags_beside_samples() const noexcept { return tags_beside_samples_; }

  /// The fixed part of a request that was made with these prompts beside the messages.
  std::shared_ptr<const FixedPart> fixed_part(const PromptNames& used);

 private:
  const TGDOptions& options_;
  std::vector<Template> messages_;
  TagNames tags_;
  TagNames tags_beside_samples_;
  std::map<PromptNames, std::shared_ptr<const FixedPart>> fixed_parts_;
};

}  // namespace tgd::optim::detail
