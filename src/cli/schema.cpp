// tgd schema: prints what editors need to complete and explain task files.
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/schema_reference.hpp"
#include "cli/standard_streams.hpp"
#include "task/embedded_schema.hpp"

namespace tgd::cli {

namespace {

constexpr const char* schema_examples = R"(Examples:
  tgd schema > task.schema.json
      then `"$schema": "task.schema.json"` as the first member of task.json: editors complete and explain every key

The schema is of JSON Schema draft 7. In task files comments are allowed; Visual Studio Code, for one, takes them as
"JSON with Comments".)";

}  // namespace

void add_schema(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema of task files, for editors");
  command->footer(schema_examples);
  const auto as_markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *as_markdown, "Print it as a reference for people instead");
  command->callback([as_markdown, &action] {
    action = [as_markdown] {
      write_output(*as_markdown ? schema_reference() : std::string(embedded_schema));
      return Status::ok;
    };
  });
}

}  // namespace tgd::cli
