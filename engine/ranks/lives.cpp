#include "hanok/engine/ranks/lives.h"

#include <algorithm>
#include <cstdio>
#include <sched.h>
#include <utility>

namespace hanok::ranks {
namespace {

constexpr auto kBeat = std::chrono::milliseconds(250);
constexpr auto kLastSigns = std::chrono::seconds(2);  // time for them to arrive

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string text_of(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", seconds);
  return text;
}

}  // namespace

void Waiting::pause() {
  constexpr int kAtOnce = 200, kYielding = 2000;
  ++looks_;
  if (!patient_ && looks_ < kAtOnce) return;
  if (!patient_ && looks_ < kYielding) {
    sched_yield();
    return;
  }
  std::this_thread::sleep_for(std::chrono::microseconds(patient_ ? 100 : 20));
}

RankLives::RankLives(Transport& transport, const std::atomic<std::int64_t>& begun,
                     const RankLimits& limits, std::function<void(const std::string&)> on_failure)
    : transport_(transport), begun_(begun), limits_(limits), on_failure_(std::move(on_failure)) {
  if (transport.rank() != 0) {
    others_.resize(1);
  } else {
    others_.resize(static_cast<std::size_t>(transport.size()) - 1);
    for (std::size_t i = 0; i < others_.size(); ++i) others_[i].rank = static_cast<int>(i) + 1;
  }
  for (Other& other : others_) {
    other.heard = other.came = Clock::now();
    listen(other);
  }
  thread_ = std::thread([this] { watch(); });
}

RankLives::~RankLives() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void RankLives::check() const {
  if (!failed_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  throw CommunicationError(failure_);
}

void RankLives::send(Other& other, bool last) {
  if (!transport_.finished(other.sending)) return;  // it still has to take the one before
  other.sent = {.begun = begun_.load(), .last = last ? 1 : 0};
  other.sending = transport_.start_send(&other.sent, sizeof other.sent, other.rank, Channel::Life);
}

void RankLives::listen(Other& other) {
  other.receiving =
      transport_.start_receive(&other.arriving, sizeof other.arriving, other.rank, Channel::Life);
}

void RankLives::watch() {
  try {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      lock.unlock();
      for (Other& other : others_) send(other, false);
      const std::string missing = found_missing();
      lock.lock();
      if (!missing.empty()) {
        lock.unlock();
        fail(missing);
        return;
      }
      stopped_.wait_for(lock, kBeat, [this] { return stopping_; });
    }
    lock.unlock();
    const auto until = Clock::now() + kLastSigns;
    bool open = true;
    std::vector<bool> said(others_.size());
    while (open && Clock::now() < until) {
      open = false;
      for (std::size_t i = 0; i < others_.size(); ++i) {
        Other& other = others_[i];
        if (!said[i] && transport_.finished(other.sending)) {
          send(other, true);
          said[i] = true;
        }
        found_missing();
        open = open || !said[i] || !other.ended || !transport_.finished(other.sending);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  } catch (const Error& error) {
    fail(error.what());
  }
}

std::string RankLives::found_missing() {
  const Clock::time_point now = Clock::now();
  std::int64_t most = begun_.load();
  for (Other& other : others_) {
    while (!other.ended) {
      if (!transport_.finished(other.receiving)) break;
      other.heard = now;
      if (other.arriving.begun != other.seen.begun) other.came = now;
      other.seen = other.arriving;
      other.ended = other.seen.last != 0;
      if (!other.ended) listen(other);
    }
    most = std::max(most, other.seen.begun);
  }
  // Where rank 0 is silent, rank 1 says so for all.
  const double patience = limits_.silence_seconds + (transport_.rank() > 1 ? 1 : 0);
  for (const Other& other : others_) {
    if (other.ended) continue;
    const std::string name = "rank " + std::to_string(other.rank);
    if (seconds(now - other.heard) > patience) {
      return name + " has not answered for " + text_of(limits_.silence_seconds) +
             " s: its process was stopped or killed, or its machine cannot be reached. The job "
             "ends on all ranks; --resume goes on from what was saved";
    }
    if (transport_.rank() == 0 && other.seen.begun < most &&
        seconds(now - other.came) > limits_.lag_seconds) {
      return name + " runs, but has not come to operation " + std::to_string(other.seen.begun + 1) +
             " of the ranks, where others wait, for " + text_of(limits_.lag_seconds) +
             " s (HANOK_RANK_LAG). The job ends on all ranks; --resume goes on from what was saved";
    }
  }
  return "";
}

void RankLives::fail(const std::string& message) {
  on_failure_(message);  // before operations throw it, or instead
  {
    const std::lock_guard lock(mutex_);
    failure_ = message;
  }
  failed_.store(true, std::memory_order_release);
}

}  // namespace hanok::ranks
