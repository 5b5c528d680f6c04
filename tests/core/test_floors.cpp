// The plan of the house: a file includes only what its own floor and the floors below have.
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace fs = std::filesystem;

namespace {

/// Folders of src/, from the ground up.
const std::vector<std::vector<std::string>> floors = {
    {"core", "net"}, {"autograd", "lm"},    {"cognitive"},     {"optim", "data"},
    {"train"},       {"task", "simulated"}, {"run", "report"}, {"cli"},
};

/// Public headers that do not lie in the folder of their floor; without ".hpp".
const std::map<std::string, std::string> homes = {
    {"anomaly", "autograd"}, {"autograd", "autograd"}, {"functions", "autograd"},     {"optim", "optim"},
    {"trainer", "train"},    {"progress", "train"},    {"lm/simulated", "simulated"}, {"tgd", "cli"},
};

std::string first_folder(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// Where a public header belongs; those without a folder and a home are of the ground.
std::string folder_of_header(const std::string& path) {
  const std::string name = path.substr(0, path.rfind('.'));
  if (const auto home = homes.find(name); home != homes.end()) return home->second;
  const std::string folder = first_folder(path);
  return folder.empty() || folder == "detail" ? "core" : folder;
}

std::optional<std::size_t> floor_of(const std::string& folder) {
  for (std::size_t floor = 0; floor < floors.size(); ++floor)
    for (const std::string& name : floors[floor])
      if (name == folder) return floor;
  return std::nullopt;
}

struct Include {
  std::string path;
  bool is_public;  // <tgd/...>
};

std::vector<Include> includes_of(const fs::path& file) {
  std::vector<Include> found;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    constexpr std::string_view directive = "#include ";
    if (!line.starts_with(directive)) continue;
    const std::string rest = line.substr(directive.size());
    const std::size_t end = rest.find_first_of(">\"", 1);
    const std::string path = rest.substr(1, end - 1);
    if (rest.starts_with("<tgd/")) found.push_back({path.substr(4), true});
    if (rest.starts_with('"')) found.push_back({path, false});
  }
  return found;
}

struct Seen {
  std::size_t files = 0;
  std::vector<std::string> faults;
};

void look_at(const fs::path& root, const std::function<std::string(const std::string&)>& folder_of, Seen& seen) {
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".hpp" && entry.path().extension() != ".cpp") continue;
    const std::string path = fs::relative(entry.path(), root).generic_string();
    const std::string folder = folder_of(path);
    const auto floor = floor_of(folder);
    if (!floor) {
      seen.faults.push_back(path + " lies in a folder of no floor");
      continue;
    }
    ++seen.files;
    for (const Include& include : includes_of(entry.path())) {
      const std::string from = include.is_public ? folder_of_header(include.path) : first_folder(include.path);
      const auto other = floor_of(from);
      if (!other || *other > *floor) seen.faults.push_back(path + " includes " + include.path);
      if (folder == "core" && from == "net") seen.faults.push_back(path + ", of core, includes " + include.path);
    }
  }
}

/// All public headers that one brings along, by their paths below include/tgd.
std::set<std::string> brought_along(const fs::path& headers, const std::string& header) {
  std::set<std::string> all;
  std::vector<std::string> open{header};
  while (!open.empty()) {
    const std::string path = open.back();
    open.pop_back();
    for (const Include& include : includes_of(headers / path)) {
      if (include.is_public && all.insert(include.path).second) open.push_back(include.path);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("The graph's headers know no language model", "[core][floors]") {
  const fs::path headers = fs::path(TGD_TEST_SOURCE_DIR).parent_path() / "include" / "tgd";
  const std::string header = GENERATE("autograd.hpp", "anomaly.hpp", "variable.hpp");
  const std::set<std::string> all = brought_along(headers, header);
  CHECK(all.contains("export.hpp"));
  for (const std::string& path : all) {
    if (path.starts_with("lm/")) FAIL_CHECK(header + " brings along " + path);
  }
}

TEST_CASE("A file includes only its own floor and the floors below", "[core][floors]") {
  const fs::path project = fs::path(TGD_TEST_SOURCE_DIR).parent_path();
  Seen seen;
  look_at(project / "src", first_folder, seen);
  look_at(project / "include" / "tgd", folder_of_header, seen);
  CHECK(seen.files > 200);
  for (const std::string& fault : seen.faults) FAIL_CHECK(fault);
}
