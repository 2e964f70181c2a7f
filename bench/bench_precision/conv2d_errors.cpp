#include "bench/bench_precision/conv2d_errors.h"

namespace hanok::bench {
namespace {

std::vector<float> computed(Backend& backend, ExecContext& context, Conv2dPass pass,
                            const Conv2dShape& s, const Conv2dFactors& factors) {
  std::vector<float> out(static_cast<std::size_t>(result_count(pass, s)));
  const auto view = [](const float* data, const Shape& shape) {
    return ConstView{data, DType::F32, shape};
  };
  const ConstView x = view(factors.first, s.input_shape());
  const ConstView w = view(factors.second, s.weight_shape());
  switch (pass) {
    case Conv2dPass::Forward:
      backend.run(context,
                  Conv2dForward{
                      .shape = s, .x = x, .w = w, .y = {out.data(), DType::F32, s.output_shape()}});
      break;
    case Conv2dPass::BackwardData:
      backend.run(context, Conv2dBackwardData{.shape = s,
                                              .dy = view(factors.first, s.output_shape()),
                                              .w = w,
                                              .dx = {out.data(), DType::F32, s.input_shape()}});
      break;
    case Conv2dPass::BackwardWeights:
      backend.run(context, Conv2dBackwardWeights{.shape = s,
                                                 .x = x,
                                                 .dy = view(factors.second, s.output_shape()),
                                                 .dw = {out.data(), DType::F32, s.weight_shape()}});
      break;
  }
  return out;
}

}  // namespace

const char* name_of(Conv2dPass pass) {
  switch (pass) {
    case Conv2dPass::Forward:
      return "forward";
    case Conv2dPass::BackwardData:
      return "input gradient";
    case Conv2dPass::BackwardWeights:
      break;
  }
  return "weight gradient";
}

Conv2dErrors measure_conv2d(Backend& backend, ExecContext& context, Conv2dPass pass,
                            const Conv2dShape& shape, const Conv2dFactors& factors) {
  const auto exact = [&](OperandsAre operands) {
    return exact_conv2d(context.pool, pass, shape, factors, operands);
  };
  const std::vector<double> right = exact(OperandsAre::F32);
  Conv2dShape floats = shape, integers = shape;
  floats.int16 = 0;
  integers.int16 = 1;
  const std::vector<float> in_f32 = computed(backend, context, pass, floats, factors);
  const std::vector<float> in_int16 = computed(backend, context, pass, integers, factors);
  return {.pass = pass,
          .shape = shape,
          .algorithm = backend.conv2d_algorithm(pass, integers),
          .f32 = error_of(in_f32, right),
          .int16 = error_of(in_int16, right),
          .bf16 = error_of(exact(OperandsAre::Bf16), right),
          .is_integer = in_f32 != in_int16};
}

}  // namespace hanok::bench
