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

#include <tgd/cognitive/feedback_options.hpp>
#include <tgd/export.hpp>
#include <tgd/place.hpp>
#include <tgd/variable.hpp>

namespace tgd {

/// How a black box is shown to the language model that works out its feedback.
struct BlackBoxOptions {
  std::string name = "BlackBox";         ///< node names are `<name>Backward`
  std::string role = "function result";  ///< of the result
  FeedbackOptions feedback = {};
};

/// `description` says what the function does, for the language model. Throws ValueError when it is empty.
TGD_API Variable black_box(std::function<Data(std::span<const Data> inputs)> function, std::string description,
                           const std::vector<Variable>& inputs, const BlackBoxOptions& options = {},
                           Place place = Place::here());

}  // namespace tgd
