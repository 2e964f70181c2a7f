// Device memory is host memory that the host may not access (protection.cpp). Inaccessible pages
// surround each allocation, the bytes up to the one behind it have a pattern that is checked, new
// memory is filled with NaNs, and freed addresses are never reused.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <hanok_emulator.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda/standin/machine.h"

namespace hanok::standin {
namespace {

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

/// Device memory is accessible while one is alive.
class OpenMemory {
 public:
  OpenMemory() : was_open_(machine().memory_open) { open_memory(true); }
  ~OpenMemory() { open_memory(was_open_); }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;

 private:
  bool was_open_;
};

}  // namespace

bool is_device(const void* address) { return find_allocation(address).base != nullptr; }

Allocation find_allocation(const void* address) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  auto* byte = const_cast<char*>(static_cast<const char*>(address));
  auto next = m.memory.upper_bound(byte);
  if (next == m.memory.begin()) return {};
  const auto& [base, mapping] = *std::prev(next);
  if (byte >= base + std::max<std::size_t>(mapping.bytes, 1)) return {};
  return {base, mapping.bytes};
}

bool is_pinned(const void* address) {
  Machine& m = machine();
  auto* byte = const_cast<char*>(static_cast<const char*>(address));
  auto next = m.pinned.upper_bound(byte);
  if (next == m.pinned.begin()) return false;
  const auto& [base, bytes] = *std::prev(next);
  return byte < base + bytes;
}

std::string damaged_guards() {
  Machine& m = machine();
  const Lock lock(m.mutex);
  const OpenMemory open;
  for (const auto& [base, mapping] : m.memory) {
    if (!guard_is_whole(base, mapping)) {
      return "an allocation of " + std::to_string(mapping.bytes) +
             " bytes was written beyond its end";
    }
  }
  return "";
}

}  // namespace hanok::standin

using namespace hanok::standin;  // NOLINT(google-build-using-namespace): CUDA's functions follow

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *total_bytes = m.settings.memory;
  *free_bytes = m.settings.memory > m.in_use ? m.settings.memory - m.in_use : 0;
  return m.result(cudaSuccess);
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *pointer = nullptr;
  if (m.sticky != cudaSuccess) return m.result(m.sticky);
  const std::size_t page = page_size();
  const std::size_t mapped = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
  if (bytes > m.settings.memory || m.in_use + bytes > m.settings.memory) {
    return m.result(cudaErrorMemoryAllocation);
  }
  void* base = mmap(nullptr, page + mapped + page, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return m.result(cudaErrorMemoryAllocation);
  handle_faults();
  char* first = static_cast<char*>(base) + page;
  m.memory[first] = {bytes, mapped, m.device, std::vector<Mapping::Piece>(pieces_of(mapped))};
  m.in_use += bytes;
  hanok::emulator::register_memory(first, bytes,
                                   "device memory of " + std::to_string(bytes) + " bytes");
  ++m.counters.allocations;
  *pointer = first;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (pointer == nullptr) return m.result(cudaSuccess);
  ++m.counters.frees;
  run_all();  // the driver waits for work that may use it
  const auto found = m.memory.find(static_cast<char*>(pointer));
  if (found == m.memory.end()) return m.result(cudaErrorInvalidValue);
  bool whole = false;
  {
    const OpenMemory open;
    whole = guard_is_whole(found->first, found->second);
  }
  forget_pieces(found->first, found->second);
  // The pages are returned to the system, but the addresses stay reserved: a late use is a fault.
  if (mmap(found->first, found->second.mapped, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
    return m.result(cudaErrorUnknown);
  }
  m.in_use -= found->second.bytes;
  hanok::emulator::unregister_memory(found->first);
  m.memory.erase(found);
  if (!whole) m.sticky = cudaErrorIllegalAddress;
  return m.result(cudaSuccess);
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (posix_memalign(pointer, page_size(), std::max<std::size_t>(bytes, 1)) != 0) {
    return m.result(cudaErrorMemoryAllocation);
  }
  m.pinned[static_cast<char*>(*pointer)] = std::max<std::size_t>(bytes, 1);
  return m.result(cudaSuccess);
}

cudaError_t cudaFreeHost(void* pointer) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (pointer == nullptr) return m.result(cudaSuccess);
  ++m.counters.frees;
  run_all();
  if (m.pinned.erase(static_cast<char*>(pointer)) == 0) return m.result(cudaErrorInvalidValue);
  std::free(pointer);
  return m.result(cudaSuccess);
}

cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return cudaMallocHost(pointer, bytes);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *attributes = {};
  attributes->type = is_device(pointer)   ? cudaMemoryTypeDevice
                     : is_pinned(pointer) ? cudaMemoryTypeHost
                                          : cudaMemoryTypeUnregistered;
  return m.result(cudaSuccess);
}
