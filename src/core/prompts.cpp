#include <tgd/prompts.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tgd/error.hpp>

#include "core/embedded_prompts.hpp"
#include "core/text.hpp"

namespace tgd {

namespace {

std::string_view without_final_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

std::string_view embedded(std::string_view name) {
  for (std::size_t i = 0; i < detail::embedded_prompt_count; ++i) {
    if (detail::embedded_prompts[i].name == name) return without_final_newline(detail::embedded_prompts[i].text);
  }
  const std::vector<std::string_view> names = Prompts::names();
  const std::string_view near = detail::nearest(name, names);
  throw ValueError(fmt::format("there is no prompt \"{}\"{}; the prompts are {}", name,
                               near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near), fmt::join(names, ", ")));
}

bool is_name_character(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

std::set<std::string_view> placeholders_of(std::string_view text) {
  std::set<std::string_view> found;
  for (std::size_t brace = text.find('{'); brace != std::string_view::npos; brace = text.find('{', brace + 1)) {
    std::size_t end = brace + 1;
    while (end < text.size() && is_name_character(text[end])) ++end;
    if (end > brace + 1 && end < text.size() && text[end] == '}') found.insert(text.substr(brace + 1, end - brace - 1));
  }
  return found;
}

}  // namespace

struct Prompts::Overrides {
  std::map<std::string, std::string, std::less<>> texts;
};

Prompts::Prompts() = default;

std::vector<std::string_view> Prompts::names() {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < detail::embedded_prompt_count; ++i) names.push_back(detail::embedded_prompts[i].name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string_view Prompts::get(std::string_view name) const {
  if (overrides_) {
    if (const auto found = overrides_->texts.find(name); found != overrides_->texts.end()) return found->second;
  }
  return embedded(name);
}

Prompts& Prompts::set(std::string_view name, std::string text) {
  for (const std::string_view placeholder : placeholders_of(embedded(name))) {
    if (!has_placeholder(text, placeholder)) {
      throw ValueError(fmt::format("the text for the prompt \"{}\" lacks the placeholder {{{}}}; without it, what belongs there "
                                   "would never reach the language model",
                                   name, placeholder));
    }
  }
  auto changed = overrides_ ? std::make_shared<Overrides>(*overrides_) : std::make_shared<Overrides>();
  changed->texts.insert_or_assign(std::string(name), std::move(text));
  overrides_ = std::move(changed);
  return *this;
}

Prompts& Prompts::load(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw ValueError(fmt::format("prompts cannot be loaded from {}: there is no such folder", folder.string()));
  }
  Prompts loaded = *this;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".md") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw ValueError(fmt::format("the prompt file {} cannot be read", entry.path().string()));
    loaded.set(entry.path().stem().string(), std::string(without_final_newline(text)));
  }
  *this = std::move(loaded);
  return *this;
}

std::string Prompts::render(std::string_view name, std::initializer_list<TemplateInput> inputs) const {
  return fill_sections(get(name), inputs);
}

}  // namespace tgd
