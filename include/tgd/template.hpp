// Templates: {name} is replaced where `name` is one of the given inputs. Every other brace is plain text, JSON included:
// there is nothing to escape. Replaced text is never scanned again.
// Thread-safety: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/export.hpp>

namespace tgd {

/// A name and what stands for it: one text for all items, or a text for each.
struct TemplateInput {
  std::string_view name;
  std::string_view value;
};

/// The filled text. `used`, when given, has one flag per input and is set where the input occurs.
TGD_API std::string fill_template(std::string_view text, std::span<const TemplateInput> inputs,
                                  std::vector<bool>* used = nullptr);

/// Like fill_template, but a line that holds nothing but placeholders with empty values goes, together with the empty lines
/// after it, so that an absent section leaves no gap.
TGD_API std::string fill_sections(std::string_view text, std::span<const TemplateInput> inputs,
                                  std::vector<bool>* used = nullptr);

/// Whether {name} occurs in the text.
TGD_API bool has_placeholder(std::string_view text, std::string_view name);

}  // namespace tgd
