// The reference of task files, for people, made from the schema: a new key needs no second place.
#pragma once

#include <string>

namespace tgd::cli {

/// Markdown: a section for each object of a task, with a table of its members.
std::string schema_reference();

}  // namespace tgd::cli
