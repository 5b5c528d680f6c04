// lm::OpenAI against the least that can be written with libcurl: the same requests to the same server, in turns. The server
// runs in a process of its own, so that the CPU time is that of the client's side. Then the same against a server that takes its
// time, and the memory that waiting requests take. Prints medians and ratios.
//
//   bench_client [requests = 2000] [in flight = 64] [bytes = 2048] [rounds = 7]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <curl/curl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>
#include <tgd/lm/openai.hpp>

#include "support/chat_server.hpp"

namespace {

struct Load {
  std::size_t requests;
  std::size_t in_flight;
  std::string text;
};

struct Cost {
  double wall;
  double cpu;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Cost measure(const std::function<void()>& work) {
  const auto wall = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count(), cpu_seconds() - cpu};
}

// ---- The server ------------------------------------------------------------------------------------------------------

// Answers everything with the same reply, in a child process that ends with this object.
class ServerProcess {
 public:
  ServerProcess(const std::string& reply, std::chrono::milliseconds latency) {
    int to_child[2];
    int from_child[2];
    if (::pipe(to_child) != 0 || ::pipe(from_child) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("no process");
    if (child_ == 0) {
      ::close(to_child[1]);
      serve(reply, latency, to_child[0], from_child[1]);
    }
    ::close(to_child[0]);
    ::close(from_child[1]);
    life_line_ = to_child[1];
    if (::read(from_child[0], &port_, sizeof port_) != sizeof port_) throw std::runtime_error("the server did not start");
    ::close(from_child[0]);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    ::close(life_line_);
    ::waitpid(child_, nullptr, 0);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  [[noreturn]] static void serve(const std::string& reply, std::chrono::milliseconds latency, int life_line, int port_to) {
    {
      tgd::test::HttpServer server(
          [&](const tgd::test::HttpRequest&) { return tgd::test::HttpResponse{.body = reply, .delay = latency}; }, 1000);
      const int port = server.port();
      char end = 0;
      // Reading ends when the other process closes the line or dies.
      if (::write(port_to, &port, sizeof port) == sizeof port) static_cast<void>(!::read(life_line, &end, 1));
    }
    ::_exit(0);
  }

  pid_t child_ = 0;
  int life_line_ = -1;
  int port_ = 0;
};

// ---- The least that can be written -----------------------------------------------------------------------------------

std::size_t append(char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

class PlainLoop {
 public:
  PlainLoop(std::string url, const Load& load)
      : url_(std::move(url)), load_(load), multi_(curl_multi_init()), slots_(load.in_flight) {
    headers_ = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(load.in_flight));
    for (Slot& slot : slots_) slot.handle = make_handle(slot);
  }
  PlainLoop(const PlainLoop&) = delete;
  PlainLoop& operator=(const PlainLoop&) = delete;
  ~PlainLoop() {
    for (const Slot& slot : slots_) curl_easy_cleanup(slot.handle);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }

  void run() {
    started_ = 0;
    for (Slot& slot : slots_) send_next(slot);
    for (std::size_t ended = 0; ended < load_.requests;) {
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->data.result != CURLE_OK) throw std::runtime_error(curl_easy_strerror(message->data.result));
        Slot* slot = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        characters_ += content_of(slot->reply);
        curl_multi_remove_handle(multi_, slot->handle);
        ++ended;
        send_next(*slot);
      }
      if (ended < load_.requests) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
  }

 private:
  struct Slot {
    CURL* handle = nullptr;
    std::string body = {};
    std::string reply = {};
  };

  CURL* make_handle(Slot& slot) {
    CURL* handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &slot.reply);
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &slot);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    return handle;
  }

  void send_next(Slot& slot) {
    if (started_ == load_.requests) return;
    ++started_;
    slot.reply.clear();
    slot.body = nlohmann::json{{"model", "m"}, {"messages", {{{"role", "user"}, {"content", load_.text}}}}}.dump();
    curl_easy_setopt(slot.handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(slot.body.size()));
    curl_easy_setopt(slot.handle, CURLOPT_POSTFIELDS, slot.body.c_str());
    curl_multi_add_handle(multi_, slot.handle);
  }

  static std::size_t content_of(const std::string& reply) {
    return nlohmann::json::parse(reply).at("choices").at(0).at("message").at("content").get<std::string>().size();
  }

  std::string url_;
  const Load& load_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::vector<Slot> slots_;
  std::size_t started_ = 0;
  std::size_t characters_ = 0;
};

// ---- The library -----------------------------------------------------------------------------------------------------

