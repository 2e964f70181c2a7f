// The CUDA backend's kernels on the device, named "cuda/...": GB/s and per cent of the device's
// bandwidth, TFLOP/s and per cent of its tensor cores' peak. Registered only if there is a device;
// HANOK_BENCH_SIZE=small shrinks the shapes for a smoke test. Two ceilings are reported: "%copy" is
// relative to the best device-to-device copy measured in this run; "%nominal" is relative to the
// data sheet, for devices in kDataSheets.
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench_kernels/conv2d_layers.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda_runtime.h"

namespace hanok::bench {
namespace {

constexpr Device kDevice = Device::cuda(0);

// NVIDIA's data sheets: bytes/s, and dense FLOP/s in TF32 (the upper limit for an f32 product).
struct DataSheet {
  const char* name;
  double bandwidth, tf32;
};
constexpr DataSheet kDataSheets[] = {{"H100 80GB HBM3", 3.35e12, 495e12},
                                     {"H100 PCIe", 2.0e12, 378e12},
                                     {"H200", 4.8e12, 495e12},
                                     {"A100-SXM4-80GB", 2.04e12, 156e12},
                                     {"A100-SXM4-40GB", 1.56e12, 156e12},
                                     {"L4", 0.30e12, 60e12},
                                     {"RTX 4090", 1.01e12, 82.6e12}};

bool small() {
  const char* size = std::getenv("HANOK_BENCH_SIZE");
  return size != nullptr && std::string(size) == "small";
}

const DataSheet* data_sheet() {
  static const std::string name = cuda_runtime()->devices().at(0).name;
  for (const DataSheet& sheet : kDataSheets) {
    if (name.find(sheet.name) != std::string::npos) return &sheet;
  }
  return nullptr;
}

/// Seconds per call, from `calls` of them between two synchronisations.
double seconds_a_call(int calls, const std::function<void()>& work) {
  const auto synchronize = [] { cuda_runtime()->synchronize(0, CudaRuntime::Stream::Compute); };
  synchronize();
  const auto begin = std::chrono::steady_clock::now();
  for (int call = 0; call < calls; ++call) work();
  synchronize();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / calls;
}

Tensor operand(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return random_normal(shape, 0, 1, generator).to(kDevice);
}

/// Best rate of copying device memory, counting reads and writes.
double copy_bandwidth() {
  static const double best = [] {
    const std::size_t bytes = small() ? std::size_t{1} << 20 : std::size_t{1} << 30;
    const Tensor from =
        Tensor::zeros({static_cast<std::int64_t>(bytes / 4)}, {DType::F32, kDevice});
    Tensor to = Tensor::empty(from.shape(), {DType::F32, kDevice});
    double rate = 0;
    for (int run = 0; run < 5; ++run) {
      rate = std::max(rate, 2.0 * static_cast<double>(bytes) / seconds_a_call(4, [&] {
                              cuda_runtime()->copy(0, CudaRuntime::Stream::Compute,
                                                   CudaRuntime::Copy::DeviceToDevice,
                                                   to.mutable_view().data, from.view().data, bytes);
                            }));
    }
    return rate;
  }();
  return best;
}

struct Work {
  double bytes = 0, flop = 0;
  std::function<void(Backend&, ExecContext&)> run;
};

void measure(benchmark::State& state, const Work& work) {
  const auto call = [&] { work.run(backend_of(kDevice), context_of(kDevice)); };
  const int calls = small() ? 1 : 20;
  seconds_a_call(1, call);  // selects and loads kernels
  double best = 1e30;
  for (auto _ : state) {
    const double seconds = seconds_a_call(calls, call);
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
  }
  const DataSheet* sheet = data_sheet();
  if (work.bytes > 0) {
    state.counters["GB/s"] = work.bytes / best / 1e9;
    state.counters["%copy"] = 100 * work.bytes / best / copy_bandwidth();
    if (sheet != nullptr) state.counters["%nominal"] = 100 * work.bytes / best / sheet->bandwidth;
  }
  if (work.flop > 0) {
    state.counters["TFLOP/s"] = work.flop / best / 1e12;
    if (sheet != nullptr) state.counters["%nominal_tf32"] = 100 * work.flop / best / sheet->tf32;
  }
}

void add(const std::string& name, const std::function<Work()>& make) {
  benchmark::RegisterBenchmark(("cuda/" + name).c_str(),
                               [make](benchmark::State& state) { measure(state, make()); })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

StridedConstView strided(const Tensor& tensor) {
  const Shape sizes = physical_shape(tensor.shape());
  return {tensor.view().data, DType::F32, sizes, row_major_strides(sizes)};
}

// Activations of ResNet18's layer1 at batch 256: 206 MB, far beyond the L2 cache.
Shape activation() { return small() ? Shape{2, 64, 8, 8} : Shape{256, 64, 56, 56}; }

double bytes_of(const Shape& shape, int tensors) {
  return 4.0 * static_cast<double>(shape.numel()) * tensors;
}

void add_memory_bound() {
  add("unary/relu", [] {
    Tensor x = operand(activation(), 1), y = operand(activation(), 2);
    return Work{bytes_of(x.shape(), 2), 0, [=](Backend& b, ExecContext& c) mutable {
                  b.run(c, Unary{UnaryOp::Relu, {}, x.view(), y.mutable_view()});
                }};
  });
  add("binary/add", [] {
    Tensor x = operand(activation(), 1), y = operand(activation(), 2), z = operand(activation(), 3);
    return Work{bytes_of(x.shape(), 3), 0, [=](Backend& b, ExecContext& c) mutable {
                  b.run(c, Binary{BinaryOp::Add, strided(x), strided(y), z.mutable_view()});
                }};
  });
  add("reduce/to_channels", [] {
    Tensor x = operand(activation(), 1), sums = operand({activation()[1]}, 2);
    return Work{bytes_of(x.shape(), 1), 0, [=](Backend& b, ExecContext& c) mutable {
                  b.run(c, Reduce{ReduceOp::Sum, strided(x), 0b0111U, sums.mutable_view()});
                }};
  });
  add("batch_norm/statistics", [] {
    Tensor x = operand(activation(), 1), moments = operand({2, activation()[1]}, 2);
    return Work{bytes_of(x.shape(), 1), 0, [=](Backend& b, ExecContext& c) mutable {
                  const std::int64_t channels = x.size(1);
                  b.run(c, BatchNormStatistics{x.view(), x.numel() / channels, channels,
                                               moments.mutable_view()});
                }};
  });
  add("batch_norm/apply_relu_add", [] {
    Tensor x = operand(activation(), 1), residual = operand(activation(), 2),
           y = operand(activation(), 3), channel = operand({activation()[1]}, 4);
    return Work{bytes_of(x.shape(), 3), 0, [=](Backend& b, ExecContext& c) mutable {
                  BatchNormApply apply;
                  apply.x = x.view();
                  apply.mean = apply.invstd = apply.gamma = apply.beta = channel.view();
                  apply.residual = residual.view();
                  apply.activation = Activation::Relu;
                  apply.y = y.mutable_view();
                  b.run(c, apply);
                }};
  });
  add("batch_norm/backward_relu", [] {  // two sweeps: the sums, then dx
    Tensor x = operand(activation(), 1), y = operand(activation(), 2),
           dy = operand(activation(), 3), dx = operand(activation(), 4),
           channel = operand({activation()[1]}, 5), dgamma = operand({activation()[1]}, 6),
           dbeta = operand({activation()[1]}, 7);
    return Work{bytes_of(x.shape(), 7), 0, [=](Backend& b, ExecContext& c) mutable {
                  BatchNormBackward backward;
                  backward.x = x.view();
                  backward.y = y.view();
                  backward.dy = dy.view();
                  backward.mean = backward.invstd = backward.gamma = channel.view();
                  backward.activation = Activation::Relu;
                  backward.dx = dx.mutable_view();
                  backward.dgamma = dgamma.mutable_view();
                  backward.dbeta = dbeta.mutable_view();
                  b.run(c, backward);
                }};
  });
  add("adam_step", [] {  // ResNet18's 11.7 million parameters in one tensor
    const Shape shape{small() ? 1000 : 11'700'000};
    Tensor p = operand(shape, 1), g = operand(shape, 2), m = operand(shape, 3),
           v = Tensor::ones(shape, {DType::F32, kDevice});
    Tensor rate = Tensor::full({1}, 1e-3, {DType::F32, kDevice});
    Tensor step = Tensor::ones({1}, {DType::I64, kDevice});
    return Work{bytes_of(shape, 7), 0, [=](Backend& b, ExecContext& c) mutable {
                  AdamStep adam;
                  adam.learning_rate = rate.view();
                  adam.step = step.view();
                  adam.decoupled = true;
                  adam.slots = {{p.mutable_view(), g.view(), m.mutable_view(), v.mutable_view()}};
                  b.run(c, adam);
                }};
  });
}

void add_gemm(std::int64_t size) {
  if (small()) size = 32;
  add("gemm/" + std::to_string(size), [size] {
    Tensor a = operand({size, size}, 1), b = operand({size, size}, 2), c = operand({size, size}, 3);
    const double flop = 2.0 * static_cast<double>(size * size * size);
    return Work{0, flop, [=](Backend& backend, ExecContext& context) mutable {
                  GemmShape shape;
                  shape.m = shape.n = shape.k = shape.lda = shape.ldb = shape.ldc = size;
                  backend.run(context, Gemm{shape, a.view(), b.view(), {}, c.mutable_view()});
                }};
  });
}

Work convolution(Conv2dPass pass, ConvLayer layer) {
  if (small()) layer.size = std::min<std::int64_t>(layer.size, 8);
  const Conv2dShape shape = layer.shape(small() ? 1 : 64);
  Tensor x = operand(shape.input_shape(), 1), w = operand(shape.weight_shape(), 2),
         y = operand(shape.output_shape(), 3), moments = operand({2, shape.k}, 4);
  return {0, shape.flop(), [=](Backend& b, ExecContext& c) mutable {
            Epilogue epilogue;
            switch (pass) {
              case Conv2dPass::Forward:
                epilogue.bn_mean_var = moments.mutable_view();
                return b.run(c, Conv2dForward{shape, x.view(), w.view(), nullptr, epilogue,
                                              y.mutable_view()});
              case Conv2dPass::BackwardData:
                return b.run(
                    c, Conv2dBackwardData{shape, y.view(), w.view(), nullptr, x.mutable_view()});
              case Conv2dPass::BackwardWeights:
                return b.run(c, Conv2dBackwardWeights{shape, x.view(), y.view(), w.mutable_view()});
            }
          }};
}

bool has_device() {
  if (cuda_runtime() == nullptr) return false;
  try {
    return !cuda_runtime()->devices().empty();
  } catch (const Error&) {
    return false;
  }
}

[[maybe_unused]] const bool kRegistered = [] {
  if (!has_device()) return false;
  add_memory_bound();
  for (const std::int64_t size : {512, 2048, 8192}) add_gemm(size);
  for (const auto& [pass, name] : kPasses) {
    for (const ConvLayer& layer : kResNet18) {
      add("conv2d/" + std::string(name) + "/" + layer.name,
          [pass = pass, layer] { return convolution(pass, layer); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace hanok::bench
