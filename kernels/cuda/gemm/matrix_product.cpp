#include "hanok/kernels/cuda/gemm/matrix_product.h"

#include "hanok/kernels/cuda/gemm/gemm.h"

namespace hanok::cuda {
namespace {

class OwnProduct final : public MatrixProduct {
 public:
  const char* name() const override { return "own kernels"; }
  void multiply(ExecContext& context, const GemmShape& shape, ConstView a, ConstView b,
                const Epilogue& epilogue, View c) override {
    gemm(context, shape, a, b, epilogue, c);
  }
};

}  // namespace

std::unique_ptr<MatrixProduct> make_own_product() { return std::make_unique<OwnProduct>(); }

}  // namespace hanok::cuda
