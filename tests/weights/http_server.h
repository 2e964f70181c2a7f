// A small HTTP server on the loopback interface with scripted answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hanok::weights::test {

struct HttpRequest {
  std::string path;                         // "/file.pth"
  std::optional<std::int64_t> range_begin;  // from "Range: bytes=N-"
};

struct HttpAnswer {
  int status = 200;
  std::vector<std::string> headers;         // "Location: /other"
  std::string body;                         // Content-Length is its length
  std::size_t cut_after = ~std::size_t{0};  // bytes of the body before the connection closes
};

class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:PORT" + path
  std::string url(const std::string& path) const;
  std::vector<HttpRequest> requests() const;

 private:
  void serve();
  void answer(int connection);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

/// Answers with `content`, or with the requested range of it.
HttpAnswer serve_content(const HttpRequest& request, const std::string& content);

}  // namespace hanok::weights::test
