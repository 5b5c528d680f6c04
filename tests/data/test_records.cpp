#include <tgd/data/data_loader.hpp>
#include <tgd/data/records.hpp>
#include <tgd/data/stream.hpp>
#include <tgd/data/stream_loader.hpp>
#include <tgd/error.hpp>
#include <tgd/functions.hpp>

#include "catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using tgd::Data;
using tgd::ParseError;
using tgd::ValueError;
using tgd::data::CsvFile;
using tgd::data::CsvStream;
using tgd::data::DataLoader;
using tgd::data::Fields;
using tgd::data::JsonFile;
using tgd::data::JsonLinesFile;
using tgd::data::JsonLinesStream;
using tgd::data::Record;
using tgd::data::StreamLoader;
using Texts = std::vector<std::string>;

namespace {

/// One file under test.
class File {
 public:
  explicit File(std::string_view text) : path_(folder_.write("file", text)) {}

  JsonLinesFile json_lines(const Fields& fields = {}) const { return JsonLinesFile(path_, fields); }
  JsonFile json(const Fields& fields = {}, const std::string& records = "") const { return JsonFile(path_, fields, records); }
  CsvFile csv(const Fields& fields = {}, const tgd::data::CsvOptions& options = {}) const {
    return CsvFile(path_, fields, options);
  }
  /// How errors at a place of the file begin.
  std::string at(const std::string& place) const { return path_.string() + ":" + place + ": "; }

 private:
  tgd::test::TemporaryFolder folder_;
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("JsonLinesFile reads an object from each line", "[records]") {
  const File file("{\"text\": \"a\", \"stars\": 1}\n\n  {\"text\": \"Grüße \\u00e9 \\\"x\\\"\", \"stars\": 2}\r\n");
  const JsonLinesFile rows = file.json_lines();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == Record{{"text", "a"}, {"stars", 1}});
  CHECK(rows[1] == Record{{"text", "Grüße é \"x\""}, {"stars", 2}});
  CHECK(rows.names() == Texts{"text", "stars"});
  CHECK_THROWS_WITH(rows[2], ContainsSubstring("index 2"));
  CHECK(File("").json_lines({"text"}).size() == 0);
  CHECK(File("\xEF\xBB\xBF{\"a\": 1}").json_lines()[0] == Record{{"a", 1}});
}

TEST_CASE("Fields of JSON are named by member or by pointer", "[records]") {
  const File file(R"({"in": {"text": "a", "tags": ["x", "y"]}, "a/b": "slash", "m~n": "tilde", "out": 1.5})");
  const Record record = file.json_lines({{"text", "/in/text"},
                                         {"tag", "/in/tags/1"},
                                         "out",
                                         {"slash", "a/b"},
                                         {"tilde", "/m~0n"},
                                         {"also slash", "/a~1b"},
                                         "/in/text"})[0];
  CHECK(record == Record{{"text", "a"},
                         {"tag", "y"},
                         {"out", 1.5},
                         {"slash", "slash"},
                         {"tilde", "tilde"},
                         {"also slash", "slash"},
                         {"/in/text", "a"}});
  CHECK(File("[\"a\", \"b\"]\n[\"c\", \"d\"]").json_lines({{"first", "/0"}, {"second", "/1"}})[1].at("second") == Data("d"));
}

TEST_CASE("Fields of JSON become text or numbers", "[records]") {
  struct Case {
    const char* json;
    Data data;
  };
  const Case row =
      GENERATE(Case{"\"t\"", "t"}, Case{"7", 7}, Case{"-7", -7}, Case{"7.0", 7.0}, Case{"1e3", 1000.0}, Case{"true", "true"},
               Case{"[1, \"x\"]", "[1,\"x\"]"}, Case{"{\"k\": null}", "{\"k\":null}"}, Case{"9223372036854775807", INT64_MAX});
  CAPTURE(row.json);
  CHECK(File(std::string("{\"x\": ") + row.json + "}").json_lines()[0].at("x") == row.data);
}

TEST_CASE("Fields, and what stands in them, keep the order of the file", "[records]") {
  const std::string record =
      R"({"text": {"reasoning": "r", "answer": {"z": 1, "b": [{"y": 0, "x": 0}]}}, "label": "l", "also": 1})";
  const std::string shown = R"({"reasoning":"r","answer":{"z":1,"b":[{"y":0,"x":0}]}})";
  const File lines(record + "\n");
  CHECK(lines.json_lines().names() == Texts{"text", "label", "also"});
  CHECK(lines.json_lines({{"input", "text"}})[0].at("input") == Data(shown));
  const File list("[" + record + "]");
  CHECK(list.json().names() == Texts{"text", "label", "also"});
  CHECK(list.json({{"input", "/text/answer"}})[0].at("input") == Data(R"({"z":1,"b":[{"y":0,"x":0}]})"));
}

TEST_CASE("JsonFile reads an array of records", "[records]") {
  CHECK(File("[{\"a\": \"x\"},\n {\"a\": \"y\"}]").json()[1] == Record{{"a", "y"}});
  CHECK(File("\xEF\xBB\xBF[]").json({"a"}).size() == 0);
  const File nested(R"({"meta": [1, {"x": "}"}], "data": {"rows": [{"a": "x"}, {"a": "y"}]}})");
  CHECK(nested.json({"a"}, "/data/rows").size() == 2);
  CHECK(nested.json({{"b", "/a"}}, "/data/rows")[1] == Record{{"b", "y"}});
}

