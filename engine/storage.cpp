#include "hanok/engine/storage.h"

#include <utility>

#include "hanok/engine/allocator.h"

namespace hanok {

Storage::Storage(std::size_t bytes, Device device)
    : data_(allocator_of(device).allocate(bytes, MemoryTag::current())),
      bytes_(bytes),
      device_(device) {}

Storage::Storage(const void* data, std::size_t bytes, std::shared_ptr<const void> owner)
    : data_(const_cast<void*>(data)), bytes_(bytes), owner_(std::move(owner)) {}

Storage::~Storage() {
  if (owner_ == nullptr) allocator_of(device_).deallocate(data_);
}

}  // namespace hanok
