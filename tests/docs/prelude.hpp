// What the README's passages take for granted around their code: the headers, and names that the text speaks of and that no
// earlier block of the section declares. It is only compiled, never linked.
#pragma once

#include <cassert>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <tgd/tgd.hpp>

namespace readme {

extern tgd::Variable loss;
extern std::shared_ptr<tgd::lm::OpenAI> openai;
extern tgd::lm::ChatModelPtr model;

// Training
using Tickets = tgd::data::DataLoader<std::vector<std::tuple<std::string, std::string>>>;
extern Tickets train_loader;
extern Tickets validation_loader;

// Data
extern std::vector<double> weights;

// The optimizer
extern tgd::Variable system;
extern tgd::Variable user;
extern double before;
double score();

}  // namespace readme
