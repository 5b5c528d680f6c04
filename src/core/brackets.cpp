#include "core/brackets.hpp"

#include <algorithm>

namespace tgd::detail {

namespace {

/// Calls `visit(position, depth after it)` for each bracket outside of quoted texts until it returns false.
template <class Visit>
void visit_brackets(std::string_view text, std::size_t begin, const Visit& visit) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[' || c == '}' || c == ']') {
      depth += c == '{' || c == '[' ? 1 : -1;
      if (!visit(i, depth)) return;
    }
  }
}

/// Behind the comment that begins at `begin`; `begin` where none does.
std::size_t end_of_comment(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin);
  if (rest.starts_with("//")) return std::min(text.find('\n', begin), text.size());
  if (!rest.starts_with("/*")) return begin;
  const std::size_t end = text.find("*/", begin + 2);
  return end == text.npos ? text.size() : end + 2;
}

}  // namespace

std::optional<std::size_t> end_of_brackets(std::string_view text, std::size_t begin) {
  std::optional<std::size_t> end;
  visit_brackets(text, begin, [&](std::size_t at, int depth) {
    if (depth == 0) end = at + 1;
    return depth > 0 && depth <= deepest_nesting;
  });
  return end;
}

int nesting(std::string_view json) {
  int most = 0;
  visit_brackets(json, 0, [&](std::size_t, int depth) {
    most = std::max(most, depth);
    return true;
  });
  return most;
}

std::optional<std::size_t> too_deep_at(std::string_view json, bool has_comments) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '/' && has_comments) {
      i = std::max(end_of_comment(json, i), i + 1) - 1;
    } else if (c == '{' || c == '[') {
      if (++depth > deepest_nesting) return i;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return std::nullopt;
}

namespace {

constexpr std::size_t no_end = 1;

// Quotation marks in prose make a bracket look as if it stood in a quoted text; then it is matched once more, from itself on.
constexpr std::size_t most_readings = 64;

}  // namespace

BracketedParts::BracketedParts(std::string_view text, std::string_view openers)
    : text_(text), openers_(openers), work_left_(most_readings * (text.size() + 1)) {}

/// Finds the ends of the bracket at `begin` and of all within it.
void BracketedParts::match(std::size_t begin) {
  struct Open {
    std::size_t begin;
    int height;
  };
  std::vector<Open> open;
  bool in_text = false;
  std::size_t i = begin;
  for (; i < text_.size(); ++i) {
    const char c = text_[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      open.push_back({i, 1});
    } else if (c == '}' || c == ']') {
      const Open closed = open.back();
      open.pop_back();
      if (ends_[closed.begin] == 0) ends_[closed.begin] = closed.height > deepest_nesting ? no_end : i + 1;
      if (open.empty()) {
        // What stands inside of something too deep is no part that anyone meant.
        if (closed.height > deepest_nesting)
          std::replace_if(
              ends_.begin() + static_cast<std::ptrdiff_t>(begin), ends_.begin() + static_cast<std::ptrdiff_t>(i),
              [](std::size_t end) { return end > no_end; }, no_end);
        break;
      }
      open.back().height = std::max(open.back().height, closed.height + 1);
    }
  }
  for (const Open& unclosed : open) ends_[unclosed.begin] = no_end;
  work_left_ -= std::min(work_left_, std::min(i, text_.size()) - begin);
}

std::optional<std::string_view> BracketedParts::next() {
  const std::size_t begin = text_.find_first_of(openers_, next_);
  if (begin == text_.npos) return std::nullopt;
  if (ends_.empty()) ends_.resize(text_.size());
  if (ends_[begin] == 0) match(begin);
  const std::size_t size = ends_[begin] == no_end ? 0 : ends_[begin] - begin;
  if (work_left_ < size) return std::nullopt;
  work_left_ -= size;  // for who parses it
  next_ = begin + 1;
  end_of_last_ = std::max(next_, begin + size);
  return text_.substr(begin, size);
}

void BracketedParts::skip() { next_ = end_of_last_; }

}  // namespace tgd::detail
