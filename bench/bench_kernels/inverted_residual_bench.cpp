// MobileNetV2's blocks at 224 x 224 in evaluation, each as one kernel ("fused") and as separate
// convolutions ("layers"), with packed weights and all epilogues.
#include <memory>
#include <string>

#include "bench/bench_kernels/bench_context.h"
#include "bench/bench_kernels/roofline.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "hanok/kernels/cpu/conv2d/inverted_residual.h"

namespace hanok::bench {
namespace {

struct Block {
  std::int64_t c, size, hidden, k, stride;
};

constexpr Block kMobileNetV2[] = {{32, 112, 32, 16, 1},  {16, 112, 96, 24, 2}, {24, 56, 144, 24, 1},
                                  {32, 28, 192, 32, 1},  {64, 14, 384, 64, 1}, {96, 14, 576, 96, 1},
                                  {96, 14, 576, 160, 2}, {160, 7, 960, 160, 1}};

// The operands of a block; for each convolution packed weights, scale and shift.
struct Layer {
  Conv2dShape shape;
  std::vector<float> w, packed, scale, shift;
  Epilogue epilogue;

  Layer(const Conv2dShape& s, ExecContext& context, Activation activation) : shape(s) {
    const cpu::Isa isa = cpu::choose_isa();
    w = random_floats(s.weight_shape().numel(), 1);
    packed.resize(cpu::conv2d_packed_bytes(isa, Conv2dPass::Forward, s) / sizeof(float));
    cpu::run({context, isa}, Conv2dPack{.pass = Conv2dPass::Forward,
                                        .shape = s,
                                        .w = view_of(w, s.weight_shape()),
                                        .packed = packed.data()});
    scale = random_floats(s.k, 2);
    shift = random_floats(s.k, 3);
    epilogue.scale = view_of(scale, {s.k});
    epilogue.shift = view_of(shift, {s.k});
    epilogue.activation = activation;
  }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  FusedConvolution fused() const {
    return {view_of(w, shape.weight_shape()), packed.data(), epilogue};
  }
};

void run_block(benchmark::State& state, const Block& block, std::int64_t batch, bool fused) {
  const cpu::Isa isa = cpu::choose_isa();
  BenchContext context(2);
  InvertedResidual call;
  call.shape = {batch,        block.c, block.size,   block.size,
                block.hidden, block.k, block.stride, block.c != block.hidden};
  const InvertedResidualShape& s = call.shape;
  std::vector<std::unique_ptr<Layer>> layers;
  const auto add = [&](const Conv2dShape& shape, Activation activation) {
    layers.push_back(std::make_unique<Layer>(shape, context.exec, activation));
  };
  if (s.expands) add(s.expand(), Activation::Relu6);
  add(s.depthwise(), Activation::Relu6);
  add(s.project(), Activation::None);
  std::vector<std::vector<float>> tensors = {
      random_floats(layers[0]->shape.input_shape().numel(), 4)};
  double flop = 0;
  for (const auto& layer : layers) {
    flop += layer->shape.flop();
    tensors.emplace_back(static_cast<std::size_t>(layer->shape.output_shape().numel()));
  }
  call.x = view_of(tensors.front(), layers[0]->shape.input_shape());
  call.y = view_of(tensors.back(), s.project().output_shape());
  if (s.stride == 1 && s.c == s.k) layers.back()->epilogue.residual = call.x;
  if (s.expands) call.expand = layers[0]->fused();
  call.depthwise = layers[layers.size() - 2]->fused();
  call.project = layers.back()->fused();
  run_compute_bound(state, context.pool, flop, [&] {
    const cpu::Call on{context.exec, isa};
    if (fused) return cpu::run(on, call);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer& layer = *layers[i];
      cpu::run(on, Conv2dForward{.shape = layer.shape,
                                 .x = view_of(tensors[i], layer.shape.input_shape()),
                                 .w = view_of(layer.w, layer.shape.weight_shape()),
                                 .packed = layer.packed.data(),
                                 .epilogue = layer.epilogue,
                                 .y = view_of(tensors[i + 1], layer.shape.output_shape())});
    }
  });
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const Block& block : kMobileNetV2) {
    for (const std::int64_t batch : {1, 16}) {
      for (const bool fused : {true, false}) {
        const std::string name = std::string("InvertedResidual/") + (fused ? "fused/" : "layers/") +
                                 std::to_string(block.c) + "-" + std::to_string(block.hidden) +
                                 "-" + std::to_string(block.k) +
                                 "/size:" + std::to_string(block.size) +
                                 "/batch:" + std::to_string(batch);
        benchmark::RegisterBenchmark(
            name.c_str(), [=](benchmark::State& state) { run_block(state, block, batch, fused); })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace hanok::bench
