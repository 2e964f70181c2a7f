// inspect verify: repeats epochs of a run and compares them with what the run recorded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hanok/apps/cli/reporter.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct VerifyOptions {
  std::string run{};
  std::optional<std::int64_t> fold{};   // without: the first that has recorded an epoch
  std::optional<std::int64_t> epoch{};  // 1 is the first; without: see verify_run()
  std::int64_t threads = 0;             // 0: one a CPU
};

/// Repeats training up to the epoch from the newest checkpoint before it, or from the start
/// weights, and compares hash chain, losses and scores of each epoch with metrics.jsonl, bit by
/// bit. Without an epoch: the recorded ones after the checkpoints at hand, or else the first one.
/// Reports what is the same, and otherwise which epoch (with steps.csv: which step) differs first,
/// what has changed in the environment, and whether this machine repeats itself: where it does not,
/// the first op that differs. True if all of it is the same.
///
/// Writes nothing into the run's folder. Throws UsageError for a folder without a run and for a
/// fold or epoch that it has not recorded, and Error if the user interrupts.
bool verify_run(const VerifyOptions& options, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
