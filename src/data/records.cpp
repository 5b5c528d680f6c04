#include <tgd/data/records.hpp>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include <tgd/data/dataset.hpp>
#include <tgd/data/stream.hpp>
#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/variable_impl.hpp"
#include "data/record_content.hpp"

namespace tgd::data {

std::size_t Records::size() const noexcept { return content_->records.size(); }

const Record& Records::operator[](std::size_t i) const {
  detail::check_index(i, size());
  return content_->records[i];
}

const std::vector<std::string>& Records::names() const noexcept { return content_->names; }

namespace detail {

std::ifstream open_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::error_code reason(errno, std::generic_category());
  if (!file) throw ValueError(fmt::format("cannot read \"{}\": {}", path.string(), reason.message()));
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw ValueError(fmt::format("cannot read \"{}\": it is a folder, expected a file", path.string()));
  }
  return file;
}

std::string existing_names(std::string_view missing, const std::vector<std::string>& existing) {
  if (existing.empty()) return "there are none";
  constexpr std::size_t limit = 20;
  std::string text = "there are ";
  for (std::size_t i = 0; i < std::min(existing.size(), limit); ++i) {
    text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", tgd::detail::excerpt(existing[i], 60));
  }
  if (existing.size() > limit) text += fmt::format(" and {} more", existing.size() - limit);
  const std::vector<std::string_view> candidates(existing.begin(), existing.end());
  const std::string_view nearest = tgd::detail::nearest(missing, candidates);
  if (!nearest.empty()) text += fmt::format("; did you mean \"{}\"?", nearest);
  return text;
}

std::vector<std::string> names_of(const Fields& fields) {
  std::vector<std::string> names;
  std::set<std::string_view> seen;
  for (const Field& field : fields) {
    if (!seen.insert(field.name).second) throw ValueError(fmt::format("the field \"{}\" is asked for twice", field.name));
    names.push_back(field.name);
  }
  return names;
}

void check_names(const Records& records, const std::string* names, std::size_t count) {
  positions_of(names, count, records.names());
}

std::vector<std::size_t> positions_of(const std::string* names, std::size_t count, const std::vector<std::string>& existing) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = std::ranges::find(existing, names[i]);
    if (found == existing.end())
      throw ValueError(fmt::format("no field \"{}\"; {}", names[i], existing_names(names[i], existing)));
    positions.push_back(static_cast<std::size_t>(found - existing.begin()));
  }
  return positions;
}

Variable sample_variable(Data data, std::string role, const SampleOrigin& origin) {
  Variable variable(std::move(data), std::move(role));
  tgd::detail::impl_of(variable)->storage->set_origins(std::make_shared<const std::vector<SampleOrigin>>(1, origin));
  return variable;
}

Record make_record(const Fields& fields, std::vector<Data>& values, const SampleOrigin& origin) {
  Record record;
  record.origin = origin;
  for (std::size_t i = 0; i < values.size(); ++i) record.emplace(fields[i].name, std::move(values[i]));
  return record;
}

}  // namespace detail

}  // namespace tgd::data
