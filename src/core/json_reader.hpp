// JSON out of files that may be damaged, or written by somebody else: what is not as expected is a ParseError that names the place
// (file:line: /pointer) and what was expected there, never an exception of the JSON library.
//
//   const JsonDocument<nlohmann::json> document(path.string(), read_file(path));
//   run.step = document.root().at("run").at("step").count();
//
// Value is nlohmann::json or nlohmann::ordered_json. Where a key comes twice, the last one counts.
// Thread-safety: a document may be read from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tgd/error.hpp>

namespace tgd::detail {

/// Where JSON stands, for errors.
struct JsonOrigin {
  std::string file = {};       ///< empty: errors begin with the pointer
  std::size_t line = 1;        ///< on which it begins
  std::string_view text = {};  ///< of which the line of a value is found; empty: that of the beginning
};

/// A value and the document that it is in; both have to outlive this.
template <class Value>
class JsonReader {
 public:
  JsonReader(const Value& root, const JsonOrigin& origin) : JsonReader(root, root, origin) {}

  const Value& json() const { return *value_; }
  /// Throws ParseError: file:line: /pointer: message.
  [[noreturn]] void fail(const std::string& message) const;

  /// A member that has to be there.
  JsonReader at(std::string_view key) const;
  /// A member that may be absent.
  std::optional<JsonReader> find(std::string_view key) const;
  std::vector<std::pair<std::string, JsonReader>> members() const;
  std::vector<JsonReader> items() const;
  /// The items of a list that has so many.
  std::vector<JsonReader> items(std::size_t size) const;

  bool is_null() const;
  bool is_list() const;
  std::string text() const;
  std::vector<std::string> texts() const;
  bool flag() const;
  /// A whole number from 0 to `most`.
  std::uint64_t count(std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;
  /// A whole number of 64 bits.
  std::int64_t integer() const;
  /// A finite number.
  double number() const;
  std::vector<double> numbers() const;
  const Value& object() const;

  /// Runs `work`, and what it throws, for a value that somebody else reads, becomes an error at this place.
  template <class Work>
  auto in_place(const Work& work) const {
    try {
      return work();
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

 private:
  JsonReader(const Value& value, const Value& root, const JsonOrigin& origin)
      : value_(&value), root_(&root), origin_(&origin) {}
  JsonReader child(const Value& value) const { return JsonReader(value, *root_, *origin_); }
  [[noreturn]] void fail_kind(const std::string& expected) const;

  const Value* value_;
  const Value* root_;
  const JsonOrigin* origin_;
};

/// A document of its own. Throws ParseError for what is no JSON.
template <class Value>
class JsonDocument {
 public:
  JsonDocument(std::string file, std::string text);
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  JsonReader<Value> root() const { return {*value_, origin_}; }

 private:
  std::string text_;
  JsonOrigin origin_;
  std::shared_ptr<const Value> value_;
};

/// Hands over the objects on the lines of a file, in order; a file that is not there has none. What stands behind the last line's
/// end and is no JSON was cut off by a crash and is passed over. Throws ParseError with file and line for any other line that is
/// no object, or that `take` throws at; where `pass_over` is given, it gets these errors, and the next line follows: bytes that are
/// no UTF-8 are replaced then. Not more than `most` lines are read.
template <class Value>
void read_json_lines(const std::filesystem::path& path, const std::function<void(const JsonReader<Value>&)>& take,
                     const std::function<void(const ParseError&)>& pass_over = {},
                     std::size_t most = std::numeric_limits<std::size_t>::max());

extern template class JsonReader<nlohmann::json>;
extern template class JsonReader<nlohmann::ordered_json>;
extern template class JsonDocument<nlohmann::json>;
extern template class JsonDocument<nlohmann::ordered_json>;
extern template void read_json_lines(const std::filesystem::path&,
                                     const std::function<void(const JsonReader<nlohmann::json>&)>&,
                                     const std::function<void(const ParseError&)>&, std::size_t);
extern template void read_json_lines(const std::filesystem::path&,
                                     const std::function<void(const JsonReader<nlohmann::ordered_json>&)>&,
                                     const std::function<void(const ParseError&)>&, std::size_t);

}  // namespace tgd::detail
