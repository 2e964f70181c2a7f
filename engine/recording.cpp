#include "hanok/engine/recording.h"

#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

thread_local bool recording_here = false;

/// Between begin_capture() and end_capture(), which must follow whatever happens.
class Capture {
 public:
  explicit Capture(int device) : device_(device) {
    cuda_runtime()->begin_capture(device_);
    recording_here = true;
  }
  ~Capture() {
    if (!recording_here) return;
    recording_here = false;
    try {
      cuda_runtime()->end_capture(device_);
    } catch (const Error&) {
      // The caller already gets the exception of the body.
    }
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  std::unique_ptr<CudaGraph> end() {
    recording_here = false;
    return cuda_runtime()->end_capture(device_);
  }

 private:
  int device_;
};

}  // namespace

Recording::Recording(Device device, const std::function<void()>& body)
    : pool_(allocator_of(device)), workspace_(make_workspace(device)) {
  require_cuda(device);
  if (recording_here) throw ValueError("Recording: this thread is recording already");
  Generator::global().position(device);  // a recorded op reads it from there
  const MemoryPool::Scope from_pool(pool_);
  const OwnWorkspace own(device, *workspace_);
  Capture capture(device.index);
  body();
  graph_ = capture.end();
}

Recording::~Recording() = default;

void Recording::replay() { graph_->replay(); }

bool Recording::under_way() { return recording_here; }

}  // namespace hanok
