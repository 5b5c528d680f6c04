// How samples become a batch.
#pragma once

#include <concepts>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <tgd/data/records.hpp>
#include <tgd/export.hpp>
#include <tgd/variable.hpp>

namespace tgd::data {

/// What becomes a Variable by itself.
template <class T>
concept Item = std::constructible_from<Variable, const T&>;

template <class T>
concept TupleOfItems = !Item<T> && requires {
  std::tuple_size<T>::value;
};

namespace detail {

/// One batch Variable out of the items of all samples at one position. `position` names it in errors.
TGD_API Variable collate_column(const std::vector<Variable>& column, const std::string& position, const std::string& role);
/// The given role of a position; empty where no roles are given.
TGD_API std::string role_at(const std::vector<std::string>& roles, std::size_t position, std::size_t positions);
TGD_API void check_same_names(const std::vector<std::string>& names, const std::vector<std::string>& expected,
                              std::size_t sample);

/// The items of all samples at one position, which `item_of(sample)` gives.
template <class Sample, class ItemOf>
Variable collate_position(const std::vector<Sample>& samples, ItemOf item_of, const std::string& position,
                          const std::string& role) {
  std::vector<Variable> column;
  column.reserve(samples.size());
  for (const Sample& sample : samples) column.push_back(Variable(item_of(sample)));
  return collate_column(column, position, role);
}

/// A map from names to items, or what is made from one.
template <class T>
concept MapOfItems = requires {
  typename T::mapped_type;
}
&&std::derived_from<T, std::map<std::string, typename T::mapped_type>>&& Item<typename T::mapped_type>;

/// A member of a map, which may know where it was read.
template <class Sample>
Variable member_of(const Sample& sample, const std::string& name) {
  if constexpr (requires { sample.origin; }) {
    return sample_variable(sample.find(name)->second, name, sample.origin);
  } else {
    return Variable(sample.find(name)->second);
  }
}

/// Gives the samples of a batch that know no origin their numbers in the dataset.
TGD_API void number_samples(const Variable& batch, std::span<const std::size_t> numbers);
inline void number_samples(const std::map<std::string, Variable>& batch, std::span<const std::size_t> numbers) {
  for (const auto& member : batch) number_samples(member.second, numbers);
}
template <class... Parts>
void number_samples(const std::tuple<Parts...>& batch, std::span<const std::size_t> numbers) {
  std::apply([&](const auto&... parts) { (number_samples(parts, numbers), ...); }, batch);
}

template <class T>
std::vector<std::string> names_of(const std::map<std::string, T>& sample) {
  std::vector<std::string> names;
  for (const auto& member : sample) names.push_back(member.first);
  return names;
}

}  // namespace detail

/// Collates samples, at least one, as a DataLoader does by default.
template <Item T>
Variable collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  const auto item_of = [](const T& sample) -> const T& { return sample; };
  return detail::collate_position(samples, item_of, "", detail::role_at(roles, 0, 1));
}

template <TupleOfItems T>
auto collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  constexpr std::size_t positions = std::tuple_size_v<T>;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple{detail::collate_position(
        samples, [](const T& sample) -> const auto& { return std::get<I>(sample); }, std::to_string(I),
        detail::role_at(roles, I, positions))...};
  }
  (std::make_index_sequence<positions>());
}

template <detail::MapOfItems T>
std::map<std::string, Variable> collate(const std::vector<T>& samples, const std::vector<std::string>& roles = {}) {
  const std::vector<std::string> names = detail::names_of(samples.at(0));
  for (std::size_t i = 1; i < samples.size(); ++i) detail::check_same_names(detail::names_of(samples[i]), names, i);
  std::map<std::string, Variable> batch;
  for (std::size_t position = 0; position < names.size(); ++position) {
    const std::string& name = names[position];
    Variable collated = detail::collate_position(
        samples, [&](const T& sample) { return detail::member_of(sample, name); }, name,
        detail::role_at(roles, position, names.size()));
    if (collated.role().empty()) collated.set_role(name);
    batch.emplace(name, std::move(collated));
  }
  return batch;
}

/// Makes a batch of samples: position by position, with TypeError for texts and numbers in one position.
struct DefaultCollate {
  std::vector<std::string> roles = {};

  template <class Sample>
  auto operator()(const std::vector<Sample>& samples) const {
    return collate(samples, roles);
  }
};

}  // namespace tgd::data
