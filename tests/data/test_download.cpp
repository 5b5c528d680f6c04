#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <vector>

#include <tgd/data/facility_support.hpp>
#include <tgd/error.hpp>

#include "catch.hpp"
#include "core/file.hpp"
#include "core/sha256.hpp"
#include "data/download.hpp"
#include "support/http_server.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using tgd::ParseError;
using tgd::ValueError;
using tgd::data::DownloadOptions;
using tgd::data::detail::locate;
using tgd::data::detail::PublishedFile;
using tgd::test::HttpRequest;
using tgd::test::HttpResponse;
using tgd::test::HttpServer;

namespace fs = std::filesystem;

namespace {

const std::string content = std::string(50'000, 'x') + '\0' + "end";
const std::string checksum = tgd::detail::sha256(content);
const PublishedFile published = {
    .name = "set/file.txt", .url = "https://example.invalid/file.txt", .sha256 = checksum, .size = content.size()};

/// A folder of datasets, and the one in it.
struct Root {
  tgd::test::TemporaryFolder folder;
  fs::path path = folder.path() / "data";
  fs::path place = path / "set" / "file.txt";

  std::string fetch(const std::string& url) const {
    return tgd::detail::read_file(locate(published, path, {.download = true, .url = url}));
  }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path())) count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_CASE("A published file is downloaded once, checked and found again", "[download][concurrent]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content}; });
  const Root root;
  CHECK((root.fetch(server.url() + "/file") == content));
  CHECK(server.requests().at(0).method == "GET");
  CHECK(server.requests().at(0).target == "/file");
  CHECK((root.fetch(server.url()) == content));
  CHECK(locate(published, root.path, {}) == root.place);
  CHECK(locate(published, root.place, {}) == root.place);
  CHECK(server.request_count() == 1);
  CHECK(root.files() == 1);
}

TEST_CASE("A download says how far it is and that it was verified", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content, .chunk_size = 1000}; });
  const Root root;
  std::vector<tgd::data::DownloadProgress> heard;
  DownloadOptions options{.download = true, .url = server.url(), .on_progress = [&](const auto& now) { heard.push_back(now); }};
  locate(published, root.path, options);
  REQUIRE(heard.size() >= 3);
  CHECK(heard.size() <= 102);
  CHECK(heard.front().bytes == 0);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    CHECK(heard[i].url == server.url());
    CHECK(heard[i].path == root.place);
    CHECK(heard[i].size == content.size());
    CHECK(heard[i].is_verified == (i + 1 == heard.size()));
    if (i > 0) CHECK(heard[i].bytes >= heard[i - 1].bytes);
  }
  CHECK(heard.back().bytes == content.size());
  CHECK(root.files() == 1);

  heard.clear();
  locate(published, root.path, options);
  CHECK(heard.empty());  // it is there
}

TEST_CASE("What the listener of a download throws ends it and leaves nothing behind", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content, .chunk_size = 1000}; });
  const Root root;
  const auto stop = [](const tgd::data::DownloadProgress& now) {
    if (now.bytes > 10'000) throw std::runtime_error("enough");
  };
  CHECK_THROWS_WITH(locate(published, root.path, {.download = true, .url = server.url(), .on_progress = stop}), "enough");
  CHECK(root.files() == 0);
}

TEST_CASE("Another file than the published one is never called verified", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = std::string(content.size(), 'y')}; });
  const Root root;
  bool is_verified = false;
  const auto listen = [&](const tgd::data::DownloadProgress& now) { is_verified = is_verified || now.is_verified; };
  CHECK_THROWS_AS(locate(published, root.path, {.download = true, .url = server.url(), .on_progress = listen}), ParseError);
  CHECK_FALSE(is_verified);
}

TEST_CASE("Redirections are followed, but not without end", "[download]") {
  const HttpServer server([](const HttpRequest& request) {
    if (request.target == "/file") return HttpResponse{.body = content};
    return HttpResponse{
        .status = 302, .headers = {{"Location", request.target == "/old" ? "/file" : "/loop"}}, .body = "moved"};
  });
  const Root root;
  CHECK_THROWS_AS(root.fetch(server.url() + "/loop"), ValueError);
  CHECK(root.files() == 0);
  CHECK((root.fetch(server.url() + "/old") == content));
}

TEST_CASE("A download that fails says why and leaves nothing behind", "[download]") {
  const Root root;
  const auto check = [&](const HttpResponse& response, const std::string& why) {
    const HttpServer server([&](const HttpRequest&) { return response; });
    CHECK_THROWS_AS(root.fetch(server.url()), ValueError);
    CHECK_THROWS_WITH(root.fetch(server.url()), ContainsSubstring(server.url()) && ContainsSubstring(why) &&
                                                    ContainsSubstring("by hand") && ContainsSubstring(root.place.string()));
    CHECK(root.files() == 0);
  };
  check({.status = 404, .body = std::string(100'000, 'n')}, "404");
  check({.status = 500}, "500");
  check({.body = content + "!"}, "longer than the 50004 bytes");
  check({.body = content + "!", .framing = HttpResponse::Framing::chunked, .chunk_size = 1000}, "longer than the 50004 bytes");
  check({.body = content, .cut_after = 20'000}, "cannot download");
  check(tgd::test::hang_up(), "cannot download");
  CHECK_THROWS_AS(root.fetch("http://127.0.0.1:" + std::to_string(tgd::test::closed_port())), ValueError);
  CHECK_THROWS_WITH(root.fetch("file:///etc/passwd"), ContainsSubstring("cannot download file:///etc/passwd"));
  CHECK(root.files() == 0);
}

TEST_CASE("A download on which nothing comes ends", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content, .stall_after = 100}; });
  const Root root;
  PublishedFile impatient = published;
  impatient.patience = std::chrono::seconds(1);
  const std::string url = server.url();
  CHECK_THROWS_AS(locate(impatient, root.path, {.download = true, .url = url}), ValueError);
  CHECK(root.files() == 0);
}

TEST_CASE("Another file than the published one is refused, and nothing of it stays", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = "<html>Please log in</html>"}; });
  const Root root;
  CHECK_THROWS_AS(root.fetch(server.url()), ParseError);
  CHECK_THROWS_WITH(root.fetch(server.url()), ContainsSubstring("not the published file") && ContainsSubstring(checksum));
  CHECK(root.files() == 0);
  CHECK_THROWS_AS(tgd::data::FacilitySupport(tgd::data::Split::train, root.path, {.download = true, .url = server.url()}),
                  ParseError);
}

TEST_CASE("Several downloads at once end with one whole file", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content, .chunk_size = 1000}; });
  const Root root;
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (std::string& text : texts) threads.emplace_back([&root, &server, &text] { text = root.fetch(server.url()); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) CHECK((text == content));
  CHECK(root.files() == 1);
}

TEST_CASE("Nothing is downloaded that was not asked for, and a folder that cannot be written is named", "[download]") {
  const HttpServer server([](const HttpRequest&) { return HttpResponse{.body = content}; });
  const Root root;
  CHECK_THROWS_WITH(locate(published, root.path, {.url = server.url()}),
                    ContainsSubstring("there is no dataset") && ContainsSubstring(".download = true"));
  CHECK(server.request_count() == 0);
  root.folder.write("data/set", "a file where a folder is needed");
  CHECK_THROWS_AS(root.fetch(server.url()), ValueError);
  CHECK_THROWS_WITH(root.fetch(server.url()), ContainsSubstring((root.path / "set").string()));
}
