#include "hanok/engine/profiler.h"

#include <chrono>
#include <mutex>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/backend_front.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/forwarding_backend.h"

namespace hanok {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

const char* name_of(KernelCall::Pass pass) {
  switch (pass) {
    case KernelCall::Pass::Backward:
      return "backward";
    case KernelCall::Pass::Update:
      return "update";
    default:
      return "forward";
  }
}

/// Records every call.
class Profiler::Recorder final : public ForwardingBackend<Recorder> {
 public:
  double now() const { return std::chrono::duration<double>(Clock::now() - origin_).count(); }
  const std::vector<KernelCall>& calls() const { return calls_; }
  void set_recording(bool on) {
    const std::lock_guard lock(mutex_);
    recording_ = on;
  }

  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    const double start = now();
    inner().run(context, op);
    const double seconds = now() - start;
    const std::lock_guard lock(mutex_);
    if (!recording_) return;
    KernelCall call;
    call.kernel = Op::kName;
    call.start = start;
    call.seconds = seconds;
    call.flop = op.flop();
    call.bytes = traffic_of(op, inner());
    call.shape = op.shape_text();
    call.variant = variant_of(op, inner());
    call.pass = pass_of<Op>();
    record(std::move(call));
  }

 private:
  /// Adds where the call came from and what memory holds now. With mutex_ held.
  void record(KernelCall call) {
    call.layer = LayerScope::current().layer;
    call.memory = allocator_of(device()).statistics().in_use_by_tag;
    calls_.push_back(std::move(call));
  }

  const Clock::time_point origin_ = Clock::now();
  std::mutex mutex_;  // guards what follows
  bool recording_ = true;
  std::vector<KernelCall> calls_;
};

Profiler::Profiler(Device device)
    : device_(device), recorder_(install_front(device, std::make_unique<Recorder>())) {}

Profiler::~Profiler() { remove_front(device_, recorder_); }

void Profiler::set_recording(bool on) { recorder_->set_recording(on); }
double Profiler::now() const { return recorder_->now(); }
const std::vector<KernelCall>& Profiler::calls() const { return recorder_->calls(); }

}  // namespace hanok
