// Streams hold work until a call waits for it. The next stream to run is drawn from the seed, so
// that an order that nothing enforces is eventually violated; sometimes work also runs as soon as
// it is enqueued, so that code cannot rely on a delay.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "tests/cuda/standin/machine.h"

namespace hanok::standin {
namespace {

constexpr std::size_t kLongestQueue = 1024;  // beyond it the host waits, like for a GPU

void execute(Operation& operation) {
  Machine& m = machine();
  switch (operation.kind) {
    case Operation::Kind::WaitEvent:
      return;
    case Operation::Kind::RecordEvent:
      operation.event->completed = std::max(operation.event->completed, operation.event_number);
      return;
    case Operation::Kind::Work:
      break;
  }
  if (m.sticky != cudaSuccess) return;  // after an error nothing more runs
  ++m.counters.executed;
  try {
    operation.work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "stand-in: %s failed: %s\n", operation.name, error.what());
    m.sticky = m.last = cudaErrorLaunchFailure;
  }
}

/// Runs one operation of one stream; false if none can run.
bool run_one() {
  Machine& m = machine();
  std::vector<cudaStream_t> ready;
  for (const cudaStream_t stream : m.streams) {
    if (!stream->queue.empty() && stream->queue.front().ready()) ready.push_back(stream);
  }
  if (ready.empty()) return false;
  const cudaStream_t stream = ready[m.draw() % ready.size()];
  Operation operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  execute(operation);
  return true;
}

void put(cudaStream_t stream, Operation operation) {
  Machine& m = machine();
  if (stream == nullptr) {  // the default stream: after and before all others
    run_all();
    const bool was_open = machine().memory_open;
    open_memory(true);
    execute(operation);
    open_memory(was_open);
    return;
  }
  if (stream->capture != nullptr) {
    stream->capture->push_back(std::move(operation));
    return;
  }
  ++stream->received;
  if (operation.kind == Operation::Kind::RecordEvent) {
    operation.event->stream = stream;
    operation.event->behind = stream->received;
  }
  stream->queue.push_back(std::move(operation));
  if (stream->queue.size() > kLongestQueue) {
    run_until([&] { return stream->queue.size() < kLongestQueue / 2; });
  }
  constexpr std::uint64_t kOneIn = 16;
  if (m.draw() % kOneIn == 0) {
    std::size_t left = m.draw() % (2 * kOneIn);
    run_until([&] { return left-- == 0; });
  }
}

void put_work(cudaStream_t stream, const char* name, std::function<void()> work) {
  Operation operation;
  operation.name = name;
  operation.work = std::move(work);
  put(stream, std::move(operation));
}

/// A call that waits breaks a capture.
bool breaks_capture() {
  bool broken = false;
  for (const cudaStream_t stream : machine().streams) {
    if (stream->capture != nullptr) stream->capture_broken = broken = true;
  }
  return broken;
}

/// `drains`: nothing was enqueued behind the work that is waited for.
cudaError_t wait_for(const std::function<bool()>& done, bool drains) {
  Machine& m = machine();
  if (breaks_capture()) return m.result(cudaErrorStreamCaptureUnsupported);
  ++m.counters.synchronizations;
  if (drains) ++m.counters.drains;
  run_until(done);
  if (!done()) return m.result(cudaErrorUnknown);
  return m.result(cudaSuccess);
}

/// Pageable host memory is treated as pinned: CUDA has often finished with it when the call
/// returns, but does not guarantee it, and records such a copy with its addresses.
cudaError_t copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                 cudaStream_t stream) {
  Machine& m = machine();
  const bool from_device = is_device(from);
  const bool to_device = is_device(to);
  const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  if (bytes == 0) return m.result(cudaSuccess);
  if (kind != cudaMemcpyDefault && (from_device != wants_from || to_device != wants_to)) {
    return m.result(cudaErrorInvalidValue);
  }
  for (const void* end : {from, static_cast<const void*>(to)}) {
    const Allocation piece = find_allocation(end);
    if (piece.base != nullptr && static_cast<const char*>(end) + bytes > piece.base + piece.bytes) {
      return m.result(cudaErrorInvalidValue);
    }
  }
  ++m.counters.copies;
  const bool pageable_from = !from_device && !is_pinned(from);
  const bool pageable_to = !to_device && !is_pinned(to);
  if (pageable_from || pageable_to) ++m.counters.pageable_copies;
  put_work(stream, "copy", [to, from, bytes] { std::memmove(to, from, bytes); });
  return m.result(cudaSuccess);
}

}  // namespace

bool capturing() {
  const auto& streams = machine().streams;
  return std::any_of(streams.begin(), streams.end(),
                     [](cudaStream_t stream) { return stream->capture != nullptr; });
}

void run_until(const std::function<bool()>& done) {
  if (done()) return;
  const bool was_open = machine().memory_open;
  open_memory(true);
  while (!done() && run_one()) {
  }
  open_memory(was_open);
}

void run_all() {
  const auto& streams = machine().streams;
  run_until([&] {
    return std::all_of(streams.begin(), streams.end(),
                       [](cudaStream_t stream) { return stream->queue.empty(); });
  });
}

cudaError_t enqueue(cudaStream_t stream, const char* name, std::function<void()> work) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (m.sticky != cudaSuccess) return m.result(m.sticky);
  ++m.counters.launches;
  if (m.settings.fail_launch != 0 && m.counters.launches == m.settings.fail_launch) {
    work = [] { throw std::runtime_error("this launch was set to fail"); };
  }
  put_work(stream, name, std::move(work));
  return m.result(cudaSuccess);
}

}  // namespace hanok::standin

