// The fields of records in JSON: found by member name or pointer, as Data.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <tgd/data/records.hpp>

namespace tgd::data::detail {

/// A field and the keys on the way to it.
struct JsonPath {
  std::string source;
  std::vector<std::string> keys;
};

/// Throws ValueError for text that begins with '/' and is no pointer.
JsonPath json_path(const std::string& source);
/// Throws ParseError, without a place, where there is no such value.
const nlohmann::ordered_json& find_in(const nlohmann::ordered_json& record, const JsonPath& path);

/// Takes the fields out of one record after the other. A field is text in all records or a number in all records.
class JsonFields {
 public:
  explicit JsonFields(const Fields& fields);

  /// The values of the fields in their order. Where none were asked for, the first record decides. Throws ParseError, without a
  /// place, for a field that is missing or of another kind.
  void take(const nlohmann::ordered_json& record, std::vector<Data>& values);
  const Fields& fields() const noexcept { return fields_; }

 private:
  void take_fields_of(const nlohmann::ordered_json& record);
  void check_kinds(const std::vector<Data>& values);

  Fields fields_;
  std::vector<JsonPath> paths_;
  std::vector<bool> is_text_;  // by the first record
};

}  // namespace tgd::data::detail
