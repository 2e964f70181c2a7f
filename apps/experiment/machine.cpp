#include "hanok/apps/experiment/machine.h"

#include "hanok/apps/options/device_option.h"
#include "hanok/apps/profiling/profile.h"
#include "hanok/apps/run/cudnn_plans.h"
#include "hanok/apps/run/memory_limit.h"
#include "hanok/apps/training/anomaly_watch.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"

namespace hanok::training {

void keep_to_memory(const Options& options, std::int64_t decoding) {
  limit_memory(options.memory.bytes,
               {.threads = options.threads, .workers = options.workers, .decoding = decoding});
}

std::int64_t tensor_budget(const Options& options) {
  if (options.memory.bytes == 0) return 0;
  return static_cast<std::int64_t>(allocator_of(Device::cpu()).statistics().budget);
}

void use_tensor_budget(const Options& options, const RecordedData& record) {
  if (record.tensor_budget <= 0 || record.tensor_budget >= options.memory.bytes) return;
  allocator_of(Device::cpu()).set_budget(static_cast<std::size_t>(record.tensor_budget));
}

Precision use_machine(const Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  keep_to_memory(options);
  const Device device = choose_device(options.device);
  if (options.profile) check_profile_device(device);
  if (options.detect_anomaly) check_anomaly_device(device);
  use_cudnn_plans(device, {.autotune = options.autotune});
  check_precision(options.precision, device);
  return options.precision;
}

}  // namespace hanok::training
