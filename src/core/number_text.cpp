#include "core/number_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

#include "core/characters.hpp"
#include "core/fold.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

// A text is read as one byte for each of its characters. Digits of all scripts are ASCII's; these stand for kinds of characters:
constexpr char some_letter = 'L';  // ASCII's stand for themselves, in lower case
constexpr char some_ideograph = 'I';
constexpr char ten_thousand = 'W';
constexpr char hundred_million = 'Y';
constexpr char currency = '$';
constexpr char tight_blank = '~';  // one that holds together what stands around it
constexpr char other = '?';

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_letter(char c) { return (c >= 'a' && c <= 'z') || c == some_letter; }

char digit_of(char32_t code) {
  if (is_between(code, '0', '9')) return static_cast<char>(code);
  if (is_between(code, 0xFF10, 0xFF19)) return static_cast<char>('0' + (code - 0xFF10));
  if (is_between(code, 0x1D7CE, 0x1D7FF)) return static_cast<char>('0' + (code - 0x1D7CE) % 10);
  // Arabic, Persian, Nko, Devanagari, Bengali and so on.
  constexpr std::array<char32_t, 18> zeros{0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6,  0xB66,  0xBE6,
                                           0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20, 0x1040, 0x17E0, 0x1810};
  for (const char32_t zero : zeros) {
    if (is_between(code, zero, zero + 9)) return static_cast<char>('0' + (code - zero));
  }
  return 0;
}

bool is_superscript(char32_t code) { return code == 0xB2 || code == 0xB3 || code == 0xB9 || is_between(code, 0x2070, 0x209F); }

char reading_of(char32_t code) {
  if (const char digit = digit_of(code); digit != 0) return digit;
  if (code == 0xA0 || code == 0x2007 || code == 0x2009 || code == 0x202F) return tight_blank;
  if (is_blank(code)) return ' ';
  if (is_superscript(code)) return some_letter;
  if (code == 0x4E07 || code == 0x842C) return ten_thousand;
  if (code == 0x4EBF || code == 0x5104) return hundred_million;
  if (code == 0x66B || code == 0xFF0E) return '.';
  if (code == 0x66C || code == 0xFF0C) return ',';
  if (code == 0x2019 || code == 0x2018) return '\'';
  if (code == 0x2212 || code == 0xFE63 || code == 0xFF0D || is_between(code, 0x2010, 0x2014)) return '-';
  if (code == 0x2044 || code == 0x2215 || code == 0xFF0F) return '/';
  if (code == 0xD7 || code == 0xB7 || code == 0x22C5) return '*';
  if (code == 0xFF05 || code == 0x66A) return '%';
  if (is_currency(code)) return currency;
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? static_cast<char>(code + ('a' - 'A')) : static_cast<char>(code);
  if (is_unspaced(code)) return some_ideograph;
  return is_letter(code) || is_mark(code) ? some_letter : other;
}

struct Fraction {
  std::string_view sign;
  std::string_view text;
};
constexpr std::array vulgar_fractions = {Fraction{"\u00bd", "1/2"}, Fraction{"\u00bc", "1/4"}, Fraction{"\u00be", "3/4"},
                                         Fraction{"\u2153", "1/3"}, Fraction{"\u2154", "2/3"}, Fraction{"\u2155", "1/5"},
                                         Fraction{"\u2156", "2/5"}, Fraction{"\u2157", "3/5"}, Fraction{"\u2158", "4/5"},
                                         Fraction{"\u2159", "1/6"}, Fraction{"\u215a", "5/6"}, Fraction{"\u215b", "1/8"},
                                         Fraction{"\u215c", "3/8"}, Fraction{"\u215d", "5/8"}, Fraction{"\u215e", "7/8"}};

/// The digits in braces at `at`, which moves behind them; empty where there are none.
std::string_view digits_in_braces(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '{') return {};
  const std::size_t close = text.find('}', at);
  if (close == std::string_view::npos) return {};
  const std::string_view digits = text.substr(at + 1, close - at - 1);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return {};
  at = close + 1;
  return digits;
}

