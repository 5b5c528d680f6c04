// The report's page in a real browser. The page checks itself (report_check.js) inside a frame, because a window cannot be made as
// narrow as a phone is, and posts what it found to the page around it, which the browser then prints.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "cli/report_run.hpp"
#include "report/comparison.hpp"
#include "report/page.hpp"
#include "support/golden.hpp"
#include "support/process.hpp"

using namespace tgd;
using namespace tgd::cli;
namespace fs = std::filesystem;

namespace {

std::optional<fs::path> find_browser() {
  const char* path = std::getenv("PATH");
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      std::error_code ignored;
      if (fs::is_regular_file(fs::path(folder) / name, ignored)) return fs::path(folder) / name;
    }
  }
  return std::nullopt;
}

/// axe-core's checks of accessibility, where npm has installed them for all (npm install -g axe-core), or from $TGD_AXE.
std::optional<std::string> find_axe() {
  const char* named = std::getenv("TGD_AXE");
  for (const fs::path& file : {fs::path(named == nullptr ? "" : named), fs::path("/usr/lib/node_modules/axe-core/axe.min.js"),
                               fs::path("/usr/local/lib/node_modules/axe-core/axe.min.js")}) {
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return test::read_text(file);
  }
  return std::nullopt;
}

struct Screen {
  int width;
  int height;
  bool dark;
};

struct Expected {
  std::size_t versions = 0;
  std::size_t samples = 0;
  const char* checks = "report_check.js";
};

/// The page with the checks behind its own script. Its policy allows them by their hash, and else stays as strict as it is.
std::string with_checks(std::string page, const Screen& screen, const Expected& expected) {
  const std::string checks = fmt::format("const expected = {{dark: {}, versions: {}, samples: {}}};\n", screen.dark,
                                         expected.versions, expected.samples) +
                             test::read_text(fs::path(TGD_TEST_SOURCE_DIR) / "cli" / expected.checks);
  for (const std::string& script : {find_axe().value_or("window.axe = null;"), checks}) {
    const std::string policy = "script-src '";
    page.insert(page.find(policy) + policy.size(), content_hash(script) + "' '");
    page.insert(page.rfind("</body>"), "<script>" + script + "</script>\n");
  }
  return page;
}

/// The browser prints a page once it is loaded, and this one is not before the inner page has spoken: until then a second frame is
/// kept open.
std::string frame_of(const Screen& screen) {
  return fmt::format(R"(<!doctype html><meta charset="utf-8"><pre id="found"></pre><iframe id="waiting" hidden></iframe>
<script>
const waiting = document.getElementById("waiting").contentDocument;
waiting.open();
waiting.write("waiting");
addEventListener("message", (event) => {{
  document.getElementById("found").textContent = event.data;
  waiting.close();
}});
</script>
<iframe src="page.html" style="border: 0; width: {}px; height: {}px"></iframe>)",
                     screen.width, screen.height);
}

/// What the page found out about itself.
nlohmann::json checked(const fs::path& browser, const std::string& page, const Screen& screen, const Expected& expected) {
  const test::TemporaryFolder folder;
  folder.write("page.html", with_checks(page, screen, expected));
  const fs::path frame = folder.write("frame.html", frame_of(screen));
  std::vector<std::string> arguments{browser.string(),
                                     "--headless=new",
                                     "--no-sandbox",
                                     "--disable-gpu",
                                     "--disable-quic",
                                     "--no-first-run",
                                     "--disable-background-networking",
                                     "--disable-component-update",
                                     "--disable-sync",
                                     "--user-data-dir=" + (folder.path() / "user").string(),
                                     "--enable-logging=stderr",
                                     "--timeout=120000",
                                     "--window-size=1320,1000"};
  if (screen.dark) arguments.emplace_back("--blink-settings=preferredColorScheme=0");
  arguments.emplace_back("--dump-dom");
  arguments.push_back("file://" + frame.string());
  const test::ProcessResult result = test::run_process(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.find("CONSOLE") == std::string::npos);
  const std::string begin = "<pre id=\"found\">";
  const std::size_t at = result.out.find(begin);
  REQUIRE(at != std::string::npos);
  const std::string found = result.out.substr(at + begin.size(), result.out.find("</pre>") - at - begin.size());
  INFO(found);
  REQUIRE(nlohmann::json::accept(found));
  return nlohmann::json::parse(found);
}

void check_on_all_screens(const std::string& page, const Expected& expected) {
  const std::optional<fs::path> browser = find_browser();
  if (!browser) {
    WARN("no browser: install chromium to check the report's page in one");
    return;
  }
  if (!find_axe())
    WARN("no axe-core: npm install -g axe-core, or name axe.min.js in TGD_AXE, to check the page with it as well");
  for (const Screen& screen :
       {Screen{320, 640, false}, Screen{320, 640, true}, Screen{1280, 900, false}, Screen{1280, 900, true}}) {
    CAPTURE(screen.width, screen.dark);
    const nlohmann::json found = checked(*browser, page, screen, expected);
    INFO(found.dump(2));
    CHECK(found["failures"].empty());
    CHECK(found["figures"]["width"] == screen.width);
  }
}

