// `tgd check`: looks at everything that a run needs, before it is paid for.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <tgd/optim.hpp>
#include <tgd/version.hpp>

#include "cli/activity.hpp"
#include "cli/command.hpp"
#include "cli/estimate.hpp"
#include "cli/headroom.hpp"
#include "cli/trial.hpp"
#include "core/counted.hpp"
#include "core/text.hpp"
#include "run/interrupt.hpp"
#include "run/summary.hpp"
#include "task/agent.hpp"
#include "task/data.hpp"
#include "task/facts.hpp"
#include "task/parts.hpp"
#include "task/task.hpp"
#include "task/unreachable.hpp"

namespace tgd::cli {

namespace {

constexpr const char* check_examples = R"(Examples:
  tgd check task.json
      is the task in order, do its models answer, and what will a run take?
  tgd check task.json --no-calls
      the same without asking anybody anything
  tgd check task.json --model gpt-4o-mini
      as `tgd optimize` would run with these options
  tgd check task.json --headroom
      is optimizing worth its calls? About 60 more answers tell

What a run asks is asked once: the longest training sample goes through the stages and the judge; a batch with that answer goes to the
critic, which sees it as wrong, and the feedback to the optimizer, as in a step. Two more calls at temperature 0 show whether replies
repeat. What is wrong with a reply is told with what to set, and the exit status is 1 when a run would end with an error.

A command that scores is given five training samples with their targets as the answers, also with --no-calls. A stage and a program
by command get five training samples, too. What is wrong with what comes back is said.

Each target is put through the output steps and the evaluator: one that no reply can score best against is named with its row.

--headroom answers a few validation samples with the start prompt, twice, with what code can propose, and with one new value of the
teacher's. It says how well each does, how far scores change by themselves, and what to do.

The estimate is made by running the task's own stages and one step of training over the data with stand-ins for the models. low: no
sample needs feedback; likely: half of them do; high: all of them do, and every new value is asked for as often as it may be. Prompts
are taken to grow by 200 tokens (likely) and 800 (high). Replies that the task's cache holds cost nothing and are not taken off. The
time is what the trial's calls took, with as many at once as are let out.)";

struct CheckFlags {
  std::string task = {};
  bool no_calls = false;
  bool headroom = false;
  ModelFlags model = {};
  OutputFlags output = {};
};

/// "1,234,567"
std::string grouped(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string cost_text(const std::optional<lm::Cost>& cost) { return cost ? cost->text() : "unknown"; }

OrderedJson amount_json(const Amount& amount) {
  return {{"calls", std::llround(amount.calls)},
          {"prompt_tokens", std::llround(amount.prompt_tokens)},
          {"completion_tokens", std::llround(amount.completion_tokens)}};
}

/// "45 s", "12 min", "3.5 h".
std::string time_text(const std::optional<double>& seconds) {
  if (!seconds) return "unknown";
  if (*seconds < 1) return "below 1 s";
  if (*seconds < 120) return fmt::format("{:.0f} s", *seconds);
  return *seconds < 7200 ? fmt::format("{:.0f} min", *seconds / 60) : fmt::format("{:.1f} h", *seconds / 3600);
}

std::map<std::string, double> calls_by_purpose(const Amounts& amounts) {
  std::map<std::string, double> calls;
  for (const auto& [key, amount] : amounts) calls[key.first] += amount.calls;
  return calls;
}

OrderedJson outlook_json(const Outlook& outlook, const std::string& budget) {
  OrderedJson json = amount_json(total(outlook.all));
  json["by_purpose"] = OrderedJson::object();
  for (const auto& [purpose, calls] : calls_by_purpose(outlook.all)) json["by_purpose"][purpose] = std::llround(calls);
  json["by_model"] = OrderedJson::object();
  std::map<std::string, Amounts> by_model;
  for (const auto& [key, amount] : outlook.all) by_model[key.second].emplace(key, amount);
  for (const auto& [model, amounts] : by_model) json["by_model"][model] = amount_json(total(amounts));
  json["cost_usd"] = outlook.cost ? OrderedJson(outlook.cost->usd()) : OrderedJson(nullptr);
  json["seconds"] = outlook.seconds ? OrderedJson(*outlook.seconds) : OrderedJson(nullptr);
  json["budget"] = budget.empty() ? OrderedJson(nullptr) : OrderedJson(budget);
  return json;
}

class Check {
 public:
  explicit Check(const CheckFlags& flags)
      : terminal_(flags.output),
        interrupt_([this] { terminal_.note("Interrupted: waiting for the calls in flight. Ctrl-C again ends at once."); }),
        flags_(flags),
        task_(read_task(flags.task)),
        data_(load(task_, flags)),
        prompts_(load_prompts(task_)) {
    ModelFlags model = flags.model;
    model.no_cache = true;  // whether the models answer, not whether they once did
    models_ = make_models(task_, model_options(model));
    budget_problem_ = budget_problem(task_, data_, model_options(flags.model));
    facts_ = optim::diagnose({}, known_facts(task_, data_, prompts_));
    for (const FirstProposal& proposal : first_proposals(task_, data_, TaskAgent(task_, models_.by_name, prompts_), prompts_))
      proposals_.push_back(proposal.name);
  }

  Status run() {
    look_at_targets();
    print_head();
    if (!flags_.no_calls) try_models();
    look_at_command();
    if (flags_.headroom) look_for_headroom();
    if (interrupt_.requested()) return Status::interrupted;
    const std::vector<Outlook> outlooks = estimate(task_, data_, models_, trial_.calls);
    terminal_.document(result(outlooks));
    print(outlooks);
    return end();
  }

 private:
  ModelOptions model_options(const ModelFlags& model) {
    return {.flags = model, .stop = interrupt_.token(), .cassette = {}, .on_notice = on_notice()};
  }

  /// A part's targets that no reply can score best against.
  struct Unreachable {
    std::string part;
    std::filesystem::path file;
    std::vector<UnreachableTarget> targets;
  };

  /// What any further request would meet, and lose an answer to in each process, ends the trial.
  OnNotice on_notice() {
    return [this, shown = terminal_.on_notice()](const Notice& notice) {
      if (notice.kind == Notice::Kind::wrong_encoding) is_pointless_ = true;
      shown(notice);
    };
  }

  static TaskData load(Task& task, const CheckFlags& flags) {
    apply(flags.model, task);
    return load_data(task.data);
  }

  // ---- Targets ----

  void look_at_targets() {
    const DataSpec& spec = task_.data;
    const bool is_split = !spec.file.empty();
    for (const auto& [name, file] : {std::pair("train", spec.train_file), std::pair("validation", spec.validation_file),
                                     std::pair("test", spec.test_file)}) {
      auto targets = unreachable_targets(task_, data_.part(name));
      if (!targets.empty()) unreachable_.push_back({name, is_split ? spec.file : file, std::move(targets)});
    }
  }

  std::size_t unreachable_count() const {
    std::size_t count = 0;
    for (const Unreachable& part : unreachable_) count += part.targets.size();
    return count;
  }

  bool none_is_reachable() const { return unreachable_count() == data_.size(); }

  /// Each different one once, with its first row.
  std::vector<std::string> target_lines() const {
    constexpr std::size_t most_shown = 5;
    std::vector<std::string> lines;
    std::vector<std::string> seen;
    for (const Unreachable& part : unreachable_) {
      for (const UnreachableTarget& target : part.targets) {
        if (std::find(seen.begin(), seen.end(), target.target) != seen.end()) continue;
        if (seen.size() == most_shown) return lines;
        seen.push_back(target.target);
        lines.push_back(fmt::format("row {} of {} ({}), \"{}\": {}", target.row + 1, part.file.filename().string(), part.part,
                                    detail::excerpt(target.target, 60), target.reason));
      }
    }
    return lines;
  }

  void print_head() {
    const std::string state =
        unreachable_.empty() ? "the task is in order" : "the task can be read, but not all of it can be right";
    terminal_.line(terminal_.bold(fmt::format("{}: {}", task_.name, state)));
    terminal_.line(fmt::format("  data   {}: {} train, {} validation, {} test", tgd::detail::counted(data_.size(), "sample"),
                               data_.train.size(), data_.validation.size(), data_.test.size()));
    for (const std::string& note : data_.notes) terminal_.line("  note   " + note);
    for (const std::string& oddity : oddities_of(task_)) terminal_.line(terminal_.bad("  warning: " + oddity));
    terminal_.line(fmt::format("  LM     {}", models_.text()));
    print_facts();
    if (unreachable_.empty()) return;
    terminal_.line(terminal_.bad(
        fmt::format("  warning: no reply can score best against {} of {} targets:", unreachable_count(), data_.size())));
    for (const std::string& line : target_lines()) terminal_.line("    " + line);
  }

  /// What needs no call to be known.
  void print_facts() {
    std::string facts = to_string(facts_);
    for (std::size_t at = facts.find('\n'); at != std::string::npos; at = facts.find('\n', at + 1))
      facts.replace(at, 1, "\n         ");
    if (!facts.empty()) terminal_.line("  facts  " + facts);
    if (!proposals_.empty()) terminal_.line(fmt::format("  first  tries {}", fmt::join(proposals_, ", ")));
  }

  // ---- Models ----

  void try_models() {
    {
      const Activity activity(terminal_, "asking what a run asks", [this] {
        return ActivityStatus{.done = static_cast<double>(models_.counter->sent()), .in_flight = models_.counter->in_flight()};
      });
      trial_ = cli::try_models(task_, data_, models_, prompts_, [this] { return interrupt_.requested() || is_pointless_; });
    }
    if (is_pointless_) {
      trial_.problems.push_back(
          {false,
           "the endpoint's answers are not in the encoding that they name; the rest of the trial was left "
           "out until that is put right, or the header \"Content-Encoding\" is taken off on the way"});
    }
    std::set<std::string> commands;
    for (const TrialCall& call : trial_.calls) {
      if (call.purpose == command_purpose && !commands.insert(call.role).second) continue;  // the others are like it
      if (call.purpose != repeat_purpose) print(call);
    }
    if (trial_.answer && trial_.answer->problem)
      terminal_.line(fmt::format("  warning: {}; a sample like this counts as wrong", trial_.answer->problem_text()));
    for (const TrialProblem& problem : trial_.problems) {
      if (!problem.ends_run) terminal_.line("  warning: " + problem.text);
    }
    for (const auto& [role, model] : models_.distinct()) print_speed(role);
    for (const auto& [role, window] : trial_.windows) print_window(role, window);
  }

  /// It is no model, and costs nothing.
  void look_at_command() {
    if (interrupt_.requested()) return;
    for (TrialProblem& problem : try_command(task_, data_, prompts_)) {
      terminal_.line(terminal_.bad("  warning: " + problem.text));
      trial_.problems.push_back(std::move(problem));
    }
  }

  // ---- Headroom ----

  /// Where the trial has met what would end a run, more calls tell nothing.
  void look_for_headroom() {
    const bool is_broken = std::any_of(trial_.problems.begin(), trial_.problems.end(),
                                       [](const TrialProblem& problem) { return problem.ends_run; });
    if (is_broken || interrupt_.requested()) return;
    const std::int64_t sent = models_.counter->sent();
    try {
      const Activity activity(terminal_, "looking for headroom", [this, sent] {
        return ActivityStatus{.done = static_cast<double>(models_.counter->sent() - sent),
                              .in_flight = models_.counter->in_flight()};
      });
      headroom_ = find_headroom(task_, data_, models_, prompts_, [this] { return interrupt_.requested() || is_pointless_; });
    } catch (const BudgetError& error) {
      trial_.problems.push_back({false, fmt::format("the headroom could not be found: {}", error.what())});
      terminal_.line(terminal_.bad("  warning: " + trial_.problems.back().text));
    }
    headroom_calls_ = models_.counter->sent() - sent;
    if (headroom_ && !interrupt_.requested()) print(*headroom_);
  }

  std::string interval_text(const Headroom::Version& version) const {
    const auto interval = interval_of_mean(known_scores(version.scores));
    return interval ? fmt::format("{} to {}", score_text(task_.evaluator, interval->low),
                                  score_text(task_.evaluator, interval->high))
                    : "";
  }

  void print(const Headroom& found) {
    terminal_.line(fmt::format(
        "\n{} ({})",
        terminal_.bold(fmt::format("Headroom, on {} of the validation part", tgd::detail::counted(found.samples, "sample"))),
        tgd::detail::counted(static_cast<std::size_t>(headroom_calls_), "call")));
    for (const Headroom::Version* version : found.versions()) {
      terminal_.line(fmt::format("  {:<29}{:>8}  {:<18}  {} solved", version->name,
                                 score_text(task_.evaluator, mean(known_scores(version->scores))), interval_text(*version),
                                 version->solved));
    }
    if (!found.untaught.empty()) terminal_.line("  no new value of the teacher's was tried: " + found.untaught);
    terminal_.line(fmt::format("  solved by all: {}; by none: {}; changed by themselves: {}", found.always_solved,
                               found.never_solved, found.unsteady));
    for (const std::string& sentence : found.verdict(task_)) terminal_.line("  " + sentence);
  }

  OrderedJson headroom_json() const {
    OrderedJson json{{"samples", headroom_->samples}, {"calls", headroom_calls_}, {"versions", OrderedJson::array()}};
    for (const Headroom::Version* version : headroom_->versions()) {
      const std::vector<double> scores = known_scores(version->scores);
      const auto interval = interval_of_mean(scores);
      json["versions"].push_back({{"name", version->name},
                                  {"score", mean(scores)},
                                  {"interval", interval ? OrderedJson{interval->low, interval->high} : OrderedJson(nullptr)},
                                  {"solved", version->solved}});
    }
    json["solved_by_all"] = headroom_->always_solved;
    json["solved_by_none"] = headroom_->never_solved;
    json["changed_by_themselves"] = headroom_->unsteady;
    json["teacher"] = {{"tried", headroom_->taught.has_value()},
                       {"reason", headroom_->untaught.empty() ? OrderedJson(nullptr) : OrderedJson(headroom_->untaught)}};
    json["verdict"] = headroom_->verdict(task_);
    return json;
  }

  void print(const TrialCall& call) {
    terminal_.line("  " + call_text(call));
    if (!call.warning.empty()) terminal_.line(terminal_.bad("    warning: " + call.warning));
    if (!call.remark.empty()) terminal_.line("    note: " + call.remark);
  }

  void print_speed(const std::string& role) {
    std::vector<std::string> parts;
    if (const auto speed = trial_.tokens_per_second(role)) parts.push_back(fmt::format("{:.1f} tokens a second", *speed));
    if (const auto found = trial_.repetitions.find(role); found != trial_.repetitions.end())
      parts.push_back(repetition_text(found->second));
    if (!parts.empty()) terminal_.line(fmt::format("  {}: {}", role, fmt::join(parts, "; ")));
  }

  void print_window(const std::string& role, std::int64_t window) {
    terminal_.line(fmt::format("  {}: takes {} tokens, the request and its reply together", role, window));
    const auto budget = static_cast<std::int64_t>(task_.optimizer.context_budget.value_or(optim::TGDOptions{}.context_budget));
    constexpr std::int64_t characters_per_token = 4;
    constexpr std::int64_t share_of_replies = 4;
    const std::int64_t fitting = (window - window / share_of_replies) * characters_per_token;
    if (models_.at(role) != models_.at("teacher") || budget <= fitting) return;
    terminal_.line(
        fmt::format("  warning: requests for feedback and for new values may have {} characters, about {} tokens, which is "
                    "more than the {} takes; write \"optimizer\": {{\"context_budget\": {}}}",
                    budget, budget / characters_per_token, role, fitting / 1000 * 1000));
  }

  static std::string repetition_text(const Repetition& repetition) {
    if (!repetition.is_known) return "whether replies repeat at temperature 0 is not known: " + repetition.problem;
    return repetition.is_equal ? "replies repeat at temperature 0"
                               : "replies do not repeat, not even at temperature 0: scores of the same prompt will differ";
  }

  std::string call_text(const TrialCall& call) const {
    const std::string who = call.purpose == "check" ? call.role : fmt::format("{} ({})", call.role, call.purpose);
    if (call.is_refused) return fmt::format("{}: not asked: {}", who, call.error);
    if (!call.error.empty()) return terminal_.bad(fmt::format("{}: failed after {:.2f} s: {}", who, call.seconds, call.error));
    constexpr std::size_t most_shown = 60;
    std::string reply = detail::excerpt(detail::trim(call.reply), most_shown);
    std::replace(reply.begin(), reply.end(), '\n', ' ');
    const std::string tokens = call.usage.reported > 0
                                   ? fmt::format("{} tokens in, {} out", call.usage.prompt_tokens, call.usage.completion_tokens)
                                   : fmt::format("no token figures (about {} in, {} out)", call.usage.estimated_prompt_tokens,
                                                 call.usage.estimated_completion_tokens);
    return fmt::format("{}: \"{}\" after {:.2f} s; {}", who, reply, call.seconds, tokens);
  }

  Schedule schedule() const { return schedule_of(task_.training, data_.train.size()); }

  void print(const std::vector<Outlook>& outlooks) {
    const Schedule plan = schedule();
    terminal_.line(
        fmt::format("\n{:<26}{:>12}{:>12}{:>12}",
                    tgd::detail::counted(plan.steps, "step") + ", " + tgd::detail::counted(plan.validations, "validation"),
                    "low", "likely", "high"));
    const auto row = [&](const std::string& name, auto cell) {
      std::string text = fmt::format("  {:<24}", name);
      for (const Outlook& outlook : outlooks) text += fmt::format("{:>12}", cell(outlook));
      terminal_.line(text);
    };
    row("calls", [](const Outlook& outlook) { return grouped(total(outlook.all).calls); });
    for (const auto& [purpose, unused] : calls_by_purpose(outlooks.back().all)) {
      row("  " + purpose, [wanted = purpose](const Outlook& outlook) {
        const auto calls = calls_by_purpose(outlook.all);
        const auto found = calls.find(wanted);
        return grouped(found == calls.end() ? 0 : found->second);
      });
    }
    row("tokens in", [](const Outlook& outlook) { return grouped(total(outlook.all).prompt_tokens); });
    row("tokens out", [](const Outlook& outlook) { return grouped(total(outlook.all).completion_tokens); });
    row("cost", [](const Outlook& outlook) { return cost_text(outlook.cost); });
    if (!flags_.no_calls) row("time", [](const Outlook& outlook) { return time_text(outlook.seconds); });
    print_notes(outlooks);
  }

  void print_notes(const std::vector<Outlook>& outlooks) {
    for (const std::string& model : unpriced()) {
      terminal_.line(
          fmt::format("The price of {} is not known; \"price\": {{\"input\": …, \"output\": …}} in its model gives it (USD for "
                      "a million tokens)",
                      model));
    }
    for (const Outlook& outlook : outlooks) {
      const std::string text = budget_text(task_.budget, outlook, schedule().steps);
      if (!text.empty()) terminal_.line(fmt::format("{}: {}", outlook.scenario, text));
    }
  }

  std::vector<std::string> unpriced() const {
    std::vector<std::string> names;
    for (const auto& [role, model] : models_.distinct()) {
      if (model->provider() != "command" && !models_.prices.find(model->model_name()) &&
          std::find(names.begin(), names.end(), model->model_name()) == names.end())
        names.push_back(model->model_name());
    }
    return names;
  }

  OrderedJson result(const std::vector<Outlook>& outlooks) const {
    OrderedJson json{
        {"name", task_.name},
        {"samples", {{"train", data_.train.size()}, {"validation", data_.validation.size()}, {"test", data_.test.size()}}},
        {"steps", schedule().steps},
        {"validations", schedule().validations},
        {"calls", OrderedJson::array()}};
    for (const TrialCall& call : trial_.calls) json["calls"].push_back(call_json(call));
    if (trial_.answer && trial_.answer->problem) json["warning"] = trial_.answer->problem_text();
    json["problems"] = OrderedJson::array();
    for (const TrialProblem& problem : trial_.problems)
      json["problems"].push_back({{"ends_run", problem.ends_run}, {"text", problem.text}});
    json["notes"] = data_.notes;
    for (const std::string& oddity : oddities_of(task_)) json["notes"].push_back(oddity);
    json["unreachable_targets"] = targets_json();
    json["facts"] = optim::to_json(facts_).value();
    json["first_proposals"] = proposals_;
    json["models"] = models_json();
    if (headroom_) json["headroom"] = headroom_json();
    json["estimate"] = OrderedJson::object();
    for (const Outlook& outlook : outlooks)
      json["estimate"][outlook.scenario] = outlook_json(outlook, budget_text(task_.budget, outlook, schedule().steps));
    json["models_without_price"] = unpriced();
    json["version"] = version();
    return json;
  }

  OrderedJson targets_json() const {
    OrderedJson json = OrderedJson::array();
    for (const Unreachable& part : unreachable_) {
      for (const UnreachableTarget& target : part.targets)
        json.push_back({{"part", part.part}, {"row", target.row}, {"target", target.target}, {"reason", target.reason}});
    }
    return json;
  }

  OrderedJson models_json() const {
    OrderedJson json = OrderedJson::object();
    for (const auto& [role, model] : models_.distinct()) {
      const auto speed = trial_.tokens_per_second(role);
      const auto repetition = trial_.repetitions.find(role);
      const bool is_known = repetition != trial_.repetitions.end() && repetition->second.is_known;
      json[role] = {{"tokens_per_second", speed ? OrderedJson(*speed) : OrderedJson(nullptr)},
                    {"repeats_at_temperature_0", is_known ? OrderedJson(repetition->second.is_equal) : OrderedJson(nullptr)}};
    }
    return json;
  }

  OrderedJson call_json(const TrialCall& call) const {
    OrderedJson json{{"model", call.role},
                     {"name", models_.at(call.role)->model_name()},
                     {"purpose", call.purpose},
                     {"seconds", call.seconds}};
    if (!call.error.empty()) {
      json["error"] = call.error;
      return json;
    }
    json["reply"] = call.reply;
    if (!call.warning.empty()) json["warning"] = call.warning;
    if (!call.remark.empty()) json["note"] = call.remark;
    json["prompt_tokens"] = call.usage.prompt_tokens;
    json["completion_tokens"] = call.usage.completion_tokens;
    if (call.thoughts > 0) json["thoughts"] = call.thoughts;
    if (const auto window = trial_.windows.find(call.role); window != trial_.windows.end())
      json["context_window"] = window->second;
    return json;
  }

  bool has_answered(const std::string& role) const {
    return std::any_of(trial_.calls.begin(), trial_.calls.end(),
                       [&](const TrialCall& call) { return call.role == role && call.error.empty(); });
  }

  Status end() const {
    if (interrupt_.requested()) return Status::interrupted;
    for (const TrialCall& call : trial_.calls) {
      if (call.error.empty() || call.is_refused || has_answered(call.role)) continue;
      throw Error(
          fmt::format("the {} does not answer: {}\nCheck its endpoint and its key (--base-url, --model, OPENAI_API_KEY, or "
                      "\"models\" in {})",
                      call.role, call.error, task_.file.string()));
    }
    for (const TrialProblem& problem : trial_.problems) {
      if (problem.ends_run) throw Error("a run would end with an error. " + problem.text);
    }
    if (!budget_problem_.empty()) throw Error(budget_problem_);
    if (none_is_reachable())
      throw Error(
          fmt::format("no reply can score best against any target, so that nothing can be learnt; {}", target_lines().front()));
    return Status::ok;
  }

  Terminal terminal_;
  Interrupt interrupt_;
  const CheckFlags& flags_;
  Task task_;
  TaskData data_;
  Prompts prompts_;
  std::string budget_problem_;
  Models models_;
  std::vector<Unreachable> unreachable_;
  optim::Diagnosis facts_;
  std::vector<std::string> proposals_;  // names of those that are tried before the first step
  TrialResult trial_;
  std::optional<Headroom> headroom_;
  std::int64_t headroom_calls_ = 0;
  std::atomic<bool> is_pointless_ = false;
};

}  // namespace

void add_check(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("check", "Look at a task, try its models, and estimate what a run takes");
  const auto flags = std::make_shared<CheckFlags>();
  add_task_argument(*command, flags->task);
  CLI::Option* no_calls = command->add_flag("--no-calls", flags->no_calls, "Ask no model anything");
  command->add_flag("--headroom", flags->headroom, "Find with about 60 answers whether optimizing is worth its calls")
      ->excludes(no_calls);
  add_model_flags(*command, flags->model);
  add_output_flags(*command, flags->output);
  command->footer(check_examples);
  command->callback([flags, &action] { action = [flags] { return Check(*flags).run(); }; });
}

}  // namespace tgd::cli
