// Prompts: every text of its own that tgd sends to a language model.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/template.hpp>

namespace tgd {

/// Every text of its own that tgd sends to a language model. The defaults are the files of the folder prompts/,
/// embedded when the library is built; an object of this class can replace any of them for the operations it is given to.
/// Thread-safety: a value type.
class TGD_API Prompts {
 public:
  /// The embedded texts.
  Prompts();

  /// The names of all prompts, sorted.
  static std::vector<std::string_view> names();
  /// The text, without the newline that ends its file; valid until it is replaced here. Throws ValueError that lists the names.
  std::string_view get(std::string_view name) const&;
  std::string_view get(std::string_view name) && = delete;  // it might be gone at once
  /// Replaces one text. Throws ValueError for an unknown name and for a text that lacks a placeholder which the default has.
  Prompts& set(std::string_view name, std::string text);
  /// Replaces every prompt for which `folder` holds a file `<name>.md`. Throws ValueError when the folder does not exist or
  /// holds a Markdown file of another name.
  Prompts& load(const std::filesystem::path& folder);

  /// The text with its placeholders filled; see fill_sections.
  std::string render(std::string_view name, std::initializer_list<TemplateInput> inputs) const;

 private:
  struct Overrides;
  std::shared_ptr<const Overrides> overrides_;
};

}  // namespace tgd
