// The words for what is wrong with an item, and which errors are an item's own fault. Private to the library.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <tgd/problem.hpp>

namespace tgd::detail {

/// Of that name, as to_string() gives it.
std::optional<Problem::Kind> problem_kind(std::string_view name);

/// The problem that the error of a call is; nothing where it is no single item's fault.
std::optional<Problem> own_fault(const std::exception_ptr& error);

/// A reply that was cut. `tokens`: as many as came, 0 where that is not known.
struct CutReply {
  std::int64_t tokens = 0;
  bool by_own_limit = false;
  bool while_thinking = false;
};
Problem cut_reply(const CutReply& reply);

/// For a language model: what came, and what is wrong with it.
std::string with_problem(const std::string& what_came, const Problem& problem);
/// Whether a filter stood in the way: it would withhold a request that shows the sample, too. What is shown in its place.
bool is_withheld(const Problem& problem);
std::string left_out(const Problem& problem);

/// A reply that a parser could not read, and why.
Problem unreadable(const std::string& why);

}  // namespace tgd::detail
