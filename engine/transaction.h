// A training step as a transaction: lasting writes (running statistics, counters) are deferred
// until commit(), so that a step that ran out of memory can be dropped and redone.
#pragma once

#include <functional>
#include <vector>

namespace hanok {

class StepTransaction {
 public:
  /// Opens a transaction on this thread. They do not nest.
  StepTransaction();
  /// Drops what was not committed.
  ~StepTransaction();
  StepTransaction(const StepTransaction&) = delete;
  StepTransaction& operator=(const StepTransaction&) = delete;

  /// Carries out all deferred writes in order.
  void commit();
  /// Drops all deferred writes; the transaction stays open for another try.
  void rollback();

  /// Ops call this for a lasting write: deferred inside a transaction, carried out at once outside.
  static void write(std::function<void()> action);

 private:
  std::vector<std::function<void()>> actions_;
};

}  // namespace hanok
