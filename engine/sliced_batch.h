// One batch that is computed in slices: some by this process, the others by other ranks. Slices
// meet where the whole batch counts: at every batch norm, and where the loss is added up. All sums
// over slices are made along one binary tree, (0+1)+(2+3), whoever holds them, so the bits depend
// on the number of slices and not on that of the processes.
//
// The slices of one process take turns: each runs on a thread of its own until it meets the others,
// and then the next one goes on. So all activations are alive together, as those of a whole batch,
// and nothing is computed twice.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include "hanok/engine/communicator.h"
#include "hanok/engine/generator.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Batch norm normalises by the statistics of the whole batch, or of each slice alone.
enum class NormsOver { Batch, Slice };

class SlicedBatch {
 public:
  /// Images [begin,end) of a batch.
  struct Slice {
    std::int64_t index = 0, begin = 0, end = 0;
    std::int64_t images() const { return end - begin; }
  };

  /// Throws ValueError unless `slices` is the number of ranks times a power of two.
  static void check(std::int64_t slices, int ranks);
  /// A batch's slice `index` of `slices`; it may be empty where there are fewer images.
  static Slice slice(std::int64_t index, std::int64_t slices, std::int64_t images);

  /// A batch of `images`, cut into `slices`; this rank has its equal share of them, in order.
  /// Throws as check().
  SlicedBatch(Communicator& communicator, std::int64_t slices, std::int64_t images,
              NormsOver norms = NormsOver::Batch);

  /// This rank's slices are [first(),last()).
  std::int64_t first() const { return first_; }
  std::int64_t last() const { return last_; }

  /// body(slice) for each slice of this rank. Every body must come to the same sums in the same
  /// order, and draws the same random numbers. Persistent writes (running statistics) are those of
  /// one slice. Rethrows what a body threw first; the others end at their next sum.
  void run(const std::function<void(const Slice&)>& body);

  /// Within a body: `values` become their sums over all slices.
  void sum(std::vector<double>& values);

  /// That of this thread's body; null outside.
  static SlicedBatch* current();
  /// The slice of this thread's body, and the images of the batch.
  static const Slice& current_slice();
  std::int64_t images() const { return images_; }
  NormsOver norms() const { return norms_; }

 private:
  struct Ended {};  // thrown where another slice has failed
  class Turns;
  void run_one(std::int64_t index, const std::function<void(const Slice&)>& body);
  void take_turn(std::int64_t index);
  void pass_turn_on(std::int64_t index);

  Communicator& communicator_;
  std::int64_t slices_, images_, first_, last_;
  NormsOver norms_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t turn_ = 0;  // index of the slice that runs
  std::exception_ptr error_;
  std::vector<std::vector<double>> tree_;  // of the sum under way: partial sums, by their level
  std::vector<double> total_;
};

/// Adds `next`, the sum of slice `index` (from 0 on), to partial sums along the tree: `sums` holds
/// those that wait for their partner, the largest first. add(a, b): a += b.
template <typename Sum, typename Add>
void add_along_tree(std::vector<Sum>& sums, std::int64_t index, Sum next, const Add& add) {
  for (; index % 2 == 1; index /= 2) {
    add(sums.back(), next);
    next = std::move(sums.back());
    sums.pop_back();
  }
  sums.push_back(std::move(next));
}

/// The total of what waits: empty `sums` afterwards. There must be one at least.
template <typename Sum, typename Add>
Sum finish_tree(std::vector<Sum>& sums, const Add& add) {
  Sum total = std::move(sums.back());
  sums.pop_back();
  while (!sums.empty()) {
    add(sums.back(), total);
    total = std::move(sums.back());
    sums.pop_back();
  }
  return total;
}

}  // namespace hanok
#pragma GCC visibility pop
