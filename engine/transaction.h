// A training step as a transaction: persistent writes (running statistics, counters) are deferred
// until commit(), so that a step that ran out of memory can be dropped and repeated.
#pragma once

#include <functional>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok {

class StepTransaction {
 public:
  /// Opens a transaction on this thread. They do not nest.
  StepTransaction();
  /// Drops uncommitted writes.
  ~StepTransaction();
  StepTransaction(const StepTransaction&) = delete;
  StepTransaction& operator=(const StepTransaction&) = delete;

  /// Performs all deferred writes in order.
  void commit();
  /// Drops all deferred writes; the transaction remains open for another attempt.
  void rollback();

  /// Ops call this for a persistent write: deferred inside a transaction, performed immediately
  /// outside, not at all inside Discard.
  static void write(std::function<void()> action);

  /// While alive, this thread's writes are dropped: for computing again what has been computed.
  class Discard {
   public:
    Discard();
    ~Discard();
    Discard(const Discard&) = delete;
    Discard& operator=(const Discard&) = delete;

   private:
    bool saved_;
  };

 private:
  std::vector<std::function<void()>> actions_;
};

}  // namespace hanok
#pragma GCC visibility pop
