// The elements of a JSON list of records, as texts, one after the other: what is in memory is one of them.
// Private to the library and the program.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <string>

namespace tgd::data::detail {

/// The list is the document itself, or the only list of objects that it has as a member, as in {"data": […]}.
class JsonList {
 public:
  /// What keeps the elements from being told apart; whoever parses the whole document finds the reason.
  struct Irregular {};

  /// Throws as tgd::detail::open_text() does, and Irregular.
  JsonList(const std::filesystem::path& path, const std::string& encoding);

  /// The text of the next element, which has yet to be parsed; false at the end, when what is behind the list has been looked at, too.
  /// Throws Irregular.
  bool next(std::string& element);
  /// On which the last one begins, from 1.
  std::size_t line() const noexcept { return line_of_element_; }

 private:
  enum class Place { before_first, between, behind_last };

  int peek() { return in_->rdbuf()->sgetc(); }
  int take();
  void skip_blanks();
  void expect(char wanted);
  std::string take_key();
  void take_text(std::string* text);
  void take_brackets(std::string* text);
  void take_value(std::string* text);
  enum class Visit { stay, skip, skipped };
  /// The members of an object, its bracket behind us. `visit(number, name)` is called in front of each value, and says whether to stay
  /// there, to skip it, or that this is done. Whether it stayed.
  bool visit_members(std::size_t first, const std::function<Visit(std::size_t, const std::string&)>& visit);
  std::optional<std::size_t> find_list();
  void open();
  void finish();

  std::filesystem::path path_;
  std::string encoding_;
  std::unique_ptr<std::istream> in_;
  std::size_t line_ = 1;
  std::size_t line_of_element_ = 0;
  Place place_ = Place::before_first;
  std::optional<std::size_t> member_;  // by its number; nothing: the document is the list
};

}  // namespace tgd::data::detail
