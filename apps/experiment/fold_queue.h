// Which rank trains which fold: the next rank that is free takes the next fold, so that slow ranks
// train fewer.
//
// Beside the training the ranks add a few numbers, some twenty times a second: who wants a fold,
// who has come to its end, who was interrupted. All of them see the same sums in the same order, so
// all give out the same folds: there is no server, and no file that a lost rank could leave behind
// or that a shared file system would have to make visible in time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "hanok/engine/communicator.h"

#pragma GCC visibility push(default)
namespace hanok::training {

class FoldQueue {
 public:
  /// Every rank makes one, of the same folds, and takes from it until none is left. `ranks`
  /// outlives it. An interrupt of one rank interrupts all (signals.h).
  FoldQueue(Communicator& ranks, std::vector<int> folds);
  ~FoldQueue();
  FoldQueue(const FoldQueue&) = delete;
  FoldQueue& operator=(const FoldQueue&) = delete;

  /// The next fold for this rank; empty, and then always, if none is left or one rank was
  /// interrupted. The first rank gets the first fold. Throws CommunicationError.
  std::optional<int> take();
  /// This rank takes no more.
  void leave();
  /// Waits until all ranks have left, at most so long; false if one still trains.
  bool all_left(double seconds);
  /// After that: whether folds were left over.
  bool has_left_over();

 private:
  enum class State { Trains, Wants, Left };
  void work();
  bool add_up();

  Communicator& ranks_;
  const std::vector<int> folds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::Wants;
  std::optional<int> given_{};
  std::size_t next_ = 0;  // in folds_
  bool interrupted_ = false, all_left_ = false, stopping_ = false;
  std::exception_ptr error_{};
  std::thread thread_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