TEST_CASE("CsvFile reads columns below a header line", "[records]") {
  const File file("\xEF\xBB\xBFtext,label,note\r\n\"a, \"\"b\"\"\",1,\r\n\"c\nd\",2,x\r\n");
  const CsvFile rows = file.csv();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == Record{{"text", "a, \"b\""}, {"label", "1"}, {"note", ""}});
  CHECK(rows[1].at("text") == Data("c\nd"));
  CHECK(rows.names() == Texts{"text", "label", "note"});

  SECTION("or some of them under other names") {
    const CsvFile some = file.csv({{"answer", "label"}, "text"});
    CHECK(some.names() == Texts{"answer", "text"});
    CHECK(some[1] == Record{{"answer", "2"}, {"text", "c\nd"}});
  }
  SECTION("or under given names") {
    const File bare("a;1\nb;2\n");
    const CsvFile named = bare.csv({}, {.delimiter = ';', .column_names = {"text", "label"}});
    REQUIRE(named.size() == 2);
    CHECK(named[0] == Record{{"text", "a"}, {"label", "1"}});
  }
  CHECK(File("a,b\n").csv().size() == 0);
}

TEST_CASE("Records are a dataset of maps, or of tuples by position", "[records]") {
  const JsonLinesFile rows = File("{\"q\": \"1+1\", \"a\": 2}\n{\"q\": \"2+2\", \"a\": 4}").json_lines();
  for (auto batch : DataLoader(rows, {.batch_size = 2})) {
    CHECK(batch.at("q").texts() == Texts{"1+1", "2+2"});
    CHECK(batch.at("q").role() == "q");
  }
  for (auto [question, answer] : DataLoader(rows.columns("q", "a"), {.batch_size = 2})) {
    CHECK(question.texts() == Texts{"1+1", "2+2"});
    CHECK(question.role() == "q");
    CHECK(answer.data() == Data(std::vector{2, 4}));
  }
  CHECK_THROWS_WITH(rows.columns("q", "aa"), ContainsSubstring("no field \"aa\"; there are \"q\", \"a\""));
}

