#include "task/json_tokens.hpp"

#include <algorithm>
#include <utility>

namespace tgd::cli {

namespace {

constexpr std::string_view json_punctuation = "{}[]:,=#'";

}  // namespace

JsonToken JsonTokens::next() {
  skip_blank();
  if (at_ >= text_.size()) return {JsonToken::Kind::end, text_.size()};
  const char c = text_[at_];
  if (c == '"') return quoted();
  if (json_punctuation.find(c) != json_punctuation.npos) return token(JsonToken::Kind::mark, at_ + 1);
  const std::size_t word_end = text_.find_first_of("{}[]:,=#'\" \t\r\n/", at_ + 1);
  return token(JsonToken::Kind::word, std::min(word_end, text_.size()));
}

void JsonTokens::skip_blank() {
  for (;;) {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (rest.starts_with("/*")) {
      const std::size_t close = text_.find("*/", at_ + 2);
      at_ = close == text_.npos ? text_.size() : close + 2;
    } else {
      return;
    }
  }
}

JsonToken JsonTokens::quoted() {
  for (std::size_t i = at_ + 1; i < text_.size() && text_[i] != '\n'; ++i) {
    if (text_[i] == '"') return token(JsonToken::Kind::text, i + 1);
    if (text_[i] == '\\') ++i;
  }
  return token(JsonToken::Kind::open_text, std::min(text_.find('\n', at_), text_.size()));
}

JsonToken JsonTokens::token(JsonToken::Kind kind, std::size_t end) {
  const std::size_t begin = std::exchange(at_, end);
  return {kind, begin, text_.substr(begin, end - begin)};
}

}  // namespace tgd::cli
