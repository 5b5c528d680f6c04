// The forward declarations are those of what is defined: class or struct, and in the same namespace. That both compile in one
// file is most of the test.
#include <tgd/fwd.hpp>

#include <type_traits>

#include "catch.hpp"

namespace {

template <class Type>
concept complete = requires {
  sizeof(Type);
};

// Before anything is defined, names are enough for what a header of a user's has.
struct Service {
  tgd::lm::ChatModelPtr model;
  tgd::Variable* prompt = nullptr;
  tgd::optim::TGD* optimizer = nullptr;
};

}  // namespace

#include <tgd/tgd.hpp>

TEST_CASE("names can be used before their headers are read", "[train]") {
  const Service service;
  CHECK(service.model == nullptr);
  CHECK(complete<tgd::Variable>);
  CHECK(complete<tgd::lm::Request>);
  CHECK(complete<tgd::optim::TGDOptions>);
  CHECK(std::is_base_of_v<tgd::Error, tgd::BudgetError>);
}
