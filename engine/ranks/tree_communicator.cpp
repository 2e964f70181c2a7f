#include "hanok/engine/ranks/tree_communicator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <sched.h>
#include <utility>

#include "hanok/engine/ranks/lives.h"
#include "hanok/kernels/base/half.h"

namespace hanok::ranks {
namespace {

constexpr std::size_t kSmall = std::size_t{16} << 10;  // bytes: latency counts, not bandwidth
constexpr std::size_t kMost = std::size_t{1} << 30;    // bytes of a message: MPI counts in int

BF16 from_float(float x, BF16 /*type*/) { return to_bf16(x); }
F16 from_float(float x, F16 /*type*/) { return to_f16(x); }

template <typename T>
void add(T* sum, const T* other, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] = static_cast<T>(sum[i] + other[i]);
}
template <typename T>
void add_16_bits(T* sum, const T* other, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    sum[i] = from_float(to_float(sum[i]) + to_float(other[i]), T{});
  }
}

void check_same(const char* op, std::int64_t wanted, std::int64_t found) {
  if (wanted == found) return;
  throw ShapeError(std::string(op) + ": the result has " + std::to_string(found) +
                   " elements, expected " + std::to_string(wanted));
}

}  // namespace

/// What is summed, as bytes.
struct TreeCommunicator::Elements {
  std::byte* data;
  std::size_t count;
  DType dtype;

  std::size_t bytes() const { return count * size_of(dtype); }
  Elements part(std::size_t begin, std::size_t end) const {
    return {data + begin * size_of(dtype), end - begin, dtype};
  }
  /// The sum of two numbers is the same in either order, so both partners get the same bits.
  void add_in_place(const std::byte* other) const {
    switch (dtype) {
      case DType::F32:
        add(reinterpret_cast<float*>(data), reinterpret_cast<const float*>(other), count);
        return;
      case DType::F64:
        add(reinterpret_cast<double*>(data), reinterpret_cast<const double*>(other), count);
        return;
      case DType::I64:
        add(reinterpret_cast<std::uint64_t*>(data), reinterpret_cast<const std::uint64_t*>(other),
            count);
        return;
      case DType::F16:
        add_16_bits(reinterpret_cast<F16*>(data), reinterpret_cast<const F16*>(other), count);
        return;
      case DType::BF16:
        add_16_bits(reinterpret_cast<BF16*>(data), reinterpret_cast<const BF16*>(other), count);
        return;
      case DType::U8:
        break;
    }
    throw DTypeError("all_reduce: u8 is not added: its sums would not fit");
  }
};

/// Tells the observer of an operation at its end.
class TreeCommunicator::Observed {
 public:
  Observed(const TreeCommunicator& communicator, const char* operation, const ConstView& x,
           bool in_background = false)
      : observer_(communicator.observer_) {
    if (!observer_) return;
    communication_ = {.operation = operation,
                      .bytes = static_cast<std::size_t>(x.numel()) * size_of(x.dtype),
                      .in_background = in_background,
                      .start = std::chrono::steady_clock::now()};
  }
  ~Observed() {
    if (!observer_) return;
    communication_.end = std::chrono::steady_clock::now();
    observer_(communication_);
  }
  Observed(const Observed&) = delete;
  Observed& operator=(const Observed&) = delete;

 private:
  const std::function<void(const Communication&)>& observer_;
  Communication communication_;
};

/// A sum that the background thread makes.
struct TreeCommunicator::Job {
  View x;
  bool done = false;
  std::exception_ptr error{};
};

class TreeCommunicator::PendingJob final : public Pending {
 public:
  PendingJob(TreeCommunicator& communicator, std::shared_ptr<Job> job)
      : communicator_(communicator), job_(std::move(job)) {}
  ~PendingJob() override { until_done(); }
  void wait() override {
    until_done();
    if (job_->error) std::rethrow_exception(job_->error);
  }

 private:
  void until_done() {
    std::unique_lock lock(communicator_.mutex_);
    communicator_.changed_.wait(lock, [this] { return job_->done; });
  }
  TreeCommunicator& communicator_;
  std::shared_ptr<Job> job_;
};

TreeCommunicator::TreeCommunicator(std::unique_ptr<Transport> transport, const RankLimits& limits,
                                   OnFailure on_failure)
    : transport_(std::move(transport)),
      lives_(std::make_unique<RankLives>(*transport_, begun_, limits, std::move(on_failure))),
      background_([this] { work_in_background(); }) {}

