// Secrets: texts that must not be seen in anything that tgd writes or says, as they are known and in the forms in which endpoints
// quote them. The one place that knows which names go with secrets and how a secret is blanked.
// Thread-safety: value types.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tgd::net {

/// Headers, or the parts of a query.
using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// Whether what goes by this name (a header, a part of a query, an argument) may be a secret. Goes by the words of the name:
/// "X-Api-Key" and "accessToken" may be, "X-Keyword" and "max_tokens" may not.
bool may_hold_secret(std::string_view name);

/// The others, with their names in lower case.
NamedValues without_secrets(const NamedValues& named_values);

class Secrets {
 public:
  Secrets() = default;
  explicit Secrets(const std::vector<std::string>& values);

  /// A text that is a secret, whatever it is called. One of less than 8 characters counts only when it mixes letters with digits,
  /// which no stand-in for a key does ("none", "ollama"), and is seen only where it stands alone: hiding it would garble texts.
  void add(std::string_view value);
  /// Those whose name says that they may be secret: the whole value, and what stands behind "Bearer" or within a cookie.
  void add_named(const NamedValues& named_values);
  /// The same for the members of a JSON value that are texts, at any depth.
  void add_named_members(const nlohmann::ordered_json& json);

  bool empty() const noexcept { return forms_.empty(); }
  const std::vector<std::string>& values() const noexcept { return values_; }

  /// The text with "***" for each secret: as it is, percent-encoded, escaped for JSON and in base64.
  std::string blank(std::string_view text) const;
  /// The same for a text that is only to be read and may have been cut: beginnings of a secret are blanked, too. To be called before
  /// anything of the text is cut off.
  std::string blank_quoted(std::string_view text) const;
  /// In place: each text in a JSON value.
  void blank_texts(nlohmann::ordered_json& json) const;

 private:
  struct Form {
    std::string text;
    bool is_short = false;  // counts only where it stands alone
  };
  struct Range {
    std::size_t begin;
    std::size_t end;
  };

  void add_form(std::string text, bool is_short = false);
  void find(const Form& form, std::string_view text, bool beginnings, std::vector<Range>& found) const;
  std::string blanked(std::string_view text, bool beginnings) const;

  std::vector<std::string> values_;
  std::vector<Form> forms_;  // the longest first
};

/// With every byte but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace tgd::net
