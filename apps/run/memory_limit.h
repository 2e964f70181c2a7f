// How much of the process's memory is left for tensors (--memory).
#pragma once

#include <cstdint>

#pragma GCC visibility push(default)
namespace hanok::training {

/// What of the process's memory lies outside tensors.
struct OtherMemory {
  std::int64_t threads = 0;   // that compute; 0: one per CPU
  std::int64_t workers = 0;   // that decode images
  std::int64_t decoding = 0;  // bytes that all workers together need for decoding
};

/// Sets the CPU allocator's budget so that the process stays within `bytes` of resident memory (0:
/// within what the system leaves), after what it holds at present and what `other` will need. Where
/// memory is limited, freed memory goes back to the system at once. Packed weights are kept again.
/// Throws UsageError naming --memory if nothing is left for tensors.
void limit_memory(std::int64_t bytes, const OtherMemory& other);

/// Measures what work needs for itself, such as decoding every image once.
class PeakMeter {
 public:
  PeakMeter();
  /// Bytes of the process's highest resident memory that it does not hold now; 0 if that peak is
  /// older than this object.
  std::int64_t given_back() const;

 private:
  std::int64_t peak_before_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
