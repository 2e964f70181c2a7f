#include "hanok/engine/caching_allocator.h"

#include <algorithm>
#include <new>

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
  for (const bool small : {false, true}) free_[{0, small}];
}

/// Similar requests share blocks: sizes are rounded up to the alignment, above 1 MiB to 64 KiB.
std::size_t CachingAllocator::block_size(std::size_t bytes) const {
  return round_up(bytes, bytes >= kMebibyte ? kLargeUnit : source_->alignment());
}

/// Throws where tests want a request refused.
void CachingAllocator::count_request(std::size_t bytes) {
  if (requests_until_refusal_ == 0 || --requests_until_refusal_ > 0) return;
  throw OutOfMemory(bytes, statistics_.in_use, statistics_.budget);
}

/// Takes the memory that the bookkeeping of one request may need: a segment, and what is split off.
void CachingAllocator::prepare_spares() {
  constexpr std::size_t kMostOfARequest = 3;
  spares_.reserve(kMostOfARequest);
  while (spares_.size() < kMostOfARequest) {
    FreeList entries;
    entries.emplace(0, nullptr);
    Blocks blocks;
    blocks[nullptr].entry = entries.extract(entries.begin());
    spares_.push_back(blocks.extract(blocks.begin()));
  }
}

CachingAllocator::Block& CachingAllocator::insert_spare(char* data, std::size_t size) {
  Blocks::node_type node = std::move(spares_.back());
  spares_.pop_back();
  node.key() = data;
  Block& block = blocks_.insert(std::move(node)).position->second;
  block.data = data;
  block.size = size;
  return block;
}

/// A block that is put back is in the free list and counted as cached.
void CachingAllocator::put_back(Block& block) {
  block.free = true;
  block.entry.value() = {block.size, &block};
  free_list(block).insert(std::move(block.entry));
  statistics_.cached += block.resident;
}

void CachingAllocator::take_out(Block& block) {
  FreeList& list = free_list(block);
  block.entry = list.extract(list.find({block.size, &block}));
  block.free = false;
  statistics_.cached -= block.resident;
}

void* CachingAllocator::allocate(std::size_t bytes, const char* tag) {
  const std::size_t size = block_size(bytes);
  const bool small = size < kMebibyte;
  const int pool = MemoryPool::Scope::current(*this);
  const std::lock_guard lock(mutex_);
  count_request(bytes);
  prepare_spares();
  for (const bool of_small : {false, true}) free_[{pool, of_small}];
  Block* block = nullptr;
  if (statistics_.in_use + size <= statistics_.budget) {
    if (ShortLived::current() && !small) block = take_last(size, pool);
    if (block == nullptr) block = take_cached(size, small, pool);
    if (block == nullptr) block = take_segment(size, small, pool);
    if (block == nullptr && small) {
      block = take_cached(size, /*small=*/false, pool);  // all is in large segments
    }
  }
  if (block != nullptr) keep_within_budget(block->size);
  if (block == nullptr) {
    free_segments();
    throw OutOfMemory(bytes, statistics_.in_use, statistics_.budget);
  }
  try {
    statistics_.peak_by_tag[tag];
    block->in_use_of_tag = &statistics_.in_use_by_tag[tag];
  } catch (const std::bad_alloc&) {
    put_back_merged(*block);
    throw;
  }
  if (!block->small) {
    char*& end = used_until_.find(block->segment)->second;
    end = std::max(end, block->data + block->size);
  }
  statistics_.in_use += block->size;
  *block->in_use_of_tag += block->size;
  if (statistics_.in_use > statistics_.peak) note_peak();
  source_->note_use(block->data, bytes);
  return block->data;
}

void CachingAllocator::note_peak() {
  statistics_.peak = statistics_.in_use;
  for (const auto& [tag, bytes] : statistics_.in_use_by_tag) {
    statistics_.peak_by_tag.find(tag)->second = bytes;
  }
}

void CachingAllocator::deallocate(void* pointer) noexcept {
  const std::lock_guard lock(mutex_);
  Block* block = &blocks_.find(pointer)->second;
  statistics_.in_use -= block->size;
  *block->in_use_of_tag -= block->size;
  source_->note_free(block->data, block->size);
  put_back_merged(*block);
}

void CachingAllocator::put_back_merged(Block& block) {
  Block* before = block.before;
  block.resident = block.size;
  put_back(block);
  if (block.after != nullptr && block.after->free) merge_with_next(block);
  if (before != nullptr && before->free) merge_with_next(*before);
}

