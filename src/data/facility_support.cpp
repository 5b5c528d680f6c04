#include <tgd/data/facility_support.hpp>

#include <array>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/data/dataset.hpp>
#include <tgd/error.hpp>

#include "core/json_position.hpp"
#include "core/sha256.hpp"
#include "data/download.hpp"
#include "data/record_content.hpp"

namespace tgd::data {

namespace {

constexpr std::array<std::size_t, 3> split_sizes = {66, 66, 68};
constexpr std::uint64_t split_seed = 0;

constexpr detail::PublishedFile published = {
    .name = "facility_support/dataset.json",
    .url =
        "https://raw.githubusercontent.com/meta-llama/llama-prompt-ops/main/use-cases/facility-support-analyzer/dataset.json",
    .sha256 = "ef148f95bd89113982079250addfe96dc0015b6d375ea63e0450ff6751860440",
    .size = 383'680};

std::string read_checked(const std::filesystem::path& path) {
  std::ifstream file = detail::open_file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string digest = tgd::detail::sha256(text);
  if (digest != published.sha256) {
    throw ParseError(
        fmt::format("{}: this is not the published file: its SHA-256 is {}, expected {}; remove it and have it "
                    "downloaded with {{.download = true}}, or get it from {}",
                    path.string(), digest, published.sha256, published.url));
  }
  return text;
}

}  // namespace

struct FacilitySupport::Content {
  struct Sample {
    std::string message;
    std::string urgency;
    std::string sentiment;
    std::string categories;
  };
  std::vector<Sample> samples;
};

FacilitySupport::FacilitySupport(Split split, const std::filesystem::path& path, const DownloadOptions& options) {
  const std::filesystem::path file = detail::locate(published, path, options);
  const nlohmann::json records = tgd::detail::parse_json(read_checked(file), file.string(), 1);
  const detail::Parts parts = detail::split_indices(split_sizes, split_seed);

  auto content = std::make_shared<Content>();
  for (const std::size_t index : parts.at(static_cast<std::size_t>(split))) {
    const nlohmann::json& record = records.at(index);
    const auto answer =
        tgd::detail::parse_json<nlohmann::ordered_json>(record.at("answer").get_ref<const std::string&>(), file.string(), 1);
    content->samples.push_back(
        {record.at("fields").at("input"), answer.at("urgency"), answer.at("sentiment"), answer.at("categories").dump()});
  }
  content_ = std::move(content);
}

std::size_t FacilitySupport::size() const noexcept { return content_->samples.size(); }

std::tuple<Variable, Variable, Variable, Variable> FacilitySupport::operator[](std::size_t i) const {
  detail::check_index(i, size());
  const Content::Sample& sample = content_->samples[i];
  return {Variable(sample.message, "message to the support desk"), Variable(sample.urgency, "urgency of the message"),
          Variable(sample.sentiment, "sentiment of the message"), Variable(sample.categories, "categories of the message")};
}

}  // namespace tgd::data