void run_client(tgd::lm::OpenAI& client, const Load& load) {
  std::vector<tgd::lm::Request> requests(load.requests, {.messages = {{"user", load.text}}});
  if (client.chat_all(std::move(requests)).size() != load.requests) throw std::runtime_error("replies are missing");
}

Cost median(std::vector<Cost> costs) {
  const auto middle = [&](double Cost::*figure) {
    std::sort(costs.begin(), costs.end(), [&](const Cost& a, const Cost& b) { return a.*figure < b.*figure; });
    return costs[costs.size() / 2].*figure;
  };
  return {middle(&Cost::wall), middle(&Cost::cpu)};
}

void print(const char* name, const Cost& cost) {
  std::cout << "  " << name << "  wall " << cost.wall << " s  cpu " << cost.cpu << " s\n";
}

std::size_t argument(int argc, char** argv, int index, std::size_t fallback) {
  return index < argc ? std::strtoul(argv[index], nullptr, 10) : fallback;
}

tgd::lm::OpenAIOptions options_for(const ServerProcess& server, const Load& load) {
  return {.model = "m", .base_url = server.url(), .max_in_flight = load.in_flight};
}

// Both in turns, after a round that makes connections, threads and memory.
void compare(const ServerProcess& server, const Load& load, std::size_t rounds) {
  tgd::lm::OpenAI client(options_for(server, load));
  PlainLoop plain(server.url() + "/v1/chat/completions", load);
  std::vector<Cost> by_client;
  std::vector<Cost> by_plain;
  run_client(client, load);
  plain.run();
  for (std::size_t round = 0; round < rounds; ++round) {
    by_plain.push_back(measure([&] { plain.run(); }));
    by_client.push_back(measure([&] { run_client(client, load); }));
  }
  const Cost client_cost = median(by_client);
  const Cost plain_cost = median(by_plain);
  std::cout << load.requests << " requests of " << load.text.size() << " bytes, " << load.in_flight << " in flight\n";
  print("plain curl_multi", plain_cost);
  print("lm::OpenAI      ", client_cost);
  std::cout << "  ratio             wall " << client_cost.wall / plain_cost.wall << "    cpu "
            << client_cost.cpu / plain_cost.cpu << "\n";
}

// Both from a cold start, connecting included.
void against_latency(const ServerProcess& server, const Load& load, std::chrono::milliseconds latency, std::size_t rounds) {
  const double rounds_of_latency = std::ceil(static_cast<double>(load.requests) / static_cast<double>(load.in_flight));
  const double least = rounds_of_latency * std::chrono::duration<double>(latency).count();
  std::vector<Cost> by_client;
  std::vector<Cost> by_plain;
  for (std::size_t round = 0; round < rounds; ++round) {
    PlainLoop plain(server.url() + "/v1/chat/completions", load);
    by_plain.push_back(measure([&] { plain.run(); }));
    tgd::lm::OpenAI client(options_for(server, load));
    by_client.push_back(measure([&] { run_client(client, load); }));
  }
  const double plain_wall = median(by_plain).wall;
  const double wall = median(by_client).wall;
  std::cout << load.requests << " requests, " << load.in_flight << " in flight, " << latency.count() << " ms latency\n"
            << "  plain curl_multi  wall " << plain_wall << " s, at least " << least << " s, ratio " << plain_wall / least
            << "\n"
            << "  lm::OpenAI        wall " << wall << " s, at least " << least << " s, ratio " << wall / least << "\n";
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void memory(const ServerProcess& server, const Load& load, std::size_t count) {
  tgd::lm::OpenAI client(options_for(server, {.requests = 1, .in_flight = 1, .text = {}}));
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < count; ++i) {
    client.start({.messages = {{"user", load.text}}}, [](const tgd::lm::Outcome&) {});
  }
  std::cout << count << " queued requests of " << load.text.size() << " bytes\n"
            << "  " << (resident_bytes() - before) / count << " bytes each, the request itself included\n";
}

}  // namespace

int main(int argc, char** argv) {
  using std::chrono::milliseconds;
  const Load load{argument(argc, argv, 1, 2000), argument(argc, argv, 2, 64), std::string(argument(argc, argv, 3, 2048), 'x')};
  const std::size_t rounds = argument(argc, argv, 4, 7);
  const std::string reply = tgd::test::completion_body(load.text);
  // Before this process has threads.
  const ServerProcess quick(reply, milliseconds(0));
  const ServerProcess slow(reply, milliseconds(100));
  const ServerProcess silent(reply, std::chrono::hours(1));

  compare(quick, load, rounds);
  against_latency(slow, {.requests = 1000, .in_flight = 250, .text = load.text}, milliseconds(100), 3);
  memory(silent, load, 50'000);
}
