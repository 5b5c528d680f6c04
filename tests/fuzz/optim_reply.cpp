// The reader of the optimizer's replies takes any bytes: it finds a value that is a text, not empty, without a tag of the request,
// and that stands in the reply; or it says what is wrong. Reading a found value again, alone between the tags, gives it back.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/utf8.hpp"
#include "optim/reply/extract.hpp"
#include "optim/reply/word_runs.hpp"

namespace {

using tgd::Prompts;
using tgd::optim::UnusableReply;
using namespace tgd::optim::detail;

void require(bool holds) {
  if (!holds) std::abort();
}

std::shared_ptr<const FixedPart> fixed_part() {
  const auto fixed = std::make_shared<FixedPart>();
  const tgd::Prompts prompts;
  for (const std::string_view name :
       {"tgd_system", "tgd_user", "tgd_feedback", "tgd_feedback_item", "tgd_constraints", "tgd_reask"}) {
    fixed->add(prompts.get(name));
  }
  return fixed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::shared_ptr<const FixedPart> fixed = fixed_part();
  // The first line is the old value, the rest the reply.
  const std::string input(data, data + size);
  const std::size_t newline = std::min(input.find('\n'), input.size());
  const std::string old_value = input.substr(0, newline);
  const std::string content = input.substr(std::min(newline + 1, input.size()));

  EchoGuard instructions(fixed);
  instructions.add_tag("T");
  instructions.add_tag("T_2");
  instructions.add_mentions("Write it between <T> and </T>.", "T");
  instructions.allow(old_value);
  const std::vector<std::string> others{"T_2"};
  for (const bool joint : {false, true}) {
    const WantedValue question{"T", joint ? std::span<const std::string>(others) : std::span<const std::string>(), old_value,
                               instructions, Prompts()};
    const auto read = read_value({.content = content}, question);
    if (const auto* unusable = std::get_if<UnusableReply>(&read)) {
      require(!unusable->reason.empty());
      continue;
    }
    const auto& value = std::get<std::string>(read);
    require(!value.empty() && tgd::detail::is_utf8(value));
    require(content.find(value) != std::string::npos);
    require(!instructions.leaked_tag(value));
    const auto again = read_value({.content = "<T>\n" + value + "\n</T>"}, question);
    require(std::holds_alternative<std::string>(again) && std::get<std::string>(again) == value);
  }
  WordDistance(old_value).to(content);
  return 0;
}
