// The dataset itself is not part of the project: TGD_TEST_DATA names a folder with facility_support/dataset.json.

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include <tgd/data/data_loader.hpp>
#include <tgd/data/facility_support.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "support/http_server.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::data::FacilitySupport;
using tgd::data::Split;

namespace {

std::optional<std::filesystem::path> test_data() {
  const char* folder = std::getenv("TGD_TEST_DATA");
  if (folder != nullptr) return folder;
  WARN("skipped: TGD_TEST_DATA is not set; it names a folder with facility_support/dataset.json");
  return std::nullopt;
}

}  // namespace

TEST_CASE("FacilitySupport has the split that published results compare on", "[facility_support]") {
  const auto folder = test_data();
  if (!folder) return;
  const FacilitySupport train(Split::train, *folder);
  const FacilitySupport validation(Split::validation, *folder);
  const FacilitySupport test(Split::test, *folder / "facility_support" / "dataset.json");
  CHECK(train.size() == 66);
  CHECK(validation.size() == 66);
  CHECK(test.size() == 68);

  std::map<std::string, int> sentiments;
  std::map<std::string, int> urgencies;
  std::size_t messages = 0;
  for (const FacilitySupport* split : {&train, &validation, &test}) {
    for (auto [message, urgency, sentiment, categories] : tgd::data::DataLoader(*split, {.batch_size = 16})) {
      messages += message.size();
      for (const std::string& text : urgency.texts()) ++urgencies[text];
      for (const std::string& text : sentiment.texts()) ++sentiments[text];
      for (const std::string& text : categories.texts()) CHECK(nlohmann::json::parse(text).size() == 10);
    }
  }
  CHECK(messages == 200);
  CHECK(sentiments == std::map<std::string, int>{{"neutral", 113}, {"positive", 61}, {"negative", 26}});
  CHECK(urgencies == std::map<std::string, int>{{"low", 84}, {"medium", 63}, {"high", 53}});

  // Record 131 of the file, the first of the shuffle.
  const auto [message, urgency, sentiment, categories] = train[0];
  CHECK_THAT(message.text(), Catch::Matchers::StartsWith("Subject: Adjusting Bi-Weekly Cleaning Schedule for My Office"));
  CHECK(urgency.text() == "low");
  CHECK(sentiment.text() == "neutral");
  CHECK(nlohmann::json::parse(categories.text()).at("cleaning_services_scheduling") == true);
  CHECK(message.role() == "message to the support desk");
  CHECK_FALSE(is_same(std::get<0>(train[0]), message));
  CHECK_THROWS_AS(train[66], tgd::ValueError);
}

TEST_CASE("FacilitySupport is downloaded where it is not there", "[facility_support][concurrent]") {
  const auto source = test_data();
  if (!source) return;
  const std::string content = tgd::detail::read_file(*source / "facility_support" / "dataset.json");
  const tgd::test::HttpServer server([&](const auto&) { return tgd::test::HttpResponse{.body = content}; });
  const tgd::test::TemporaryFolder folder;
  const tgd::data::DownloadOptions options{.download = true, .url = server.url()};
  CHECK(FacilitySupport(Split::train, folder.path() / "new", options).size() == 66);
  CHECK(FacilitySupport(Split::test, folder.path() / "new", options).size() == 68);
  CHECK(server.request_count() == 1);
}

TEST_CASE("FacilitySupport says where to put the file, and takes no other one", "[facility_support]") {
  const tgd::test::TemporaryFolder folder;
  CHECK_THROWS_AS(FacilitySupport(Split::train, folder.path()), tgd::ValueError);
  CHECK_THROWS_WITH(FacilitySupport(Split::train, folder.path()),
                    ContainsSubstring((folder.path() / "facility_support" / "dataset.json").string()) &&
                        ContainsSubstring("download") && ContainsSubstring("llama-prompt-ops"));
  folder.write("facility_support/dataset.json", "[]");
  CHECK_THROWS_AS(FacilitySupport(Split::train, folder.path()), tgd::ParseError);
  CHECK_THROWS_WITH(FacilitySupport(Split::train, folder.path()), ContainsSubstring("not the published file"));
}
