#include "cli/command.hpp"

#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/argument_checks.hpp"
#include "cli/standard_streams.hpp"

namespace tgd::cli {

tgd::detail::Output named_output(const std::string& option, const std::filesystem::path& file) {
  try {
    return tgd::detail::output_at(file);
  } catch (const ValueError& error) {
    throw TaskError(option + ": " + error.what());
  }
}

bool write_named_output(const std::string& option, const std::string& file, const std::string& text) {
  if (file == "-") {
    write_output(text);
    return true;
  }
  const bool is_stream = named_output(option, file).is_stream;
  tgd::detail::write_output(file, text);
  return is_stream;
}

void expect_other_file(const std::string& option, const tgd::detail::Output& output,
                       const std::vector<std::filesystem::path>& inputs) {
  for (const std::filesystem::path& input : inputs) {
    std::error_code unknown;
    if (!output.is_stream && output.is_there && std::filesystem::equivalent(output.path, input, unknown))
      throw TaskError(fmt::format("{}: {} is what is read, and would be gone; name another file", option, input.string()));
  }
}

void add_task_argument(CLI::App& command, std::string& task) {
  command.add_option("task", task, "The task file")->required()->option_text("TASK");
}

void add_output_flags(CLI::App& command, OutputFlags& flags) {
  command.add_flag("-q,--quiet", flags.quiet, "Print the result only");
  command.add_flag("-v,--verbose", flags.verbose, "Print what is done in more detail");
  command.add_flag("--json", flags.json, "Print the result as one JSON document, and everything else on standard error");
}

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("--base-url", flags.base_url, "Endpoint that speaks the OpenAI protocol")->option_text("URL");
  command.add_option("--model", flags.model, "Model to ask for there; plays all roles of the task")->option_text("NAME");
  command.add_option("--max-in-flight", flags.max_in_flight, "Requests at the same time")
      ->check(whole_number(1))
      ->option_text("N");
  command.add_option("--max-retries", flags.max_retries, "Further attempts after a failed one")
      ->check(whole_number(0, 1000))
      ->option_text("N");
  command.add_option("--timeout", flags.timeout_seconds, "Of one request")->check(number(true))->option_text("SECONDS");
  command.add_option("--limit", flags.limit, "The most samples of each part, over the task's own limits")
      ->check(whole_number(1))
      ->option_text("N");
  command.add_flag(
      "--proxy", flags.proxy,
      "Let the calls of the task's agent go through tgd: OPENAI_BASE_URL and OPENAI_API_KEY in its environment lead to an "
      "endpoint on this machine that records them, with the task's cache and budget, and asks the student");
  command.add_flag("--no-cache", flags.no_cache, "Ask for everything anew, whatever the task's cache holds");
}

void add_max_failed_flag(CLI::App& command, std::optional<double>& share) {
  command
      .add_option("--max-failed", share,
                  "The share of the samples that may fail, over the task's own; when more do, the exit status is 1")
      ->check(number(false, 1))
      ->option_text("SHARE");
}

}  // namespace tgd::cli
