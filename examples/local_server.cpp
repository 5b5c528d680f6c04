// Talking to a language model on your own machine: anything that offers OpenAI's chat completions, such as llama.cpp, vLLM or
// Ollama.
//
//   local_server [BASE_URL [MODEL]]        default: http://localhost:8080/v1, and whatever the server has loaded
//
// Streams one reply, asks eight questions at once, and says what it all took. Needs a server, but no key.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tgd/tgd.hpp>

namespace {

using namespace tgd;

lm::OpenAIOptions options_for(const std::string& base_url, const std::string& model) {
  using std::chrono::seconds;
  return {
      .model = model,
      .base_url = base_url,
      .api_key = "none",              // else the one in OPENAI_API_KEY would be sent, which is none of this server's business
      .connect_timeout = seconds(2),  // it is near: nobody is there, or it answers at once
      .timeout = seconds(300),        // of one reply; without a large graphics card a long one takes minutes
      .max_retries = 1,
      .max_in_flight = 4,  // as many as the server works on at a time (llama.cpp: --parallel), or they wait there
      .args = {{"temperature", 0.0}, {"max_tokens", 200}},
  };
}

void stream(lm::ChatModel& model) {
  fmt::print("A reply as it arrives:\n  ");
  const lm::Reply reply = model.chat_stream({.messages = {{"user", "Say in one sentence what a gradient is."}}},
                                            [](std::string_view piece) { std::cout << piece << std::flush; });
  fmt::print("\n  {} tokens, finished because of \"{}\"\n", reply.usage.completion_tokens, reply.finish_reason);
}

void ask_at_once(lm::ChatModel& model) {
  std::vector<lm::Request> requests;
  for (const std::string thing : {"bread", "rain", "a bicycle", "a violin", "salt", "a lighthouse", "chess", "snow"}) {
    requests.push_back({.messages = {{"user", "In which room would you look for " + thing + "? Answer with one word."}}});
    // Beyond that the answer is of no use any more, wherever the time went.
    requests.back().options.deadline = std::chrono::steady_clock::now() + std::chrono::minutes(10);
  }
  const std::vector<lm::Outcome> outcomes = model.try_chat_all(requests);  // one failure does not cost the others
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const std::string answer = outcomes[i].ok() ? outcomes[i].value().content : outcomes[i].error_message();
    fmt::print("  {} -> {}\n", requests[i].messages[0].content, answer);
  }
}

void run(const std::string& base_url, const std::string& name) {
  const auto server = std::make_shared<lm::OpenAI>(options_for(base_url, name));
  fmt::print("Asking \"{}\" at {}\n", name, server->url());

  // A model without a price has an unknown cost. This one costs nothing, and limits in USD may count on that.
  lm::PriceTable prices;
  prices.set(name, lm::Price::free());
  const auto ledger = std::make_shared<lm::Ledger>(lm::LedgerOptions{.prices = prices});
  lm::Observed model(server, ledger);

  stream(model);
  fmt::print("Eight questions, at most four at a time:\n");
  ask_at_once(model);
  fmt::print("{}", ledger->totals().text());
}

constexpr const char* how_to_start = R"(
Is a server running there? Each of these starts one; give its base URL and the model's name:
  llama-server -m model.gguf --parallel 4     local_server http://localhost:8080/v1
  vllm serve MODEL                            local_server http://localhost:8000/v1 MODEL
  ollama serve                                local_server http://localhost:11434/v1 MODEL
)";

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : "http://localhost:8080/v1", argc > 2 ? argv[2] : "local");
    return EXIT_SUCCESS;
  } catch (const LMError& error) {
    std::cerr << "local_server: " << error.what() << '\n';
    if (error.kind() == LMError::Kind::transport) std::cerr << how_to_start;
  } catch (const std::exception& error) {
    std::cerr << "local_server: " << error.what() << '\n';
  }
  return EXIT_FAILURE;
}
