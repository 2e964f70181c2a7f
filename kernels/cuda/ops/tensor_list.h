// Many tensors in one launch: their pointers are a kernel parameter by value (at most 4 KB), their
// elements are split into blocks of equal size, and a block finds its tensor by bisection. A
// network of 60 small parameters then needs one launch instead of 60.
#pragma once

#include <cstdint>
#include <vector>

#include "hanok/kernels/base/host_device.h"
#include "hanok/kernels/cuda/ops/storage.h"

namespace hanok::cuda {

/// Item: the pointers of one tensor, as plain data.
template <typename Item>
struct TensorList {
  static constexpr int kCapacity = 3840 / static_cast<int>(sizeof(Item) + 12);

  int size = 0;
  /// Of each tensor; the last entry is the total number of blocks.
  int first_block[kCapacity + 1] = {};
  std::int64_t counts[kCapacity] = {};  // elements
  Item items[kCapacity] = {};

  int blocks() const { return first_block[size]; }

  /// The tensor of block `block`: the last one whose first block is at most `block`.
  HANOK_HOST_DEVICE int find(int block) const {
    int low = 0;
    int high = size - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (first_block[middle] <= block) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
};

// Distribution of f32 elements: each thread of a block processes four packs, adjacent threads
// adjacent ones.
inline constexpr int kListThreads = 256;
inline constexpr int kListPack = kPackOf<float>;
inline constexpr int kListBlock = kListThreads * kListPack * 4;

/// Calls use(i, exist) for this thread's packs in its block's share of tensor `which`: elements i,
/// i + 1, ..., of which the first `exist` (of kListPack) exist.
template <typename Item, typename Use>
__device__ void for_packs(const TensorList<Item>& list, int which, const Use& use) {
  const std::int64_t count = list.counts[which];
  std::int64_t i =
      static_cast<std::int64_t>(static_cast<int>(blockIdx.x) - list.first_block[which]) *
          kListBlock +
      static_cast<std::int64_t>(threadIdx.x) * kListPack;
  for (int pack = 0; pack < kListBlock / (kListThreads * kListPack); ++pack) {
    if (i >= count) return;
    use(i, i + kListPack <= count ? kListPack : static_cast<int>(count - i));
    i += kListThreads * kListPack;
  }
}

/// Calls use(list) for lists that together contain all tensors in order, except empty ones.
/// `count_of(tensor)` and `item_of(tensor)` describe one; a block processes `block_elements` of it.
template <typename Item, typename Tensor, typename CountOf, typename ItemOf, typename Use>
void for_tensor_lists(const std::vector<Tensor>& tensors, std::int64_t block_elements,
                      const CountOf& count_of, const ItemOf& item_of, const Use& use) {
  TensorList<Item> list;
  for (const Tensor& tensor : tensors) {
    const std::int64_t count = count_of(tensor);
    if (count == 0) continue;
    list.counts[list.size] = count;
    list.items[list.size] = item_of(tensor);
    const std::int64_t blocks = (count + block_elements - 1) / block_elements;
    list.first_block[list.size + 1] = list.first_block[list.size] + static_cast<int>(blocks);
    ++list.size;
    if (list.size == TensorList<Item>::kCapacity) {
      use(list);
      list = {};
    }
  }
  if (list.size > 0) use(list);
}

}  // namespace hanok::cuda