/// So many samples and versions, with texts that would like to be markup.
RunRecord large_run(std::size_t samples, std::size_t versions) {
  const std::string hostile =
      "</script><script>hacked = 1</script><img src=x onerror=hacked=1><b>bold</b> \xE2\x80\xA8 "
      "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 ";
  RunRecord record{.folder = "runs/large"};
  record.result = {
      {"name", "large <b>run</b>"}, {"status", "ok"}, {"steps", versions}, {"best", {{"step", versions}}}, {"seconds", 5000}};
  PartRecord part{.name = "validation"};
  for (std::size_t i = 0; i < samples; ++i) {
    part.rows.push_back(i);
    part.targets.push_back(fmt::format("class {}{}", i * i % 26, i % 26 == 0 ? " <b>" : ""));
    part.inputs.push_back(
        fmt::format("{} {}", i, i % 10 == 0 ? hostile : std::string(i % 280, i % 11 == 0 ? 'x' : ' ') + "the end"));
  }
  std::string value = "Sort the mails. " + hostile;
  for (std::size_t step = 0; step <= versions; ++step) {
    Measurement measurement;
    for (std::size_t i = 0; i < samples; ++i) {
      const bool is_right = (i * 7 + step * 13) % 40 < step + 5;
      const bool has_failed = (i + step) % 97 == 0;
      measurement.predictions.push_back(
          has_failed ? std::nullopt : std::optional(is_right ? part.targets[i] : part.targets[(i * 3 + 1) % samples]));
      measurement.scores.push_back(!has_failed && measurement.predictions.back() == part.targets[i] ? 1 : 0);
      if (i % 4 == 0) measurement.replies.emplace(i, "I think: " + hostile);
      if (measurement.scores.back() == 0) measurement.explanations.emplace(i, "not as expected " + hostile);
    }
    part.at.emplace(step, std::move(measurement));
    record.validations.push_back({1, step, {.score = static_cast<double>(step) / 40, .samples = samples}, true});
    UpdateRecord update{
        .outcome = "updated", .value = value, .requests = 1, .edit_distance = 5, .feedback = {hostile, "Be brief."}};
    if (step % 5 == 4) {
      update.outcome = "rejected";
      update.reason = hostile;
      update.problems = {{"cut_off", hostile}};
    }
    BatchRecord batch{.rows = {1, 2}};
    batch.measurement.predictions = {"class 1", hostile};
    batch.measurement.scores = {1, 0};
    batch.measurement.replies.emplace(2, "so " + hostile);
    batch.measurement.explanations.emplace(2, hostile);
    record.versions.push_back(
        {.epoch = 1, .step = step, .seconds = 1, .updates = {{"prompt <b>", update}}, .batch = std::move(batch)});
    value += fmt::format("\n- Rule {}: {}", step, std::string(step * 9, 'w'));
    if (step == 0) continue;
    StepRecord line{.epoch = 1, .step = step, .metrics = {.score = 0.5, .samples = 16}};
    line.gate = GateReport{.accepted = step % 5 != 4, .reason = step % 5 == 4 ? hostile : "", .proposals = 2};
    record.steps.push_back(line);
  }
  record.parts.push_back(std::move(part));
  for (std::size_t i = 0; i < 2000; ++i) {
    CallLine call{.start = 1.8e9 + static_cast<double>(i),
                  .latency = 0.5,
                  .purpose = "forward",
                  .model = "model <b>",
                  .input_tokens = 100,
                  .output_tokens = 10,
                  .cost = 0.001,
                  .outcome = "ok"};
    if (i % 50 == 0) {
      call.outcome = "error";
      call.error_type = "429";
      call.error_message = hostile;
      call.cost = std::nullopt;
    }
    record.calls.push_back(std::move(call));
  }
  return record;
}

}  // namespace

TEST_CASE("the report of 10,000 samples and 30 versions works on phones and desks, light and dark", "[cli][report][browser]") {
  check_on_all_screens(report_html(large_run(10'000, 30)), {.versions = 31, .samples = 10'000});
}

TEST_CASE("the report of a small run that failed works on phones and desks, light and dark", "[cli][report][browser]") {
  const test::TemporaryFolder folder;
  check_on_all_screens(report_html(read_run(test::write_run(folder, test::hand_made_run()))), {.versions = 2, .samples = 4});
}

TEST_CASE("the page of a comparison works on phones and desks, light and dark", "[cli][report][browser]") {
  RunRecord first = large_run(200, 3);
  RunRecord other = large_run(200, 9);
  first.folder = "runs/first";
  other.folder = "runs/other";
  const OrderedJson comparison = compare_runs({first, other});
  REQUIRE(comparison["comparisons"][0]["won"].size() > 0);
  REQUIRE(comparison["comparisons"][0]["lost"].size() > 0);
  check_on_all_screens(comparison_html(comparison), {.checks = "comparison_check.js"});
}