using namespace hanok::standin;  // NOLINT(google-build-using-namespace): CUDA's functions follow

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *stream = new CUstream_st();
  m.streams.push_back(*stream);
  return m.result(cudaSuccess);
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  run_all();
  const auto found = std::find(m.streams.begin(), m.streams.end(), stream);
  if (found == m.streams.end()) return m.result(cudaErrorInvalidResourceHandle);
  m.streams.erase(found);
  delete stream;
  return m.result(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (stream == nullptr) return cudaDeviceSynchronize();
  return wait_for([stream] { return stream->queue.empty(); }, true);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  return m.result(stream != nullptr && !stream->queue.empty() ? cudaErrorNotReady : cudaSuccess);
}

cudaError_t cudaDeviceSynchronize() {
  Machine& m = machine();
  const Lock lock(m.mutex);
  return wait_for(
      [&m] {
        return std::all_of(m.streams.begin(), m.streams.end(),
                           [](cudaStream_t stream) { return stream->queue.empty(); });
      },
      true);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const Lock lock(machine().mutex);
  *event = new CUevent_st{std::make_shared<EventState>()};
  return machine().result(cudaSuccess);
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  delete event;
  return machine().result(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  if (stream != nullptr && stream->capture != nullptr) {
    stream->capture_broken = true;  // forks are not part of the subset
    return machine().result(cudaErrorStreamCaptureUnsupported);
  }
  Operation operation;
  operation.name = "event";
  operation.kind = Operation::Kind::RecordEvent;
  operation.event = event->state;
  operation.event_number = ++event->state->recorded;
  put(stream, std::move(operation));
  return machine().result(cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(machine().mutex);
  if (stream != nullptr && stream->capture != nullptr) {
    stream->capture_broken = true;
    return machine().result(cudaErrorStreamCaptureUnsupported);
  }
  Operation operation;
  operation.name = "wait";
  operation.kind = Operation::Kind::WaitEvent;
  operation.event = event->state;
  operation.event_number = event->state->recorded;
  put(stream, std::move(operation));
  return machine().result(cudaSuccess);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  const std::shared_ptr<EventState> state = event->state;
  const bool last = state->stream != nullptr && state->stream->received == state->behind;
  return wait_for([&] { return state->completed >= state->recorded; }, last);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(machine().mutex);
  const bool done = event->state->completed >= event->state->recorded;
  return machine().result(done ? cudaSuccess : cudaErrorNotReady);
}

/// There is no meaningful time here: 0.01 to 1.01 ms, drawn from the seed. A choice based on it may
/// differ the next time, as on a GPU.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  const Lock lock(machine().mutex);
  *milliseconds = 0.01F + static_cast<float>(machine().draw() % 1000) / 1000;
  return machine().result(cudaSuccess);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Lock lock(machine().mutex);
  return copy(to, from, bytes, kind, stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const Lock lock(machine().mutex);
  if (breaks_capture()) return machine().result(cudaErrorStreamCaptureUnsupported);
  ++machine().counters.synchronizations;
  ++machine().counters.drains;
  return copy(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(machine().mutex);
  const Allocation piece = find_allocation(to);
  if (piece.base == nullptr || static_cast<char*>(to) + bytes > piece.base + piece.bytes) {
    return machine().result(bytes == 0 ? cudaSuccess : cudaErrorInvalidValue);
  }
  put_work(stream, "memset", [to, value, bytes] { std::memset(to, value, bytes); });
  return machine().result(cudaSuccess);
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  return cudaMemsetAsync(to, value, bytes, nullptr);
}

// ---- captured graphs ----

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (stream == nullptr || stream->capture != nullptr || !m.settings.graphs) {
    return m.result(cudaErrorStreamCaptureUnsupported);
  }
  stream->capture = std::make_unique<std::vector<Operation>>();
  stream->capture_broken = false;
  return m.result(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *graph = nullptr;
  if (stream == nullptr || stream->capture == nullptr) {
    return m.result(cudaErrorStreamCaptureUnmatched);
  }
  const std::unique_ptr<std::vector<Operation>> captured = std::move(stream->capture);
  if (stream->capture_broken) return m.result(cudaErrorStreamCaptureUnsupported);
  *graph = new CUgraph_st{std::move(*captured)};
  return m.result(cudaSuccess);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Lock lock(machine().mutex);
  *status = stream == nullptr || stream->capture == nullptr ? cudaStreamCaptureStatusNone
            : stream->capture_broken                        ? cudaStreamCaptureStatusInvalidated
                                                            : cudaStreamCaptureStatusActive;
  return machine().result(cudaSuccess);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  const Lock lock(machine().mutex);
  *exec = new CUgraphExec_st{std::make_shared<const std::vector<Operation>>(graph->operations)};
  return machine().result(cudaSuccess);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (m.sticky != cudaSuccess) return m.result(m.sticky);
  ++m.counters.graph_launches;
  for (const Operation& operation : *exec->operations) put(stream, operation);
  return m.result(cudaSuccess);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Lock lock(machine().mutex);
  delete graph;
  return machine().result(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  const Lock lock(machine().mutex);
  delete exec;
  return machine().result(cudaSuccess);
}
