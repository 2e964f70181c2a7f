#include "hanok/engine/sliced_batch.h"

#include <bit>
#include <cstddef>
#include <fmt/format.h>
#include <optional>
#include <thread>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

struct Here {
  SlicedBatch* batch = nullptr;
  SlicedBatch::Slice slice{};
};
thread_local Here here;

void add(std::vector<double>& sum, const std::vector<double>& other) {
  if (sum.size() != other.size()) {
    throw ValueError(fmt::format("SlicedBatch: slices came to different sums, of {} and {} values",
                                 sum.size(), other.size()));
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
}

}  // namespace

void SlicedBatch::check(std::int64_t slices, int ranks) {
  if (slices >= 1 && ranks >= 1 && slices % ranks == 0 &&
      std::has_single_bit(static_cast<std::uint64_t>(slices / ranks))) {
    return;
  }
  throw ValueError(fmt::format(
      "{} slices on {} ranks: the slices must be the ranks times 1, 2, 4, 8, ..., so that every "
      "rank adds up whole branches of the same tree",
      slices, ranks));
}

SlicedBatch::Slice SlicedBatch::slice(std::int64_t index, std::int64_t slices,
                                      std::int64_t images) {
  return {index, images * index / slices, images * (index + 1) / slices};
}

SlicedBatch::SlicedBatch(Communicator& communicator, std::int64_t slices, std::int64_t images,
                         NormsOver norms)
    : communicator_(communicator), slices_(slices), images_(images), norms_(norms) {
  check(slices, communicator.size());
  const std::int64_t share = slices / communicator.size();
  first_ = share * communicator.rank();
  last_ = first_ + share;
}

SlicedBatch* SlicedBatch::current() { return here.batch; }
const SlicedBatch::Slice& SlicedBatch::current_slice() { return here.slice; }

void SlicedBatch::run(const std::function<void(const Slice&)>& body) {
  turn_ = first_;
  error_ = nullptr;
  tree_.clear();
  // The last slice runs on this thread, whose transaction gets its writes.
  std::vector<std::thread> threads;
  const std::int64_t nominal = nominal_batch();
  const Precision precision = hanok::precision();
  const Generator::Draws draws = Generator::global().draws();
  for (std::int64_t index = first_; index + 1 < last_; ++index) {
    threads.emplace_back([&, index] {
      const NominalBatch as_outside(nominal);
      const PrecisionScope in_precision(precision);
      const StepTransaction::Discard written_by_the_last;
      take_turn(index);
      Generator::global().set_draws(draws);
      run_one(index, body);
    });
  }
  take_turn(last_ - 1);
  Generator::global().set_draws(draws);
  run_one(last_ - 1, body);
  for (std::thread& thread : threads) thread.join();
  if (error_) std::rethrow_exception(error_);
}

void SlicedBatch::run_one(std::int64_t index, const std::function<void(const Slice&)>& body) {
  here = {this, slice(index, slices_, images_)};
  try {
    if (!error_) body(here.slice);
  } catch (const Ended&) {
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  here = {};
  pass_turn_on(index);
}

void SlicedBatch::take_turn(std::int64_t index) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return turn_ == index; });
}

void SlicedBatch::pass_turn_on(std::int64_t index) {
  {
    const std::lock_guard lock(mutex_);
    turn_ = index + 1 < last_ ? index + 1 : first_;
  }
  changed_.notify_all();
}

void SlicedBatch::sum(std::vector<double>& values) {
  const std::int64_t index = here.slice.index;
  add_along_tree(tree_, index - first_, std::exchange(values, {}), add);
  if (index + 1 == last_) {
    total_ = finish_tree(tree_, add);
    communicator_.all_reduce(
        {total_.data(), DType::F64, {static_cast<std::int64_t>(total_.size())}});
  }
  if (last_ - first_ > 1) {
    const Generator::Draws draws = Generator::global().draws();
    pass_turn_on(index);
    take_turn(index);
    if (error_) throw Ended();
    Generator::global().set_draws(draws);
  }
  values = total_;
}

}  // namespace hanok
