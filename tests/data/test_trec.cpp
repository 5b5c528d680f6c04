#include <tgd/data/data_loader.hpp>
#include <tgd/data/trec.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/http_server.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::data::Split;
using tgd::data::TREC;

TEST_CASE("TREC reads label and question from each line", "[trec]") {
  const tgd::test::TemporaryFolder folder;
  folder.write("trec/train_5500.label",
               "DESC:manner How did serfdom develop in and then leave Russia ?\r\n\n"
               "LOC:city What is the sister\xF0"
               "city of caf\xE9 ?\n");
  const auto test_file = folder.write("trec/TREC_10.label", "NUM:dist How far is it from Denver to Aspen ?");
  const TREC train(Split::train, folder.path());
  REQUIRE(train.size() == 2);
  const auto [question, coarse, fine] = train[0];
  CHECK(question.text() == "How did serfdom develop in and then leave Russia ?");
  CHECK(coarse.text() == "DESC");
  CHECK(fine.text() == "DESC:manner");
  CHECK(question.role() == "question");
  CHECK(std::get<0>(train[1]).text() == "What is the sister city of café ?");
  CHECK_THROWS_AS(train[2], tgd::ValueError);

  CHECK(TREC(Split::test, test_file).size() == 1);
  for (auto [questions, coarse_classes, fine_classes] : tgd::data::DataLoader(TREC(Split::test, folder.path()))) {
    CHECK(fine_classes.data().texts() == std::vector<std::string>{"NUM:dist"});
  }
  CHECK_THROWS_WITH(TREC(Split::validation, folder.path()), ContainsSubstring("stratified_split"));
}

TEST_CASE("TREC names file and line of what it cannot read", "[trec]") {
  const tgd::test::TemporaryFolder folder;
  const auto check = [&](const std::string& line, const std::string& reason) {
    const auto file = folder.write("file", "HUM:ind Who ?\n" + line + "\n");
    CHECK_THROWS_AS(TREC(Split::train, file), tgd::ParseError);
    CHECK_THROWS_WITH(TREC(Split::train, file), ContainsSubstring(file.string() + ":2: ") && ContainsSubstring(reason));
  };
  for (const char* line : {"What is it ?", "LOC:city", "LOC:city ", "LOC: What ?", ":city What ?", "LOC What: that ?"}) {
    check(line, "expected a label");
  }
  check("LOCATION:city What ?", "no class \"LOCATION\"; there are ABBR, DESC");
}

TEST_CASE("TREC downloads the published file and no other", "[trec][concurrent]") {
  const tgd::test::TemporaryFolder folder;
  CHECK_THROWS_WITH(TREC(Split::train, folder.path()),
                    ContainsSubstring("QA/QC/train_5500.label") && ContainsSubstring(".download"));
  const tgd::test::HttpServer server([](const auto&) { return tgd::test::HttpResponse{.body = "HUM:ind Who ?\n"}; });
  CHECK_THROWS_AS(TREC(Split::test, folder.path(), {.download = true, .url = server.url()}), tgd::ParseError);
}
