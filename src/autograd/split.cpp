#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tgd/functions.hpp>

#include "autograd/anomaly.hpp"
#include "autograd/graph.hpp"

namespace tgd {

namespace {

using autograd::Answer;
using autograd::Feedback;
using autograd::Gradient;

constexpr std::string_view white_space = " \t\n\r\f\v";

// The rules of Python's str.split, with and without a separator.
std::vector<std::string> split_at_white_space(std::string_view text, int maxsplit) {
  std::vector<std::string> parts;
  for (std::size_t begin = text.find_first_not_of(white_space); begin != std::string_view::npos;) {
    const std::size_t end = maxsplit == 0 ? text.size() : std::min(text.find_first_of(white_space, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(white_space, end);
    --maxsplit;
  }
  return parts;
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator, int maxsplit) {
  std::vector<std::string> parts;
  for (std::size_t cut = text.find(separator); cut != std::string_view::npos && maxsplit != 0; cut = text.find(separator)) {
    parts.emplace_back(text.substr(0, cut));
    text.remove_prefix(cut + separator.size());
    --maxsplit;
  }
  parts.emplace_back(text);
  return parts;
}

class SplitBackward final : public autograd::Node {
 public:
  SplitBackward(std::span<const Variable> inputs, detail::Role role, std::size_t parts)
      : Node(inputs), role_(std::move(role)), parts_(parts), is_batch_(inputs[0].is_batch()), size_(inputs[0].size()) {}

  std::string name() const override { return "SplitBackward"; }
  std::string output_role(std::size_t part) const override { return fmt::format("split part {} of {}", part, role_.text()); }
  std::size_t output_count() const override { return parts_; }

  Answer answer(autograd::NodeState*, const Feedback& feedback, std::span<const lm::Reply>) const override {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < size_; ++i) texts.push_back(combine(feedback, i));
    return {{detail::make_gradient(is_batch_ ? Data(std::move(texts)) : Data(std::move(texts[0])))}};
  }

 private:
  static std::string combine(const Feedback& feedback, std::size_t i) {
    std::string combined;
    bool any = false;
    for (const Gradient& part : feedback.grad_outputs) {
      const std::string text = detail::feedback_text(part, i);
      any = any || !text.empty();
      combined.append("<ITEM>").append(text).append("</ITEM>");
    }
    return any ? combined : std::string();
  }

  detail::Role role_;
  std::size_t parts_;
  bool is_batch_;
  std::size_t size_;
};

std::vector<std::vector<std::string>> rows_of(const Data& data, const std::optional<std::string>& separator, int maxsplit) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::string text = data.item_text(i);
    rows.push_back(separator ? split_at(text, *separator, maxsplit) : split_at_white_space(text, maxsplit));
  }
  return rows;
}

/// Part number `part` of every row, "" where a row is short.
Data column(const std::vector<std::vector<std::string>>& rows, std::size_t part, bool is_batch) {
  std::vector<std::string> texts;
  for (const auto& row : rows) texts.push_back(part < row.size() ? row[part] : std::string());
  return is_batch ? Data(std::move(texts)) : Data(std::move(texts[0]));
}

}  // namespace

std::vector<Variable> split(const Variable& text, const std::optional<std::string>& separator, int maxsplit, Place place) {
  const detail::CalledFrom called(place);
  if (separator && separator->empty()) throw ValueError("split: the separator is empty; leave it out to split at white space");
  const Data& data = text.data();
  if (!data.is_text()) throw TypeError(fmt::format("split takes texts; \"{}\" is {}", text.role(), data.description()));
  const auto rows = rows_of(data, separator, maxsplit);
  std::size_t parts = 0;
  for (const auto& row : rows) parts = std::max(parts, row.size());

  const std::array<Variable, 1> inputs{text};
  const auto node = detail::records_history(inputs)
                        ? std::make_shared<SplitBackward>(inputs, tgd::detail::impl_of(text)->role, parts)
                        : nullptr;
  std::vector<Variable> results;
  for (std::size_t part = 0; part < parts; ++part) {
    auto storage =
        std::make_shared<detail::Storage>(column(rows, part, data.is_batch()), tgd::detail::impl_of(text)->storage->problems());
    detail::inherit_origins(*storage, {tgd::detail::impl_of(text)->storage});
    results.push_back(detail::make_result(
        std::move(storage), detail::Role::prefixed(fmt::format("split part {} of ", part), tgd::detail::impl_of(text)->role),
        node, part));
  }
  return results;
}

}  // namespace tgd
