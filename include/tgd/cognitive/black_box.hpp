// black_box: a plain C++ function in the graph whose feedback a language model works out.
//
//   Variable hits = black_box(search, "looks the query up in the product catalogue", {query});
//
// Shapes, threads and errors: as for autograd::apply(ItemFunction). Backward costs one request for each input and item with
// feedback (several items to a request for an input that all share).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <tgd/export.hpp>
#include <tgd/notice.hpp>
#include <tgd/place.hpp>
#include <tgd/prompts.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// How a black box is shown to the language model that works out its feedback.
struct BlackBoxOptions {
  std::string name = "BlackBox";        ///< node names are `<name>Backward`
  std::string role = "function result";  ///< of the result
  std::size_t samples_per_request = 8;
  std::size_t context_budget = 72'000;  ///< characters of a request, as UTF-8 bytes
  bool summarize = false;
  OnNotice on_notice = {};
  Prompts prompts = {};
};

/// `description` says what the function does, for the language model. Throws ValueError when it is empty.
TGD_API Variable black_box(std::function<Data(std::span<const Data> inputs)> function, std::string description,
                           const std::vector<Variable>& inputs, const BlackBoxOptions& options = {},
                           Place place = Place::here());

}  // namespace tgd
