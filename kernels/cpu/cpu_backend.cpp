// The CPU's implementation of Backend: checks element types, flushes denormals on the calling
// thread for the length of the call, and calls the primitive's kernel, cpu::run (declared beside
// the primitive).
#include "hanok/kernels/cpu/cpu_backend.h"

#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/conv2d/conv2d.h"
#include "hanok/kernels/cpu/conv2d/inverted_residual.h"
#include "hanok/kernels/operand_types.h"

namespace hanok::cpu {
namespace {

class CpuBackend final : public EachPrimitive<CpuBackend> {
 public:
  explicit CpuBackend(Isa isa) : isa_(isa) {}

  template <Primitive Op>
  void each(ExecContext& context, const Op& op) {
    check_operand_types(op, "the CPU", DataTypes::F32);
    const FlushDenormals flush;
    cpu::run(Call{context, isa_}, op);
  }

  Device device() const override { return Device::cpu(); }
  const char* name() const override { return name_of(isa_); }

  std::size_t conv2d_workspace_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_workspace_bytes(isa_, pass, shape);
  }
  const char* conv2d_algorithm(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_algorithm(isa_, pass, shape);
  }
  std::size_t conv2d_packed_bytes(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_packed_bytes(isa_, pass, shape);
  }
  Conv2dPackKey conv2d_pack_key(Conv2dPass pass, const Conv2dShape& shape) const override {
    return cpu::conv2d_pack_key(isa_, pass, shape);
  }

  bool conv2d_stores_bf16(const Conv2dShape& shape) const override {
    return cpu::conv2d_stores_bf16(shape);
  }
  bool fuses_relu6() const override { return true; }
  bool fuses_inverted_residual(const InvertedResidualShape& shape) const override {
    return cpu::fuses_inverted_residual(shape);
  }
  bool fuses_batch_norm_max_pool() const override { return true; }

 private:
  Isa isa_;
};

}  // namespace

std::unique_ptr<Backend> make_backend(Isa isa) { return std::make_unique<CpuBackend>(isa); }

}  // namespace hanok::cpu