/// Fractions as LaTeX and single characters have them, with a bar: "1\u00bd" as "1 1/2".
std::string with_bars(std::string_view text) {
  std::string plain;
  const auto add = [&plain](std::string_view fraction) {
    if (!plain.empty() && plain.back() >= '0' && plain.back() <= '9') plain += ' ';
    plain += fraction;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const auto vulgar = std::find_if(vulgar_fractions.begin(), vulgar_fractions.end(),
                                     [&](const Fraction& fraction) { return rest.starts_with(fraction.sign); });
    if (vulgar != vulgar_fractions.end()) {
      add(vulgar->text);
      at += vulgar->sign.size();
      continue;
    }
    std::size_t end = at;
    for (const std::string_view command : {"\\frac", "\\dfrac", "\\tfrac"}) {
      if (rest.starts_with(command)) end = at + command.size();
    }
    const std::string_view dividend = end > at ? digits_in_braces(text, end) : std::string_view();
    const std::string_view divisor = dividend.empty() ? dividend : digits_in_braces(text, end);
    if (divisor.empty()) {
      plain += text[at++];
      continue;
    }
    add(std::string(dividend).append("/").append(divisor));
    at = end;
  }
  return plain;
}

std::string kinds_of(std::string_view written) {
  const std::string with_plain_fractions = with_bars(written);
  std::string_view text = with_plain_fractions;
  std::string kinds;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    kinds += length == 0 ? other : reading_of(code_of(text.substr(0, length)));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return kinds;
}

/// The digits of a token, and how many of them stand behind the decimal mark.
struct Digits {
  std::string before;
  std::string behind;
};

/// Whether groups of digits are as numbers have them: 1,200,000, and 12,00,000 as in India.
bool is_grouped(const std::vector<std::string>& groups) {
  if (groups.size() < 2) return true;
  const std::string& first = groups.front();
  if (first.size() > 3 || first.empty() || first == "0" || groups.back().size() != 3) return false;
  const auto in_threes = [](const std::string& group) { return group.size() == 3; };
  const auto in_twos = [](const std::string& group) { return group.size() == 2; };
  return std::all_of(groups.begin() + 1, groups.end(), in_threes) ||
         (first.size() <= 2 && std::all_of(groups.begin() + 1, groups.end() - 1, in_twos));
}

