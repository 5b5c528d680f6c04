// A plugin with tgd linked into it.
#include "copy.hpp"

#include <exception>
#include <string>

#include <tgd/tgd.hpp>

#define PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

std::string expected;

tgd::Variable reply_to(const tgd::Variable& prompt) {
  return tgd::chat_completion(tgd::lm::Stub::answering([](const auto&) { return "reply"; }), {{"user", {prompt}}});
}

bool gets_critique() {
  const tgd::Variable prompt("prompt", "prompt", true);
  reply_to(prompt).backward("no");
  return prompt.grad().size() == 1 && prompt.grad().front().text() == expected;
}

}  // namespace

PLUGIN_EXPORT void set_critique(const char* critique) {
  expected = critique ? critique : "";
  tgd::lm::ChatModelPtr model;
  if (critique) model = tgd::lm::Stub::answering([text = expected](const auto&) { return text; });
  tgd::set_backward_model(model);
}

PLUGIN_EXPORT int wrong_passes(int passes) try {
  int wrong = 0;
  for (int i = 0; i < passes; ++i) wrong += gets_critique() ? 0 : 1;
  return wrong;
} catch (const std::exception&) {
  return -1;
}

PLUGIN_EXPORT int nested(WrongPasses* other, int passes) try {
  int wrong = -1;
  const tgd::Variable prompt("prompt", "prompt", true);
  const auto model = tgd::lm::Stub::answering([&](const auto&) {
    const tgd::NoGradGuard guard;
    wrong = other(passes);
    return "critique";
  });
  reply_to(prompt).backward("no", {.model = model});
  return wrong;
} catch (const std::exception&) {
  return -1;
}
