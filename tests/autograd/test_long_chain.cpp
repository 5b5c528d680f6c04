#include <tgd/autograd.hpp>
#include <tgd/functions.hpp>

#include <pthread.h>

#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "core/storage.hpp"
#include "core/variable_impl.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TGD_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TGD_TEST_SANITIZED 1
#endif
#endif

using tgd::Data;
using tgd::Variable;

namespace {

#ifdef TGD_TEST_SANITIZED
constexpr int a_million = 50'000;
#else
constexpr int a_million = 1'000'000;
#endif
constexpr int length = 100'000;  // more than enough to overflow a small stack

void* call(void* action) {
  (*static_cast<std::function<void()>*>(action))();
  return nullptr;
}

/// Recursion over a long chain would need far more than this stack.
void with_small_stack(std::function<void()> action) {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 8U << 20U) == 0);
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &attributes, call, &action) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

Variable chain(const Variable& first, const Variable& step, int links = length) {
  Variable sum = first;
  for (int i = 0; i < links; ++i) sum = sum + step;
  return sum;
}

}  // namespace

TEST_CASE("A chain of a million nodes is built, run backward and destroyed", "[autograd][long][concurrent]") {
  const Variable first(0, "first", true);
  std::int64_t total = 0;
  std::size_t role_length = 0;
  with_small_stack([&] {
    const Variable end = chain(first, 1, a_million);
    total = end.data().integer();
    role_length = end.role().size();
    end.backward("too large");
  });
  CHECK(total == a_million);
  CHECK(role_length == std::string("first").size());
  REQUIRE(first.grad().size() == 1);
  CHECK(first.grad()[0].text() == "This feedback was given to a result of which first is a part: too large");
}

TEST_CASE("A chain whose links all need a gradient keeps feedback and roles in bounds", "[autograd][long]") {
  const Variable first(0, "first", true);
  const Variable step(1, "step", true);
  std::size_t role_length = 0;
  with_small_stack([&] {
    const Variable end = chain(first, step);
    role_length = end.role().size();
    end.backward("too large");
  });
  CHECK(role_length == std::string("first").size() + static_cast<std::size_t>(length) * std::string(" and step").size());
  CHECK(first.grad().size() == 1);
  CHECK(step.grad().size() == static_cast<std::size_t>(length));
  CHECK(step.grad().back().text() == "This feedback was given to a result of which step is a part: too large");
}

TEST_CASE("A long chain without a pass is destroyed", "[autograd][long]") {
  with_small_stack([] { chain(Variable(0, "first", true), 1); });
  with_small_stack([] {
    const tgd::NoGradGuard no_grad;
    chain(Variable(0, "first", true), Variable(1, "step"));
  });
  SUCCEED();
}

TEST_CASE("A long chain on data that is on its way ends when it comes", "[autograd][long]") {
  const auto storage = tgd::detail::Storage::pending_scalar();
  const Variable first = tgd::detail::make_variable(storage, tgd::detail::Role("first"), true);
  with_small_stack([&] {
    Variable sum = first;
    for (int i = 0; i < length / 10; ++i) sum = sum + 1;
    storage->set_item(0, 0);
    if (sum.data() != Data(static_cast<std::int64_t>(length / 10))) throw std::runtime_error("wrong sum");
  });
  SUCCEED();
}
