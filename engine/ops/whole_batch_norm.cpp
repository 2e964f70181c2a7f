#include "hanok/engine/ops/whole_batch_norm.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "hanok/engine/sliced_batch.h"
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

NormStatistics WholeBatchNorm::statistics_over_slices(const Tensor& mean_var, std::int64_t rows,
                                                      const BatchNormState& state) {
  const std::vector<float> own = mean_var.to_vector();
  const std::size_t channels = own.size() / 2;
  // Rows, then for each channel the sums of x and of x squared.
  std::vector<double> sums(1 + 2 * channels);
  const auto count = static_cast<double>(rows);
  sums[0] = count;
  for (std::size_t c = 0; rows > 0 && c < channels; ++c) {
    const double mean = own[c];
    sums[1 + c] = count * mean;
    sums[1 + channels + c] = count * (own[channels + c] + mean * mean);
  }
  SlicedBatch::current()->sum(sums);
  rows_ = static_cast<std::int64_t>(sums[0]);
  if (state.training && rows_ < 2) {
    throw ValueError("batch_norm: training needs more than 1 value a channel in a batch");
  }
  std::vector<double> mean(channels), var(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    mean[c] = sums[1 + c] / sums[0];
    var[c] = std::max(0.0, sums[1 + channels + c] / sums[0] - mean[c] * mean[c]);
  }
  const Device device = mean_var.device();
  NormStatistics statistics =
      batch_statistics(channels_of(mean, device), channels_of(var, device), rows_, state);
  mean_ = statistics.mean;
  invstd_ = statistics.invstd;
  return statistics;
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
    if (SlicedBatch* batch = SlicedBatch::current()) {
      std::vector<double> both;
      for (const Tensor& half : {dgamma, dbeta}) {
        for (const float value : half.to_vector()) both.push_back(value);
      }
      batch->sum(both);
      set_sums(both);
      // The slice's own are the parameters' gradients.
      for (const auto& [from, to] : {std::pair(dgamma, call.dgamma), {dbeta, call.dbeta}}) {
        if (to.defined())
          target.run(Unary{.kind = UnaryOp::Affine, .params = {1, 0}, .x = from.view(), .y = to});
      }
    } else {
      parts_.push_back({.first = dgamma.to_vector(), .second = dbeta.to_vector()});
      throw VirtualBatchNorms::PartEnds();
    }
  }
  BatchNormBackward part = call;
  part.batch_offset = offset_.view();
  part.batch_slope = slope_.view();
  if (SlicedBatch::current() != nullptr) part.dgamma = part.dbeta = View{};
  if (part.dx.defined() || part.dresidual.defined() || part.dgamma.defined() ||
      part.dbeta.defined()) {
    target.run(part);
  }
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
  std::vector<double> sums(2 * channels);
  for (const Left& part : parts_) {
    for (std::size_t c = 0; c < channels; ++c) {
      sums[c] += part.first[c];
      sums[channels + c] += part.second[c];
    }
  }
  set_sums(sums);
}

void WholeBatchNorm::set_sums(const std::vector<double>& sums) {
  const std::size_t channels = sums.size() / 2;
  const std::vector<float> invstd = invstd_.to_vector();
  const auto rows = static_cast<double>(rows_);
  std::vector<double> offset(channels), slope(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    offset[c] = sums[channels + c] / rows;
    slope[c] = invstd[c] * sums[c] / rows;
  }
  offset_ = channels_of(offset, mean_.device());
  slope_ = channels_of(slope, mean_.device());
}

}  // namespace hanok::ops
