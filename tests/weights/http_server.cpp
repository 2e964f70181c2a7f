#include "tests/weights/http_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace hanok::weights::test {

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, generic, length) != 0 || ::listen(listener_, 8) != 0 ||
      ::getsockname(listener_, generic, &length) != 0) {
    throw std::runtime_error("cannot listen on the loopback interface");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  stopping_ = true;
  thread_.join();
  ::close(listener_);
}

std::string HttpServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::serve() {
  while (!stopping_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    answer(connection);
    ::close(connection);
  }
}

void HttpServer::answer(int connection) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = ::recv(connection, buffer, sizeof(buffer), 0);
    if (count <= 0) return;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  HttpRequest request;
  const std::size_t path = text.find(' ') + 1;
  request.path = text.substr(path, text.find(' ', path) - path);
  const std::string key = "Range: bytes=";
  if (const std::size_t range = text.find(key); range != std::string::npos) {
    request.range_begin = std::stoll(text.substr(range + key.size()));
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const HttpAnswer answer = handler_(request);
  std::string reply = fmt::format("HTTP/1.1 {} -\r\nContent-Length: {}\r\nConnection: close\r\n",
                                  answer.status, answer.body.size());
  for (const std::string& header : answer.headers) reply += header + "\r\n";
  reply += "\r\n" + answer.body.substr(0, std::min(answer.cut_after, answer.body.size()));
  std::size_t sent = 0;
  while (sent < reply.size()) {
    const ssize_t count =
        ::send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

HttpAnswer serve_content(const HttpRequest& request, const std::string& content) {
  const auto size = static_cast<std::int64_t>(content.size());
  if (!request.range_begin) return {200, {}, content};
  if (*request.range_begin >= size) {
    return {416, {fmt::format("Content-Range: bytes */{}", size)}, ""};
  }
  return {206,
          {fmt::format("Content-Range: bytes {}-{}/{}", *request.range_begin, size - 1, size)},
          content.substr(static_cast<std::size_t>(*request.range_begin))};
}

}  // namespace hanok::weights::test
