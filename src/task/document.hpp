// TaskDocument: a JSON file for people. Comments are allowed, and every value knows where it stands, so that a complaint can
// name the file, the line and the JSON pointer.
// Errors: TaskError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tgd/error.hpp>
#include <tgd/json.hpp>

namespace tgd::cli {

/// A mistake of the user's: in the task file, in what it names, or on the command line.
class TaskError : public Error {
 public:
  using Error::Error;
};

/// Members in the order in which the file has them.
using OrderedJson = nlohmann::ordered_json;

class TaskValue;

struct CountRange {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::int64_t>::max();
};

struct RealRange {
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
  bool with_least = true;  ///< whether the ends belong to it
  bool with_most = true;
};

class TaskDocument {
 public:
  /// The document in a file. Relative paths in it are meant from its folder.
  static TaskDocument read(const std::filesystem::path& file);
  /// `file` stands for the text in errors and for paths; it need not exist.
  TaskDocument(std::filesystem::path file, std::string_view text);

  TaskValue root() const;

 private:
  friend class TaskValue;
  struct Content {
    std::filesystem::path file;
    OrderedJson json;
    std::map<std::string, std::size_t> lines;  // by pointer
  };
  std::shared_ptr<const Content> content_;
};

/// "a", "b" and "c", for messages.
std::string quoted_list(const std::vector<std::string>& words);
/// `; did you mean "b"?`, or nothing when no word is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words);

/// A value of the document. Every reading function fails with the place when the value is of another kind.
class TaskValue {
 public:
  const OrderedJson& json() const { return *value_; }
  /// Of the file that the document came from, for messages.
  const std::string& pointer() const { return pointer_; }
  /// file:line: /pointer, as errors begin.
  std::string place() const;
  /// Throws TaskError: file:line: /pointer: message.
  [[noreturn]] void fail(const std::string& message) const;

  /// Fails unless this is an object with no other members than these.
  void expect_object(const std::vector<std::string>& known) const;
  bool has(const std::string& key) const;
  std::optional<TaskValue> find(const std::string& key) const;
  /// Fails when there is no such member; `example` shows what could stand there.
  TaskValue at(const std::string& key, const std::string& example) const;
  std::vector<std::pair<std::string, TaskValue>> members() const;
  std::vector<TaskValue> items() const;

  std::string text() const;
  /// Fails for a text that holds nothing but white space.
  std::string nonempty_text() const;
  std::string one_of(const std::vector<std::string>& words) const;
  bool flag() const;
  std::uint64_t count(CountRange range = {}) const;
  double real(RealRange range) const;
  /// An object, for arguments that are passed through.
  Json object() const;
  /// Of the document's file.
  std::filesystem::path folder() const;
  /// A path, relative to the document's folder. Fails for one with variables of the environment.
  std::filesystem::path path() const;

 private:
  friend class TaskDocument;
  TaskValue(std::shared_ptr<const TaskDocument::Content> content, const OrderedJson* value, std::string pointer)
      : content_(std::move(content)), value_(value), pointer_(std::move(pointer)) {}
  TaskValue child(const std::string& key, const OrderedJson& value) const;
  [[noreturn]] void fail_kind(const std::string& expected) const;

  std::shared_ptr<const TaskDocument::Content> content_;
  const OrderedJson* value_;
  std::string pointer_;
};

}  // namespace tgd::cli