TEST_CASE("A malformed record names file, line and column", "[records]") {
  const std::string good = "{\"text\": \"a\", \"label\": \"x\"}\n";
  SECTION("JSON Lines that are no JSON") {
    const File file(good + "\n{\"text\": b}\n");
    CHECK_THROWS_AS(file.json_lines(), ParseError);
    CHECK_THROWS_WITH(file.json_lines(), StartsWith(file.at("3:10") + "not valid JSON: syntax error"));
    const File cut(good + "{\"text\": \"b");
    CHECK_THROWS_WITH(cut.json_lines(), StartsWith(cut.at("2:12")));
    const File latin("{\"text\": \"caf\xE9\"}");
    CHECK_THROWS_WITH(latin.json_lines(), StartsWith(latin.at("1:15")) && ContainsSubstring("UTF-8"));
    const File huge(good + "{\"text\": 1e999}");
    CHECK_THROWS_WITH(huge.json_lines(), StartsWith(huge.at("2")) && ContainsSubstring("1e999"));
  }
  SECTION("JSON that is none") {
    const File file("[\n  {\"a\": 1},\n  {\"a\": }\n]");
    CHECK_THROWS_WITH(file.json(), StartsWith(file.at("3:9")));
    CHECK_THROWS_WITH(File("").json(), ContainsSubstring(":1:1: not valid JSON"));
  }
  SECTION("a record of a JSON document") {
    const File file("{\"skip\": [\"]\", {\"rows\": 1}],\n\"rows\": [\n  {\"a\": \"x, \\\"\"},\n\n  {\"b\": 2}\n]}");
    CHECK_THROWS_WITH(file.json({"a"}, "/rows"), StartsWith(file.at("5") + "no field \"a\""));
    const File twice("{\"rows\": 1,\n\"rows\": [{\"a\": 1},\n3]}");
    CHECK_THROWS_WITH(twice.json({"a"}, "/rows"),
                      StartsWith(twice.at("3") + "no field \"a\"; the record is of the type number"));
  }
  SECTION("a document without the records") {
    const File file("{\"rows\": {\"a\": 1}}");
    CHECK_THROWS_WITH(file.json(),
                      StartsWith(file.at("1")) && ContainsSubstring("array of records") && ContainsSubstring("object"));
    CHECK_THROWS_WITH(file.json({}, "/row"),
                      ContainsSubstring("no field \"/row\"") && ContainsSubstring("did you mean \"/rows\"?"));
    CHECK_THROWS_WITH(file.json({}, "/rows"), ContainsSubstring("at \"/rows\""));
  }
  SECTION("rows of CSV that are longer or shorter than the header") {
    const File file("a,b\n1,2\n\"x\ny\",2,3\n");
    CHECK_THROWS_WITH(file.csv(), StartsWith(file.at("3") + "3 fields, expected the 2 of the header line"));
    const File named("1,2\n3\n");
    CHECK_THROWS_WITH(named.csv({}, {.column_names = {"a", "b"}}), StartsWith(named.at("2") + "1 fields, expected the 2"));
  }
  SECTION("CSV without a header, or with two columns of one name") {
    CHECK_THROWS_WITH(File("\n").csv(), ContainsSubstring("no header line"));
    const File file("a,b,a\n");
    CHECK_THROWS_WITH(file.csv(), StartsWith(file.at("1") + "two columns have the name \"a\""));
  }
  SECTION("syntax errors of CSV") {
    const File file("a,b\n1,\"2\n");
    CHECK_THROWS_WITH(file.csv(), StartsWith(file.at("2:3") + "this quote is never closed"));
  }
}

