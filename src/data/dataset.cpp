#include <tgd/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tgd/error.hpp>
#include <tgd/random.hpp>

namespace tgd::data::detail {

namespace {

std::vector<std::size_t> shuffled(std::size_t n, Random& random) {
  std::vector<std::size_t> indices(n);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  random.shuffle(indices);
  return indices;
}

std::size_t total_of(std::span<const std::size_t> sizes) { return std::accumulate(sizes.begin(), sizes.end(), std::size_t{0}); }

/// The indices of each label, shuffled; the labels in order of their first appearance.
std::vector<std::vector<std::size_t>> groups_by_label(std::span<const std::string> labels, Random& random) {
  std::map<std::string_view, std::size_t> group_of;
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto [found, is_new] = group_of.try_emplace(labels[i], groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(i);
  }
  for (auto& group : groups) random.shuffle(group);
  return groups;
}

/// The part that is furthest behind its share after `dealt` samples were dealt out and some more are to be; the first of equals.
std::size_t most_behind(const Parts& parts, std::span<const std::size_t> sizes, std::size_t dealt, std::size_t more = 1) {
  const auto total = static_cast<double>(total_of(sizes));
  std::size_t best = 0;
  double largest_lack = -total;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (parts[part].size() >= sizes[part]) continue;
    const double share = static_cast<double>(sizes[part]) * static_cast<double>(dealt + more) / total;
    const double lack = share - static_cast<double>(parts[part].size());
    if (lack > largest_lack) {
      best = part;
      largest_lack = lack;
    }
  }
  return best;
}

}  // namespace

void check_index(std::size_t i, std::size_t size) {
  if (i >= size) throw ValueError(fmt::format("index {} is beyond the end of a dataset of {} samples", i, size));
}

void check_indices(std::span<const std::size_t> indices, std::size_t size) {
  for (const std::size_t i : indices) check_index(i, size);
}

std::vector<std::size_t> part_sizes(std::size_t size, std::span<const std::int64_t> counts) {
  std::vector<std::size_t> sizes;
  for (const std::int64_t count : counts) {
    if (count < 0) throw ValueError(fmt::format("a part of {} samples; expected 0 or more", count));
    sizes.push_back(static_cast<std::size_t>(count));
  }
  if (total_of(sizes) != size) {
    throw ValueError(
        fmt::format("the parts {} add up to {}, but the dataset has {} samples; for a split by ratios write "
                    "numbers with a decimal point",
                    counts, total_of(sizes), size));
  }
  return sizes;
}

std::vector<std::size_t> part_sizes(std::size_t size, std::span<const double> ratios) {
  const double total = std::accumulate(ratios.begin(), ratios.end(), 0.0);
  const bool in_range = std::ranges::all_of(ratios, [](double ratio) { return ratio >= 0; });
  if (!in_range || !(std::abs(total - 1) < 1e-6)) {
    throw ValueError(fmt::format("the ratios {} add up to {}; expected numbers from 0 that add up to 1", ratios, total));
  }
  std::vector<std::size_t> sizes;
  std::vector<double> remainders;
  for (const double ratio : ratios) {
    const double share = ratio / total * static_cast<double>(size);
    sizes.push_back(static_cast<std::size_t>(share));
    remainders.push_back(share - std::floor(share));
  }
  while (total_of(sizes) < size) {
    const auto largest = std::ranges::max_element(remainders);
    ++sizes[static_cast<std::size_t>(largest - remainders.begin())];
    *largest = 0;
  }
  return sizes;
}

Parts split_indices(std::span<const std::size_t> sizes, std::uint64_t seed) {
  Random random(seed);
  const std::vector<std::size_t> indices = shuffled(total_of(sizes), random);
  Parts parts;
  auto begin = indices.begin();
  for (const std::size_t size : sizes) {
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    parts.emplace_back(begin, end);
    begin = end;
  }
  return parts;
}

Parts stratified_indices(std::span<const std::string> labels, std::span<const std::size_t> sizes, std::uint64_t seed) {
  Random random(seed);
  Parts parts(sizes.size());
  std::size_t dealt = 0;
  for (const auto& group : groups_by_label(labels, random)) {
    for (const std::size_t index : group) parts[most_behind(parts, sizes, dealt++)].push_back(index);
  }
  for (auto& part : parts) random.shuffle(part);
  return parts;
}

Parts grouped_indices(std::span<const std::size_t> groups, std::span<const std::string> labels,
                      std::span<const std::size_t> sizes, std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> members;
  std::vector<std::string> labels_of_groups;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i] == members.size()) {
      members.emplace_back();
      labels_of_groups.push_back(labels.empty() ? std::string() : labels[i]);
    }
    members[groups[i]].push_back(i);
  }
  Random random(seed);
  Parts parts(sizes.size());
  std::size_t dealt = 0;
  for (const auto& label : groups_by_label(labels_of_groups, random)) {
    for (const std::size_t group : label) {
      auto& part = parts[most_behind(parts, sizes, dealt, members[group].size())];
      part.insert(part.end(), members[group].begin(), members[group].end());
      dealt += members[group].size();
    }
  }
  for (auto& part : parts) random.shuffle(part);
  return parts;
}

}  // namespace tgd::data::detail
