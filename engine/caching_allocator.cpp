#include "hanok/engine/caching_allocator.h"

#include <algorithm>

#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

/// Sizes of large blocks are multiples of this.
constexpr std::size_t kLargeUnit = std::size_t{64} << 10;
constexpr std::size_t kLeastSegment = 2 * kMebibyte;
/// Segments of at least this size hold the tensors of a whole step.
constexpr std::size_t kSegmentOfAStep = 256 * kMebibyte;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return std::max(unit, (bytes + unit - 1) / unit * unit);
}

}  // namespace

CachingAllocator::CachingAllocator(std::unique_ptr<MemorySource> source, std::size_t budget)
    : source_(std::move(source)) {
  statistics_.budget = budget;
}

/// Similar requests share blocks: sizes are rounded up to the alignment, above 1 MiB to 64 KiB.
std::size_t CachingAllocator::block_size(std::size_t bytes) const {
  return round_up(bytes, bytes >= kMebibyte ? kLargeUnit : source_->alignment());
}

void* CachingAllocator::allocate(std::size_t bytes, const char* tag) {
  const std::size_t size = block_size(bytes);
  const bool small = size < kMebibyte;
  const int pool = MemoryPool::Scope::current(*this);
  const std::lock_guard lock(mutex_);
  Block* block = ShortLived::current() && !small ? take_last(size, pool) : nullptr;
  if (block == nullptr) block = take_cached(size, small, pool);
  if (block == nullptr) block = take_segment(size, small, pool);
  if (block == nullptr && small) {
    block = take_cached(size, /*small=*/false, pool);  // all is in large segments
  }
  if (block == nullptr) throw OutOfMemory(bytes, statistics_.in_use, statistics_.budget);
  block->tag = tag;
  if (!block->small) {
    char*& end = used_until_[block->segment];
    end = std::max(end, block->data + block->size);
  }
  statistics_.in_use += block->size;
  statistics_.in_use_by_tag[tag] += block->size;
  if (statistics_.in_use > statistics_.peak) {
    statistics_.peak = statistics_.in_use;
    statistics_.peak_by_tag = statistics_.in_use_by_tag;
  }
  return block->data;
}

void CachingAllocator::deallocate(void* pointer) noexcept {
  const std::lock_guard lock(mutex_);
  Block* block = blocks_.at(pointer).get();
  statistics_.in_use -= block->size;
  statistics_.in_use_by_tag[block->tag] -= block->size;
  statistics_.cached += block->size;
  block->free = true;
  if (block->after != nullptr && block->after->free) {
    free_list(*block).erase({block->after->size, block->after});
    merge_with_next(*block);
  }
  if (block->before != nullptr && block->before->free) {
    block = block->before;
    free_list(*block).erase({block->size, block});
    merge_with_next(*block);
  }
  free_list(*block).emplace(block->size, block);
}

/// The first free block that fits, or the best-fitting one, split to size; null if there is none.
CachingAllocator::Block* CachingAllocator::take_cached(std::size_t size, bool small, int pool) {
  FreeList& list = free_[{pool, small}];
  auto found = list.lower_bound({size, nullptr});
  const std::size_t segment = source_->segment_bytes(small);
  const bool splits = segment > 0;
  // Without splitting, a block may be up to an eighth larger.
  if (found == list.end()) return nullptr;
  if (!splits && found->first > size + size / 8) return nullptr;
  if (segment >= kSegmentOfAStep) {
    const auto place = [](const auto& entry) {
      return std::pair(entry.second->segment, entry.second->data);
    };
    for (auto other = found; other != list.end(); ++other) {
      if (place(*other) < place(*found)) found = other;
    }
  }
  Block* block = found->second;
  list.erase(found);
  block->free = false;
  statistics_.cached -= block->size;
  if (splits) split(*block, size);
  return block;
}

/// The end of the last free block that fits, of what has been used before of segments that hold a
/// whole step; null if there is none.
CachingAllocator::Block* CachingAllocator::take_last(std::size_t size, int pool) {
  if (source_->segment_bytes(/*small=*/false) < kSegmentOfAStep) return nullptr;
  FreeList& list = free_[{pool, false}];
  const auto used_end = [this](const Block& block) {
    return std::min(block.data + block.size, used_until_[block.segment]);
  };
  const auto place = [](const Block& block) { return std::pair(block.segment, block.data); };
  Block* last = nullptr;
  for (auto it = list.lower_bound({size, nullptr}); it != list.end(); ++it) {
    Block* block = it->second;
    if (used_end(*block) < block->data + size) continue;
    if (last != nullptr && last->size == size && block->size > size) break;  // one fits exactly
    if (last == nullptr || place(*block) > place(*last)) last = block;
  }
  if (last == nullptr) return nullptr;
  list.erase({last->size, last});
  statistics_.cached -= last->size;
  split(*last, static_cast<std::size_t>(used_end(*last) - last->data));
  if (last->size >= size + kLargeUnit) {  // its front stays free
    split(*last, last->size - size);
    list.emplace(last->size, last);
    statistics_.cached += last->size;
    last = last->after;
    list.erase({last->size, last});
    statistics_.cached -= last->size;
  }
  last->free = false;
  return last;
}

