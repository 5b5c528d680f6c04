#include "net/secrets.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <openssl/evp.h>
#include <tgd/error.hpp>

#include "core/text.hpp"

namespace tgd::net {

namespace {

using Bytes = std::string_view;

constexpr std::size_t long_enough = 8;  // to be a secret, whatever it is made of
constexpr std::size_t shortest = 4;

bool is_alphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/// "X-Api-Key" and "xApiKey": x, api, key.
std::vector<std::string> name_words(Bytes name) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool goes_up = is_upper(name[i]) && i > 0 && !is_upper(name[i - 1]);
    if (!is_alphanumeric(name[i])) {
      in_word = false;
      continue;
    }
    if (!in_word || goes_up) words.emplace_back();
    in_word = true;
    words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return words;
}

bool names_secret(const std::string& word) {
  constexpr std::array whole = {"auth", "oauth", "authorization", "authentication", "sig",   "signature",  "pass",
                                "pwd",  "jwt",   "bearer",        "credential",     "creds", "credentials"};
  // "apikey", "accesstoken", "clientsecret"; but "turkey" and "monkey" are rare enough.
  constexpr std::array endings = {"key",    "keys",    "token",    "secret", "secrets",
                                  "cookie", "cookies", "password", "passwd", "passphrase"};
  return std::find(whole.begin(), whole.end(), word) != whole.end() ||
         std::any_of(endings.begin(), endings.end(), [&](Bytes ending) { return word.ends_with(ending); });
}

bool mixes_letters_with_digits(Bytes text) {
  return std::any_of(text.begin(), text.end(), is_digit) &&
         std::any_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) && !is_digit(c); });
}

std::string base64(Bytes text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(std::max(0, size)));
  return encoded;
}

