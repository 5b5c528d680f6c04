#include "core/problem.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tgd/error.hpp>

namespace tgd {

namespace {

struct KindName {
  Problem::Kind kind;
  const char* name;
};

constexpr std::array kind_names = {KindName{Problem::Kind::refused, "refused"}, KindName{Problem::Kind::filtered, "filtered"},
                                   KindName{Problem::Kind::cut, "cut"}, KindName{Problem::Kind::too_long, "too_long"},
                                   KindName{Problem::Kind::unreadable, "unreadable"}};

std::optional<Problem> fault_of(const LMError& error) {
  using Kind = Problem::Kind;
  switch (error.kind()) {
    case LMError::Kind::refused:
      // A status other than 2xx is the endpoint's word.
      return Problem{Kind::refused,
                     error.status() < 300 ? "the model refused to answer" : "the endpoint turned the request down",
                     error.what()};
    case LMError::Kind::filtered:
      return Problem{Kind::filtered, "a content filter withheld the reply", error.what()};
    case LMError::Kind::truncated:
      return Problem{Kind::cut, "the reply was cut off before it was complete", error.what()};
    case LMError::Kind::too_long:
      return Problem{Kind::too_long, "the request is too long for the model", error.what()};
    case LMError::Kind::empty:
      return Problem{Kind::unreadable, "there was no text in the reply", error.what()};
    case LMError::Kind::unreadable:
      return Problem{Kind::unreadable, "the reply cannot be read", error.what()};
    case LMError::Kind::malformed:  // an outage that a 2xx tells, and what is no endpoint of a model at all
    case LMError::Kind::transport:
    case LMError::Kind::status:
    case LMError::Kind::cancelled:
    case LMError::Kind::script:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::string to_string(Problem::Kind kind) {
  const auto found =
      std::find_if(kind_names.begin(), kind_names.end(), [kind](const KindName& known) { return known.kind == kind; });
  return found->name;
}

std::string to_string(const Problem& problem) { return problem.cause.empty() ? problem.text : problem.cause; }

bool operator==(const SampleOrigin& a, const SampleOrigin& b) {
  const bool same_file = a.file == b.file || (a.file && b.file && *a.file == *b.file);
  return same_file && a.row == b.row;
}

std::string to_string(const SampleOrigin& origin) {
  std::string text = origin.file ? fmt::format("{}, row {}", *origin.file, origin.row) : fmt::format("sample {}", origin.row);
  return origin.line == 0 ? text : fmt::format("{} (line {})", text, origin.line);
}

}  // namespace tgd

namespace tgd::detail {

std::optional<Problem::Kind> problem_kind(std::string_view name) {
  const auto found =
      std::find_if(kind_names.begin(), kind_names.end(), [name](const KindName& known) { return known.name == name; });
  return found != kind_names.end() ? std::optional(found->kind) : std::nullopt;
}

std::optional<Problem> own_fault(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const LMError& lm_error) {
    return fault_of(lm_error);
  } catch (...) {
    return std::nullopt;
  }
}

Problem cut_reply(const CutReply& reply) {
  const std::string after =
      reply.tokens > 0 ? fmt::format(" after {} token{}", reply.tokens, reply.tokens == 1 ? "" : "s") : " off";
  return {.kind = Problem::Kind::cut,
          .text = fmt::format("the reply was cut{}, {}{}", after,
                              reply.while_thinking ? "while the model was still thinking" : "before it was complete",
                              reply.by_own_limit ? ": it has to be shorter" : ""),
          .is_failure = !reply.by_own_limit};
}

Problem unreadable(const std::string& why) {
  return {.kind = Problem::Kind::unreadable, .text = "the reply cannot be read: " + why};
}

std::string with_problem(const std::string& what_came, const Problem& problem) {
  return what_came.empty() ? fmt::format("[There is none: {}.]", problem.text)
                           : fmt::format("{}\n[{}.]", what_came, problem.text);
}

bool is_withheld(const Problem& problem) { return problem.kind == Problem::Kind::filtered; }

std::string left_out(const Problem& problem) { return fmt::format("[Left out: {}.]", problem.text); }

}  // namespace tgd::detail
