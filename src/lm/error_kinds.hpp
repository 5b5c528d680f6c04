// The names of the kinds of LMErrors, in ledgers, cassettes and journals.
#pragma once

#include <array>
#include <utility>

#include <tgd/error.hpp>

namespace tgd::lm::detail {

inline constexpr std::array error_kinds = {
    std::pair{LMError::Kind::transport, "transport"}, std::pair{LMError::Kind::status, "status"},
    std::pair{LMError::Kind::malformed, "malformed"}, std::pair{LMError::Kind::unreadable, "unreadable"},
    std::pair{LMError::Kind::empty, "empty"},         std::pair{LMError::Kind::truncated, "truncated"},
    std::pair{LMError::Kind::filtered, "filtered"},   std::pair{LMError::Kind::refused, "refused"},
    std::pair{LMError::Kind::too_long, "too_long"},   std::pair{LMError::Kind::cancelled, "cancelled"},
    std::pair{LMError::Kind::script, "script"}};

}  // namespace tgd::lm::detail
