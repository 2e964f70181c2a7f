#include "hanok/apps/experiment/fold_queue.h"

#include <chrono>
#include <utility>

#include "hanok/apps/cli/signals.h"

namespace hanok::training {
namespace {

constexpr auto kPause = std::chrono::milliseconds(50);

}  // namespace

FoldQueue::FoldQueue(Communicator& ranks, std::vector<int> folds)
    : ranks_(ranks), folds_(std::move(folds)), thread_([this] { work(); }) {}

/// Before all have left only where an error unwinds: then the job ends on all ranks.
FoldQueue::~FoldQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::optional<int> FoldQueue::take() {
  std::unique_lock lock(mutex_);
  if (state_ == State::Trains && !given_) {
    state_ = State::Wants;
    changed_.notify_all();
  }
  changed_.wait(lock, [this] { return state_ != State::Wants || error_; });
  if (error_) std::rethrow_exception(error_);
  return std::exchange(given_, std::nullopt);
}

void FoldQueue::leave() {
  const std::lock_guard lock(mutex_);
  state_ = State::Left;
  changed_.notify_all();
}

bool FoldQueue::all_left(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [this] { return all_left_ || error_; });
  if (error_) std::rethrow_exception(error_);
  return all_left_;
}

bool FoldQueue::has_left_over() {
  const std::lock_guard lock(mutex_);
  return next_ < folds_.size();
}

void FoldQueue::work() {
  try {
    while (!add_up()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kPause, [this] { return stopping_; });
      if (stopping_) return;
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    error_ = std::current_exception();
  }
  changed_.notify_all();
}

/// One sum, and what follows from it. True once all ranks have left.
bool FoldQueue::add_up() {
  const auto size = static_cast<std::size_t>(ranks_.size());
  const auto rank = static_cast<std::size_t>(ranks_.rank());
  // [ranks] who wants a fold, then how many have left, then how many were interrupted.
  std::vector<std::int64_t> sums(size + 2, 0);
  {
    const std::lock_guard lock(mutex_);
    sums[rank] = state_ == State::Wants ? 1 : 0;
    sums[size] = state_ == State::Left ? 1 : 0;
    sums[size + 1] = interrupted() ? 1 : 0;
  }
  // Unlike the operations of the steps it may take as long as it takes.
  ranks_.start_all_reduce({sums.data(), DType::I64, {static_cast<std::int64_t>(sums.size())}})
      ->wait();
  const std::lock_guard lock(mutex_);
  if (sums[size + 1] > 0) {
    interrupted_ = true;
    request_interrupt();
  }
  for (std::size_t other = 0; other < size; ++other) {
    if (sums[other] == 0) continue;
    const bool some_left = !interrupted_ && next_ < folds_.size();
    if (other == rank) {
      state_ = some_left ? State::Trains : State::Left;
      if (some_left) given_ = folds_[next_];
    }
    if (some_left) ++next_;
  }
  all_left_ = sums[size] == static_cast<std::int64_t>(size);
  changed_.notify_all();
  return all_left_;
}

}  // namespace hanok::training
