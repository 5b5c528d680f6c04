// Members: what may stand in an object of a task, described once and used in three ways: to know the keys, to read the members
// and to write them. So what is written can be read again, and no list of keys can fall behind.
//
//   void describe(Members& in, EarlyStopping& spec) {
//     in.count("patience", spec.patience);
//     in.real("min_delta", spec.min_delta, {.least = 0});
//   }
//   read_object(value, spec, describe);                    // what is absent keeps its default
//   OrderedJson json = written_object(spec, describe);
//
// A member with an example is required: the complaint about a missing one shows it. A description is run to the end for the
// keys, so it must not depend on what is read, unless that was read before (see read_variant).
// Errors: TaskError at the member; unknown keys come first, since a misspelt key is a missing one, too.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "task/document.hpp"

namespace tgd::cli {

/// What each word stands for.
template <class E>
using Words = std::vector<std::pair<std::string, E>>;

template <class E>
std::vector<std::string> names_in(const Words<E>& words);
/// Fails for a text that is none of the words.
template <class E>
E chosen(const TaskValue& at, const Words<E>& words);

class Members {
 public:
  using Read = std::function<void(const TaskValue&)>;
  /// null: there is nothing to write.
  using Write = std::function<OrderedJson()>;
  using Example = const char*;

  virtual ~Members() = default;

  /// A member of any kind.
  virtual void member(const std::string& key, const Read& read, const Write& write, Example example = nullptr) = 0;

  void text(const std::string& key, std::string& value, Example example = nullptr);
  void texts(const std::string& key, std::vector<std::string>& values);
  void flag(const std::string& key, bool& value);
  void args(const std::string& key, Json& value);
  void one_of(const std::string& key, std::string& value, const std::vector<std::string>& words, Example example = nullptr);
  void real(const std::string& key, double& value, RealRange range, Example example = nullptr);
  void real(const std::string& key, std::optional<double>& value, RealRange range);
  void seconds(const std::string& key, std::optional<double>& value);

  template <std::unsigned_integral T>
  void count(const std::string& key, T& value, CountRange range = {}) {
    member(
        key, [&](const TaskValue& at) { value = static_cast<T>(at.count(range)); }, [&] { return OrderedJson(value); });
  }
  template <std::integral T>
  void count(const std::string& key, std::optional<T>& value, CountRange range = {}) {
    member(
        key, [&](const TaskValue& at) { value = static_cast<T>(at.count(range)); },
        [&] { return value ? OrderedJson(*value) : OrderedJson(); });
  }
  template <class E>
  void word(const std::string& key, E& value, const std::type_identity_t<Words<E>>& words, Example example = nullptr) {
    member(
        key, [&](const TaskValue& at) { value = chosen(at, words); }, [&] { return OrderedJson(name_of(value, words)); },
        example);
  }
  template <class E>
  void word(const std::string& key, std::optional<E>& value, const std::type_identity_t<Words<E>>& words) {
    member(
        key, [&](const TaskValue& at) { value = chosen(at, words); },
        [&] { return value ? OrderedJson(name_of(*value, words)) : OrderedJson(); });
  }
  template <class Spec>
  void object(const std::string& key, Spec& spec, void (*describe)(Members&, Spec&), Example example = nullptr);
  template <class Spec>
  void object(const std::string& key, std::optional<Spec>& spec, void (*describe)(Members&, Spec&));

 private:
  template <class E>
  static std::string name_of(const E& value, const Words<E>& words) {
    for (const auto& word : words) {
      if (word.second == value) return word.first;
    }
    return {};
  }
};

using Describe = std::function<void(Members&)>;

std::vector<std::string> keys_of(const Describe& describe);
void read_members(const TaskValue& value, const Describe& describe);
OrderedJson written_members(const Describe& describe);

/// An object of which a word says what else may stand there. Reads the word, then the rest; a member that goes with another
/// word is a mistake of its own.
template <class Spec, class E>
void read_variant(const TaskValue& value, Spec& spec, E Spec::*kind, const std::string& key, const Words<E>& words,
                  void (*describe)(Members&, Spec&), Members::Example example);

// ---- Implementation --------------------------------------------------------------------------------------------------------

template <class E>
std::vector<std::string> names_in(const Words<E>& words) {
  std::vector<std::string> names;
  for (const auto& word : words) names.push_back(word.first);
  return names;
}

template <class E>
E chosen(const TaskValue& at, const Words<E>& words) {
  const std::string name = at.one_of(names_in(words));
  return std::find_if(words.begin(), words.end(), [&](const auto& word) { return word.first == name; })->second;
}

template <class Spec>
void read_object(const TaskValue& value, Spec& spec, void (*describe)(Members&, Spec&)) {
  read_members(value, [&](Members& in) { describe(in, spec); });
}

template <class Spec>
OrderedJson written_object(Spec spec, void (*describe)(Members&, Spec&)) {
  return written_members([&](Members& in) { describe(in, spec); });
}

template <class Spec>
void Members::object(const std::string& key, Spec& spec, void (*describe)(Members&, Spec&), Example example) {
  member(
      key, [&](const TaskValue& at) { read_object(at, spec, describe); }, [&] { return written_object(spec, describe); },
      example);
}

template <class Spec>
void Members::object(const std::string& key, std::optional<Spec>& spec, void (*describe)(Members&, Spec&)) {
  member(
      key, [&](const TaskValue& at) { read_object(at, spec.emplace(), describe); },
      [&] { return spec ? written_object(*spec, describe) : OrderedJson(); });
}

/// Fails for a key that `kind` does not have and another one has.
void expect_keys_of_kind(const TaskValue& value, const std::string& kind,
                         const std::map<std::string, std::vector<std::string>>& keys_by_kind);

template <class Spec, class E>
void read_variant(const TaskValue& value, Spec& spec, E Spec::*kind, const std::string& key, const Words<E>& words,
                  void (*describe)(Members&, Spec&), Members::Example example) {
  std::map<std::string, std::vector<std::string>> keys_by_kind;
  for (const auto& word : words) {
    Spec other = spec;
    other.*kind = word.second;
    keys_by_kind[word.first] = keys_of([&](Members& in) { describe(in, other); });
  }
  const TaskValue place = value.at(key, example);
  spec.*kind = chosen(place, words);
  expect_keys_of_kind(value, place.text(), keys_by_kind);
  read_object(value, spec, describe);
}

}  // namespace tgd::cli
