// The three passes of every convolution of ResNet18 at 224 x 224, of 1x1 convolutions of ResNet50
// and MobileNetV2, and of MobileNetV2's depthwise convolutions. The depthwise ones are measured
// relative to memory bandwidth, counting each operand and result once. "GFLOP/s" counts the
// multiplications of the direct algorithm, so an algorithm that needs fewer can exceed 100% of the
// FMA peak.
#include <string>

#include "bench/bench_kernels/bench_context.h"
#include "bench/bench_kernels/conv2d_layers.h"
#include "bench/bench_kernels/roofline.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"

namespace hanok::bench {
namespace {

constexpr ConvLayer kResNet50[] = {
    {"resnet50.64-256", 64, 56, 256, 1, 1},    {"resnet50.256-64", 256, 56, 64, 1, 1},
    {"resnet50.512-128", 512, 28, 128, 1, 1},  {"resnet50.256-1024", 256, 14, 1024, 1, 1},
    {"resnet50.2048-512", 2048, 7, 512, 1, 1},
};

constexpr ConvLayer kMobileNetV2[] = {
    {"mobilenet_v2.stem", 3, 224, 32, 3, 2},
    {"mobilenet_v2.32-16", 32, 112, 16, 1, 1},
    {"mobilenet_v2.16-96", 16, 112, 96, 1, 1},
    {"mobilenet_v2.24-144", 24, 56, 144, 1, 1},
    {"mobilenet_v2.144-24", 144, 56, 24, 1, 1},
    {"mobilenet_v2.96-576", 96, 14, 576, 1, 1},
    {"mobilenet_v2.960-160", 960, 7, 160, 1, 1},
    {"mobilenet_v2.depthwise32", 32, 112, 32, 3, 1, 32},
    {"mobilenet_v2.depthwise96s2", 96, 112, 96, 3, 2, 96},
    {"mobilenet_v2.depthwise144", 144, 56, 144, 3, 1, 144},
    {"mobilenet_v2.depthwise192", 192, 28, 192, 3, 1, 192},
    {"mobilenet_v2.depthwise576", 576, 14, 576, 3, 1, 576},
    {"mobilenet_v2.depthwise960", 960, 7, 960, 3, 1, 960},
};

void conv2d(benchmark::State& state, Conv2dPass pass, const ConvLayer& layer, std::int64_t batch,
            int threads, Products products) {
  Conv2dShape shape = layer.shape(batch);
  shape.int16 = products == Products::Integers ? 1 : 0;
  const cpu::Isa isa = cpu::choose_isa();
  BenchContext context(threads);
  auto x = random_floats(shape.input_shape().numel(), 1);
  auto w = random_floats(shape.weight_shape().numel(), 2);
  auto y = random_floats(shape.output_shape().numel(), 3);
  const View x_view = view_of(x, shape.input_shape());
  const View w_view = view_of(w, shape.weight_shape());
  const View y_view = view_of(y, shape.output_shape());
  std::vector<float> mean_var(static_cast<std::size_t>(2 * shape.k));
  Epilogue epilogue;
  epilogue.bn_mean_var = view_of(mean_var, {2, shape.k});
  state.SetLabel(cpu::conv2d_algorithm(isa, pass, shape));
  const cpu::Call call{context.exec, isa};
  const auto work = [&] {
    switch (pass) {
      case Conv2dPass::Forward:  // as in training: packs the weights, computes moments
        return cpu::run(
            call, Conv2dForward{
                      .shape = shape, .x = x_view, .w = w_view, .epilogue = epilogue, .y = y_view});
      case Conv2dPass::BackwardData:
        return cpu::run(
            call, Conv2dBackwardData{.shape = shape, .dy = y_view, .w = w_view, .dx = x_view});
      case Conv2dPass::BackwardWeights:
        return cpu::run(
            call, Conv2dBackwardWeights{.shape = shape, .x = x_view, .dy = y_view, .dw = w_view});
    }
  };
  if (layer.groups == 1) {
    run_compute_bound(state, context.pool, shape.flop(), work, products);
  } else {
    const auto floats = shape.input_shape().numel() + shape.output_shape().numel();
    run_memory_bound(state, context.pool, 4.0 * static_cast<double>(floats), work);
  }
}

void register_case(Conv2dPass pass, const std::string& pass_name, const ConvLayer& layer,
                   std::int64_t batch, int threads, Products products = Products::Floats) {
  const std::string name = "Conv2d/" + pass_name + "/" + layer.name +
                           "/batch:" + std::to_string(batch) +
                           "/threads:" + std::to_string(threads);
  benchmark::RegisterBenchmark(
      name.c_str(),
      [=](benchmark::State& state) { conv2d(state, pass, layer, batch, threads, products); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const auto& [pass, pass_name] : kPasses) {
    for (const ConvLayer& layer : kResNet18) {
      for (const std::int64_t batch : {1, 16, 32}) {
        for (const int threads : {1, 2}) {
          if (pass != Conv2dPass::Forward && batch == 1) continue;
          if (threads == 1 && batch != 16) continue;
          register_case(pass, pass_name, layer, batch, threads);
        }
      }
      Conv2dShape integers = layer.shape(16);
      integers.int16 = 1;
      if (choose_conv2d(pass, integers) == choose_conv2d(pass, layer.shape(16))) continue;
      register_case(pass, std::string(pass_name) + "_int16", layer, 16, 2, Products::Integers);
    }
    for (const ConvLayer& layer : kResNet50) register_case(pass, pass_name, layer, 16, 2);
    for (const ConvLayer& layer : kMobileNetV2) register_case(pass, pass_name, layer, 16, 2);
  }
  return true;
}();

}  // namespace
}  // namespace hanok::bench
