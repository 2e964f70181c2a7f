// Warp operations: the lanes of a mask synchronise and exchange values.
#include <stdexcept>

#include "tests/cuda/emulator/executor.h"

namespace hanok::emulator {
namespace {

bool same(const Site& a, const Site& b) {
  return a.line == b.line && a.file == b.file && a.what == b.what;
}

std::string hex(unsigned mask) {
  char text[16];
  snprintf(text, sizeof(text), "0x%08x", mask);
  return text;
}

/// The group of lanes waiting at this call, or a new one.
Group& group_at(Warp& warp, unsigned mask, const Site& site) {
  for (Group& group : warp.groups) {
    if (group.mask == mask && same(group.site, site)) return group;
  }
  int buffer = 0;
  while (((warp.buffers_in_use >> buffer) & 1U) != 0) ++buffer;
  warp.buffers_in_use |= std::uint64_t{1} << buffer;
  return warp.groups.emplace_back(Group{mask, 0, buffer, site});
}

}  // namespace

unsigned lane() { return static_cast<unsigned>(running.current) % kWarpThreads; }

unsigned active_lanes() {
  const Warp& warp = running.warp[running.current / kWarpThreads];
  return warp.present & ~warp.ended;
}

const Lanes& warp_exchange(unsigned mask, std::uint64_t value, const Site& site) {
  if (!in_kernel()) throw std::logic_error(text_of(site) + " outside a kernel");
  const int number = running.current;
  const int warp_number = number / kWarpThreads;
  const int first = warp_number * kWarpThreads;
  const unsigned own_bit = 1U << lane();
  Warp& warp = running.warp[warp_number];
  if (skipped(site)) return visible.lanes[warp_number][kWarpThreads];
  if ((mask & own_bit) == 0) {
    report(Report::Kind::MissingLanes,
           text_of(site) + ": thread " + text_of(running.index[number]) + " of block " +
               text_of(running.block) + " is lane " + std::to_string(lane()) +
               ", which is not in the mask " + hex(mask));
    abandon();
  }
  Group& group = group_at(warp, mask, site);
  const int buffer = group.buffer;
  Lanes& lanes = visible.lanes[warp_number][buffer];
  lanes.value[lane()] = value;
  group.arrived |= own_bit;
  // Lanes beyond the end of the block count as ended; reading one is reported.
  if (group.arrived == (mask & warp.present)) {
    lanes.present = group.arrived;
    warp.unread[buffer] = group.arrived;
    for (unsigned rest = group.arrived & ~own_bit; rest != 0; rest &= rest - 1) {
      make_ready(first + __builtin_ctz(rest));
    }
    if (race_hooks != nullptr) race_hooks->lanes_met(warp_number, group.arrived);
    count_barrier(site);
    group = warp.groups.back();
    warp.groups.pop_back();
  } else {
    Thread& thread = running.thread[number];
    thread.state = Thread::State::InWarp;
    thread.mask = mask;
    thread.site = site;
    suspend();
  }
  warp.unread[buffer] &= ~own_bit;
  if (warp.unread[buffer] == 0) warp.buffers_in_use &= ~(std::uint64_t{1} << buffer);
  return lanes;  // unchanged until this thread stops again
}

void report_lane(const Site& site, unsigned source) {
  report(Report::Kind::MissingLanes, text_of(site) + ": thread " +
                                         text_of(running.index[running.current]) + " of block " +
                                         text_of(running.block) + " reads from lane " +
                                         std::to_string(source) + ", which does not take part");
}

unsigned shuffle_source(Shuffle kind, unsigned lane, int offset, int width) {
  const int own = static_cast<int>(lane);
  const int begin = own - own % width;  // of the segment
  int source = own;
  switch (kind) {
    case Shuffle::Index:
      return static_cast<unsigned>(begin + (offset & (width - 1)));
    case Shuffle::Up:
      source = own - offset;
      return static_cast<unsigned>(source < begin ? own : source);
    case Shuffle::Down:
      source = own + offset;
      return static_cast<unsigned>(source >= begin + width ? own : source);
    case Shuffle::Xor:
      source = own ^ offset;
      // A segment may read lanes before it, but not after it.
      return static_cast<unsigned>(source >= begin + width ? own : source);
  }
  return lane;
}

void atomic_access(const void* address, unsigned size, const void* instruction) {
  if (race_hooks != nullptr) race_hooks->atomic(address, size, instruction);
}

void fence() {
  if (race_hooks != nullptr) race_hooks->fence();
}

}  // namespace hanok::emulator