TreeCommunicator::~TreeCommunicator() {
  try {
    barrier();              // a rank that is not waited for could not send its last signs of life
  } catch (const Error&) {  // said before
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  background_.join();
}

void TreeCommunicator::work_in_background() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::shared_ptr<Job> job = jobs_.front();
    lock.unlock();
    try {
      const Observed observed(*this, "all_reduce", job->x, true);
      reduce(job->x, Channel::Background);
    } catch (...) {
      job->error = std::current_exception();
    }
    lock.lock();
    jobs_.pop_front();
    job->done = true;
    changed_.notify_all();
  }
}

std::unique_ptr<Communicator::Pending> TreeCommunicator::start_all_reduce(const View& x) {
  auto job = std::make_shared<Job>(Job{.x = x});
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  changed_.notify_all();
  return std::make_unique<PendingJob>(*this, std::move(job));
}

void TreeCommunicator::all_reduce(const View& x) {
  ++begun_;
  const Observed observed(*this, "all_reduce", x);
  reduce(x, Channel::Steps);
}

void TreeCommunicator::broadcast(const View& x, int root) {
  ++begun_;
  const Observed observed(*this, "broadcast", x);
  const int ranks = size();
  if (root < 0 || root >= ranks) {
    throw ValueError("broadcast: rank " + std::to_string(root) + " of " + std::to_string(ranks));
  }
  auto* data = static_cast<std::byte*>(x.data);
  const std::size_t bytes = static_cast<std::size_t>(x.numel()) * size_of(x.dtype);
  // A binomial tree: ranks counted from the root; who has x sends it 1, 2, 4 ranks further.
  const int place = (rank() - root + ranks) % ranks;
  const auto rank_at = [&](int other) { return (other + root) % ranks; };
  for (int distance = 1; distance < ranks; distance *= 2) {
    if (place < distance) {
      if (place + distance < ranks) {
        exchange(rank_at(place + distance), Channel::Steps, data, bytes, nullptr, 0);
      }
    } else if (place < 2 * distance) {
      exchange(rank_at(place - distance), Channel::Steps, nullptr, 0, data, bytes);
    }
  }
}

void TreeCommunicator::all_gather(const ConstView& x, const View& all) {
  ++begun_;
  const Observed observed(*this, "all_gather", x);
  check_same("all_gather", x.numel() * size(), all.numel());
  if (x.dtype != all.dtype) throw DTypeError("all_gather: the result has another type");
  gather(x.data, static_cast<std::size_t>(x.numel()) * size_of(x.dtype),
         static_cast<std::byte*>(all.data), Channel::Steps);
}

void TreeCommunicator::end_all(int exit_code) {
  transport_->end_all(exit_code);
  std::_Exit(exit_code);
}

void TreeCommunicator::barrier() {
  std::int64_t nothing = 0;
  all_reduce({&nothing, DType::I64, {1}});
}

void TreeCommunicator::reduce(const View& x, Channel channel) {
  const Elements elements{static_cast<std::byte*>(x.data), static_cast<std::size_t>(x.numel()),
                          x.dtype};
  if (x.dtype == DType::U8) elements.add_in_place(nullptr);  // throws
  if (!std::has_single_bit(static_cast<unsigned>(size()))) {
    reduce_gathered(elements, channel);
  } else if (elements.bytes() <= kSmall) {
    reduce_by_doubling(elements, channel);
  } else {
    reduce_by_halving(elements, channel);
  }
}

void TreeCommunicator::reduce_by_doubling(const Elements& x, Channel channel) {
  std::vector<std::byte>& received = received_[channel == Channel::Background ? 1 : 0];
  received.resize(std::max(received.size(), x.bytes()));
  for (int distance = 1; distance < size(); distance *= 2) {
    exchange(rank() ^ distance, channel, x.data, x.bytes(), received.data(), x.bytes());
    x.add_in_place(received.data());
  }
}

