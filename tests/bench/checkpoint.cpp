// A checkpoint of 1,000 parameters with full momentum windows: what the run waits for after each step.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/cognitive/module.hpp>
#include <tgd/lm/stub.hpp>
#include <tgd/optim.hpp>

#include "bench.hpp"
#include "core/file.hpp"
#include "support/temporary_folder.hpp"
#include "train/checkpoint.hpp"

namespace {

using namespace tgd;

constexpr std::size_t parameter_count = 1000;
constexpr std::size_t window = 3;

struct Agent : Module {
  Agent() {
    for (std::size_t i = 0; i < parameter_count; ++i)
      register_parameter(fmt::format("prompt_{}", i), {std::string(1000, 'a'), "a prompt"});
  }
};

}  // namespace

int main() {
  Agent agent;
  int version = 0;
  const auto model = lm::Stub::answering([&](const lm::Request&) {
    return "<IMPROVED_VALUE>" + fmt::format("version {} ", ++version) + std::string(1000, 'b') + "</IMPROVED_VALUE>";
  });
  const auto optimizer =
      std::make_shared<optim::TGD>(agent.parameters(), optim::TGDOptions{.model = model, .momentum = window});
  const std::vector<std::shared_ptr<optim::Optimizer>> optimizers{optimizer};
  for (std::size_t step = 0; step < window; ++step) {
    optimizer->clear_grad();
    for (Variable& parameter : agent.parameters()) parameter.append_grad(Variable(std::string(300, 'f')));
    optimizer->step();
  }

  const test::TemporaryFolder folder;
  std::vector<double> building;
  std::vector<double> writing;
  std::string text;  // used again for each checkpoint, as the Trainer does
  for (int i = 0; i < 7; ++i) {
    building.push_back(bench::seconds([&] {
      detail::Checkpoint checkpoint;
      checkpoint.agent_state = agent.state_dict();
      detail::write_text(checkpoint, optimizers, text);
    }));
    writing.push_back(bench::seconds([&] { detail::write_file(folder.path() / "checkpoint.json", text); }));
  }
  fmt::print("checkpoint of {} parameters, {} versions each, {:.1f} MB: {:.1f} ms to make, {:.1f} ms to write and sync\n",
             parameter_count, window, static_cast<double>(text.size()) / 1e6, 1e3 * bench::median(building),
             1e3 * bench::median(writing));
}
