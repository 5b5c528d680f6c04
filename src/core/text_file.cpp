#include "core/text_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <span>
#include <streambuf>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <iconv.h>

#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace tgd::detail {

namespace {

constexpr std::size_t decoded_piece = std::size_t{1} << 16U;
constexpr std::string_view utf8_mark = "\xEF\xBB\xBF";

// NOLINTNEXTLINE(performance-no-int-to-ptr): what iconv_open() returns for a failure
const iconv_t no_converter = reinterpret_cast<iconv_t>(-1);

class Converter {
 public:
  explicit Converter(const std::string& encoding) : handle_(iconv_open("UTF-8", encoding.c_str())) {
    if (handle_ == no_converter)
      throw ValueError(
          fmt::format("the encoding \"{}\" is not known; names are such as \"UTF-16\", \"ISO-8859-1\", "
                      "\"WINDOWS-1252\" or \"SHIFT_JIS\" (`iconv -l` lists them)",
                      excerpt(encoding, 60)));
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  ~Converter() { iconv_close(handle_); }

  /// Converts as much as fits; `in` and `out` move on. False for bytes that are no text.
  bool convert(std::span<char>& in, std::span<char>& out) const {
    char* from = in.data();
    std::size_t left = in.size();
    char* to = out.data();
    std::size_t room = out.size();
    const bool is_valid = iconv(handle_, &from, &left, &to, &room) != static_cast<std::size_t>(-1) || errno != EILSEQ;
    in = in.last(left);
    out = out.last(room);
    return is_valid;
  }

 private:
  iconv_t handle_;
};

/// A file's text as UTF-8.
class DecodingBuffer final : public std::streambuf {
 public:
  DecodingBuffer(std::ifstream file, std::string name, const std::string& encoding)
      : file_(std::move(file)),
        name_(std::move(name)),
        encoding_(encoding),
        converter_(encoding),
        raw_(decoded_piece),
        text_(4 * decoded_piece) {}

 private:
  int_type underflow() override {
    for (;;) {
      file_.read(raw_.data() + held_, static_cast<std::streamsize>(raw_.size() - held_));
      const auto got = static_cast<std::size_t>(file_.gcount());
      if (file_.bad()) throw ValueError(fmt::format("cannot read \"{}\" behind line {}", name_, line_));
      held_ += got;
      if (held_ == 0) return traits_type::eof();
      std::span<char> in(raw_.data(), held_);
      std::span<char> out(text_);
      const bool is_valid = converter_.convert(in, out);
      const std::size_t made = text_.size() - out.size();
      line_ += static_cast<std::size_t>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(made), '\n'));
      std::copy(in.begin(), in.end(), raw_.begin());
      held_ = in.size();
      if (made == 0 && (!is_valid || got == 0))
        throw ParseError(fmt::format("{}:{}: these bytes are no {} text; name the file's encoding, or save it as UTF-8", name_,
                                     line_, encoding_));
      if (made == 0) continue;
      setg(text_.data(), text_.data(), text_.data() + made);
      return traits_type::to_int_type(text_[0]);
    }
  }

  std::ifstream file_;
  std::string name_;
  std::string encoding_;
  Converter converter_;
  std::vector<char> raw_;
  std::vector<char> text_;
  std::size_t held_ = 0;  // bytes that are read and not converted
  std::size_t line_ = 1;
};

/// A stream that owns its buffer, and whose reader gets the buffer's errors.
class DecodedFile final : public std::istream {
 public:
  explicit DecodedFile(std::unique_ptr<DecodingBuffer> buffer) : std::istream(buffer.get()), buffer_(std::move(buffer)) {
    exceptions(std::ios::badbit);
  }

 private:
  std::unique_ptr<DecodingBuffer> buffer_;
};

std::ifstream open_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::error_code reason(errno, std::generic_category());
  if (!file) throw ValueError(fmt::format("cannot read \"{}\": {}", path.string(), reason.message()));
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    throw ValueError(fmt::format("cannot read \"{}\": it is a folder, expected a file", path.string()));
  return file;
}