std::vector<std::string> split_at(const std::string& token, char mark) {
  std::vector<std::string> parts(1);
  for (const char c : token) {
    if (c == mark) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The groups of a whole part, whatever single mark holds them together.
std::optional<std::string> ungrouped(const std::string& token) {
  const std::size_t at = token.find_first_not_of("0123456789");
  if (at == std::string::npos) return token;
  const std::vector<std::string> groups = split_at(token, token[at]);
  std::string digits;
  for (const std::string& group : groups) digits += group;
  const bool is_one_mark = digits.find_first_not_of("0123456789") == std::string::npos;
  return is_one_mark && is_grouped(groups) ? std::optional(digits) : std::nullopt;
}

/// Where the decimal mark of a token stands; its length for none. Nothing where the token is no number.
std::optional<std::size_t> decimal_at(const std::string& token, DecimalMark mark) {
  const std::size_t last = token.find_last_of(".,");
  if (last == std::string::npos) return token.size();
  if (last == 0) return last;
  const char kind = token[last];
  const auto count = std::count(token.begin(), token.end(), kind);
  if (count > 1) return ungrouped(token) ? std::optional(token.size()) : std::nullopt;
  const bool has_other_marks = token.substr(0, last).find_first_not_of("0123456789") != std::string::npos;
  if (has_other_marks) return last;
  const bool is_decimal = kind == (mark == DecimalMark::point ? '.' : ',');
  return is_decimal || !ungrouped(token) ? last : token.size();
}

std::optional<Digits> digits_of(const std::string& token, DecimalMark mark) {
  const auto decimal = decimal_at(token, mark);
  if (!decimal) return std::nullopt;
  const auto before = ungrouped(token.substr(0, *decimal));
  const std::string behind = *decimal < token.size() ? token.substr(*decimal + 1) : "";
  if (!before || behind.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return Digits{before->empty() ? "0" : *before, behind};
}

std::optional<double> real_in(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<std::int64_t> whole_in(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// Walks over a text's numbers, in their order.
class NumberReader {
 public:
  NumberReader(std::string kinds, DecimalMark mark) : text_(std::move(kinds)), mark_(mark) {}

  struct Found {
    std::optional<Data> value;  ///< none: it only looks like a number
    std::size_t begin;          ///< with its sign and currency
    std::size_t end;            ///< with its unit, where that is one of size
    bool is_code;               ///< begins with a zero or a plus that a number would lose
    bool is_reference;          ///< [3]
  };

  std::optional<Found> next() {
    while (at_ < text_.size() && !begins_token()) ++at_;
    if (at_ == text_.size()) return std::nullopt;
    return read();
  }

 private:
  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\n'; }
  bool begins_token() const {
    return is_digit(text_[at_]) ||
           (text_[at_] == '.' && is_digit(at(at_ + 1)) && (at_ == 0 || !is_word_letter(text_[at_ - 1])));
  }
  std::size_t end_of_digits(std::size_t i) const {
    while (is_digit(at(i))) ++i;
    return i;
  }
  std::size_t skip(std::size_t i, std::string_view kinds) const {
    while (i < text_.size() && kinds.find(text_[i]) != std::string_view::npos) ++i;
    return i;
  }

  /// Digits with the marks between them.
  std::string take_token() {
    const std::size_t begin = at_;
    std::string token;
    if (text_[at_] == '.') token += text_[at_++];
    std::size_t groups = 0;
    for (;;) {
      const std::size_t end = end_of_digits(at_);
      token += text_.substr(at_, end - at_);
      at_ = end;
      const char mark = at(at_);
      const bool is_blank_mark = mark == ' ' || mark == tight_blank;
      const bool is_mark = mark == '.' || mark == ',' || mark == '\'' || mark == '_' || is_blank_mark;
      if (!is_mark || !is_digit(at(at_ + 1))) return token;
      // Blanks separate numbers, too: they group where all groups are of three digits.
      if (is_blank_mark) {
        const bool has_marks = token.find_first_of(".,'_") != std::string::npos;
        const std::size_t last = groups == 0 ? end - begin : 3;
        if (has_marks || last > 3 || text_[begin] == '0' || end_of_digits(at_ + 1) - at_ != 4) return token;
      }
      token += is_blank_mark ? tight_blank : mark;
      ++groups;
      ++at_;
    }
  }

  /// Words of currencies that stand before a number without a blank.
  bool is_currency_code(std::size_t begin, std::size_t end) const {
    constexpr std::array<std::string_view, 16> codes{"usd", "eur", "gbp", "chf", "jpy", "cny", "rmb", "inr",
                                                     "aud", "cad", "nzd", "sek", "nok", "dkk", "rs",  "us"};
    return std::find(codes.begin(), codes.end(), std::string_view(text_).substr(begin, end - begin)) != codes.end();
  }

  /// Whether the token belongs to a word before it, or is an exponent.
  bool is_attached(std::size_t begin) const {
    if (begin == 0) return false;
    const char before = text_[begin - 1];
    if (before == '^' || (before == '{' && begin > 1 && text_[begin - 2] == '^') || before == '_') return true;
    if (!is_word_letter(before)) return false;
    std::size_t word = begin;
    while (word > 0 && is_word_letter(text_[word - 1])) --word;
    return !is_currency_code(word, begin);
  }

  /// Where a currency begins that stands before the number.
  std::size_t begin_of_currency(std::size_t begin) const {
    std::size_t i = begin;
    if (i > 0 && (text_[i - 1] == ' ' || text_[i - 1] == tight_blank)) --i;
    if (i > 0 && text_[i - 1] == currency) return i - 1;
    std::size_t word = i;
    while (word > 0 && is_word_letter(text_[word - 1])) --word;
    return word < i && is_currency_code(word, i) ? word : begin;
  }

  /// Whether the number that begins here is below 0; moves `begin` to its sign or its currency.
  bool take_sign(std::size_t& begin) const {
    std::size_t i = begin_of_currency(begin);
    if (i < begin && i > 0 && is_word_letter(text_[i - 1])) i = begin_of_currency(i);  // US$
    begin = i;
    const bool is_apart = i == 2 && text_[1] == ' ';  // "- 5"
    if (is_apart) --i;
    if (i == 0 || (text_[i - 1] != '-' && text_[i - 1] != '+')) return false;
    std::size_t before = i - 1;
    while (before > 0 && text_[before - 1] == ' ') --before;
    const char operand = before == 0 ? '\n' : text_[before - 1];
    if (is_digit(operand) || operand == ')') return false;         // 5-3, 5 - 3
    if (before == i - 1 && is_word_letter(operand)) return false;  // a-5
    begin = begin_of_currency(i - 1);                              // $-5
    return text_[i - 1] == '-';
  }

  /// × 10^23; moves behind it.
  std::optional<std::int64_t> take_power() {
    std::size_t i = skip(at_, " ~");
    if (text_.compare(i, 6, "\\times") == 0 || text_.compare(i, 5, "\\cdot") == 0) {
      i += at(i + 1) == 't' ? 6 : 5;
    } else if (at(i) == '*' || (at(i) == 'x' && !is_word_letter(at(i + 1)))) {
      ++i;
    } else {
      return std::nullopt;
    }
    i = skip(i, " ~");
    if (text_.compare(i, 2, "10") != 0) return std::nullopt;
    i += 2;
    if (at(i) != '^' && text_.compare(i, 2, "**") != 0) return std::nullopt;
    i = skip(i, "^*{");
    const std::size_t begin = i;
    if (at(i) == '-' || at(i) == '+') ++i;
    const std::size_t end = end_of_digits(i);
    const auto power =
        whole_in(text_.substr(text_[begin] == '+' ? begin + 1 : begin, end - begin - (text_[begin] == '+' ? 1 : 0)));
    if (power) at_ = skip(end, "}");
    return power;
  }

  /// million, 万; moves behind it.
  double take_size() {
    constexpr std::array<std::pair<std::string_view, double>, 5> words{
        {{"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9}, {"trillion", 1e12}, {"mio", 1e6}}};
    const std::size_t i = skip(at_, " ~");
    if (at(i) == ten_thousand || at(i) == hundred_million) {
      at_ = i + 1;
      return text_[i] == ten_thousand ? 1e4 : 1e8;
    }
    for (const auto& [word, size] : words) {
      if (text_.compare(i, word.size(), word) != 0) continue;
      const std::size_t end = i + word.size() + (at(i + word.size()) == 's' ? 1 : 0);
      if (is_word_letter(at(end))) continue;
      at_ = end;
      return size;
    }
    return 1;
  }

  /// What stands behind the bar of a fraction; moves behind it. `is_fraction` says whether there is one, be it of numbers or not.
  std::optional<double> take_divisor(bool& is_fraction) {
    std::size_t i = at_;
    is_fraction = at(i) == '/' && is_digit(at(i + 1));
    if (!is_fraction) return std::nullopt;
    const std::size_t end = end_of_digits(i + 1);
    const auto divisor = real_in(text_.substr(i + 1, end - i - 1));
    at_ = end;
    const bool is_longer = (at(end) == '/' || at(end) == '.' || at(end) == ',') && is_digit(at(end + 1));
    if (is_longer) at_ = skip(end, "0123456789/.,");
    return is_longer || divisor == 0.0 ? std::nullopt : divisor;
  }

  bool is_ordinal() const {
    const std::string_view rest = std::string_view(text_).substr(at_);
    const bool has_ending =
        rest.starts_with("st") || rest.starts_with("nd") || rest.starts_with("rd") || rest.starts_with("th");
    return has_ending && (rest.size() == 2 || !is_word_letter(rest[2]));
  }

  std::optional<Data> value_of(const std::string& token, bool is_negative) {
    const auto digits = digits_of(token, mark_);
    if (!digits) return std::nullopt;
    bool is_fraction = false;
    const auto divisor = take_divisor(is_fraction);
    if (is_fraction) {
      const auto dividend = real_in(digits->before);
      if (!divisor || !dividend || !digits->behind.empty()) return std::nullopt;
      const double value = *dividend / *divisor;
      return Data(is_negative ? -value : value);
    }
    std::string text = (is_negative ? "-" : "") + digits->before;
    if (!digits->behind.empty()) text += "." + digits->behind;
    bool is_whole = digits->behind.empty();
    const std::size_t exponent = at(at_ + 1) == '-' || at(at_ + 1) == '+' ? at_ + 2 : at_ + 1;
    if (at(at_) == 'e' && is_digit(at(exponent))) {
      const std::size_t end = end_of_digits(exponent);
      text += "e" + std::string(at(at_ + 1) == '-' ? "-" : "") + text_.substr(exponent, end - exponent);
      at_ = end;
      is_whole = false;
    } else if (const auto power = take_power()) {
      text += fmt::format("e{}", *power);
      is_whole = false;
    }
    const double size = take_size();
    if (is_whole && size == 1) {
      if (const auto whole = whole_in(text)) return Data(*whole);
    }
    const auto real = real_in(text);
    return real ? std::optional<Data>(Data(*real * size)) : std::nullopt;
  }

  Found read() {
    Found found{.value = {}, .begin = at_, .end = 0, .is_code = false, .is_reference = false};
    const std::size_t begin = at_;
    const bool is_attached_token = is_attached(begin);
    const std::string token = take_token();
    const std::size_t end_of_token = at_;
    const bool is_negative = take_sign(found.begin);
    found.value = value_of(token, is_negative);
    found.is_code =
        (token.size() > 1 && token[0] == '0' && is_digit(token[1])) || (found.begin < begin && text_[found.begin] == '+');
    found.is_reference = begin > 0 && text_[begin - 1] == '[' && at(end_of_token) == ']';
    const bool is_time =
        (at(at_) == ':' && is_digit(at(at_ + 1))) || (begin > 1 && text_[begin - 1] == ':' && is_digit(text_[begin - 2]));
    if (is_attached_token || is_time || is_ordinal()) found.value.reset();
    found.end = at_;
    add_mixed(found, token, is_negative);
    return found;
  }

  /// "1 1/2"
  void add_mixed(Found& found, const std::string& token, bool is_negative) {
    const std::size_t i = skip(at_, " ~");
    const std::size_t bar = end_of_digits(i);
    const bool is_whole = found.value && found.value->kind() == Data::Kind::integer && at_ == found.end;
    if (!is_whole || i == at_ || bar == i || at(bar) != '/' || token.find('/') != std::string::npos) return;
    const std::size_t end = end_of_digits(bar + 1);
    const auto dividend = real_in(text_.substr(i, bar - i));
    const auto divisor = real_in(text_.substr(bar + 1, end - bar - 1));
    if (!dividend || !divisor || *dividend >= *divisor || at(end) == '/') return;
    const double part = *dividend / *divisor;
    found.value = Data(static_cast<double>(found.value->integer()) + (is_negative ? -part : part));
    found.end = at_ = end;
  }

  std::string text_;
  DecimalMark mark_;
  std::size_t at_ = 0;
};

/// What stands in the last \boxed{…}, or the text.
std::string_view result_in(std::string_view text) {
  constexpr std::string_view box = "\\boxed{";
  const std::size_t at = text.rfind(box);
  if (at == std::string_view::npos) return text;
  const std::string_view inside = text.substr(at + box.size());
  std::size_t depth = 1;
  std::size_t end = 0;
  for (; end < inside.size(); ++end) {
    if (inside[end] == '{') ++depth;
    if (inside[end] == '}' && --depth == 0) break;
  }
  return inside.substr(0, end);
}

}  // namespace

std::optional<Data> last_number(std::string_view text, DecimalMark mark) {
  NumberReader reader(kinds_of(result_in(text)), mark);
  std::optional<Data> last;
  bool is_last_a_reference = true;
  while (const auto found = reader.next()) {
    if (!found->value) continue;
    if (found->is_reference) {
      if (is_last_a_reference) last = found->value;
    } else {
      last = found->value;
      is_last_a_reference = false;
    }
  }
  return last;
}

std::vector<Data> all_numbers(std::string_view text, DecimalMark mark) {
  NumberReader reader(kinds_of(text), mark);
  std::vector<Data> numbers;
  while (const auto found = reader.next()) {
    if (found->value && !found->is_reference) numbers.push_back(*found->value);
  }
  return numbers;
}

std::optional<std::string> unit_of_amount(std::string_view text, DecimalMark mark) {
  const std::string kinds = kinds_of(trim(plain_form(text)));
  constexpr std::size_t longest_unit = 12;
  NumberReader reader(kinds, mark);
  const auto found = reader.next();
  if (!found || !found->value || found->is_code || reader.next()) return std::nullopt;
  const std::string behind = kinds.substr(found->end);
  const auto is_unit = [](char c) {
    return is_word_letter(c) || c == some_ideograph || c == currency || c == '%' || c == ' ' || c == tight_blank || c == '/' ||
           c == other;
  };
  const bool is_whole = found->begin == 0 && behind.size() <= longest_unit;
  if (!is_whole || !std::all_of(behind.begin(), behind.end(), is_unit)) return std::nullopt;
  std::string unit(trim(behind));
  if (kinds.find(currency) < found->end) unit += currency;
  return unit;
}

std::string number_text(const Data& number, DecimalMark mark) {
  if (number.kind() == Data::Kind::integer) return std::to_string(number.integer());
  std::string text = fmt::format("{}", number.real());
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  if (mark == DecimalMark::comma) std::replace(text.begin(), text.end(), '.', ',');
  return text;
}

}  // namespace tgd::detail
