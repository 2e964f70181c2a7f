// A communicator over any transport. Sums follow one binary tree over the ranks: neighbours first,
// (0+1)+(2+3), then pairs of pairs; a rank without a partner waits for the next level.
//
// Powers of two of ranks: small messages go whole to the partner at distance 1, 2, 4 (recursive
// doubling); large ones by halves, so that each rank adds its part and sends 2 (R-1)/R of the bytes
// (reduce-scatter and all-gather; Thakur, Rabenseifner, Gropp, "Optimization of collective
// communication operations in MPICH", 2005). Other numbers: every rank gets all and adds along the
// same tree.
//
// A thread beside sends a sign of life twice a second to rank 0, with the number of operations that
// this rank has begun, and rank 0 answers. So a process that is stopped, and one that does not come
// to an operation, are told apart from slow ones, and named.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hanok/engine/communicator.h"
#include "hanok/engine/ranks/transport.h"

namespace hanok::ranks {

class RankLives;

class TreeCommunicator final : public Communicator {
 public:
  /// What is done where a rank is given up. It need not return; where it does, the operations of
  /// this rank throw CommunicationError with this message. By default the message is printed, and
  /// the job ends with exit code 1.
  using OnFailure = std::function<void(const std::string& message)>;
  TreeCommunicator(std::unique_ptr<Transport> transport, const RankLimits& limits,
                   OnFailure on_failure = {});
  /// Ranks that end without an error come here together.
  ~TreeCommunicator() override;

  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }
  void all_reduce(const View& x) override;
  void broadcast(const View& x, int root) override;
  void all_gather(const ConstView& x, const View& all) override;
  void barrier() override;
  std::unique_ptr<Pending> start_all_reduce(const View& x) override;
  void observe(const std::function<void(const Communication&)>& observer) override {
    observer_ = observer;
  }
  [[noreturn]] void end_all(int exit_code) override;

 private:
  struct Job;
  class PendingJob;
  struct Elements;
  class Observed;

  /// Sends to and receives from another rank at once; either may be empty.
  void exchange(int partner, Channel channel, const void* send, std::size_t send_bytes,
                void* receive, std::size_t receive_bytes);
  void reduce(const View& x, Channel channel);
  void reduce_by_doubling(const Elements& x, Channel channel);
  void reduce_by_halving(const Elements& x, Channel channel);
  void reduce_gathered(const Elements& x, Channel channel);
  void gather(const void* x, std::size_t bytes, std::byte* all, Channel channel);
  void work_in_background();
  void check_lives() const;

  std::unique_ptr<Transport> transport_;
  std::atomic<std::int64_t> begun_{0};  // operations of the steps' channel
  std::function<void(const Communication&)> observer_;
  std::vector<std::byte> received_[2];  // of a channel that reduces: what the partner sent

  std::mutex mutex_;  // of the jobs
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;

  std::unique_ptr<RankLives> lives_;
  std::thread background_;
};

}  // namespace hanok::ranks
