// Ranks as threads of one test, which send each other copies of bytes.
#pragma once

#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "hanok/engine/ranks/transport.h"
#include "hanok/engine/ranks/tree_communicator.h"

namespace hanok {

/// What is on its way between ranks.
class Post {
 public:
  using Route = std::tuple<int, int, ranks::Channel>;  // from, to
  explicit Post(int ranks) : ranks_(ranks) {}
  int ranks() const { return ranks_; }

  void send(const Route& route, const void* data, std::size_t bytes) {
    const auto* first = static_cast<const std::byte*>(data);
    const std::lock_guard lock(mutex_);
    messages_[route].emplace_back(first, first + bytes);
  }
  /// False if nothing has come yet.
  bool take(const Route& route, void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    std::deque<std::vector<std::byte>>& queue = messages_[route];
    if (queue.empty()) return false;
    if (queue.front().size() != bytes) throw std::logic_error("a message of another length");
    if (bytes > 0) std::memcpy(data, queue.front().data(), bytes);
    queue.pop_front();
    return true;
  }

 private:
  int ranks_;
  std::mutex mutex_;
  std::map<Route, std::deque<std::vector<std::byte>>> messages_;
};

class ThreadTransport final : public ranks::Transport {
 public:
  ThreadTransport(Post& post, int rank) : post_(post), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return post_.ranks(); }
  Transfer start_send(const void* data, std::size_t bytes, int to,
                      ranks::Channel channel) override {
    post_.send({rank_, to, channel}, data, bytes);
    return 0;
  }
  Transfer start_receive(void* data, std::size_t bytes, int from, ranks::Channel channel) override {
    const std::lock_guard lock(mutex_);
    receives_[++last_] = {{from, rank_, channel}, data, bytes};
    return last_;
  }
  bool finished(Transfer& transfer) override {
    if (transfer == 0) return true;
    const std::lock_guard lock(mutex_);
    const Receive& receive = receives_.at(transfer);
    if (!post_.take(receive.route, receive.data, receive.bytes)) return false;
    receives_.erase(transfer);
    transfer = 0;
    return true;
  }
  [[noreturn]] void end_all(int) override { throw std::logic_error("end_all"); }

 private:
  struct Receive {
    Post::Route route;
    void* data;
    std::size_t bytes;
  };
  Post& post_;
  int rank_;
  std::mutex mutex_;
  Transfer last_ = 0;
  std::map<Transfer, Receive> receives_;
};

/// body(communicator) on `count` ranks at once; rethrows what the first of them threw.
inline void on_ranks(int count, const std::function<void(Communicator&)>& body,
                     const RankLimits& limits = {}) {
  Post post(count);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ranks::TreeCommunicator communicator(std::make_unique<ThreadTransport>(post, rank), limits,
                                             [](const std::string&) {});
        body(communicator);
      } catch (...) {
        errors[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace hanok
