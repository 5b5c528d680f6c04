#include <algorithm>
#include <array>
#include <string_view>

#include <tgd/lm/chat_model.hpp>
#include <tgd/lm/openai.hpp>
#include <tgd/lm/simulated.hpp>

#include "core/one_line.hpp"

namespace tgd::lm {

namespace {

struct Provider {
  std::string_view name;
  ChatModelPtr (*make)(const std::string& model, const Json& args);
};

ChatModelPtr make_openai(const std::string& model, const Json& args) {
  if (model.empty() && args.get_text("model").empty()) {
    throw ValueError("the provider \"openai\" needs a model's name, such as \"openai/gpt-4o\"");
  }
  return std::make_shared<OpenAI>(OpenAIOptions{.model = model, .args = args});
}

/// The name may be anything, and completion arguments change nothing.
ChatModelPtr make_simulated(const std::string&, const Json&) { return std::make_shared<Simulated>(); }

constexpr std::array providers = {
    Provider{"openai", make_openai},
    Provider{"simulated", make_simulated},
};

std::string known_providers() {
  std::string names;
  for (const Provider& provider : providers) names += (names.empty() ? "\"" : ", \"") + std::string(provider.name) + '"';
  return names;
}

}  // namespace

ChatModelPtr make_model(const std::string& name, const Json& args) {
  const std::size_t slash = std::min(name.find('/'), name.size());
  const std::string_view provider = std::string_view(name).substr(0, slash);
  const auto found =
      std::find_if(providers.begin(), providers.end(), [&](const Provider& candidate) { return candidate.name == provider; });
  if (found == providers.end()) {
    throw ValueError("unknown provider in " + tgd::detail::in_quotes(name) + "; expected \"provider/model\" with one of " +
                     known_providers());
  }
  return found->make(name.substr(std::min(slash + 1, name.size())), args);
}

}  // namespace tgd::lm
