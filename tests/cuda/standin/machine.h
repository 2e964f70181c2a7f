// The state behind the stand-in's runtime API. One lock guards all of it; work runs under it.
#pragma once

#include <cstdint>
#include <cuda_runtime.h>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <string>
#include <vector>

#include "tests/cuda/standin/control.h"

namespace hanok::standin {

struct EventState {
  std::uint64_t recorded = 0;     // how often cudaEventRecord was called
  std::uint64_t completed = 0;    // up to which of these the stream has got
  cudaStream_t stream = nullptr;  // where the last one is
  std::uint64_t behind = 0;       // what had been put on that stream by then
};

/// One entry of a stream: work, or waiting for an event, or passing one.
struct Operation {
  const char* name = "";
  std::function<void()> work;
  std::shared_ptr<EventState> event;
  std::uint64_t event_number = 0;
  enum class Kind { Work, WaitEvent, RecordEvent } kind = Kind::Work;

  bool ready() const { return kind != Kind::WaitEvent || event->completed >= event_number; }
};

struct Mapping {
  std::size_t bytes = 0;   // asked for
  std::size_t mapped = 0;  // whole pages
  int device = 0;
  enum class Piece : std::uint8_t { Untouched, Closed, Open };
  std::vector<Piece> pieces;  // see protection.cpp
};

struct Machine {
  std::recursive_mutex mutex;
  Settings settings;
  Counters counters;
  std::uint64_t random = 0;
  std::vector<cudaStream_t> streams;
  std::map<char*, Mapping> memory;  // live device memory by address
  std::map<char*, std::size_t> pinned;
  std::size_t in_use = 0;
  bool memory_open = false;   // device memory may be touched: work is running ...
  pthread_t worker{};         // ... in this thread
  std::vector<char*> opened;  // pieces of device memory that are open now
  std::size_t opened_bytes = 0;
  std::uint64_t left_open = 0;  // how often they were not closed
  int device = 0;               // current one
  cudaError_t last = cudaSuccess;
  cudaError_t sticky = cudaSuccess;  // after a failed launch everything fails

  Machine();
  /// Remembers an error for cudaGetLastError.
  cudaError_t result(cudaError_t error);
  std::uint64_t draw();
};
Machine& machine();
using Lock = std::lock_guard<std::recursive_mutex>;

/// Puts work on a stream (null: the default stream, which waits for all others), as a launch does:
/// it runs later, when somebody waits for it. While the stream is being captured it is recorded
/// instead, to run at every replay. `name` stays valid. What `work` throws is the error of
/// everything that follows.
cudaError_t enqueue(cudaStream_t stream, const char* name, std::function<void()> work);

/// Runs streams' heads, chosen by draw(), until done() holds.
void run_until(const std::function<bool()>& done);
void run_all();
/// Lets this thread touch device memory, or makes that a fault.
void open_memory(bool open);
/// Before there is memory to protect: from the first call on, accesses to closed pieces are judged.
void handle_faults();
/// How many pieces that much device memory has.
std::size_t pieces_of(std::size_t bytes);
/// The mapping goes away.
void forget_pieces(char* base, const Mapping& mapping);
/// Whether nothing was written between the bytes asked for and the end of their page. Device memory
/// is open.
bool guard_is_whole(const char* base, const Mapping& mapping);
/// A live piece of device memory, from cudaMalloc.
struct Allocation {
  char* base = nullptr;  // null: the address lies in none
  std::size_t bytes = 0;
};
Allocation find_allocation(const void* address);
bool is_pinned(const void* address);
bool is_device(const void* address);
/// True if any stream is being captured.
bool capturing();

}  // namespace hanok::standin

struct CUstream_st {
  std::deque<hanok::standin::Operation> queue;
  std::unique_ptr<std::vector<hanok::standin::Operation>> capture;  // null: not capturing
  bool capture_broken = false;
  std::uint64_t received = 0;  // operations ever put on it
};
struct CUevent_st {
  std::shared_ptr<hanok::standin::EventState> state;
};
struct CUgraph_st {
  std::vector<hanok::standin::Operation> operations;
};
struct CUgraphExec_st {
  std::shared_ptr<const std::vector<hanok::standin::Operation>> operations;
};
