#include "hanok/engine/generator.h"

#include <utility>

#include "hanok/engine/runtime.h"

namespace hanok {

namespace {

/// The numbers are passed as kernel arguments: no synchronisation, and no host memory to keep
/// alive.
void write_position(Tensor& position, std::int64_t epoch, std::int64_t step) {
  const Device device = position.device();
  auto* numbers = static_cast<std::int64_t*>(position.mutable_view().data);
  run_on(device, Fill{{numbers, DType::I64, Shape{1}}, static_cast<double>(epoch)});
  run_on(device, Fill{{numbers + 1, DType::I64, Shape{1}}, static_cast<double>(step)});
}

}  // namespace

void Generator::set_seed(std::uint64_t seed) {
  seed_ = seed;
  draws_.fill(0);
  begin_step(0, 0);
}

void Generator::begin_step(std::int64_t epoch, std::int64_t step) {
  epoch_ = epoch;
  step_ = step;
  const std::uint32_t init_draws = draws_[static_cast<std::size_t>(RandomStream::Init)];
  draws_.fill(0);
  draws_[static_cast<std::size_t>(RandomStream::Init)] = init_draws;
  for (Tensor& position : positions_) write_position(position, epoch, step);
}

Tensor Generator::position(Device device) {
  for (const Tensor& position : positions_) {
    if (position.device() == device) return position;
  }
  Tensor position = Tensor::empty({2}, {DType::I64, device});
  write_position(position, epoch_, step_);
  return positions_.emplace_back(std::move(position));
}

RandomCall Generator::next(RandomStream stream, Device device) {
  const std::uint32_t draw = draws_[static_cast<std::size_t>(stream)]++;
  const PhiloxKey key = philox_key(seed_, stream);
  if (stream != RandomStream::Init) return {key, position(device).view(), draw};
  if (!origin_.defined() || origin_.device() != device) {
    origin_ = Tensor::zeros({2}, {DType::I64, device});
  }
  return {key, origin_.view(), draw};
}

Generator& Generator::global() {
  static Generator generator;
  return generator;
}

namespace {

/// Fills in row-major order, so that values follow the logical index, then converts to memory
/// order.
template <typename Fill>
Tensor filled(const Shape& shape, const Fill& fill) {
  Tensor flat = Tensor::empty({shape.numel()});
  fill(flat.mutable_view());
  if (shape.rank() != 4) return Tensor::wrap(flat.storage(), 0, shape, DType::F32);
  Tensor result = Tensor::empty(shape);
  const Strides strides = dense_strides(shape);
  run_on(Device::cpu(),
         StridedCopy{{result.mutable_view().data, DType::F32, shape, strides},
                     {flat.view().data, DType::F32, shape, row_major_strides(shape)}});
  return result;
}

}  // namespace

Tensor random_uniform(const Shape& shape, float low, float high, Generator& generator) {
  const RandomCall call = generator.next(RandomStream::Init, Device::cpu());
  return filled(shape, [&](View out) {
    run_on(Device::cpu(), RandomUniform{.call = call, .low = low, .high = high, .out = out});
  });
}

Tensor random_normal(const Shape& shape, float mean, float stddev, Generator& generator) {
  const RandomCall call = generator.next(RandomStream::Init, Device::cpu());
  return filled(shape, [&](View out) {
    run_on(Device::cpu(), RandomNormal{.call = call, .mean = mean, .stddev = stddev, .out = out});
  });
}

}  // namespace hanok