/// Nothing for what is no base64.
std::string base64_decoded(Bytes text) {
  std::string decoded(text.size() / 4 * 3 + 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  const auto padding =
      static_cast<std::size_t>(std::count(text.end() - std::min<std::ptrdiff_t>(2, std::ssize(text)), text.end(), '='));
  decoded.resize(static_cast<std::size_t>(size) - padding);
  return decoded;
}

std::string replaced(std::string text, Bytes from, Bytes to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string escaped_for_json(Bytes text, bool ascii_only) {
  const std::string quoted = nlohmann::json(text).dump(-1, ' ', ascii_only, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

/// The parts of a header's value that are secret by themselves: what stands behind "Bearer", the values of cookies, and the password
/// that basic authentication packs.
void add_parts(Secrets& secrets, const std::string& value) {
  const std::string last = value.substr(value.rfind(' ') + 1);
  if (last != value) secrets.add(last);
  for (std::size_t at = 0; value.find(';') != std::string::npos && at < value.size();) {
    const std::size_t end = std::min(value.find(';', at), value.size());
    const Bytes part = tgd::detail::trim(Bytes(value).substr(at, end - at));
    secrets.add(part.substr(std::min(part.find('=') + 1, part.size())));
    at = end + 1;
  }
  if (!tgd::detail::lower_case(value).starts_with("basic ")) return;
  const std::string user_and_password = base64_decoded(last);
  secrets.add(user_and_password);
  secrets.add(Bytes(user_and_password).substr(std::min(user_and_password.find(':') + 1, user_and_password.size())));
}

}  // namespace

bool may_hold_secret(std::string_view name) {
  const std::vector<std::string> words = name_words(name);
  // A function's key goes by the bare name "code"; a "country_code" is none.
  return (words.size() == 1 && words[0] == "code") || std::any_of(words.begin(), words.end(), names_secret);
}

NamedValues without_secrets(const NamedValues& named_values) {
  NamedValues open;
  for (const auto& [name, value] : named_values) {
    if (!may_hold_secret(name)) open.emplace_back(tgd::detail::lower_case(name), value);
  }
  return open;
}

Secrets::Secrets(const std::vector<std::string>& values) {
  for (const std::string& value : values) add(value);
}

void Secrets::add(std::string_view value) {
  value = tgd::detail::trim(value);
  const bool is_short = value.size() < long_enough;
  if (is_short && (value.size() < shortest || !mixes_letters_with_digits(value))) return;
  if (std::find(values_.begin(), values_.end(), value) != values_.end()) return;
  values_.emplace_back(value);
  add_form(std::string(value), is_short);
  if (is_short) return;
  const std::string percent = percent_encoded(value);
  add_form(percent);
  add_form(tgd::detail::lower_case(percent));
  add_form(replaced(percent, "%20", "+"));
  for (const bool ascii_only : {false, true}) {
    const std::string json = escaped_for_json(value, ascii_only);
    add_form(json);
    add_form(replaced(json, "/", "\\/"));
  }
  const std::string packed = base64(value);
  add_form(packed);
  add_form(replaced(replaced(packed, "+", "-"), "/", "_"));
}

void Secrets::add_form(std::string text, bool is_short) {
  const auto same = [&](const Form& form) { return form.text == text; };
  if (text.empty() || std::any_of(forms_.begin(), forms_.end(), same)) return;
  const auto place =
      std::find_if(forms_.begin(), forms_.end(), [&](const Form& form) { return form.text.size() < text.size(); });
  forms_.insert(place, {std::move(text), is_short});
}

void Secrets::add_named(const NamedValues& named_values) {
  for (const auto& [name, value] : named_values) {
    if (!may_hold_secret(name)) continue;
    add(value);
    add_parts(*this, value);
  }
}

void Secrets::add_named_members(const nlohmann::ordered_json& json) {
  if (!json.is_structured()) return;
  for (const auto& member : json.items()) {
    if (json.is_object() && member.value().is_string() && may_hold_secret(member.key())) {
      add_named({{member.key(), member.value().get<std::string>()}});
    } else {
      add_named_members(member.value());
    }
  }
}

// A beginning counts from 8 bytes on, of a secret that is at least twice as long; at the very end of the text from 4 bytes on.
void Secrets::find(const Form& form, std::string_view text, bool beginnings, std::vector<Range>& found) const {
  const Bytes secret = form.text;
  const bool by_beginning = beginnings && secret.size() >= 2 * long_enough;
  const Bytes sought = by_beginning ? secret.substr(0, long_enough) : secret;
  for (auto at = text.find(sought); at != Bytes::npos; at = text.find(sought, at + 1)) {
    const Bytes here = text.substr(at, secret.size());
    const auto end =
        at + static_cast<std::size_t>(std::mismatch(here.begin(), here.end(), secret.begin()).first - here.begin());
    const bool is_alone = (at == 0 || !is_alphanumeric(text[at - 1])) && (end == text.size() || !is_alphanumeric(text[end]));
    if (!form.is_short || is_alone) found.push_back({at, end});
  }
  if (!beginnings || form.is_short) return;
  for (std::size_t size = std::min(secret.size(), text.size()); size >= shortest; --size) {
    if (text.ends_with(secret.substr(0, size))) return found.push_back({text.size() - size, text.size()});
  }
}

// All of them are found in the text as it is, so that blanking one cannot hide the rest of another that overlaps it.
std::string Secrets::blanked(std::string_view text, bool beginnings) const {
  std::vector<Range> found;
  for (const Form& form : forms_) find(form, text, beginnings, found);
  if (found.empty()) return std::string(text);
  std::sort(found.begin(), found.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::string result;
  std::size_t at = 0;
  for (std::size_t i = 0; i < found.size();) {
    Range range = found[i];
    while (++i < found.size() && found[i].begin < range.end) range.end = std::max(range.end, found[i].end);
    result.append(text.substr(at, range.begin - at)).append("***");
    at = range.end;
  }
  return result.append(text.substr(at));
}

std::string Secrets::blank(std::string_view text) const { return blanked(text, false); }
std::string Secrets::blank_quoted(std::string_view text) const { return blanked(text, true); }

void Secrets::blank_texts(nlohmann::ordered_json& json) const {
  if (json.is_string()) json = blank(json.get_ref<const std::string&>());
  if (!json.is_structured()) return;
  for (nlohmann::ordered_json& member : json) blank_texts(member);
}

std::string percent_encoded(std::string_view text) {
  constexpr Bytes digits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~')) {
      result += c;
    } else {
      result.append({'%', digits[byte / 16], digits[byte % 16]});
    }
  }
  return result;
}

}  // namespace tgd::net
