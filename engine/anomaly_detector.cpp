#include "hanok/engine/anomaly_detector.h"

#include <bit>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "hanok/engine/backend_front.h"
#include "hanok/engine/layer_scope.h"
#include "hanok/kernels/base/half.h"
#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/forwarding_backend.h"

namespace hanok {
namespace {

thread_local bool checks_here = false;

using Operand = Anomaly::Operand;

/// By bits: comparisons of NaN are what compilers disagree about.
bool is_finite(float value) {
  return (std::bit_cast<std::uint32_t>(value) & 0x7f800000U) != 0x7f800000U;
}
bool is_finite(BF16 value) { return (value.bits & 0x7f80U) != 0x7f80U; }
bool is_finite(F16 value) { return (value.bits & 0x7c00U) != 0x7c00U; }

double as_double(float value) { return value; }
double as_double(BF16 value) { return to_float(value); }
double as_double(F16 value) { return to_float(value); }

template <typename T>
void count_in_row(const T* values, std::int64_t step, std::int64_t length, Operand& found) {
  for (std::int64_t i = 0; i < length; ++i) {
    const T value = values[i * step];
    if (is_finite(value)) continue;
    if (found.count == 0) found.first = as_double(value);
    ++found.count;
  }
}

/// `row(first, step, length)` for the rows of a view.
template <typename T, typename Row>
void for_each_row(const ConstView& view, const Row& row) {
  row(view.as<T>(), 1, view.numel());
}
template <typename T, typename Row>
void for_each_row(const StridedConstView& view, const Row& row) {
  const StridedLoop<1> loop(view.sizes, {view.strides});
  loop.for_rows(0, view.sizes.numel(), [&](const auto& offsets, std::int64_t length) {
    row(static_cast<const T*>(view.data) + offsets[0], loop.row_steps()[0], length);
  });
}

const Shape& shape_of(const ConstView& view) { return view.shape; }
const Shape& shape_of(const StridedConstView& view) { return view.sizes; }

template <typename T, typename SomeView>
Operand count_of_type(const SomeView& view) {
  Operand found{.data = view.data, .shape = shape_of(view)};
  for_each_row<T>(view, [&](const T* values, std::int64_t step, std::int64_t length) {
    count_in_row(values, step, length, found);
  });
  return found;
}

/// What is not finite in a view; empty if there is nothing.
template <typename SomeView>
std::optional<Operand> not_finite_in(const SomeView& view) {
  Operand found;
  switch (view.dtype) {
    case DType::F32:
      found = count_of_type<float>(view);
      break;
    case DType::F16:
      found = count_of_type<F16>(view);
      break;
    case DType::BF16:
      found = count_of_type<BF16>(view);
      break;
    default:
      return {};
  }
  if (found.count == 0) return {};
  return found;
}

std::optional<Operand> not_finite(const ConstView& view) { return not_finite_in(view); }
std::optional<Operand> not_finite(const StridedConstView& view) { return not_finite_in(view); }

}  // namespace

std::string describe(const Anomaly& anomaly) {
  std::string text = anomaly.kernel;
  if (!anomaly.variant.empty()) text += fmt::format(" ({})", anomaly.variant);
  return fmt::format("{} {}: {} of {} values of its result {} are not finite, the first is {}",
                     text, anomaly.shape, anomaly.made.count, anomaly.made.shape.numel(),
                     anomaly.made.shape.to_string(), anomaly.made.first);
}

AnomalyError::AnomalyError(Anomaly anomaly)
    : Error(describe(anomaly)), anomaly_(std::move(anomaly)) {}

/// Checks what every call wrote.
class AnomalyDetector::Checker final : public ForwardingBackend<Checker> {
 public:
  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    inner().run(context, op);
    // Packed weights have no shape of their own; the convolution that reads them is checked.
    if constexpr (!std::is_same_v<Op, Conv2dPack>) {
      if (checks_here) check(op);
    }
  }

 private:
  template <Primitive Op>
  void check(const Op& op) const {
    std::optional<Operand> made;
    for_each_operand(op, [&](const auto& view, Access access, Elements) {
      if (access == Access::Read) return;
      // The main result, not the sums that a convolution makes of it on the way.
      auto found = not_finite(view);
      if (found && (!made || found->shape.numel() > made->shape.numel())) made = std::move(found);
    });
    if (!made) return;
    Anomaly anomaly{.kernel = Op::kName,
                    .variant = variant_of(op, inner()),
                    .shape = op.shape_text(),
                    .layer = LayerScope::current().layer,
                    .pass = pass_of<Op>(),
                    .made = *made};
    for_each_operand(op, [&](const auto& view, Access access, Elements) {
      if (access != Access::Read || view.data == made->data) return;
      if (auto given = not_finite(view)) anomaly.given.push_back(*std::move(given));
    });
    throw AnomalyError(std::move(anomaly));
  }
};

AnomalyDetector::AnomalyDetector(Device device) : device_(device) {
  if (!device.is_cpu()) {
    throw DeviceError("anomaly detector: reads results on the CPU only, not on " +
                      device.to_string());
  }
  checker_ = install_front(device, std::make_unique<Checker>());
}

AnomalyDetector::~AnomalyDetector() { remove_front(device_, checker_); }

AnomalyDetector::Scope::Scope(AnomalyDetector* detector) : saved_(checks_here) {
  checks_here = detector != nullptr;
}
AnomalyDetector::Scope::~Scope() { checks_here = saved_; }

}  // namespace hanok
