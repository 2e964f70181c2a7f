#include "hanok/kernels/cuda/conv/convolution_problem.h"

namespace hanok::cuda {

ConvolutionProblem ConvolutionProblem::nominal() const {
  ConvolutionProblem whole = *this;
  whole.shape.n = shape.nominal_n;
  return whole;
}

std::string ConvolutionProblem::text() const {
  static constexpr const char* kPasses[] = {"forward", "backward_data", "backward_weights"};
  const auto number = [](const char* name, std::int64_t value) {
    return " " + (name + std::to_string(value));
  };
  const auto pair = [](const char* name, std::int64_t a, std::int64_t b) {
    return std::string(" ") + name + std::to_string(a) + "x" + std::to_string(b);
  };
  const Window2d& v = shape.window;
  std::string line = kPasses[static_cast<int>(pass)];
  line += number("n", shape.n);
  if (follows_nominal()) line += number("as n", shape.nominal_n);
  line += number("c", shape.c) + number("h", shape.h) + number("w", shape.w) +
          number("k", shape.k) + number("r", shape.r) + number("s", shape.s) +
          number("groups", shape.groups);
  line += pair("stride", v.stride_h, v.stride_w) + pair("pad", v.pad_h, v.pad_w) +
          pair("dilation", v.dilation_h, v.dilation_w);
  if (shape.extra_h != 0 || shape.extra_w != 0) {
    line += pair("extra", shape.extra_h, shape.extra_w);
  }
  line += std::string(" ") + name_of(dtype) + (tf32 ? " tf32" : "");
  line += std::string(scale ? " +scale" : "") + (shift ? " +shift" : "") +
          (residual ? " +residual" : "") + (relu ? " +relu" : "") +
          (statistics ? " +statistics" : "");
  return line;
}

}  // namespace hanok::cuda
