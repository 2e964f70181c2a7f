// Ranks: several processes that train one network together. A Communicator adds, copies and gathers
// tensors over them. One process alone is a communicator, too: then nothing is sent.
//
// Every rank must call the same operations in the same order. Sums are made along one fixed binary
// tree over the ranks, (0+1)+(2+3) and so on, so every rank gets the same bits, run after run.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/view.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Ranks that do not answer, or that came to different operations. The message names the rank.
class CommunicationError : public Error {
  using Error::Error;
};

/// One operation of a rank, from its call to its end, waiting for other ranks included.
struct Communication {
  const char* operation = "";  // "all_reduce"
  std::size_t bytes = 0;       // of the tensor
  bool in_background = false;  // of start_all_reduce()
  std::chrono::steady_clock::time_point start{}, end{};
};

class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// This process's number, from 0 on, and how many there are.
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Every rank's x becomes the sum of all of them: f32, f64 and i64; f16 and bf16 are added in f32
  /// and rounded after every addition. On the CPU. Throws DTypeError for u8.
  virtual void all_reduce(const View& x) = 0;
  /// Every rank's x becomes that of `root`: any type, on the CPU.
  virtual void broadcast(const View& x, int root) = 0;
  /// `all` becomes the x of rank 0, then that of rank 1 and so on: x is as large on every rank,
  /// `all` size() times as large. Any type, on the CPU.
  virtual void all_gather(const ConstView& x, const View& all) = 0;
  /// Returns when every rank has come here.
  virtual void barrier() = 0;

  /// An all_reduce() under way. Destroying it waits for its end.
  class Pending {
   public:
    virtual ~Pending() = default;
    /// Returns at its end; throws what it threw.
    virtual void wait() = 0;
  };
  /// all_reduce(x) beside whatever this thread does: x must be neither read nor written until its
  /// end. Such sums are made one after the other, in the order of these calls, and do not hold up
  /// the operations above.
  virtual std::unique_ptr<Pending> start_all_reduce(const View& x) = 0;

  /// From now on `observer` is told of every operation, on the thread that makes it; empty: nobody.
  /// Not while an operation is under way.
  virtual void observe(const std::function<void(const Communication&)>& observer) = 0;

  /// Ends the processes of all ranks at once, with this exit code where the launcher passes it on.
  [[noreturn]] virtual void end_all(int exit_code) = 0;
};

/// all_reduce() and broadcast() of whole tensors on any device; from a GPU they travel through the
/// CPU's memory where the communicator does not reach it.
void all_reduce(Communicator& communicator, Tensor& x);
void broadcast(Communicator& communicator, Tensor& x, int root);
/// Every rank's text, in order of ranks; they may be of different lengths.
std::vector<std::string> all_gather(Communicator& communicator, const std::string& text);

/// This process alone.
std::unique_ptr<Communicator> single_rank();

/// What a launcher (mpirun, srun) has told this process by its environment.
struct Launch {
  int ranks = 1;
  std::string launcher{};  // the variable that says so; empty: none did
  int local_rank = 0;      // among the ranks of this machine,
  int local_ranks = 1;     // of which there are so many
};
Launch launch_of_environment();

/// How long ranks wait for each other.
struct RankLimits {
  double silence_seconds = 5;  // until a process that does not answer at all is given up
  double lag_seconds = 600;    // until one that answers, but does not come to an operation, is
  /// From the variables HANOK_RANK_SILENCE and HANOK_RANK_LAG, where they are set. Throws
  /// ValueError for what is no positive number.
  static RankLimits of_environment();
};

/// The ranks that the launcher has started; one alone without a launcher. A rank that dies, hangs
/// or does not come ends the job on all of them, with one message on standard error that names it.
/// Throws Error if there are several ranks and MPI cannot be used: the message says why.
std::unique_ptr<Communicator> launched_ranks();

}  // namespace hanok
#pragma GCC visibility pop