/// A new block from the source, within the budget. Frees cached memory to make room if needed.
CachingAllocator::Block* CachingAllocator::take_segment(std::size_t size, bool small, int pool) {
  const auto held = [this] { return statistics_.in_use + statistics_.cached; };
  std::size_t wanted = size;
  if (const std::size_t most = source_->segment_bytes(small); most > 0) {
    // Round up by at most a quarter of the budget, so that one segment does not use up a small one.
    const std::size_t share = statistics_.budget / 4 / kLeastSegment * kLeastSegment;
    wanted = round_up(size, std::min(most, std::max(share, kLeastSegment)));
  }
  if (held() + wanted > statistics_.budget) free_segments();
  if (held() + wanted > statistics_.budget) wanted = size;  // without rounding it may fit
  if (held() + wanted > statistics_.budget) return nullptr;
  Block* block = new_segment(wanted, small, pool);
  if (block == nullptr) {
    free_segments();
    block = new_segment(wanted, small, pool);
  }
  if (block == nullptr && wanted > size) block = new_segment(size, small, pool);
  if (block != nullptr && block->size > size) split(*block, size);
  return block;
}

CachingAllocator::Block* CachingAllocator::new_segment(std::size_t size, bool small, int pool) {
  void* data = source_->take(size);
  if (data == nullptr) return nullptr;
  auto block = std::make_unique<Block>();
  block->data = static_cast<char*>(data);
  block->size = size;
  block->segment = ++segments_;
  block->small = small;
  block->pool = pool;
  return (blocks_[data] = std::move(block)).get();
}

/// Splits off what `block` has beyond `size`, if that is large enough to be a block.
void CachingAllocator::split(Block& block, std::size_t size) {
  const std::size_t least = block.small ? source_->alignment() : kLargeUnit;
  if (block.size < size + least) return;
  auto rest = std::make_unique<Block>();
  rest->data = block.data + size;
  rest->size = block.size - size;
  rest->segment = block.segment;
  rest->free = true;
  rest->small = block.small;
  rest->pool = block.pool;
  rest->before = &block;
  rest->after = block.after;
  if (block.after != nullptr) block.after->before = rest.get();
  block.after = rest.get();
  block.size = size;
  statistics_.cached += rest->size;
  free_list(*rest).emplace(rest->size, rest.get());
  blocks_[rest->data] = std::move(rest);
}

void CachingAllocator::merge_with_next(Block& block) {
  Block* next = block.after;
  block.size += next->size;
  block.after = next->after;
  if (block.after != nullptr) block.after->before = &block;
  blocks_.erase(next->data);
}

/// Returns segments of the shared pool that are entirely free to the source.
void CachingAllocator::free_segments() {
  for (const bool small : {false, true}) {
    FreeList& list = free_[{0, small}];
    for (auto it = list.begin(); it != list.end();) {
      Block* block = it->second;
      if (block->before != nullptr || block->after != nullptr) {
        ++it;
        continue;
      }
      it = list.erase(it);
      statistics_.cached -= block->size;
      source_->give_back(block->data);
      used_until_.erase(block->segment);
      blocks_.erase(block->data);
    }
  }
}

MemoryStatistics CachingAllocator::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  statistics_.peak = statistics_.in_use;
  statistics_.peak_by_tag = statistics_.in_use_by_tag;
}

void CachingAllocator::set_budget(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  statistics_.budget = bytes;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  free_segments();
}

int CachingAllocator::make_pool() {
  const std::lock_guard lock(mutex_);
  return ++pools_;
}

void CachingAllocator::drop_pool(int pool) {
  const std::lock_guard lock(mutex_);
  for (const auto& [address, block] : blocks_) {
    if (block->pool == pool) block->pool = 0;
  }
  for (const bool small : {false, true}) {
    free_[{0, small}].merge(free_[{pool, small}]);
    free_.erase({pool, small});
  }
}

}  // namespace hanok
