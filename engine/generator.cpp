#include "engine/generator.h"

#include "engine/device_copy.h"
#include "engine/runtime.h"

namespace hanok {

void Generator::set_seed(std::uint64_t seed) {
  seed_ = seed;
  epoch_ = 0;
  step_ = 0;
  draws_.fill(0);
  epoch_step_ = Tensor();
}

void Generator::begin_step(std::int64_t epoch, std::int64_t step) {
  epoch_ = epoch;
  step_ = step;
  const std::uint32_t init_draws = draws_[static_cast<std::size_t>(RandomStream::Init)];
  draws_.fill(0);
  draws_[static_cast<std::size_t>(RandomStream::Init)] = init_draws;
  if (epoch_step_.defined() && !epoch_step_.device().is_cpu()) {
    // In place: a captured step reads its position from where it lay at the capture.
    const std::vector<std::int64_t> position{epoch, step};
    copy_bytes(epoch_step_.device(), epoch_step_.mutable_view().data, Device::cpu(),
               position.data(), position.size() * sizeof(std::int64_t));
  } else {
    epoch_step_ = Tensor();
  }
}

RandomCall Generator::next(RandomStream stream, Device device) {
  Tensor& position = stream == RandomStream::Init ? origin_ : epoch_step_;
  if (!position.defined() || position.device() != device) {
    const bool at_origin = stream == RandomStream::Init;
    position = Tensor::from_vector(
                   std::vector<std::int64_t>{at_origin ? 0 : epoch_, at_origin ? 0 : step_}, {2})
                   .to(device);
  }
  const std::uint32_t draw = draws_[static_cast<std::size_t>(stream)]++;
  return {philox_key(seed_, stream), position.view(), draw};
}

Generator& Generator::global() {
  static Generator generator;
  return generator;
}

namespace {

/// Fills row-major, so that values follow the logical index, then brings them into memory order.
template <typename Fill>
Tensor filled(const Shape& shape, const Fill& fill) {
  Tensor flat = Tensor::empty({shape.numel()});
  fill(flat.mutable_view());
  if (shape.rank() != 4) return Tensor::wrap(flat.storage(), 0, shape, DType::F32);
  Tensor result = Tensor::empty(shape);
  const Strides strides = dense_strides(shape);
  backend_of(Device::cpu())
      .strided_copy(context_of(Device::cpu()),
                    {result.mutable_view().data, DType::F32, shape, strides},
                    {flat.view().data, DType::F32, shape, row_major_strides(shape)});
  return result;
}

}  // namespace

Tensor random_uniform(const Shape& shape, float low, float high, Generator& generator) {
  const RandomCall call = generator.next(RandomStream::Init, Device::cpu());
  return filled(shape, [&](View out) {
    backend_of(Device::cpu()).random_uniform(context_of(Device::cpu()), call, low, high, out);
  });
}

Tensor random_normal(const Shape& shape, float mean, float stddev, Generator& generator) {
  const RandomCall call = generator.next(RandomStream::Init, Device::cpu());
  return filled(shape, [&](View out) {
    backend_of(Device::cpu()).random_normal(context_of(Device::cpu()), call, mean, stddev, out);
  });
}

}  // namespace hanok