TEST_CASE("A missing field is named with the fields that exist", "[records]") {
  SECTION("a member") {
    const File file("{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\", \"labels\": \"y\"}\n");
    CHECK_THROWS_WITH(file.json_lines(),
                      Catch::Matchers::Equals(file.at("2") + "no field \"label\"; there are \"text\", \"labels\"; "
                                                             "did you mean \"labels\"?"));
  }
  SECTION("on the way of a pointer") {
    const File file("{\"fields\": {\"input\": \"a\", \"id\": 1}, \"list\": [1, 2]}");
    CHECK_THROWS_WITH(
        file.json_lines({{"x", "/fields/inputs"}}),
        ContainsSubstring("no field \"/fields/inputs\"; there are \"/fields/input\", \"/fields/id\"; did you mean "
                          "\"/fields/input\"?"));
    CHECK_THROWS_WITH(file.json_lines({{"x", "/field/input"}}),
                      ContainsSubstring("no field \"/field/input\"") && ContainsSubstring("did you mean \"/fields\"?"));
    CHECK_THROWS_WITH(file.json_lines({{"x", "/fields/input/deep"}}),
                      ContainsSubstring("\"/fields/input\" is of the type string"));
    CHECK_THROWS_WITH(file.json_lines({{"x", "/list/2"}}), ContainsSubstring("\"/list\" is of the type array of 2 items"));
    CHECK_THROWS_AS(file.json_lines({{"x", "/list/01"}}), ParseError);
    CHECK_THROWS_AS(file.json_lines({{"x", "/list/-1"}}), ParseError);
    CHECK_THROWS_AS(file.json_lines({{"x", "/list/"}}), ParseError);
  }
  SECTION("a column") {
    const File file("text,label\na,b\n");
    CHECK_THROWS_WITH(
        file.csv({"text", "labels"}),
        Catch::Matchers::Equals(file.at("1") + "no column \"labels\"; there are \"text\", \"label\"; did you mean \"label\"?"));
  }
  SECTION("among very many") {
    std::string header = "c0";
    for (int i = 1; i < 100; ++i) header += ",c" + std::to_string(i);
    CHECK_THROWS_WITH(File(header).csv({"other"}), ContainsSubstring("\"c19\" and 80 more"));
  }
}

TEST_CASE("Fields that cannot be used are refused", "[records]") {
  const auto first_line = [](const char* json) { return File(json).json_lines({"x"}); };
  CHECK_THROWS_WITH(first_line("{\"x\": null}"), ContainsSubstring("\"x\" is null"));
  CHECK_THROWS_WITH(first_line("{\"x\": 18446744073709551615}"), ContainsSubstring("18446744073709551615"));
  CHECK_THROWS_WITH(first_line("{\"x\": 1}\n{\"x\": \"1\"}"),
                    ContainsSubstring(":2: the field \"x\" is text here, but a number"));
  CHECK_THROWS_WITH(first_line("{\"x\": \"1\"}\n{\"x\": 1.5}"),
                    ContainsSubstring(":2: the field \"x\" is a number here, but text"));
  CHECK_THROWS_WITH(File("[1]").json_lines(), ContainsSubstring("type array and names no fields"));
  CHECK_THROWS_WITH(File("{\"x\": " + std::string(100000, '[') + std::string(100000, ']') + "}").json_lines(),
                    ContainsSubstring("nested more"));
  CHECK_THROWS_AS(File("{}").json_lines({"x", {"x", "y"}}), ValueError);
  CHECK_THROWS_WITH(File("{}").json_lines({{"x", "/a~2"}}), ContainsSubstring("no JSON pointer"));
}

