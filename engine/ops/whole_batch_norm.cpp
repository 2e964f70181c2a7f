#include "hanok/engine/ops/whole_batch_norm.h"

#include <cstddef>
#include <utility>

#include "hanok/engine/autograd.h"
#include "hanok/engine/virtual_batch.h"
#include "hanok/kernels/base/error.h"

namespace hanok::ops {
namespace {

/// One f32 value a channel, of sums in double.
Tensor channels_of(const std::vector<double>& values, Device device) {
  const std::vector<float> rounded(values.begin(), values.end());
  return Tensor::from_vector(rounded, {static_cast<std::int64_t>(values.size())}).to(device);
}

}  // namespace

NormStatistics WholeBatchNorm::statistics(const Tensor& mean_var, std::int64_t rows,
                                          const BatchNormState& state) {
  if (mean_.defined()) return {.mean = mean_, .invstd = invstd_};
  const std::vector<float> values = mean_var.to_vector();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  parts_.push_back(
      {.first = {values.begin(), middle}, .second = {middle, values.end()}, .rows = rows});
  state_ = state;
  device_ = mean_var.device();
  throw VirtualBatchNorms::PartEnds();
}

void WholeBatchNorm::run_backward(const Target& target, const BatchNormBackward& call) {
  if (!has_sums()) {
    Tensor dgamma = empty_like(mean_);
    Tensor dbeta = empty_like(mean_);
    BatchNormBackward sums = call;
    sums.dx = sums.dresidual = View{};
    sums.dgamma = dgamma.mutable_view();
    sums.dbeta = dbeta.mutable_view();
    target.run(sums);
    parts_.push_back({.first = dgamma.to_vector(), .second = dbeta.to_vector()});
    throw VirtualBatchNorms::PartEnds();
  }
  // dx = gamma invstd g - gamma invstd (dbeta / rows + xhat dgamma / rows), with the batch's sums:
  // the first as with frozen statistics, the second as a batch norm of x.
  BatchNormBackward part = call;
  part.frozen_statistics = true;
  target.run(part);
  if (!call.dx.defined()) return;
  target.run(BatchNormApply{.x = call.x,
                            .mean = mean_.view(),
                            .invstd = invstd_.view(),
                            .gamma = gradient_scale_.view(),
                            .beta = gradient_shift_.view(),
                            .residual = call.dx,
                            .y = call.dx});
}

void WholeBatchNorm::combine() {
  if (mean_.defined()) {
    combine_sums();
  } else {
    combine_statistics();
  }
  parts_.clear();
}

void WholeBatchNorm::combine_statistics() {
  const std::size_t channels = parts_.front().first.size();
  std::vector<double> mean(channels), var(channels);
  for (const Left& part : parts_) rows_ += part.rows;
  if (state_.training && rows_ < 2) {
    throw ValueError("batch_norm: training needs more than 1 value a channel in a virtual batch");
  }
  const auto rows = static_cast<double>(rows_);
  for (const Left& part : parts_) {
    for (std::size_t c = 0; c < channels; ++c) {
      mean[c] += static_cast<double>(part.rows) / rows * part.first[c];
    }
  }
  for (const Left& part : parts_) {
    for (std::size_t c = 0; c < channels; ++c) {
      const double apart = part.first[c] - mean[c];
      var[c] += static_cast<double>(part.rows) / rows * (part.second[c] + apart * apart);
    }
  }
  const NormStatistics statistics =
      batch_statistics(channels_of(mean, device_), channels_of(var, device_), rows_, state_);
  mean_ = statistics.mean;
  invstd_ = statistics.invstd;
}

void WholeBatchNorm::combine_sums() {
  const std::size_t channels = parts_.front().first.size();
  std::vector<double> dgamma(channels), dbeta(channels);
  for (const Left& part : parts_) {
    for (std::size_t c = 0; c < channels; ++c) {
      dgamma[c] += part.first[c];
      dbeta[c] += part.second[c];
    }
  }
  for (std::size_t c = 0; c < channels; ++c) {
    dgamma[c] /= -static_cast<double>(rows_);
    dbeta[c] /= -static_cast<double>(rows_);
  }
  const NoGrad no_grad;
  const Tensor factor = state_.weight.defined() ? mul(state_.weight.detach(), invstd_) : invstd_;
  gradient_scale_ = mul(factor, channels_of(dgamma, mean_.device()));
  gradient_shift_ = mul(factor, channels_of(dbeta, mean_.device()));
}

}  // namespace hanok::ops
