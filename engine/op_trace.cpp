#include "hanok/engine/op_trace.h"

#include <array>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "hanok/engine/backend_front.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/content_hash.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/forwarding_backend.h"

namespace hanok {
namespace {

std::uint64_t hash_of(const ConstView& view, std::uint64_t before) {
  return content_hash(view.data, static_cast<std::size_t>(view.numel()) * size_of(view.dtype),
                      before);
}

std::uint64_t hash_of(const StridedConstView& view, std::uint64_t before) {
  const StridedLoop<1> loop(view.sizes, {view.strides});
  const std::size_t size = size_of(view.dtype);
  const auto* bytes = static_cast<const char*>(view.data);
  std::uint64_t hash = before;
  loop.for_rows(0, view.sizes.numel(), [&](const auto& offsets, std::int64_t length) {
    const std::int64_t step = loop.row_steps()[0];
    if (step == 1) {
      hash = content_hash(bytes + static_cast<std::size_t>(offsets[0]) * size,
                          static_cast<std::size_t>(length) * size, hash);
      return;
    }
    for (std::int64_t i = 0; i < length; ++i) {
      hash =
          content_hash(bytes + static_cast<std::size_t>(offsets[0] + i * step) * size, size, hash);
    }
  });
  return hash;
}

}  // namespace

/// Records every call.
class OpTrace::Recorder final : public ForwardingBackend<Recorder> {
 public:
  const std::vector<TracedOp>& ops() const { return ops_; }

  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    TracedOp traced{
        .kernel = Op::kName, .layer = LayerScope::current().layer, .pass = pass_of<Op>()};
    // Before the call: a kernel may compute in place.
    for_each_operand(op, [&](const auto& view, Access access, Elements) {
      if (access == Access::Read) traced.read = hash_of(view, traced.read);
    });
    inner().run(context, op);
    // Packed weights may have gaps that nobody writes or reads.
    if constexpr (!std::is_same_v<Op, Conv2dPack>) {
      for_each_operand(op, [&](const auto& view, Access access, Elements) {
        if (access != Access::Read) traced.written = hash_of(view, traced.written);
      });
    }
    const std::lock_guard lock(mutex_);
    ops_.push_back(traced);
  }

 private:
  std::mutex mutex_;  // guards ops_
  std::vector<TracedOp> ops_;
};

OpTrace::OpTrace(Device device) : device_(device) {
  if (!device.is_cpu()) {
    throw DeviceError("op trace: reads results on the CPU only, not on " + device.to_string());
  }
  recorder_ = install_front(device, std::make_unique<Recorder>());
}

OpTrace::~OpTrace() { remove_front(device_, recorder_); }

const std::vector<TracedOp>& OpTrace::ops() const { return recorder_->ops(); }

}  // namespace hanok
