#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include <memory>
#include <stdexcept>
#include <thread>

#include <tgd/lm/stub.hpp>

#include "catch.hpp"

using tgd::is_grad_enabled;
using tgd::NoGradGuard;
using tgd::Variable;

TEST_CASE("Grad mode is on by default and restored by every guard", "[autograd][grad_mode]") {
  REQUIRE(is_grad_enabled());
  {
    const NoGradGuard outer;
    CHECK_FALSE(is_grad_enabled());
    {
      const NoGradGuard inner;
      CHECK_FALSE(is_grad_enabled());
    }
    CHECK_FALSE(is_grad_enabled());
  }
  CHECK(is_grad_enabled());
}

TEST_CASE("Grad mode is restored by an exception", "[autograd][grad_mode]") {
  const auto fail = [] {
    const NoGradGuard no_grad;
    throw std::runtime_error("out");
  };
  CHECK_THROWS(fail());
  CHECK(is_grad_enabled());
}

TEST_CASE("Grad mode belongs to a thread", "[autograd][grad_mode][concurrent]") {
  const NoGradGuard no_grad;
  bool other_thread = false;
  bool guarded_there = true;
  std::thread([&] {
    other_thread = is_grad_enabled();
    const NoGradGuard guard;
    guarded_there = is_grad_enabled();
  }).join();
  CHECK(other_thread);
  CHECK_FALSE(guarded_there);
  CHECK_FALSE(is_grad_enabled());
}

TEST_CASE("Results made without grad mode are leaves without history", "[autograd][grad_mode]") {
  const Variable leaf("x", "", true);
  const NoGradGuard no_grad;
  const Variable result = leaf + "y";
  CHECK(result.is_leaf());
  CHECK_FALSE(result.requires_grad());
  CHECK(result.grad_fn() == nullptr);
  CHECK(result.text() == "xy");
  CHECK(map(leaf, [](const tgd::Data& data) { return data; }).is_leaf());
}

TEST_CASE("Grad mode is off while a pass runs", "[autograd][grad_mode]") {
  Variable leaf("x", "leaf", true);
  bool enabled = true;
  leaf.register_hook([&](const Variable& gradient) {
    enabled = is_grad_enabled();
    return gradient;
  });
  (leaf + "y").backward("no");
  CHECK_FALSE(enabled);
  CHECK(is_grad_enabled());
}

TEST_CASE("The backward model has to be set before it is asked for", "[autograd][grad_mode]") {
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
  CHECK_THROWS_AS(tgd::backward_model(), tgd::StateError);
  CHECK_THROWS_WITH(tgd::backward_model(), Catch::Matchers::ContainsSubstring("set_backward_model"));

  const auto stub = tgd::lm::Stub::scripted({"a"});
  tgd::set_backward_model(stub);
  CHECK(tgd::backward_model() == stub);

  SECTION("with arguments that those of a request override") {
    tgd::set_backward_model(stub, {{"temperature", 0}, {"model", "m"}});
    const auto model = tgd::backward_model();
    model->chat({{"user", "hi"}}, {{"temperature", 1}});
    CHECK(stub->requests().at(0).args.dump() == R"({"temperature":1,"model":"m"})");
    CHECK(model->model_name() == "m");
    CHECK(model->provider() == "stub");
    CHECK(model->class_type() == "Stub");
    CHECK(model->usage() == stub->usage());
  }
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
}

TEST_CASE("A backward model can be set by name", "[autograd][grad_mode]") {
  CHECK_THROWS_AS(tgd::set_backward_model("nobody/some-model"), tgd::ValueError);
  tgd::set_backward_model("openai/gpt-5", {{"api_key", "none"}});
  CHECK(tgd::backward_model()->provider() == "openai");
  CHECK(tgd::backward_model()->model_name() == "gpt-5");
  tgd::set_backward_model(tgd::lm::ChatModelPtr());
}
