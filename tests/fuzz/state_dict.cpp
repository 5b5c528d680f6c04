// The state of an optimizer may be any JSON: it is loaded or refused with an Error, and what was loaded is saved and loaded again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include <tgd/error.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim/tgd.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tgd;
  static const lm::ChatModelPtr model = lm::Stub::answering([](const lm::Request&) { return "yes"; });
  optim::TGD optimizer({Variable("value", "a parameter", true)}, optim::TGDOptions{.model = model, .momentum = 2});
  try {
    optimizer.load_state_dict(Json::parse(std::string(data, data + size)));
  } catch (const Error&) {
    return 0;
  }
  const Json saved = optimizer.state_dict();
  optimizer.load_state_dict(saved);
  return 0;
}
