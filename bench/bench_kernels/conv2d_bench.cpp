// The three passes of every convolution of ResNet18 at 224 x 224.
//
// "GFLOP/s" counts the multiplications of the direct algorithm, so that an algorithm that needs
// fewer can pass 100% of the FMA peak.
#include <string>

#include "bench/bench_kernels/bench_context.h"
#include "bench/bench_kernels/roofline.h"
#include "kernels/cpu/conv2d.h"

namespace hanok::bench {
namespace {

struct Layer {
  const char* name;
  std::int64_t c, size, k, kernel, stride;
};

constexpr Layer kResNet18[] = {
    {"stem", 3, 224, 64, 7, 2},           {"layer1.3x3", 64, 56, 64, 3, 1},
    {"layer2.3x3s2", 64, 56, 128, 3, 2},  {"layer2.down", 64, 56, 128, 1, 2},
    {"layer2.3x3", 128, 28, 128, 3, 1},   {"layer3.3x3s2", 128, 28, 256, 3, 2},
    {"layer3.down", 128, 28, 256, 1, 2},  {"layer3.3x3", 256, 14, 256, 3, 1},
    {"layer4.3x3s2", 256, 14, 512, 3, 2}, {"layer4.down", 256, 14, 512, 1, 2},
    {"layer4.3x3", 512, 7, 512, 3, 1},
};

Conv2dShape shape_of(const Layer& layer, std::int64_t batch) {
  const std::int64_t pad = layer.kernel / 2;
  return {batch,        layer.c, layer.size,
          layer.size,   layer.k, layer.kernel,
          layer.kernel, 1,       {layer.stride, layer.stride, pad, pad, 1, 1}};
}

void conv2d(benchmark::State& state, Conv2dPass pass, const Layer& layer, std::int64_t batch,
            int threads) {
  const Conv2dShape shape = shape_of(layer, batch);
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
  run_compute_bound(state, context.pool, shape.flop(), [&] {
    switch (pass) {
      case Conv2dPass::Forward:  // as in training: weights are packed, moments computed
        return cpu::conv2d_forward(context.exec, isa, shape, x_view, w_view, nullptr, epilogue,
                                   y_view);
      case Conv2dPass::BackwardData:
        return cpu::conv2d_backward_data(context.exec, isa, shape, y_view, w_view, nullptr, x_view);
      case Conv2dPass::BackwardWeights:
        return cpu::conv2d_backward_weights(context.exec, isa, shape, x_view, y_view, w_view);
    }
  });
}

[[maybe_unused]] const bool kRegistered = [] {
  const std::pair<Conv2dPass, const char*> passes[] = {
      {Conv2dPass::Forward, "forward"},
      {Conv2dPass::BackwardData, "backward_data"},
      {Conv2dPass::BackwardWeights, "backward_weights"}};
  for (const auto& [pass, pass_name] : passes) {
    for (const Layer& layer : kResNet18) {
      for (const std::int64_t batch : {1, 16, 32}) {
        for (const int threads : {1, 2}) {
          if (pass != Conv2dPass::Forward && batch == 1) continue;
          if (threads == 1 && batch != 16) continue;
          const std::string name = std::string("Conv2d/") + pass_name + "/" + layer.name +
                                   "/batch:" + std::to_string(batch) +
                                   "/threads:" + std::to_string(threads);
          benchmark::RegisterBenchmark(
              name.c_str(),
              [pass_ = pass, layer, batch, threads](benchmark::State& state) {
                conv2d(state, pass_, layer, batch, threads);
              })
              ->UseRealTime()
              ->Unit(benchmark::kMicrosecond);
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace hanok::bench
