// What a device lacks is never asked of it: its query says so first.
#include "hanok/kernels/backend.h"

#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

[[noreturn]] void throw_missing(const char* op, const Backend& backend) {
  throw DeviceError(std::string(op) + ": " + backend.device().to_string() + " does not have it");
}

}  // namespace

void Backend::inverted_residual(ExecContext& /*ctx*/, const InvertedResidual& /*op*/) {
  throw_missing("inverted_residual", *this);
}

void Backend::batch_norm_max_pool(ExecContext& /*ctx*/, const BatchNormApply& /*op*/,
                                  const Pool2dShape& /*shape*/, View /*indices*/) {
  throw_missing("batch_norm_max_pool", *this);
}

void Backend::batch_norm_max_pool_backward(ExecContext& /*ctx*/, const BatchNormBackward& /*op*/,
                                           const Pool2dShape& /*shape*/, ConstView /*indices*/) {
  throw_missing("batch_norm_max_pool_backward", *this);
}

}  // namespace hanok
