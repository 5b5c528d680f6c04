#include <fstream>
#include <list>
#include <ranges>

#include <tgd/data/stream.hpp>
#include <tgd/data/stream_loader.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::ParseError;
using tgd::ValueError;
using tgd::data::CsvStream;
using tgd::data::JsonLinesStream;
using tgd::data::Record;
using tgd::data::StreamLoader;
using Texts = std::vector<std::string>;

static_assert(std::ranges::input_range<const JsonLinesStream>);
static_assert(std::ranges::input_range<const tgd::data::StreamColumns<2>>);

namespace {

const tgd::test::TemporaryFolder& folder() {
  static const tgd::test::TemporaryFolder shared;
  return shared;
}

std::filesystem::path file(const std::string& text) { return folder().write("file", text); }

template <class Stream>
std::vector<Record> all(const Stream& stream) {
  std::vector<Record> records;
  for (const Record& record : stream) records.push_back(record);
  return records;
}

/// The first texts of all batches, joined: {"ab", "c"}.
template <class Loader>
Texts batches_of(const Loader& loader) {
  Texts batches;
  for (auto [text] : loader) {
    batches.emplace_back();
    for (const std::string& item : text.data().texts()) batches.back() += item;
  }
  return batches;
}

}  // namespace

TEST_CASE("Streams give the records that files give", "[stream]") {
  const auto lines = file("{\"text\": \"a\", \"stars\": 1}\n\n{\"stars\": 2, \"text\": \"b\", \"more\": []}\r\n");
  const JsonLinesStream stream(lines);
  CHECK(stream.names() == Texts{"text", "stars"});
  const std::vector<Record> expected{{{"text", "a"}, {"stars", 1}}, {{"text", "b"}, {"stars", 2}}};
  CHECK(all(stream) == expected);
  CHECK(all(stream) == expected);  // again from the beginning
  CHECK(all(JsonLinesStream(lines, {{"t", "/text"}})) == std::vector<Record>{{{"t", "a"}}, {{"t", "b"}}});
  CHECK(all(JsonLinesStream(file("{\"/\": 1, \"\": \"x\"}"))) == std::vector<Record>{{{"/", 1}, {"", "x"}}});
  CHECK(all(JsonLinesStream(file(""), {"text"})).empty());

  const CsvStream csv(file("text;stars\n\"a;\"\"\nb\";1\nc;2\n"), {"text"}, {.delimiter = ';'});
  CHECK(csv.names() == Texts{"text"});
  CHECK(all(csv) == std::vector<Record>{{{"text", "a;\"\nb"}}, {{"text", "c"}}});
}

TEST_CASE("Walks over a stream are independent of each other", "[stream]") {
  const JsonLinesStream stream(file("{\"n\": 1}\n{\"n\": 2}\n"));
  auto first = stream.begin();
  ++first;
  const auto second = stream.begin();
  CHECK(first->at("n") == tgd::Data(2));
  CHECK(second->at("n") == tgd::Data(1));
  ++first;
  CHECK(first == stream.end());
}

TEST_CASE("Columns of a stream are Variables with the names as roles", "[stream]") {
  const JsonLinesStream stream(file("{\"q\": \"a\", \"n\": 1}\n{\"q\": \"b\", \"n\": 2}\n"));
  std::vector<tgd::Variable> kept;
  for (auto [n, q] : stream.columns("n", "q")) {
    CHECK(n.role() == "n");
    kept.push_back(q);
  }
  CHECK(kept[0].text() == "a");
  CHECK(kept[1].text() == "b");
  CHECK_THROWS_AS(stream.columns("nn"), ValueError);
  CHECK_THROWS_WITH(stream.columns("nn"), ContainsSubstring("\"nn\"") && ContainsSubstring("\"q\", \"n\""));
}

TEST_CASE("A malformed record of a stream names file and line, when it is reached", "[stream]") {
  const std::string good = "{\"n\": 1}\n\n";
  const auto check = [&](const std::string& bad, const std::string& place, const std::string& reason) {
    const JsonLinesStream stream(file(good + bad));
    auto walk = stream.begin();
    CHECK_THROWS_AS(++walk, ParseError);
    CHECK(walk == stream.end());
    CHECK_THROWS_WITH(all(stream), ContainsSubstring((folder().path() / "file").string() + place) && ContainsSubstring(reason));
  };
  check("{\"n\": }", ":3:7: ", "not valid JSON");
  check("{\"m\": 1}", ":3: ", "no field \"n\"");
  check("{\"n\": \"1\"}", ":3: ", "the field \"n\" is text here, but a number in the first record");
  CHECK_THROWS_WITH(all(CsvStream(file("a,b\n1,2\n3\n"))), ContainsSubstring(":3: 1 fields, expected the 2"));

  CHECK_THROWS_AS(JsonLinesStream(file("{")), ParseError);
  CHECK_THROWS_AS(JsonLinesStream(file(good), {"m"}), ParseError);
  CHECK_THROWS_AS(CsvStream(file("a\n1\n"), {"b"}), ParseError);
  CHECK_THROWS_AS(JsonLinesStream(folder().path() / "none"), ValueError);
}

TEST_CASE("StreamLoader collates a stream into batches, epoch after epoch", "[stream]") {
  const auto rows = JsonLinesStream(file("{\"t\": \"a\"}\n{\"t\": \"b\"}\n{\"t\": \"c\"}\n")).columns("t");
  const StreamLoader loader(rows, {.batch_size = 2});
  CHECK(batches_of(loader) == Texts{"ab", "c"});
  CHECK(batches_of(loader) == Texts{"ab", "c"});
  CHECK(batches_of(StreamLoader(rows, {.batch_size = 2, .drop_last = true})) == Texts{"ab"});
  CHECK(batches_of(StreamLoader(rows, {.batch_size = 3, .drop_last = true})) == Texts{"abc"});
  CHECK(batches_of(StreamLoader(rows)) == Texts{"a", "b", "c"});
  CHECK(batches_of(loader.from(0)) == Texts{"ab", "c"});
  CHECK(batches_of(loader.from(1)) == Texts{"c"});
  for (const std::size_t behind_the_end : {2, 9}) CHECK(batches_of(loader.from(behind_the_end)).empty());
  for (auto [text] : StreamLoader(rows, {.roles = {"mail"}})) CHECK(text.role() == "mail");
  CHECK_THROWS_WITH(StreamLoader(rows, {.batch_size = 0}), ContainsSubstring("batch_size of 0"));

  const std::list<std::string> texts{"x", "y", "z"};
  const auto join = [](const std::vector<std::string>& samples) {
    std::string joined;
    for (const std::string& sample : samples) joined += sample;
    return joined;
  };
  Texts joined;
  for (const std::string& batch : StreamLoader(texts, {.batch_size = 2}, join)) joined.push_back(batch);
  CHECK(joined == Texts{"xy", "z"});
}

TEST_CASE("An error behind a batch does not take the batch along", "[stream]") {
  const StreamLoader loader(JsonLinesStream(file("{\"t\": \"a\"}\n{\"t\": \"b\"}\n{")).columns("t"), {.batch_size = 2});
  auto batch = loader.begin();
  CHECK(std::get<0>(*batch).data().texts() == Texts{"a", "b"});
  CHECK_THROWS_AS(++batch, ParseError);
  CHECK(batch == loader.end());
}
