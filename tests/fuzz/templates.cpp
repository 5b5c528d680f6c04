// A template may hold any bytes: an input is used where its placeholder stands and nowhere else, and a value is never looked into.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <tgd/template.hpp>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const std::array<tgd::TemplateInput, 2> as_they_are{{{"a", "{a}"}, {"text", "{text}"}}};
  std::vector<bool> used;
  require(tgd::fill_template(text, as_they_are, &used) == text);
  require(used.size() == 2 && used[0] == tgd::has_placeholder(text, "a") && used[1] == tgd::has_placeholder(text, "text"));
  const std::array<tgd::TemplateInput, 2> others{{{"a", ""}, {"text", "{a}"}}};
  const std::string filled = tgd::fill_sections(text, others, &used);
  require(filled.size() <= text.size());
  require(!tgd::has_placeholder(text, "a") || used[0]);
  return 0;
}