std::size_t line_of_first_invalid(std::string_view text) {
  const std::string_view before = text.substr(0, valid_length(text));
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

std::string decoded(std::string text, const std::string& name, const std::string& encoding) {
  const Converter converter(encoding);
  std::string result;
  std::vector<char> room(decoded_piece);
  std::span<char> in(text);
  while (!in.empty()) {
    std::span<char> out(room);
    const std::size_t before = in.size();
    const bool is_valid = converter.convert(in, out);
    result.append(room.data(), room.size() - out.size());
    if (!is_valid || in.size() == before)
      throw ParseError(fmt::format("{}:{}: these bytes are no {} text; {}", name,
                                   1 + std::count(result.begin(), result.end(), '\n'), encoding, not_utf8_remedy));
  }
  return result;
}

std::string with_line_feeds(std::string text) {
  for (std::size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at)) {
    if (at + 1 < text.size() && text[at + 1] == '\n') {
      text.erase(at, 1);
    } else {
      text[at] = '\n';
    }
  }
  return text;
}

}  // namespace

MarkedEncoding marked_encoding(std::string_view beginning) {
  using namespace std::string_view_literals;
  if (beginning.starts_with(utf8_mark)) return {{}, utf8_mark.size()};
  if (beginning.starts_with("\xFF\xFE\0\0"sv)) return {"UTF-32LE", 4};
  if (beginning.starts_with("\0\0\xFE\xFF"sv)) return {"UTF-32BE", 4};
  if (beginning.starts_with("\xFF\xFE"sv)) return {"UTF-16LE", 2};
  if (beginning.starts_with("\xFE\xFF"sv)) return {"UTF-16BE", 2};
  // Text has no zero bytes: where every second one is, it is UTF-16 without a mark. The first characters are ASCII in all formats.
  if (beginning.size() < 4) return {};
  const bool is_little = beginning[0] != 0 && beginning[1] == 0 && beginning[2] != 0 && beginning[3] == 0;
  const bool is_big = beginning[0] == 0 && beginning[1] != 0 && beginning[2] == 0 && beginning[3] != 0;
  return {is_little ? "UTF-16LE" : is_big ? "UTF-16BE" : "", 0};
}

bool is_encoding(const std::string& name) {
  const iconv_t handle = iconv_open("UTF-8", name.c_str());
  if (handle == no_converter) return false;
  iconv_close(handle);
  return true;
}

std::unique_ptr<std::istream> open_text(const std::filesystem::path& path, const std::string& encoding) {
  std::ifstream file = open_bytes(path);
  MarkedEncoding marked;
  std::error_code unknown;
  // A pipe has no beginning to go back to, and may have nothing in it yet; what people pipe in has no mark.
  if (std::filesystem::is_regular_file(path, unknown)) {
    std::array<char, 4> first{};
    file.read(first.data(), static_cast<std::streamsize>(first.size()));
    marked = marked_encoding({first.data(), static_cast<std::size_t>(file.gcount())});
    file.clear();
    file.seekg(static_cast<std::streamoff>(marked.mark_size));
  }
  // What the bytes say is certain, and a name is what somebody took them for.
  const std::string name = marked.name.empty() ? (marked.mark_size > 0 ? std::string() : encoding) : marked.name;
  if (name.empty()) return std::make_unique<std::ifstream>(std::move(file));
  return std::make_unique<DecodedFile>(std::make_unique<DecodingBuffer>(std::move(file), path.string(), name));
}

std::string read_text_file(const std::filesystem::path& path, std::uint64_t most) {
  std::string text = read_file(path, most);
  const MarkedEncoding marked = marked_encoding(text);
  text.erase(0, marked.mark_size);
  if (!marked.name.empty()) return with_line_feeds(decoded(std::move(text), path.string(), marked.name));
  if (!is_utf8(text))
    throw ParseError(
        fmt::format("{}:{}: this is not UTF-8 text; {}", path.string(), line_of_first_invalid(text), not_utf8_remedy));
  return with_line_feeds(std::move(text));
}

std::optional<std::size_t> first_line_that_is_no_utf8(const std::filesystem::path& path) {
  const auto file = open_text(path);
  std::string line;
  for (std::size_t number = 1; std::getline(*file, line); ++number) {
    if (!is_utf8(line)) return number;
  }
  return std::nullopt;
}

}  // namespace tgd::detail
