// Replaces operator new of a test program, so that a test can make one allocation fail.
#pragma once

#include <cstdint>

namespace hanok::test {

/// While alive, this thread's `number`-th call of operator new (1: the next) throws std::bad_alloc;
/// 0: none does. Not to be nested.
class FailingNew {
 public:
  explicit FailingNew(std::int64_t number);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  /// Calls of this thread since it was made.
  std::int64_t calls() const;
};

/// Blocks of this process that operator new handed out and that live.
std::int64_t live_blocks();

}  // namespace hanok::test
