#include <tgd/data/trec.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <tgd/data/dataset.hpp>
#include <tgd/error.hpp>

#include "core/text.hpp"
#include "core/utf8.hpp"
#include "data/download.hpp"
#include "data/record_content.hpp"

namespace tgd::data {

namespace {

constexpr std::array<std::string_view, 6> coarse_classes = {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"};

constexpr detail::PublishedFile train_file = {.name = "trec/train_5500.label",
                                              .url = "https://cogcomp.seas.upenn.edu/Data/QA/QC/train_5500.label",
                                              .sha256 = "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
                                              .size = 335'858};
constexpr detail::PublishedFile test_file = {.name = "trec/TREC_10.label",
                                             .url = "https://cogcomp.seas.upenn.edu/Data/QA/QC/TREC_10.label",
                                             .sha256 = "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
                                             .size = 23'354};

const detail::PublishedFile& file_of(Split split) {
  if (split == Split::validation) {
    throw ValueError("TREC has no part for validation; take some of Split::train with stratified_split()");
  }
  return split == Split::train ? train_file : test_file;
}

/// Latin-1 as UTF-8. The one such byte of the published files, 0xF0, stands where a space belongs.
std::string decoded(std::string_view line) {
  std::string text;
  for (const char byte : line) {
    const auto code = static_cast<unsigned char>(byte);
    tgd::detail::append_utf8(text, code == 0xF0 ? U' ' : code);
  }
  return text;
}

struct Sample {
  std::string question;
  std::string coarse;
  std::string fine;
};

Sample parse(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::size_t space = line.find(' ');
  const std::string_view question = space == line.npos ? "" : tgd::detail::trim(line.substr(space));
  if (colon == 0 || colon == line.npos || space < colon + 2 || question.empty()) {
    throw ParseError(
        fmt::format("expected a label, a space and a question, such as \"LOC:city What is the capital of Yemen "
                    "?\", found \"{}\"",
                    tgd::detail::excerpt(line, 60)));
  }
  const std::string_view coarse = line.substr(0, colon);
  if (std::ranges::find(coarse_classes, coarse) == coarse_classes.end()) {
    throw ParseError(
        fmt::format("no class \"{}\"; there are {}", tgd::detail::excerpt(coarse, 60), fmt::join(coarse_classes, ", ")));
  }
  return {std::string(question), std::string(coarse), std::string(line.substr(0, space))};
}

}  // namespace

struct TREC::Content {
  std::vector<Sample> samples;
};

TREC::TREC(Split split, const std::filesystem::path& path, const DownloadOptions& options) {
  const std::filesystem::path place = detail::locate(file_of(split), path, options);
  std::ifstream file = detail::open_file(place);
  auto content = std::make_shared<Content>();
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    const std::string text = decoded(line);
    const std::string_view trimmed = tgd::detail::trim(text);
    if (trimmed.empty()) continue;
    detail::in_place([&] { return fmt::format("{}:{}", place.string(), number); },
                     [&] { content->samples.push_back(parse(trimmed)); });
  }
  content_ = std::move(content);
}

std::size_t TREC::size() const noexcept { return content_->samples.size(); }

std::tuple<Variable, Variable, Variable> TREC::operator[](std::size_t i) const {
  detail::check_index(i, size());
  const Sample& sample = content_->samples[i];
  return {Variable(sample.question, "question"), Variable(sample.coarse, "coarse class of the question"),
          Variable(sample.fine, "fine class of the question")};
}

}  // namespace tgd::data
