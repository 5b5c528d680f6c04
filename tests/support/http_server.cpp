#include "support/http_server.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tgd::test {

namespace {

using namespace std::chrono_literals;

// A proxy in the environment must not get between the tests and their own servers.
[[maybe_unused]] const bool no_proxy_for_loopback = [] {
  setenv("no_proxy", "127.0.0.1,localhost", 1);
  setenv("NO_PROXY", "127.0.0.1,localhost", 1);
  return true;
}();

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  /// Wakes up whoever reads or accepts on it.
  void shut_down() const { ::shutdown(fd_, SHUT_RDWR); }
  /// Closing it then resets the connection.
  void forget_client() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Appends what arrives; false at the end of the stream.
  bool receive(std::string& into) const {
    char buffer[16384];
    while (true) {
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      into.append(buffer, static_cast<std::size_t>(got));
      return true;
    }
  }

 private:
  int fd_ = -1;
};

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

sockaddr* generic(sockaddr_in& address) {
  return static_cast<sockaddr*>(static_cast<void*>(&address));  // the one cast that the socket interface asks for
}

Socket bound_socket() {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.fd(), generic(address), sizeof address) != 0) fail("bind");
  return socket;
}

int port_of(const Socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.fd(), generic(address), &size) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

Socket listening_socket() {
  Socket socket = bound_socket();
  if (::listen(socket.fd(), 512) != 0) fail("listen");
  return socket;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes one line and its CRLF off the front of `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 2, text.size()));
  return line;
}

HttpRequest parse_head(std::string_view head) {
  HttpRequest request;
  const std::string_view start = take_line(head);
  const std::size_t first = start.find(' ');
  const std::size_t second = start.rfind(' ');
  if (first == std::string_view::npos || second == first) throw std::runtime_error("not an HTTP request");
  request.method = start.substr(0, first);
  request.target = start.substr(first + 1, second - first - 1);
  while (!head.empty()) {
    const std::string_view line = take_line(head);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    request.headers[lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }
  return request;
}

// The next request of a connection; `buffer` keeps what belongs to the one after it. Nothing at the end of the stream.
std::optional<HttpRequest> read_request(const Socket& socket, std::string& buffer) {
  std::size_t head_end = std::string::npos;
  while ((head_end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!socket.receive(buffer)) return std::nullopt;
  }
  HttpRequest request = parse_head(std::string_view(buffer).substr(0, head_end));
  const auto length = request.headers.find("content-length");
  const std::size_t body_size = length == request.headers.end() ? 0 : std::stoul(length->second);
  const std::size_t body_start = head_end + 4;
  while (buffer.size() < body_start + body_size) {
    if (!socket.receive(buffer)) return std::nullopt;
  }
  request.body = buffer.substr(body_start, body_size);
  buffer.erase(0, body_start + body_size);
  return request;
}

std::string head_of(const HttpResponse& response) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " Status\r\n";
  for (const auto& [name, value] : response.headers) head.append(name).append(": ").append(value).append("\r\n");
  if (response.framing == HttpResponse::Framing::length) {
    head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  } else if (response.framing == HttpResponse::Framing::chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  }
  if (response.close) head += "Connection: close\r\n";
  return head + "\r\n";
}

std::string hex(std::size_t number) {
  char digits[2 * sizeof number] = "";
  return {digits, std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr};
}

std::string in_chunks(std::string_view body, std::size_t chunk_size) {
  std::string chunks;
  for (; !body.empty(); body.remove_prefix(std::min(chunk_size, body.size()))) {
    const std::string_view chunk = body.substr(0, chunk_size);
    chunks += hex(chunk.size()) + "\r\n";
    chunks += chunk;
    chunks += "\r\n";
  }
  return chunks;
}

// Sends the reply. False when the connection is to end.
bool send_response(const Socket& socket, const HttpResponse& response) {
  if (!response.raw.empty()) {
    socket.send(response.raw);
    return false;
  }
  const std::size_t limit = std::min(response.cut_after, response.stall_after);
  const bool cut = limit < response.body.size();
  const std::string_view body = std::string_view(response.body).substr(0, limit);
  std::string message = head_of(response);
  if (response.framing == HttpResponse::Framing::chunked) {
    message += in_chunks(body, response.chunk_size) + (cut ? "" : "0\r\n\r\n");
  } else {
    message += body;
  }
  return socket.send(message) && !cut && !response.close && response.framing != HttpResponse::Framing::end_of_stream;
}

}  // namespace

HttpResponse silence() { return {.delay = std::chrono::hours(24)}; }

HttpResponse hang_up() { return {.status = 0}; }

HttpResponse reset() { return {.status = -1}; }

struct HttpServer::Impl {
  Impl(Handler the_handler, std::size_t limit)
      : handler(std::move(the_handler)), max_connections(limit), listener(listening_socket()), port(port_of(listener)) {
    acceptor = std::thread([this] { accept_all(); });
  }
  ~Impl();

  struct Connection {
    std::thread thread;
    bool ended = false;
  };

  void accept_all();
  bool wait_for_room();
  void serve(const Socket& socket, std::size_t number);
  std::optional<HttpResponse> answer(HttpRequest request);
  bool wait(std::chrono::milliseconds delay);
  void join_ended();

  const Handler handler;
  const std::size_t max_connections;
  const Socket listener;
  const int port;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::condition_variable ends;  // apart, so that nobody who only waits for the time to pass is woken by each request
  bool closing = false;
  std::list<Connection> connections;
  std::set<const Socket*> open;
  std::size_t accepted = 0;
  std::size_t active = 0;  // connections whose thread has not ended
  std::vector<HttpRequest> requests;
  std::size_t concurrent = 0;
  std::size_t max_concurrent = 0;
  std::thread acceptor;
};

HttpServer::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex);
    closing = true;
    for (const Socket* socket : open) socket->shut_down();
    changed.notify_all();
    ends.notify_all();
  }
  listener.shut_down();
  acceptor.join();
  for (Connection& connection : connections) connection.thread.join();
}

void HttpServer::Impl::accept_all() {
  while (wait_for_room()) {
    Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex);
    if (closing) return;
    if (socket.fd() < 0) continue;
    const int on = 1;
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    join_ended();
    Connection& connection = connections.emplace_back();
    ++active;
    connection.thread = std::thread([this, &connection, number = accepted++, socket = std::move(socket)]() mutable {
      serve(socket, number);
      socket = Socket();
      const std::lock_guard ended(mutex);
      connection.ended = true;
      --active;
      changed.notify_all();
    });
  }
}

bool HttpServer::Impl::wait_for_room() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return closing || active < max_connections; });
  return !closing;
}

void HttpServer::Impl::join_ended() {
  connections.remove_if([](Connection& connection) {
    if (!connection.ended) return false;
    connection.thread.join();
    return true;
  });
}

void HttpServer::Impl::serve(const Socket& socket, std::size_t number) {
  {
    const std::lock_guard lock(mutex);
    if (closing) return;
    open.insert(&socket);
  }
  bool is_reset = false;
  try {
    std::string buffer;
    while (std::optional<HttpRequest> request = read_request(socket, buffer)) {
      request->connection = number;
      const std::optional<HttpResponse> response = answer(*std::move(request));
      is_reset = response && response->status < 0;
      if (!response || response->status <= 0) break;
      const bool goes_on = send_response(socket, *response);
      if (response->stall_after < response->body.size()) wait(std::chrono::hours(24));
      if (!goes_on) break;
    }
  } catch (const std::exception& error) {
    socket.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" + std::string(error.what()));
  }
  if (is_reset) {
    socket.forget_client();
  } else {
    socket.shut_down();  // the client learns of the end at once, although the socket is closed only after it left the set
  }
  const std::lock_guard lock(mutex);
  open.erase(&socket);
  changed.notify_all();
}

// The reply after its delay; nothing when the server ends meanwhile.
std::optional<HttpResponse> HttpServer::Impl::answer(HttpRequest request) {
  {
    const std::lock_guard lock(mutex);
    request.number = requests.size();
    requests.push_back(request);
    max_concurrent = std::max(max_concurrent, ++concurrent);
    changed.notify_all();
  }
  HttpResponse response;
  try {
    response = handler(request);
  } catch (const std::exception& error) {
    response = {.status = 500, .body = error.what()};
  }
  const bool goes_on = wait(response.delay);
  const std::lock_guard lock(mutex);
  --concurrent;
  if (!goes_on) return std::nullopt;
  return response;
}

bool HttpServer::Impl::wait(std::chrono::milliseconds delay) {
  std::unique_lock lock(mutex);
  if (delay > 0ms) ends.wait_for(lock, delay, [this] { return closing; });
  return !closing;
}

HttpServer::HttpServer(Handler handler, std::size_t max_connections)
    : impl_(std::make_unique<Impl>(std::move(handler), max_connections)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return impl_->port; }

std::string HttpServer::url() const { return "http://127.0.0.1:" + std::to_string(impl_->port); }

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

std::size_t HttpServer::request_count() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests.size();
}

std::size_t HttpServer::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}

std::size_t HttpServer::max_concurrent() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->max_concurrent;
}

bool HttpServer::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, 60s, [&] { return impl_->requests.size() >= count; });
}

// The port was free a moment ago, and the system does not hand it out again so soon.
int closed_port() { return port_of(bound_socket()); }

}  // namespace tgd::test
