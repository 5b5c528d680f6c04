// Two plugins that each have tgd inside share a process. Nothing of one may be the other's: not the process-wide backward
// model, not what a thread is doing, and no symbol.
#include "copy.hpp"

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

namespace {

class Plugin {
 public:
  explicit Plugin(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
  }
  ~Plugin() { dlclose(handle_); }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  void set_critique(const char* critique) const { find<SetCritique>("set_critique")(critique); }
  WrongPasses* wrong_passes() const { return find<WrongPasses>("wrong_passes"); }
  int nested(WrongPasses* other, int passes) const { return find<Nested>("nested")(other, passes); }

 private:
  template <class F>
  F* find(const char* name) const {
    void* const symbol = dlsym(handle_, name);
    if (!symbol) throw std::runtime_error(dlerror());
    return reinterpret_cast<F*>(symbol);
  }

  void* handle_;
};

}  // namespace

TEST_CASE("Two copies of tgd in a process keep apart", "[two_copies]") {
  const Plugin one(TGD_COPY_ONE);
  const Plugin two(TGD_COPY_TWO);
  REQUIRE(one.wrong_passes() != two.wrong_passes());
  one.set_critique("of the first");

  SECTION("the backward model of one is not the other's") {
    CHECK(one.wrong_passes()(1) == 0);
    CHECK(two.wrong_passes()(1) == -1);  // it has none
    two.set_critique("of the second");
    CHECK(one.wrong_passes()(1) == 0);
    CHECK(two.wrong_passes()(1) == 0);
  }
  SECTION("passes of both run on several threads at once") {
    two.set_critique("of the second");
    constexpr int threads_of_each = 4;
    std::vector<int> wrong(2 * threads_of_each, -1);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      WrongPasses* const run = (i % 2 == 0 ? one : two).wrong_passes();
      threads.emplace_back([run, &result = wrong[i]] { result = run(50); });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(wrong.size(), 0));
  }
  SECTION("a pass of one runs inside a pass of the other that does not record") {
    two.set_critique("of the second");
    CHECK(one.nested(two.wrong_passes(), 3) == 0);
    CHECK(two.nested(one.wrong_passes(), 3) == 0);
  }
}
