#include "report/page.hpp"

#include <initializer_list>
#include <map>

#include <fmt/format.h>

#include "core/json_text.hpp"
#include "core/sha256.hpp"
#include "report/data.hpp"
#include "report/page_files.hpp"

namespace tgd::cli {

namespace {

std::string joined(std::initializer_list<std::string_view> files) {
  std::string text;
  for (const std::string_view file : files) text += file;
  return text;
}

/// Replaces each {{name}} once: what is put in is never looked at again.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values) {
  std::string text;
  for (std::size_t begin = page.find("{{"); begin != std::string_view::npos; begin = page.find("{{")) {
    const std::size_t end = page.find("}}", begin);
    text.append(page.substr(0, begin)).append(values.at(page.substr(begin + 2, end - begin - 2)));
    page.remove_prefix(end + 2);
  }
  return text.append(page);
}

/// The script's files in the order in which they need each other; the last one draws, into sections of these names.
std::string page_with(const OrderedJson& data, std::initializer_list<std::string_view> files,
                      std::initializer_list<std::string_view> section_names) {
  const std::string code = joined(files);
  std::string sections;
  for (const std::string_view name : section_names)
    sections += fmt::format("  <section id=\"{0}\" aria-labelledby=\"{0}-title\" hidden></section>\n", name);
  return filled(page::page_html, {{"script-hash", content_hash(code)},
                                  {"style-hash", content_hash(page::page_css)},
                                  {"style", std::string(page::page_css)},
                                  {"sections", sections},
                                  {"data", script_json(data)},
                                  {"script", code}});
}

}  // namespace

std::string script_json(const OrderedJson& json) {
  const std::string plain = detail::json_text(json);
  std::string text;
  text.reserve(plain.size() + plain.size() / 64);
  // Only texts hold these, so that their escapes mean the same.
  for (const char c : plain) {
    if (c == '<') {
      text += "\\u003c";
    } else if (c == '>') {
      text += "\\u003e";
    } else {
      text += c;
    }
  }
  return text;
}

std::string content_hash(std::string_view text) { return "sha256-" + tgd::detail::sha256_base64(text); }

std::string report_html(const RunRecord& record) {
  return page_with(
      report_data(record),
      {page::basics_js, page::diff_js, page::charts_js, page::overview_js, page::search_js, page::versions_js, page::samples_js,
       page::calls_js},
      {"metrics", "cost", "search", "versions", "not-taken", "diagnosis", "problems", "samples", "confusion", "calls"});
}

std::string comparison_html(const OrderedJson& comparison) {
  return page_with(comparison, {page::basics_js, page::diff_js, page::compare_js}, {});
}

}  // namespace tgd::cli