/// The first free block that fits, or the best-fitting one, split to size; null if there is none.
CachingAllocator::Block* CachingAllocator::take_cached(std::size_t size, bool small, int pool) {
  FreeList& list = free_.find({pool, small})->second;
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
  take_out(*block);
  if (splits) split(*block, size);
  return block;
}

/// The end of the last free block that fits, of what has been used before of segments that hold a
/// whole step; null if there is none.
CachingAllocator::Block* CachingAllocator::take_last(std::size_t size, int pool) {
  if (source_->segment_bytes(/*small=*/false) < kSegmentOfAStep) return nullptr;
  FreeList& list = free_.find({pool, false})->second;
  const auto used_end = [this](const Block& block) {
    return std::min(block.data + block.size, used_until_.find(block.segment)->second);
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
  take_out(*last);
  split(*last, static_cast<std::size_t>(used_end(*last) - last->data));
  if (last->size >= size + kLargeUnit) {  // its front stays free
    split(*last, last->size - size);
    put_back(*last);
    last = last->after;
    take_out(*last);
  }
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
  keep_within_budget(wanted);
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
  const auto end = used_until_.emplace(segments_ + 1, nullptr).first;
  void* data = source_->take(size);
  if (data == nullptr) {
    used_until_.erase(end);
    return nullptr;
  }
  source_->note_free(data, size);
  Block& block = insert_spare(static_cast<char*>(data), size);
  block.resident = size;
  block.segment = ++segments_;
  block.small = small;
  block.pool = pool;
  return &block;
}

/// Splits off what `block`, which is not in the free list, has beyond `size`, if that is large
/// enough to be a block.
void CachingAllocator::split(Block& block, std::size_t size) {
  const std::size_t least = block.small ? source_->alignment() : kLargeUnit;
  if (block.size < size + least) return;
  Block& rest = insert_spare(block.data + size, block.size - size);
  // Where the resident bytes of a block lie is not known.
  rest.resident = std::min(block.resident, rest.size);
  block.resident = std::min(block.resident, size);
  rest.segment = block.segment;
  rest.small = block.small;
  rest.pool = block.pool;
  rest.before = &block;
  rest.after = block.after;
  if (block.after != nullptr) block.after->before = &rest;
  block.after = &rest;
  block.size = size;
  put_back(rest);
}

/// Of two free blocks.
void CachingAllocator::merge_with_next(Block& block) {
  Block* next = block.after;
  take_out(*next);
  take_out(block);
  block.size += next->size;
  block.resident += next->resident;
  block.after = next->after;
  if (block.after != nullptr) block.after->before = &block;
  blocks_.erase(blocks_.find(next->data));
  put_back(block);
}

/// Where `wanted` more bytes go beyond the budget: gives memory of the shared pool's large free
/// blocks back, the largest first.
void CachingAllocator::keep_within_budget(std::size_t wanted) {
  const FreeList& list = free_.find({0, false})->second;
  for (auto next = list.end(); next != list.begin();) {
    if (statistics_.in_use + statistics_.cached + wanted <= statistics_.budget) return;
    Block& block = *(--next)->second;
    if (block.resident == 0) continue;
    const std::size_t kept = block.size - source_->discard(block.data, block.size);
    if (kept >= block.resident) continue;
    statistics_.cached -= block.resident - kept;
    block.resident = kept;
  }
}

/// Returns segments of the shared pool that are entirely free to the source.
void CachingAllocator::free_segments() {
  for (const bool small : {false, true}) {
    FreeList& list = free_.find({0, small})->second;
    for (auto it = list.begin(); it != list.end();) {
      Block* block = it->second;
      if (block->before != nullptr || block->after != nullptr) {
        ++it;
        continue;
      }
      it = list.erase(it);
      statistics_.cached -= block->resident;
      source_->note_use(block->data, block->size);
      source_->give_back(block->data);
      used_until_.erase(block->segment);
      blocks_.erase(blocks_.find(block->data));
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

bool CachingAllocator::refuse_request(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  return std::exchange(requests_until_refusal_, number) > 0;
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
  for (auto& [address, block] : blocks_) {
    if (block.pool == pool) block.pool = 0;
  }
  for (const bool small : {false, true}) {
    const auto own = free_.find({pool, small});
    if (own == free_.end()) continue;
    free_.find({0, small})->second.merge(own->second);
    free_.erase(own);
  }
}

}  // namespace hanok
