// Runs the threads of a block as fibers. A fiber runs one thread after another; only when a thread
// has to wait does the next one need another fiber. So a thread that never waits costs a function
// call, and a barrier costs a switch per thread.
#include "tests/cuda/emulator/executor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <sys/mman.h>

namespace hanok::emulator {

Running running;
Indices indices;
Visible visible;
const RaceHooks* race_hooks = nullptr;

namespace {

unsigned char* map_shared() {
  void* memory =
      mmap(nullptr, 256 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<unsigned char*>(memory);
}

std::uint64_t random_state = 0x9e3779b97f4a7c15U;

std::deque<Fiber> fibers;  // all fibers
std::vector<Fiber*> idle;  // fibers without a thread
Fiber host;                // the thread that called execute()
Fiber* current_fiber = nullptr;
int order[kMaxThreads];  // in which threads start
int next_unstarted = 0;
bool depth_first = false;  // resume waiting threads before starting new ones

/// The state of a block-wide barrier.
struct Barrier {
  int arrived = 0;
  bool mixed = false;  // threads wait at different lines
  Site first{};
  int result = 0;
} barrier;

void go(Fiber& to) {
  Fiber& from = *current_fiber;
  if (&to == &from) return;
  current_fiber = &to;
  switch_fibers(from, to);
}

void set_current(int thread) {
  running.current = thread;
  indices.thread = running.index[thread];
}

void fiber_main();

Fiber& take_fiber() {
  if (idle.empty()) {
    fibers.emplace_back();
    prepare(fibers.back(), static_cast<int>(fibers.size()) - 1, fiber_main);
    return fibers.back();
  }
  Fiber& fiber = *idle.back();
  idle.pop_back();
  return fiber;
}

/// The next fiber to run; the host if none can.
Fiber& next() {
  auto& ready = running.ready;
  const bool unstarted = next_unstarted < running.threads;
  if (!ready.empty() && (depth_first || !unstarted)) {
    const std::uint32_t pick = random_below(static_cast<std::uint32_t>(ready.size()));
    const int thread = ready[pick];
    ready[pick] = ready.back();
    ready.pop_back();
    set_current(thread);
    return *running.thread[thread].fiber;
  }
  if (unstarted) return take_fiber();
  return host;
}

void run_thread(int number) {
  set_current(number);
  Thread& thread = running.thread[number];
  thread.state = Thread::State::Ready;
  running.launch->run(running.launch->call.get());
  // Other fibers may have run in between: read the thread's own number again.
  running.thread[number].state = Thread::State::Ended;
  running.warp[number / kWarpThreads].ended |= 1U << (number % kWarpThreads);
  --running.alive;
}

void fiber_main() {
  entered();
  for (;;) {
    while (next_unstarted < running.threads && !(depth_first && !running.ready.empty())) {
      run_thread(order[next_unstarted++]);
    }
    idle.push_back(current_fiber);
    go(next());
  }
}

/// Lists where the deadlocked threads wait.
void report_standstill() {
  struct Place {
    int count = 0;
    int first = 0;
  };
  std::map<std::string, Place> places;
  bool in_warp = false, at_barrier = false;
  for (int i = 0; i < running.threads; ++i) {
    const Thread& thread = running.thread[i];
    std::string where = "have ended";
    if (thread.state == Thread::State::AtBarrier) {
      at_barrier = true;
      where = "wait in " + text_of(thread.site);
    } else if (thread.state == Thread::State::InWarp) {
      in_warp = true;
      char mask[16];
      snprintf(mask, sizeof(mask), "0x%08x", thread.mask);
      where = "wait in " + text_of(thread.site) + " for the lanes " + mask;
    }
    Place& place = places[where];
    if (place.count++ == 0) place.first = i;
  }
  std::string text;
  for (const auto& [where, place] : places) {
    text += (text.empty() ? "" : ", ") + std::to_string(place.count) +
            (place.count == 1 ? " thread: " : " threads ") + where + " (first: thread " +
            text_of(running.index[place.first]) + ")";
  }
  const std::string block = "block " + text_of(running.block) + ": ";
  if (in_warp) {
    report(Report::Kind::MissingLanes, "lanes are missing from a warp operation: " + block + text);
  } else if (at_barrier) {
    report(Report::Kind::DivergentBarrier, "divergent barrier: " + block + text);
  }
}

/// After an aborted block: fibers stopped inside a kernel are reset.
void reset_fibers() {
  idle.clear();
  int number = 0;
  for (Fiber& fiber : fibers) {
    prepare(fiber, number++, fiber_main);
    idle.push_back(&fiber);
  }
}

bool abandoned = false;

/// False if the block did not finish.
bool run_block() {
  const int threads = running.threads;
  for (int i = 0; i < threads; ++i) running.thread[i].state = Thread::State::Unstarted;
  for (int w = 0; w * kWarpThreads < threads; ++w) {
    Warp& warp = running.warp[w];
    const int lanes = std::min(kWarpThreads, threads - w * kWarpThreads);
    warp.present = lanes == kWarpThreads ? 0xffffffffU : (1U << lanes) - 1U;
    warp.ended = 0;
    warp.groups.clear();
    warp.buffers_in_use = 0;
  }
  running.alive = threads;
  running.ready.clear();
  running.barrier_epoch = 0;
  ++running.block_serial;
  barrier = {};
  for (int i = threads - 1; i > 0; --i) {
    std::swap(order[i], order[random_below(static_cast<std::uint32_t>(i) + 1)]);
  }
  next_unstarted = 0;
  depth_first = random_below(2) != 0;
  abandoned = false;
  if (race_hooks != nullptr) race_hooks->block_begins();
  current_fiber = &host;
  go(take_fiber());
  running.current = -1;
  if (!abandoned && running.alive == 0) return true;
  if (!abandoned) report_standstill();
  reset_fibers();
  return false;
}

}  // namespace

unsigned char* const dynamic_shared_begin = map_shared();
void* dynamic_shared_memory() { return dynamic_shared_begin; }

std::uint32_t random_below(std::uint32_t end) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return static_cast<std::uint32_t>(((random_state >> 32) * end) >> 32);
}

void set_seed(std::uint64_t seed) { random_state = seed * 0x9e3779b97f4a7c15U + 0x7f4a7c15U; }

void make_ready(int thread) {
  running.thread[thread].state = Thread::State::Ready;
  running.ready.push_back(thread);
}

void suspend() {
  running.thread[running.current].fiber = current_fiber;
  go(next());
}

void abandon() {
  abandoned = true;
  go(host);
  __builtin_unreachable();
}

bool skipped(const Site& site) {
  struct Skip {
    std::string file;
    int line = -1;
    Skip() {
      const char* text = std::getenv("HANOK_SKIP_BARRIER");
      const char* colon = text == nullptr ? nullptr : std::strrchr(text, ':');
      if (colon == nullptr) return;
      file.assign(text, colon);
      line = std::atoi(colon + 1);
    }
  };
  static const Skip skip;
  if (site.line != skip.line) return false;
  const std::string file = site.file;
  return file.size() >= skip.file.size() &&
         file.compare(file.size() - skip.file.size(), std::string::npos, skip.file) == 0;
}

int block_barrier(Combine combine, int value, const Site& site) {
  if (!in_kernel()) throw std::logic_error(text_of(site) + " outside a kernel");
  if (skipped(site)) return combine == Combine::None ? 0 : value;
  Thread& own = running.thread[running.current];
  own.state = Thread::State::AtBarrier;
  own.site = site;
  own.value = value;
  if (barrier.arrived++ == 0) {
    barrier.first = site;
    barrier.mixed = false;
  } else if (site.line != barrier.first.line || site.file != barrier.first.file) {
    barrier.mixed = true;
  }
  if (barrier.arrived == running.threads) {
    if (barrier.mixed) {
      report_standstill();
      abandon();
    }
    int count = 0;
    for (int i = 0; i < running.threads; ++i) {
      count += running.thread[i].value != 0 ? 1 : 0;
      make_ready(i);
    }
    barrier.arrived = 0;
    barrier.result = combine == Combine::And  ? static_cast<int>(count == running.threads)
                     : combine == Combine::Or ? static_cast<int>(count != 0)
                                              : count;
    ++running.barrier_epoch;
    count_barrier(site);
  }
  suspend();
  return barrier.result;
}

void execute(const Launch& launch) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  running.launch = &launch;
  running.threads = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  running.first_serial = running.block_serial + 1;
  indices.block_dim = launch.block;
  indices.grid_dim = launch.grid;
  int number = 0;
  for (unsigned z = 0; z < launch.block.z; ++z) {
    for (unsigned y = 0; y < launch.block.y; ++y) {
      for (unsigned x = 0; x < launch.block.x; ++x) {
        order[number] = number;
        running.index[number++] = {x, y, z};
      }
    }
  }
  count_launch(launch.kernel);
  prepare_host(host);
  if (race_hooks != nullptr) race_hooks->launch_begins();

  // Blocks run in a scattered order that visits each once: i -> (first + i * step) mod n with step
  // coprime to n.
  const std::uint64_t blocks = std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  const auto draw = [blocks] {
    return ((std::uint64_t{random_below(0xffffffffU)} << 31) ^ random_below(0xffffffffU)) % blocks;
  };
  std::uint64_t step = draw() + 1;
  while (std::gcd(step, blocks) != 1) ++step;
  std::uint64_t block = draw();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const auto x = static_cast<unsigned>(block % launch.grid.x);
    const auto y = static_cast<unsigned>(block / launch.grid.x % launch.grid.y);
    const auto z = static_cast<unsigned>(block / launch.grid.x / launch.grid.y);
    running.block = indices.block = {x, y, z};
    // A block's shared memory starts with garbage: bytes that are NaN as floats.
    std::memset(dynamic_shared_begin, 0xff, launch.shared_bytes);
    if (!run_block()) break;
    block = (block + step % blocks) % blocks;
  }
  if (race_hooks != nullptr) race_hooks->launch_ends();
  running.launch = nullptr;
  settle(launch.kernel);
}

}  // namespace hanok::emulator
