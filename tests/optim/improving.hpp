// Parameters with feedback, and a model that improves them by counting.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tgd/lm/stub.hpp>
#include <tgd/optim/tgd.hpp>
#include <tgd/variable.hpp>

namespace tgd::test {

inline std::string tagged(const std::string& value) { return "<IMPROVED_VALUE>" + value + "</IMPROVED_VALUE>"; }

/// Answers with "<role> v1", "<role> v2", …
inline std::shared_ptr<lm::Stub> improving() {
  return lm::Stub::answering(
      [n = 0](const lm::Request& request) mutable { return tagged(request.info.parameter + " v" + std::to_string(++n)); });
}

/// Its value is "old <role>".
inline Variable parameter(const std::string& role, const std::vector<std::string>& feedback = {}) {
  Variable parameter("old " + role, role, true);
  for (const std::string& text : feedback) parameter.append_grad(Variable(text, "feedback to " + role));
  return parameter;
}

/// Gives every parameter this feedback and steps.
inline void step(optim::TGD& optimizer, const std::string& feedback) {
  optimizer.clear_grad();
  for (Variable& parameter : optimizer.parameters())
    parameter.append_grad(Variable(feedback, "feedback to " + parameter.role()));
  optimizer.step();
}

}  // namespace tgd::test