TEST_CASE("A file that cannot be read is named", "[records]") {
  const tgd::test::TemporaryFolder folder;
  const std::string missing = (folder.path() / "missing.csv").string();
  CHECK_THROWS_AS(CsvFile(missing), ValueError);
  CHECK_THROWS_WITH(CsvFile(missing), ContainsSubstring(missing) && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(JsonFile(folder.path()), ContainsSubstring("folder"));
  CHECK_THROWS_WITH(JsonLinesFile(missing), ContainsSubstring("No such file"));
}

TEST_CASE("What is made of a sample knows the file, row and line that it was read from", "[records]") {
  const tgd::test::TemporaryFolder folder;
  const auto place = [](const tgd::Variable& variable, std::size_t i) { return to_string(variable.origin(i).value()); };
  const auto csv = folder.write("rows.csv", "text,label\n\"two\nlines\",a\nshort,b\nthird,c\n").string();
  const auto jsonl = folder.write("rows.jsonl", "{\"text\": \"x\"}\n\n{\"text\": \"y\"}\n").string();
  const auto array = folder.write("rows.json", R"([{"text": "x"}, {"text": "y"}])").string();

  for (auto [text, label] : DataLoader(CsvFile(csv).columns("text", "label"), {.batch_size = 3})) {
    CHECK(place(text, 0) == csv + ", row 0 (line 2)");
    CHECK(place(label, 1) == csv + ", row 1 (line 4)");
    const tgd::Variable made = tgd::map(text + label, [](const Data& item) { return item; })[2];
    CHECK(place(made, 0) == csv + ", row 2 (line 5)");
  }
  for (auto batch : DataLoader(JsonLinesFile(jsonl), {.batch_size = 2}))
    CHECK(place(batch.at("text"), 1) == jsonl + ", row 1 (line 3)");
  for (auto batch : DataLoader(JsonFile(array), {.batch_size = 2})) CHECK(place(batch.at("text"), 1) == array + ", row 1");
  for (auto [text] : StreamLoader(CsvStream(csv).columns("text"), {.batch_size = 3}))
    CHECK(place(text, 1) == csv + ", row 1 (line 4)");
  for (auto batch : StreamLoader(JsonLinesStream(jsonl), {.batch_size = 2}))
    CHECK(place(batch.at("text"), 1) == jsonl + ", row 1 (line 3)");
  const std::vector<std::string> plain{"a", "b", "c"};
  for (const tgd::Variable& batch : DataLoader(plain, {.batch_size = 3, .shuffle = true, .seed = 42})) {
    for (std::size_t i = 0; i < 3; ++i) CHECK(plain.at(batch.origin(i)->row) == batch.texts()[i]);
    CHECK_THROWS_WITH(tgd::map(batch, [](const Data&) -> Data { throw tgd::ValueError("no"); }).data(),
                      ContainsSubstring("map: " + place(batch, 0) + ": no"));
  }
}

TEST_CASE("Lenient fields are text whatever stands there, and may be missing", "[records]") {
  tgd::data::Field label("label");
  label.is_lenient = true;
  const JsonLinesFile rows = File(
                                 "{\"label\": 1}\n{\"x\": 0}\n{\"label\": null}\n{\"label\": \"b\"}\n{\"label\": "
                                 "2.5}\n{\"label\": [\"c\"]}\n{\"label\": true}\n")
                                 .json_lines({label});
  Texts values;
  for (std::size_t i = 0; i < rows.size(); ++i) values.push_back(rows[i].at("label").text());
  CHECK(values == Texts{"1", "", "", "b", "2.5", "[\"c\"]", "true"});
}

TEST_CASE("In a list of messages a role stands for its last message", "[records]") {
  const std::string chat =
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]})";
  const Fields fields{
      {"question", "/messages/user/content"}, {"first", "/messages/0/content"}, {"answer", "/messages/assistant/content"}};
  CHECK(File(chat + "\n").json_lines(fields)[0] == Record{{"question", "c"}, {"first", "a"}, {"answer", "b"}});
  CHECK(File(R"([{"conversations": [{"from": "gpt", "value": "x"}]}])").json({{"answer", "/conversations/gpt/value"}})[0] ==
        Record{{"answer", "x"}});
  CHECK_THROWS_WITH(File(chat + "\n").json_lines({{"x", "/messages/system/content"}}),
                    ContainsSubstring("\"/messages/system/content\""));
}

TEST_CASE("JsonFile finds the only list of records in an object", "[records]") {
  const JsonFile rows = File(R"({"version": [1], "data": [{"a": "x"}]})").json();
  CHECK(rows[0] == Record{{"a", "x"}});
  CHECK_THROWS_WITH(File(R"({"a": [{"x": 1}], "b": [{"x": 1}]})").json(), ContainsSubstring("an object with several: a, b"));
  CHECK_THROWS_WITH(File(R"({"a": 1})").json(), ContainsSubstring("an object without one"));
}

