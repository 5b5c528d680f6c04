#include <tgd/prompts.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tgd/error.hpp>

#include "core/embedded_prompts.hpp"
#include "core/text.hpp"
#include "core/text_file.hpp"
#include "core/utf8.hpp"

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

constexpr std::uint64_t most_prompt_bytes = 1U << 20U;

std::string read_prompt(const std::filesystem::path& file) {
  const auto fail = [&](std::string_view problem) {
    throw ValueError(
        fmt::format("the prompt file {} cannot be used: {}, and no text; save it as UTF-8", file.string(), problem));
  };
  std::string text;
  try {
    text = detail::read_text_file(file, most_prompt_bytes);
  } catch (const ParseError&) {
    fail("it is not UTF-8");
  }
  if (text.find('\0') != std::string::npos) fail("it holds a zero byte");
  return text;
}

/// In the order of their names, so that of several faults the same one is told.
std::vector<std::filesystem::path> prompt_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".md") files.push_back(entry->path());
  }
  if (error) throw ValueError(fmt::format("prompts cannot be loaded from {}: {}", folder.string(), error.message()));
  std::sort(files.begin(), files.end());
  return files;
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

std::string_view Prompts::get(std::string_view name) const& {
  if (overrides_) {
    if (const auto found = overrides_->texts.find(name); found != overrides_->texts.end()) return found->second;
  }
  return embedded(name);
}

Prompts& Prompts::set(std::string_view name, std::string text) {
  for (const std::string_view placeholder : placeholders_of(embedded(name))) {
    if (!has_placeholder(text, placeholder)) {
      throw ValueError(
          fmt::format("the text for the prompt \"{}\" lacks the placeholder {{{}}}; without it, what belongs there "
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
  std::error_code unknown;  // of a loop of links, say: it is no folder then
  if (!std::filesystem::is_directory(folder, unknown)) {
    throw ValueError(fmt::format("prompts cannot be loaded from {}: there is no such folder", folder.string()));
  }
  Prompts loaded = *this;
  for (const std::filesystem::path& file : prompt_files(folder))
    loaded.set(file.stem().string(), std::string(without_final_newline(read_prompt(file))));
  *this = std::move(loaded);
  return *this;
}

std::string Prompts::render(std::string_view name, std::initializer_list<TemplateInput> inputs) const {
  return fill_sections(get(name), inputs);
}

}  // namespace tgd
