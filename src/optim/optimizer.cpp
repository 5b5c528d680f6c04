#include <tgd/optim/optimizer.hpp>

#include <map>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/json_text.hpp"
#include "core/text.hpp"

namespace tgd::optim {

namespace {

constexpr std::size_t longest_option = 240;  // characters

/// An option on one line.
std::string option_text(const std::string& name, const nlohmann::ordered_json& value) {
  if (name == "model" && value.is_object()) {
    return fmt::format("{} ({})", Json(value).get_text("class_type"), Json(value).get_text("provider"));
  }
  return tgd::detail::excerpt(Json(value).dump(), longest_option);
}

}  // namespace

Optimizer::~Optimizer() = default;

void Optimizer::clear_grad() {
  for (Variable& parameter : parameters()) parameter.clear_grad();
}

void Optimizer::report_score(double) {}

void Optimizer::reject(const std::string&, std::optional<double>) {
  throw StateError("this optimizer cannot take a step back: it has no reject() of its own");
}

void detail::append_state(std::string& text, const Optimizer& optimizer) { optimizer.append_state(text); }

void Optimizer::append_state(std::string& text) const { tgd::detail::append_json(text, state_dict().value()); }

Json Optimizer::saved_groups() const { return Json(state_dict().value().at("param_groups")); }

std::string to_string(const Optimizer& optimizer) {
  std::string text = optimizer.class_type() + " (\n";
  const Json groups = optimizer.saved_groups();
  std::size_t number = 0;
  for (const auto& group : groups.value()) {
    text += fmt::format("Parameter Group {}\n", number++);
    std::map<std::string, const nlohmann::ordered_json*> options;
    for (const auto& [name, value] : group.items()) options.emplace(name, &value);
    for (const auto& [name, value] : options) {
      if (name != "params") text += fmt::format("    {}: {}\n", name, option_text(name, *value));
    }
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer) { return out << to_string(optimizer); }

}  // namespace tgd::optim