TEST_CASE("A JSON list is read element by element, as if all of it were parsed", "[records]") {
  struct Case {
    std::string text;
    std::vector<std::string> values;  // of "a"
  };
  const Case the = GENERATE(
      Case{"[]", {}}, Case{" [ ] \n", {}}, Case{R"([{"a":"x"}])", {"x"}},
      Case{"\xEF\xBB\xBF[\n{\"a\":\"x\"}\n,\t{\"a\":\"y\"}\r\n]\n", {"x", "y"}},
      Case{R"([{"a":"]}\"\\","b":[1,{"c":"["}]},{"b":{},"a":"{"}])", {"]}\"\\", "{"}},
      Case{R"({"n":1,"s":"[{","e":[],"t":[1],"data":[{"a":"x"},{"a":"y"}],"o":{"data":[{"a":"z"}]},"b":true})", {"x", "y"}},
      Case{R"({"data":[{"a":"old"}],"data":[{"a":"x"}]})", {"x"}},
      Case{R"({"data":[{"a":"x"}],"d\u0061ta":[{"a":"y"}], "c":[[{}]]})", {"y"}},
      Case{R"({"data":[{"a":"old"}],"data":3,"rows":[{"a":"x"}]})", {"x"}});
  CAPTURE(the.text);
  const JsonFile rows = File(the.text).json({"a"});
  REQUIRE(rows.size() == the.values.size());
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].at("a").text() == the.values[i]);
}

TEST_CASE("What is no JSON list is refused wherever it goes wrong, with its place", "[records]") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "[",
                           "[{\"a\":\"x\"}",
                           "[{\"a\":\"x\"},]",
                           "[{\"a\":\"x\"} {\"a\":\"x\"}]",
                           "[{\"a\":\"x\"}] 1",
                           "[{\"a\":\"x\",}]",
                           "[{\"a\":\"x}]",
                           "[,{\"a\":\"x\"}]",
                           "{\"data\":[{\"a\":\"x\"}]",
                           "{\"data\":[{\"a\":\"x\"}],}",
                           "{\"data\":[{\"a\":\"x\"}] \"b\":1}",
                           "{\"data\":[{\"a\":\"x\"}]}]",
                           "{\"data\":[{\"a\":\"x\"}],\"b\":}",
                           "{data:[{\"a\":\"x\"}]}",
                           "7",
                           "\"a\"",
                           "[1]",
                           "[{\"b\":\"x\"}]",
                           "[{\"a\":\"x\"},{\"a\":[1,2}]",
                           "{\"a\":\"x\\",
                           "[{\"a\":1e999}]"}) {
    CAPTURE(text);
    const File file(text);
    const std::string place = file.at("1");
    CHECK_THROWS_WITH(file.json({"a"}), StartsWith(place.substr(0, place.size() - 2)));
  }
}

TEST_CASE("Files of the other JSON format are told apart", "[records]") {
  const File list("[{\"x\": 1}, {\"x\": 2}]\n");
  CHECK_THROWS_WITH(list.json_lines({"x"}), StartsWith(list.at("1")) && ContainsSubstring("is called .json"));
  CHECK_THROWS_WITH(File("[\n{\"x\": 1}]").json_lines({"x"}), ContainsSubstring("is called .json"));
  CHECK_THROWS_WITH(File("{\"x\": 1}\n{\"x\": 2}\n").json({"x"}), ContainsSubstring("is called .jsonl"));
}

TEST_CASE("Columns have names without blanks around them, and the others numbers", "[records]") {
  const CsvFile rows = File(" text ,,\tlabel\n a ,b, c\n   \n").csv();
  CHECK(rows.names() == Texts{"text", "column_2", "label"});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].at("text").text() == " a ");
}

TEST_CASE("Files are read in the encoding that their mark or the caller names", "[records]") {
  const tgd::test::TemporaryFolder folder;
  const std::string_view utf16("\xFF\xFEx\0\n\0\xFC\0\n\0", 10);
  CHECK(CsvFile(folder.write("a.csv", utf16))[0] == Record{{"x", "ü"}});
  CHECK(CsvFile(folder.write("b.csv", "x\n\xFC\n"), {}, {.encoding = "ISO-8859-1"})[0] == Record{{"x", "ü"}});
  CHECK(JsonLinesFile(folder.write("c.jsonl", "{\"x\": \"\xFC\"}\n"), {"x"}, "ISO-8859-1")[0] == Record{{"x", "ü"}});
  CHECK(JsonFile(folder.write("d.json", "[{\"x\": \"\xFC\"}]"), {"x"}, "", "ISO-8859-1")[0] == Record{{"x", "ü"}});
}
