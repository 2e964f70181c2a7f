#include "hanok/apps/statistics/parallel.h"

#include <mutex>

#include "hanok/engine/runtime.h"

namespace hanok::statistics {

void for_each_index(std::size_t count, const std::function<void(std::size_t)>& task,
                    const OnDone& on_done) {
  std::mutex mutex;  // of on_done
  context_of(Device::cpu()).pool.run(static_cast<std::int64_t>(count), [&](std::int64_t i) {
    task(static_cast<std::size_t>(i));
    if (!on_done) return;
    const std::lock_guard lock(mutex);
    on_done();
  });
}

}  // namespace hanok::statistics
