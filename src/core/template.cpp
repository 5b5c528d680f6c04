#include <tgd/template.hpp>

#include <algorithm>
#include <optional>

#include "core/text.hpp"

namespace tgd {

namespace {

/// The input whose {name} starts at the brace at `position`.
std::optional<std::size_t> placeholder_at(std::string_view text, std::size_t position, std::span<const TemplateInput> inputs) {
  const std::string_view rest = text.substr(position + 1);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string_view name = inputs[i].name;
    if (rest.size() > name.size() && rest[name.size()] == '}' && rest.starts_with(name)) return i;
  }
  return std::nullopt;
}

/// Calls visit(literal text, input behind it); the last literal has none.
template <class Visit>
void each_piece(std::string_view text, std::span<const TemplateInput> inputs, const Visit& visit) {
  std::size_t seen = 0;
  for (std::size_t brace = text.find('{'); brace != std::string_view::npos; brace = text.find('{', brace)) {
    const std::optional<std::size_t> input = placeholder_at(text, brace, inputs);
    if (!input) {
      ++brace;
      continue;
    }
    visit(text.substr(seen, brace - seen), input);
    brace += inputs[*input].name.size() + 2;
    seen = brace;
  }
  visit(text.substr(seen), std::nullopt);
}

/// Whether the line holds nothing but space and at least one placeholder, all of them with empty values.
bool vanishes(std::string_view line, std::span<const TemplateInput> inputs) {
  bool has_placeholder = false;
  bool has_text = false;
  each_piece(line, inputs, [&](std::string_view literal, std::optional<std::size_t> input) {
    has_placeholder = has_placeholder || input.has_value();
    has_text = has_text || !detail::trim(literal).empty() || (input && !inputs[*input].value.empty());
  });
  return has_placeholder && !has_text;
}

void mark_used(std::string_view line, std::span<const TemplateInput> inputs, std::vector<bool>* used) {
  if (used != nullptr) fill_template(line, inputs, used);
}

}  // namespace

std::string fill_template(std::string_view text, std::span<const TemplateInput> inputs, std::vector<bool>* used) {
  if (used != nullptr) used->resize(inputs.size());
  std::size_t size = 0;
  each_piece(text, inputs, [&](std::string_view literal, std::optional<std::size_t> input) {
    size += literal.size() + (input ? inputs[*input].value.size() : 0);
  });
  std::string filled;
  filled.reserve(size);
  each_piece(text, inputs, [&](std::string_view literal, std::optional<std::size_t> input) {
    filled.append(literal);
    if (!input) return;
    filled.append(inputs[*input].value);
    if (used != nullptr) (*used)[*input] = true;
  });
  return filled;
}

std::string fill_sections(std::string_view text, std::span<const TemplateInput> inputs, std::vector<bool>* used) {
  std::string kept;
  kept.reserve(text.size());
  bool after_gap = false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t newline = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, newline - begin);
    const bool last = newline == text.size();
    begin = newline + 1;
    if (after_gap && detail::trim(line).empty() && !last) continue;
    after_gap = vanishes(line, inputs);
    if (after_gap) {
      mark_used(line, inputs, used);
    } else {
      kept.append(line).append(last ? "" : "\n");
    }
  }
  return fill_template(kept, inputs, used);
}

bool has_placeholder(std::string_view text, std::string_view name) {
  const TemplateInput input{name, {}};
  std::vector<bool> used;
  fill_template(text, {&input, 1}, &used);
  return used.front();
}

}  // namespace tgd
