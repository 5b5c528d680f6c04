// JSON as people write it, with comments, cut into tokens that nobody has judged yet.
#pragma once

#include <cstddef>
#include <string_view>

namespace tgd::cli {

struct JsonToken {
  enum class Kind { end, mark, text, open_text, word };

  Kind kind = Kind::end;
  std::size_t begin = 0;
  std::string_view text = {};

  std::size_t end() const { return begin + text.size(); }
  bool is(char mark) const { return kind == Kind::mark && text.front() == mark; }
  bool ends_value() const { return kind == Kind::text || kind == Kind::word || is('}') || is(']'); }
  bool begins_value() const { return kind == Kind::text || kind == Kind::word || is('{') || is('['); }
};

class JsonTokens {
 public:
  explicit JsonTokens(std::string_view text) : text_(text) {}

  /// The next token, behind blanks and comments; of kind `end` where there is none.
  JsonToken next();

 private:
  void skip_blank();
  JsonToken quoted();
  JsonToken token(JsonToken::Kind kind, std::size_t end);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace tgd::cli
