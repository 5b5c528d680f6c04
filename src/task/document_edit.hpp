// A change of a task file that leaves the rest of it, its comments and its layout, as a person wrote it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "task/document.hpp"

namespace tgd::cli {

/// The text of a document, which has to be valid, with `value` in the place of the member `key` of its outermost object, or behind the
/// last member where there is none of that name.
std::string with_member(std::string_view document, const std::string& key, const OrderedJson& value);

struct Task;

/// Whether `task` has by now other models than its file names.
bool differs_in_models(const Task& task);

/// Writes into the file, whole or not at all, the models that `task` has by now, of which the command line may have named some.
/// Throws TaskError when what the file would hold is no task, or not those models.
void save_models(const std::filesystem::path& file, const Task& task);

}  // namespace tgd::cli
