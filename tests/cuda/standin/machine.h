// The state behind the stand-in's runtime API. One lock guards all of it; work runs with the lock
// held.
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
  std::uint64_t recorded = 0;     // number of cudaEventRecord calls
  std::uint64_t completed = 0;    // how many of these the stream has completed
  cudaStream_t stream = nullptr;  // the stream of the last one
  std::uint64_t behind = 0;       // number of that stream's operations by then
};

/// One entry of a stream: work, a wait for an event, or an event.
struct Operation {
  const char* name = "";
  std::function<void()> work;
  std::shared_ptr<EventState> event;
  std::uint64_t event_number = 0;
  enum class Kind { Work, WaitEvent, RecordEvent } kind = Kind::Work;

  bool ready() const { return kind != Kind::WaitEvent || event->completed >= event_number; }
};

struct Mapping {
  std::size_t bytes = 0;   // requested
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
  bool memory_open = false;   // device memory is accessible: work is running ...
  pthread_t worker{};         // ... in this thread
  std::vector<char*> opened;  // pieces of device memory that are now accessible
  std::size_t opened_bytes = 0;
  std::uint64_t left_open = 0;  // how often they were left open
  int device = 0;               // current one
  cudaError_t last = cudaSuccess;
  cudaError_t sticky = cudaSuccess;  // after a failed launch everything fails

  Machine();
  /// Sets the error for cudaGetLastError.
  cudaError_t result(cudaError_t error);
  std::uint64_t draw();
};
Machine& machine();
using Lock = std::lock_guard<std::recursive_mutex>;

/// Enqueues work on a stream (null: the default stream, which synchronises with all others), like a
/// launch: it runs later, when a call waits for it. While the stream is being captured, it is
/// recorded and runs at every replay. `name` must remain valid. An exception of `work` is the error
/// of all later calls.
cudaError_t enqueue(cudaStream_t stream, const char* name, std::function<void()> work);

/// Runs the streams' first operations, selected by draw(), until done() holds.
void run_until(const std::function<bool()>& done);
void run_all();
/// Allows or forbids this thread to access device memory.
void open_memory(bool open);
/// Called before the first allocation: afterwards accesses to closed pieces are checked.
void handle_faults();
/// The number of pieces of that much device memory.
std::size_t pieces_of(std::size_t bytes);
/// Removes the mapping.
void forget_pieces(char* base, const Mapping& mapping);
/// Whether nothing was written between the requested bytes and the end of their page. Device memory
/// must be open.
bool guard_is_whole(const char* base, const Mapping& mapping);
/// A live allocation of device memory, from cudaMalloc.
struct Allocation {
  char* base = nullptr;  // null: the address is in none
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
  std::uint64_t received = 0;  // operations enqueued so far
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
