// `tgd compare`: runs side by side.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "core/counted.hpp"
#include "core/one_line.hpp"
#include "report/comparison.hpp"
#include "report/page.hpp"
#include "run/summary.hpp"

namespace tgd::cli {

namespace {

using tgd::detail::counted;

constexpr const char* compare_examples = R"(Examples:
  tgd compare runs/mails-20261121-195647 runs/mails-20261122-081502
      what the second one does better or worse than the first, and what was set differently
  tgd compare runs/* -o comparison.html
      all of them against the first, as a page
  tgd compare OLD NEW --json | jq '.comparisons[0].lost'
      the samples that got worse

Compared are the best values of each run, on the samples that both have measured: those with the same texts in the same part of the
data. An interval holds the mean over all samples of that kind in 95 of 100 cases; p is the probability that a difference as large
comes by chance, by a two-sided paired test.)";

struct CompareFlags {
  std::vector<std::string> runs = {};
  std::optional<std::string> file = {};
  OutputFlags output = {};
};

/// What a document says, for people.
class ComparisonText {
 public:
  ComparisonText(Terminal& terminal, const OrderedJson& document) : terminal_(terminal), document_(document) {}

  void print() {
    print_runs();
    for (const OrderedJson& comparison : document_["comparisons"]) print_comparison(comparison);
    for (const OrderedJson& note : document_["notes"]) terminal_.line("note: " + note.get<std::string>());
  }

 private:
  using Rows = std::vector<std::vector<std::string>>;

  EvaluatorSpec scale() const { return {.best_score = document_["runs"][0]["best_score"].get<double>()}; }

  std::string score(const OrderedJson& value) const {
    return value.is_number() ? score_text(scale(), value.get<double>()) : "–";
  }
  std::string interval(const OrderedJson& interval) const {
    return interval.is_null() ? "" : fmt::format("{} to {}", score(interval[0]), score(interval[1]));
  }

  static std::string whole(const OrderedJson& value) {
    return value.is_number() ? fmt::format("{:.0f}", value.get<double>()) : "–";
  }

  void print_table(const std::vector<TableColumn>& columns, const Rows& rows) {
    const std::vector<std::string> lines = table_lines(columns, rows, terminal_.width() - 2);
    for (const std::string& line : lines) terminal_.line(indent + line);
  }

  void print_runs() {
    Rows scores;
    Rows expenses;
    for (const OrderedJson& run : document_["runs"]) {
      const std::string folder = tgd::detail::one_line(run["folder"].get<std::string>());
      for (const OrderedJson& part : run["parts"]) {
        const bool is_first = part == run["parts"].front();
        scores.push_back({is_first ? folder : "", part["part"].get<std::string>(), whole(part["samples"]), score(part["first"]),
                          score(part["best"]), interval(part["interval"])});
      }
      expenses.push_back({folder, tgd::detail::one_line(run["models"].get<std::string>()), whole(run["calls"]),
                          whole(run["input_tokens"]), whole(run["output_tokens"]),
                          run["cost_usd"].is_number() ? lm::Cost::from_usd(run["cost_usd"].get<double>()).text() : "unknown",
                          run["status"].get<std::string>()});
    }
    terminal_.line(terminal_.bold("Scores"));
    print_table({{.name = "run", .least = 16},
                 {.name = "part"},
                 {.name = "samples", .is_number = true},
                 {.name = "first", .is_number = true},
                 {.name = "best", .is_number = true},
                 {.name = "95% interval"}},
                scores);
    terminal_.line("");
    terminal_.line(terminal_.bold("Cost"));
    print_table({{.name = "run", .least = 16},
                 {.name = "model", .least = 10},
                 {.name = "calls", .is_number = true},
                 {.name = "tokens in", .is_number = true},
                 {.name = "out", .is_number = true},
                 {.name = "cost", .is_number = true},
                 {.name = "ended"}},
                expenses);
  }

  void print_comparison(const OrderedJson& comparison) {
    terminal_.line("");
    terminal_.line(terminal_.bold(
        fmt::format("{} against {}", comparison["run"].get<std::string>(), document_["runs"][0]["folder"].get<std::string>())));
    for (const OrderedJson& part : comparison["parts"]) print_part(part);
    print_settings(comparison["settings"]);
    for (const OrderedJson& prompt : comparison["prompts"]) print_prompt(prompt);
    print_samples("won", comparison["won"]);
    print_samples("lost", comparison["lost"]);
  }

  void print_part(const OrderedJson& part) {
    const double difference = part["difference"].get<double>();
    std::string text = difference_text(scale(), difference);
    if (difference != 0) {
      const bool is_gain = (difference > 0) == document_["runs"][0]["higher_is_better"].get<bool>();
      text = is_gain ? terminal_.good(text) : terminal_.bad(text);
      if (const OrderedJson& range = part["interval"]; !range.is_null())
        text += fmt::format(", from {} to {}", difference_text(scale(), range[0]), difference_text(scale(), range[1]));
      text += fmt::format(", {}", chance_text(part["p_value"].get<double>()));
    }
    terminal_.line(fmt::format("  {}: {} → {} on {} ({}); {} won, {} lost", part["part"].get<std::string>(),
                               score(part["first"]), score(part["other"]),
                               counted(part["shared"].get<std::size_t>(), "shared sample"), text,
                               part["won"].get<std::size_t>(), part["lost"].get<std::size_t>()));
  }

  void print_settings(const OrderedJson& settings) {
    if (settings.empty()) return terminal_.line("  No setting differs.");
    terminal_.line("  Settings that differ:");
    Rows rows;
    const auto text = [](const OrderedJson& value) {
      return value.is_null() ? "not set" : tgd::detail::one_line(json_text(value));
    };
    for (const OrderedJson& row : settings)
      rows.push_back({"  " + tgd::detail::one_line(row["setting"].get<std::string>()), text(row["first"]), text(row["other"])});
    print_table({{.name = "  setting", .least = 12}, {.name = "first", .least = 10}, {.name = "this", .least = 10}}, rows);
  }

  void print_prompt(const OrderedJson& prompt) {
    const auto added = prompt["added"].get<std::size_t>();
    const auto gone = prompt["gone"].get<std::size_t>();
    const std::string name = prompt["parameter"].get<std::string>();
    if (added + gone == 0) return terminal_.line(fmt::format("  {}: the same", name));
    terminal_.line(fmt::format("  {}: {} added, {} gone", name, counted(added, "word"), gone));
    std::string text;
    for (const OrderedJson& change : prompt["changes"]) {
      const std::string kind = change[0].get<std::string>();
      const std::string words = change[1].get<std::string>();
      text += kind == "gone" ? styled("[-" + words + "-]", false) : kind == "new" ? styled("{+" + words + "+}", true) : words;
    }
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      terminal_.line("    " + text.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  /// Each line by itself, so that no style is left on at the end of one.
  std::string styled(const std::string& words, bool is_new) const {
    std::string text;
    for (std::size_t begin = 0; begin <= words.size();) {
      const std::size_t end = std::min(words.find('\n', begin), words.size());
      const std::string line = words.substr(begin, end - begin);
      if (begin > 0) text += '\n';
      if (!line.empty()) text += is_new ? terminal_.good(line) : terminal_.bad(line);
      begin = end + 1;
    }
    return text;
  }

  void print_samples(const char* kind, const OrderedJson& samples) {
    constexpr std::size_t most_listed = 5;
    if (samples.empty()) return;
    terminal_.line(fmt::format("  {} {}:", counted(samples.size(), "sample"), kind));
    const std::size_t shown = terminal_.flags().verbose ? samples.size() : std::min(most_listed, samples.size());
    Rows rows;
    const auto answer = [](const OrderedJson& side) {
      return side["prediction"].is_null() ? "(failed)" : tgd::detail::one_line(side["prediction"].get<std::string>());
    };
    for (std::size_t i = 0; i < shown; ++i) {
      const OrderedJson& sample = samples[i];
      rows.push_back({fmt::format("  {} #{}", sample["part"].get<std::string>(), sample["row"].get<std::size_t>()),
                      tgd::detail::one_line(sample["input"].get<std::string>()),
                      sample["target"].is_null() ? "" : tgd::detail::one_line(sample["target"].get<std::string>()),
                      answer(sample["first"]), answer(sample["other"])});
    }
    print_table({{.name = "  sample"},
                 {.name = "input", .least = 12},
                 {.name = "expected", .least = 8},
                 {.name = "first", .least = 8},
                 {.name = "this", .least = 8}},
                rows);
    if (shown < samples.size()) terminal_.line(fmt::format("    … and {} more; -v shows all", samples.size() - shown));
  }

  static constexpr const char* indent = "  ";
  Terminal& terminal_;
  const OrderedJson& document_;
};

Status compare(const CompareFlags& flags) {
  Terminal terminal(flags.output);
  if (flags.runs.size() < 2) throw TaskError("compare needs two runs or more: the folders that `tgd runs` lists");
  std::vector<RunRecord> records;
  for (const std::string& run : flags.runs) records.push_back(read_run(run));
  const OrderedJson document = compare_runs(records);
  if (flags.file && write_named_output("-o", *flags.file, comparison_html(document))) return Status::ok;
  terminal.document(document);
  ComparisonText(terminal, document).print();
  if (flags.file) terminal.line("\nPage: " + *flags.file);
  return Status::ok;
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("compare", "Compare runs: scores, cost, settings, prompts, samples won and lost");
  const auto flags = std::make_shared<CompareFlags>();
  command->add_option("runs", flags->runs, "Run folders; each is compared with the first")
      ->required()
      ->option_text("RUN RUN...");
  command->add_option("-o,--output", flags->file, "Write it as a page, too; - is standard output")->option_text("FILE");
  add_output_flags(*command, flags->output);
  command->footer(compare_examples);
  command->callback([flags, &action] { action = [flags] { return compare(*flags); }; });
}

}  // namespace tgd::cli
