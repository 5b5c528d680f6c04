// Marks that end a turn in a model's own language, such as <|im_end|> or </s>, which a server with a wrong template leaves at the end of
// a reply. They are no text: an answer that is right but for one would be wrong.
#pragma once

#include <string>
#include <string_view>

namespace tgd::lm::detail {

/// Takes them off the end of a text, and the blanks before them. Returns the first of them; empty where there is none, and then the text
/// stays as it is.
std::string take_end_marks(std::string& text);

/// The same for text that arrives in pieces: what may become a mark is held back.
class EndMarkFilter {
 public:
  /// What the piece adds to the text.
  std::string take(std::string_view piece);
  /// What is left at the end.
  std::string finish();

 private:
  bool strikes_ = false;  // an HTML <s>, whose end is none
  std::string held_ = {};
};

}  // namespace tgd::lm::detail
