#include "hanok/apps/preflight/batch_size.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>
#include <vector>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/rehearsal.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kSmallest = 8, kLargest = 512;
constexpr std::int64_t kLeastSteps = 10;  // of an epoch: fewer would learn little
constexpr double kLevel = 0.03;           // images/s that differ by less are level

/// A part of what steps report would be of sizes that are not taken.
class NoReports final : public Reporter {
 public:
  void print(const std::string& /*text*/) override {}
  void show_progress(const ProgressState& /*state*/) override {}
  void clear_progress() override {}
  double progress_interval() const override { return 1; }
};

struct Measured {
  std::int64_t images = 0;
  double images_per_second = 0;
};

std::int64_t best_of(const std::vector<Measured>& sizes) {
  double fastest = 0;
  for (const Measured& size : sizes) fastest = std::max(fastest, size.images_per_second);
  std::int64_t best = 0;
  for (const Measured& size : sizes) {
    if (size.images_per_second >= (1 - kLevel) * fastest) best = size.images;
  }
  return best;
}

}  // namespace

std::int64_t choose_batch_size(Options options, const ExperimentData& data,
                               const std::string& start_weights, Reporter& reporter) {
  NoReports none;
  const int fold = selected_folds(options, data.fold_count).front();
  const auto images = static_cast<std::int64_t>(data.training(fold).size());
  const Device device = choose_device(options.device);
  std::vector<Measured> sizes;
  for (std::int64_t size = kSmallest; size <= kLargest; size *= 2) {
    if (size > kSmallest && size * kLeastSteps > images) break;
    options.batch_size = size;
    context_of(device).workspace.release_all();
    allocator_of(device).release_cached();
    const FoldJob job{.options = options,
                      .data = data,
                      .reporter = none,
                      .fold = fold,
                      .start_weights = start_weights};
    Rehearsal rehearsal;
    try {
      rehearsal = rehearse(job, 0);
    } catch (const OutOfMemory&) {
      if (sizes.empty()) throw;
    } catch (const std::bad_alloc&) {
      if (sizes.empty()) throw;
    }
    if (!rehearsal.whole && !sizes.empty()) {
      reporter.print(fmt::format("batch size {}: more than the memory holds\n", size));
      break;
    }
    sizes.push_back({.images = size, .images_per_second = rehearsal.images_per_second});
    reporter.print(fmt::format("batch size {}: {:.1f} images/s, {:.0f} MiB{}\n", size,
                               rehearsal.images_per_second,
                               static_cast<double>(rehearsal.memory.peak) / (1 << 20),
                               rehearsal.whole ? "" : ", and does not fit whole"));
    if (!rehearsal.whole) break;
  }
  const std::int64_t best = best_of(sizes);
  reporter.print(fmt::format("batch size {} is taken, as with --batch-size {}\n", best, best));
  return best;
}

}  // namespace hanok::training
