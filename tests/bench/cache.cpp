// Hits of a cache that holds a million replies. The requests are about 2 KB, the replies about 400 bytes.

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tgd/lm/cached.hpp>
#include <tgd/lm/stub.hpp>

#include "bench/bench.hpp"
#include "lm/reply_json.hpp"
#include "lm/wrap/reply_store.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace tgd;

constexpr int entries = 1'000'000;
constexpr int asked = 2'000;
constexpr int batch_size = 50'000;

lm::Request question(int number) {
  return {.messages = {{"system", std::string(1'600, 's')}, {"user", std::to_string(number) + std::string(400, 'u')}},
          .args = {{"temperature", 0.0}, {"model", "gpt-4o-mini"}}};
}

lm::Reply answer(int number) {
  return {.content = std::to_string(number) + std::string(300, 'a'),
          .finish_reason = "stop",
          .model = "gpt-4o-mini",
          .usage = {.calls = 1, .attempts = 1, .reported = 1, .prompt_tokens = 500, .completion_tokens = 75}};
}

/// Entries that nobody asks for, with keys like those of real ones.
void fill(const std::filesystem::path& file) {
  lm::detail::ReplyStore store(file, std::chrono::seconds(10));
  std::mt19937_64 random(1);
  for (int begin = 0; begin < entries - asked; begin += batch_size) {
    std::vector<lm::detail::ReplyStore::Entry> batch;
    for (int i = begin; i < std::min(begin + batch_size, entries - asked); ++i) {
      std::string key(32, '\0');
      for (char& byte : key) byte = static_cast<char>(random());
      batch.push_back({key, lm::detail::reply_to_json(answer(i)).dump()});
    }
    std::sort(batch.begin(), batch.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    store.put(batch);
  }
}

double microseconds_per_call(lm::ChatModel& model, const std::vector<lm::Request>& requests) {
  const auto ask = [&] {
    for (const lm::Request& request : requests) {
      model.start(request, [](lm::Outcome outcome) { static_cast<void>(outcome.value()); });
    }
  };
  return bench::seconds(ask) / static_cast<double>(requests.size()) * 1e6;
}

}  // namespace

int main() {
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "replies.db";
  fmt::print("filling the cache with {} entries: {:.1f} s\n", entries - asked, bench::seconds([&] { fill(file); }));

  const auto endpoint =
      lm::Stub::answering_in_full([](const lm::Request& request) { return answer(std::stoi(request.messages[1].content)); });
  std::vector<lm::Request> requests;
  for (int i = 0; i < asked; ++i) requests.push_back(question(i));
  std::shuffle(requests.begin(), requests.end(), std::mt19937_64(2));

  {
    lm::Cached model(endpoint, std::make_shared<lm::Cache>(lm::CacheOptions{.path = file}));
    const double took = bench::seconds([&] { model.chat_all(requests); });
    fmt::print("{:<52} {:>8.1f} us per call\n", "misses, stored, all in flight at once", took / asked * 1e6);
  }
  const auto cache = std::make_shared<lm::Cache>(lm::CacheOptions{.path = file});
  lm::Cached model(endpoint, cache);
  fmt::print("{:<52} {:>8.1f} us per call\n", "hits, first time", microseconds_per_call(model, requests));
  fmt::print("{:<52} {:>8.1f} us per call (limit 50)\n", "hits, again", microseconds_per_call(model, requests));
  fmt::print("{:<52} {:>8.1f} ms for {} entries\n", "size()", bench::seconds([&] { static_cast<void>(cache->size()); }) * 1e3,
             cache->size());
  return cache->hits() == 2 * asked && cache->size() == entries ? 0 : 1;
}
