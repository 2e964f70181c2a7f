#include "tests/cuda/kernels/staging_backend.h"

#include <utility>

#include "hanok/kernels/forwarding_backend.h"
#include "tests/cuda/kernels/staging.h"

namespace hanok::test {
namespace {

std::int64_t extent(std::int64_t rows, std::int64_t columns, std::int64_t ld, std::int64_t batch,
                    std::int64_t stride) {
  if (rows <= 0 || columns <= 0 || batch <= 0) return 0;
  return (batch - 1) * stride + (rows - 1) * ld + columns;
}

/// Gives a product's views the sizes of what they cover: rows may be padded.
void give_extents(Gemm& op) {
  const GemmShape& g = op.shape;
  op.a.shape = {g.transpose_a ? extent(g.k, g.m, g.lda, g.batch, g.stride_a)
                              : extent(g.m, g.k, g.lda, g.batch, g.stride_a)};
  op.b.shape = {g.transpose_b ? extent(g.n, g.k, g.ldb, g.batch, g.stride_b)
                              : extent(g.k, g.n, g.ldb, g.batch, g.stride_b)};
  op.c.shape = {extent(g.m, g.n, g.ldc, g.batch, g.stride_c)};
  op.epilogue.residual.shape = op.c.shape;
}

class StagingBackend final : public ForwardingBackend<StagingBackend> {
 public:
  using ForwardingBackend::ForwardingBackend;

  template <Primitive Op>
  void each(ExecContext& host, const Op& op) {
    StagedContext context(host);
    Staging staging;
    Op staged = op;
    if constexpr (std::is_same_v<Op, Gemm>) give_extents(staged);
    for_each_operand(staged, [&](auto& view, Access access, Elements) {
      view = staging.stage(view, access != Access::Read);
    });
    inner().run(context, staged);
    staging.finish();
  }
};

}  // namespace

std::unique_ptr<Backend> stage(std::unique_ptr<Backend> backend) {
  return std::make_unique<StagingBackend>(std::move(backend));
}

}  // namespace hanok::test
