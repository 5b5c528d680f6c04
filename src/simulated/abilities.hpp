// The four things that the simulated model can do. Each is a pure function of the request's text (and of chance fixed by the
// seed): nothing is remembered from one request to the next.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tgd/lm/chat_model.hpp>
#include "simulated/text.hpp"

namespace tgd::lm::detail {

/// Performs the task that the system prompt states, for the last user message.
std::string perform(const std::vector<Message>& messages, double slip_rate, const Dice& dice);

/// Whether a request wants JSON with a score and an explanation.
bool asks_for_verdict(std::string_view request);
/// Judges what stands behind "Answer:" by the words of what stands behind "Expected answer:".
std::string judge(std::string_view request);

/// Criticises `<VALUE>` from the failed conversations in `<SAMPLE>`.
std::string criticise(std::string_view request);

/// Rewrites `<VALUE>` by the feedback and within the constraints, and puts it between the tags of the name `tag`. Later user
/// messages say why earlier replies to the same request could not be used.
std::string rewrite(const std::vector<Message>& messages, std::string_view tag);

}  // namespace tgd::lm::detail