void TreeCommunicator::reduce_by_halving(const Elements& x, Channel channel) {
  std::vector<std::byte>& received = received_[channel == Channel::Background ? 1 : 0];
  received.resize(std::max(received.size(), x.bytes()));
  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> mine{{0, x.count}};  // what this rank adds up, level by level
  const auto halves = [](const Range& range, bool upper) {
    const std::size_t middle = range.begin + (range.end - range.begin) / 2;
    return upper ? Range{middle, range.end} : Range{range.begin, middle};
  };
  for (int distance = 1; distance < size(); distance *= 2) {
    const bool upper = (rank() & distance) != 0;
    const Range keep = halves(mine.back(), upper);
    const Range give = halves(mine.back(), !upper);
    const Elements kept = x.part(keep.begin, keep.end);
    const Elements given = x.part(give.begin, give.end);
    exchange(rank() ^ distance, channel, given.data, given.bytes(), received.data(), kept.bytes());
    kept.add_in_place(received.data());
    mine.push_back(keep);
  }
  for (int distance = size() / 2; distance >= 1; distance /= 2) {
    const bool upper = (rank() & distance) != 0;
    const Range have = mine.back();
    mine.pop_back();
    const Range want = halves(mine.back(), !upper);
    const Elements sent = x.part(have.begin, have.end);
    const Elements missing = x.part(want.begin, want.end);
    exchange(rank() ^ distance, channel, sent.data, sent.bytes(), missing.data, missing.bytes());
  }
}

void TreeCommunicator::reduce_gathered(const Elements& x, Channel channel) {
  const auto ranks = static_cast<std::size_t>(size());
  std::vector<std::byte> all(x.bytes() * ranks);
  gather(x.data, x.bytes(), all.data(), channel);
  for (std::size_t distance = 1; distance < ranks; distance *= 2) {
    for (std::size_t left = 0; left + distance < ranks; left += 2 * distance) {
      const Elements sum{all.data() + left * x.bytes(), x.count, x.dtype};
      sum.add_in_place(all.data() + (left + distance) * x.bytes());
    }
  }
  std::memcpy(x.data, all.data(), x.bytes());
}

/// Blocks of ranks, doubled in every round (Bruck et al., 1997): each rank collects those behind
/// it.
void TreeCommunicator::gather(const void* x, std::size_t bytes, std::byte* all, Channel channel) {
  const int ranks = size();
  std::vector<std::byte> collected(bytes * static_cast<std::size_t>(ranks));
  if (bytes > 0) std::memcpy(collected.data(), x, bytes);
  for (int have = 1; have < ranks; have *= 2) {
    const int more = std::min(have, ranks - have);
    const int to = (rank() - have + ranks) % ranks;
    const int from = (rank() + have) % ranks;
    const std::size_t size = bytes * static_cast<std::size_t>(more);
    std::byte* behind = collected.data() + bytes * static_cast<std::size_t>(have);
    if (to == from) {
      exchange(to, channel, collected.data(), size, behind, size);
      continue;
    }
    // Two partners: first one way, then the other, begun at once.
    Transport::Transfer sent = transport_->start_send(collected.data(), size, to, channel);
    exchange(from, channel, nullptr, 0, behind, size);
    while (!transport_->finished(sent)) {
      check_lives();
      sched_yield();
    }
  }
  for (int i = 0; i < ranks && bytes > 0; ++i) {
    const int of = (rank() + i) % ranks;
    std::memcpy(all + bytes * static_cast<std::size_t>(of),
                collected.data() + bytes * static_cast<std::size_t>(i), bytes);
  }
}

void TreeCommunicator::exchange(int partner, Channel channel, const void* send,
                                std::size_t send_bytes, void* receive, std::size_t receive_bytes) {
  const auto* from = static_cast<const std::byte*>(send);
  auto* to = static_cast<std::byte*>(receive);
  do {
    const std::size_t out = std::min(send_bytes, kMost);
    const std::size_t in = std::min(receive_bytes, kMost);
    Transport::Transfer received = in > 0 ? transport_->start_receive(to, in, partner, channel) : 0;
    Transport::Transfer sent = out > 0 ? transport_->start_send(from, out, partner, channel) : 0;
    Waiting waiting(channel);
    while (!transport_->finished(received) || !transport_->finished(sent)) {
      check_lives();
      waiting.pause();
    }
    from += out;
    to += in;
    send_bytes -= out;
    receive_bytes -= in;
  } while (send_bytes > 0 || receive_bytes > 0);
}

void TreeCommunicator::check_lives() const { lives_->check(); }

}  // namespace hanok::ranks
