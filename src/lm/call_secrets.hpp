// The secrets of one call, and outcomes without them.
// Thread-safety: functions without state.
#pragma once

#include <memory>

#include <tgd/lm/chat_model.hpp>

#include "net/secrets.hpp"

namespace tgd::lm::detail {

/// The secrets of a model with those of one request: what its headers, query and arguments hold under a secret's name.
std::shared_ptr<const net::Secrets> with_secrets_of(const Request& request, const std::shared_ptr<const net::Secrets>& base);

/// An outcome as it may be written: its texts without the secrets.
Outcome blanked(const net::Secrets& secrets, Outcome outcome);

}  // namespace tgd::lm::detail
