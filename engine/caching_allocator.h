// One caching allocator for every kind of memory: freed blocks are kept by size and reused, so that
// a training step, which requests the same sizes again and again, calls the system's allocator only
// in its first iteration.
//
// Memory is allocated in segments, which are split into blocks; a freed block is merged with its
// free neighbours, so that what held four small images can hold a large one next. A request gets
// the best-fitting block or, where a whole step fits into a segment (CPU), the first that fits: so
// the segment's far end stays untouched. There short-lived blocks are taken from the end of what is
// used already, so that they leave no gaps between those that last. Either way a step's requests
// get the same blocks each time. Small requests (below 1 MiB) have their own segments, so that they
// do not fragment large ones, or none where the system has a good allocator for them (CPU).
//
// Free blocks may lie between those in use so that none holds a large request, though the budget
// would. Where the source can, it takes back their memory then, and a new segment holds the
// request.
//
// Bookkeeping memory is taken before anything changes: a request that fails, also for want of that
// memory, leaves everything as it was, and freeing never fails.
//
// On CUDA a block is reused while the device may still be working on its old content. This is safe
// because all tensors are read and written on one stream, in order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "hanok/engine/allocator.h"

namespace hanok {

/// Where a caching allocator gets its memory.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  /// Null if the source is out of memory.
  virtual void* take(std::size_t bytes) = 0;
  virtual void give_back(void* pointer) noexcept = 0;
  /// Gives memory of a free block back and keeps its addresses, which hold memory again once they
  /// are written. Returns how many bytes; 0 where that cannot be done.
  virtual std::size_t discard(void* /*pointer*/, std::size_t /*bytes*/) noexcept { return 0; }
  /// Told which bytes are handed out and which are free, for a sanitizer: it does not see what
  /// happens within a segment.
  virtual void note_use(void* /*pointer*/, std::size_t /*bytes*/) noexcept {}
  virtual void note_free(void* /*pointer*/, std::size_t /*bytes*/) noexcept {}
  /// Sizes are rounded up to a multiple of this, and addresses are aligned to it.
  virtual std::size_t alignment() const = 0;
  /// Segment sizes are multiples of this for small or large requests, or of a quarter of a small
  /// budget; 0: every block is its own segment.
  virtual std::size_t segment_bytes(bool small) const = 0;
};

class CachingAllocator final : public Allocator {
 public:
  CachingAllocator(std::unique_ptr<MemorySource> source, std::size_t budget);

  void* allocate(std::size_t bytes, const char* tag) override;
  void deallocate(void* pointer) noexcept override;
  MemoryStatistics statistics() const override;
  void reset_peak() override;
  void set_budget(std::size_t bytes) override;
  void release_cached() override;
  bool refuse_request(std::int64_t number) override;

  int make_pool() override;
  void drop_pool(int pool) override;

 private:
  struct Block;
  using FreeList = std::set<std::pair<std::size_t, Block*>>;
  struct Block {
    char* data = nullptr;
    std::size_t size = 0;
    std::size_t resident = 0;   // while free: at most so many bytes hold memory
    std::uint64_t segment = 0;  // in order of their allocation
    bool free = false;
    bool small = false;
    int pool = 0;
    std::size_t* in_use_of_tag = nullptr;  // while in use
    Block* before = nullptr;               // neighbours within the segment
    Block* after = nullptr;
    FreeList::node_type entry;  // of the free list, kept while in use: freeing needs no memory
  };
  using Blocks = std::map<void*, Block>;

  std::size_t block_size(std::size_t bytes) const;
  void count_request(std::size_t bytes);
  void prepare_spares();
  Block& insert_spare(char* data, std::size_t size);
  void note_peak();
  FreeList& free_list(const Block& block) { return free_.find({block.pool, block.small})->second; }
  void take_out(Block& block);
  void put_back(Block& block);
  void put_back_merged(Block& block);
  Block* take_cached(std::size_t size, bool small, int pool);
  Block* take_last(std::size_t size, int pool);
  Block* take_segment(std::size_t size, bool small, int pool);
  Block* new_segment(std::size_t size, bool small, int pool);
  void split(Block& block, std::size_t size);
  void merge_with_next(Block& block);
  void free_segments();
  void keep_within_budget(std::size_t wanted);

  std::unique_ptr<MemorySource> source_;
  mutable std::mutex mutex_;
  Blocks blocks_;                                  // in use or cached, by address
  std::vector<Blocks::node_type> spares_;          // for new blocks
  std::map<std::pair<int, bool>, FreeList> free_;  // by pool and smallness
  MemoryStatistics statistics_;
  int pools_ = 0;
  std::int64_t requests_until_refusal_ = 0;    // 0: none is refused
  std::uint64_t segments_ = 0;                 // allocated so far
  std::map<std::uint64_t, char*> used_until_;  // by segment: the end of its used bytes
};

}  // namespace hanok
