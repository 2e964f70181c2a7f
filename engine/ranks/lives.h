// Signs of life: which rank is stopped, unreachable, or does not come.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hanok/engine/communicator.h"
#include "hanok/engine/ranks/transport.h"

namespace hanok::ranks {

/// How a thread waits for messages: at first it looks again at once, later it lets others compute.
class Waiting {
 public:
  explicit Waiting(Channel channel) : patient_(channel != Channel::Steps) {}
  void pause();

 private:
  bool patient_;
  int looks_ = 0;
};

class RankLives {
 public:
  /// `begun` counts this rank's operations. All of it outlives this. Without `on_failure` the
  /// message goes to standard error, and all ranks end.
  RankLives(Transport& transport, const std::atomic<std::int64_t>& begun, const RankLimits& limits,
            std::function<void(const std::string&)> on_failure);
  /// Every rank's comes to its end at about the same time.
  ~RankLives();
  RankLives(const RankLives&) = delete;
  RankLives& operator=(const RankLives&) = delete;

  /// Once a rank was given up: throws CommunicationError; without on_failure, ends the process.
  void check() const;

 private:
  using Clock = std::chrono::steady_clock;
  /// What travels.
  struct Sign {
    std::int64_t begun = 0;
    std::int64_t last = 0;  // 1: no other follows
  };
  /// Another rank, as this one sees it.
  struct Other {
    int rank = 0;
    Sign sent, arriving;  // of transfers under way
    Sign seen;
    Transport::Transfer sending = 0, receiving = 0;
    Clock::time_point heard, came;  // when it last sent, and began another operation
    bool ended = false;
  };
  void watch();
  void send(Other& other, bool last);
  void listen(Other& other);
  /// The message about a rank that is silent or late; empty if none is.
  std::string found_missing();
  void fail(const std::string& message);

  Transport& transport_;
  const std::atomic<std::int64_t>& begun_;
  const RankLimits limits_;
  std::function<void(const std::string&)> on_failure_;
  std::vector<Other> others_;  // rank 0: all of them; else rank 0

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::string failure_;
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

}  // namespace hanok::ranks
