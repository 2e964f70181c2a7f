#include "hanok/engine/reclaim.h"

#include <mutex>
#include <utility>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "hanok/engine/allocator.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/engine/runtime.h"

namespace hanok {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<Reclaimable*> entries;
};

Registry& registry() {
  static auto* instance = new Registry();  // NOLINT(cppcoreguidelines-owning-memory)
  return *instance;
}

}  // namespace

Reclaimable::Reclaimable(std::function<bool()> give_back) : give_back_(std::move(give_back)) {
  const std::lock_guard lock(registry().mutex);
  registry().entries.push_back(this);
}

Reclaimable::~Reclaimable() {
  const std::lock_guard lock(registry().mutex);
  std::erase(registry().entries, this);
}

bool reclaim_memory() {
  bool given_back = false;
  {
    const std::lock_guard lock(registry().mutex);
    for (Reclaimable* entry : registry().entries) given_back |= entry->give_back_();
  }
  keep_packed_weights(false);
  given_back |= drop_all_packed_weights();
  context_of(Device::cpu()).workspace.release_all();
  allocator_of(Device::cpu()).release_cached();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return given_back;
}

}  // namespace hanok
