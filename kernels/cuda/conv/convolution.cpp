#include "hanok/kernels/cuda/conv/convolution.h"

#include "hanok/kernels/cuda/conv/conv2d.h"

namespace hanok::cuda {
namespace {

class OwnConvolution final : public Convolution {
 public:
  const char* algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return conv2d_algorithm(pass, shape);
  }
  std::size_t workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return conv2d_workspace_bytes(pass, shape);
  }
  void forward(ExecContext& context, const Conv2dShape& shape, ConstView x, ConstView w,
               const Epilogue& epilogue, View y) override {
    conv2d_forward(context, shape, x, w, epilogue, y);
  }
  void backward_data(ExecContext& context, const Conv2dShape& shape, ConstView dy, ConstView w,
                     View dx) override {
    conv2d_backward_data(context, shape, dy, w, dx);
  }
  void backward_weights(ExecContext& context, const Conv2dShape& shape, ConstView x, ConstView dy,
                        View dw) override {
    conv2d_backward_weights(context, shape, x, dy, dw);
  }
};

}  // namespace

std::unique_ptr<Convolution> make_own_convolution() { return std::make_unique<OwnConvolution>(); }

}  // namespace hanok::cuda
