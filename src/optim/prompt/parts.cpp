#include "optim/prompt/parts.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace tgd::optim::detail {

namespace {

std::vector<PromptParts::Template> messages_of(const TGDOptions& options, bool is_direct) {
  const Prompts& prompts = options.prompts;
  if (options.messages.empty()) {
    const std::string kind = options.joint ? "tgd_joint" : is_direct ? "tgd_direct" : "tgd";
    return {{"system", std::string(prompts.get(kind + "_system"))}, {"user", std::string(prompts.get(kind + "_user"))}};
  }
  std::vector<PromptParts::Template> messages;
  for (const Message& message : options.messages) {
    std::vector<std::string> parts;
    for (const Variable& part : message.content) parts.push_back(part.data().text());
    messages.push_back({message.role, tgd::detail::join(parts, "\n")});
  }
  return messages;
}

}  // namespace

PromptParts::PromptParts(const TGDOptions& options, bool is_direct)
    : options_(options), messages_(messages_of(options, is_direct)) {
  for (const std::string_view name : Prompts::names()) {
    if (!name.starts_with("tgd_")) continue;
    const std::string_view prompt = options.prompts.get(name);
    tags_.merge(tag_names(prompt));
    size_ += prompt.size();
  }
  for (const Template& message : messages_) size_ += message.content.size();
  tags_beside_samples_ = tags_;
  for (const std::string& own : tag_names(options.prompts.get("backward_sample"))) tags_beside_samples_.erase(own);
  names_tags_ = options.joint || (has_placeholder("open_tag") && has_placeholder("close_tag"));
}

bool PromptParts::has_placeholder(std::string_view name) const {
  return std::any_of(messages_.begin(), messages_.end(),
                     [&](const Template& message) { return tgd::has_placeholder(message.content, name); });
}

std::shared_ptr<const FixedPart> PromptParts::fixed_part(const PromptNames& used) {
  std::shared_ptr<const FixedPart>& part = fixed_parts_[used];
  if (part) return part;
  const auto made = std::make_shared<FixedPart>();
  for (const Template& message : messages_) made->add(message.content);
  for (const std::string& name : used) made->add(options_.prompts.get(name));
  made->add(options_.prompts.get(options_.joint ? "tgd_joint_reask" : "tgd_reask"));
  return part = made;
}

}  // namespace tgd::optim::detail
