#include "hanok/nn/gradient_reduction.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "hanok/engine/allocator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/backend.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

void add(Tensor& sum, const Tensor& other) {
  run_on(sum.device(), AddScaled{.alpha = 1, .x = other.view(), .y = sum.mutable_view()});
}

}  // namespace

GradientReduction::GradientReduction(std::vector<Tensor> parameters, Communicator& communicator,
                                     const SlicedBatch& batch, std::size_t bucket_bytes)
    : communicator_(communicator), slices_(batch.last() - batch.first()) {
  // Backward passes come to the last layers first.
  std::size_t bytes = bucket_bytes;
  std::reverse(parameters.begin(), parameters.end());
  for (const Tensor& parameter : parameters) {
    if (!parameter.requires_grad() || places_.contains(parameter.id())) continue;
    if (bytes >= bucket_bytes) {
      buckets_.emplace_back();
      bytes = 0;
    }
    bytes += parameter.bytes();
    places_[parameter.id()] = parameters_.size();
    buckets_.back().parameters.push_back(parameters_.size());
    ++buckets_.back().incomplete;
    parameters_.push_back({.tensor = parameter, .bucket = buckets_.size() - 1});
  }
}

void GradientReduction::take(const Tensor& leaf, Tensor gradient) {
  const auto found = places_.find(leaf.id());
  if (found == places_.end()) {
    throw ValueError("GradientReduction: a gradient of " + leaf.to_string() +
                     ", which is none of the network's parameters");
  }
  Parameter& parameter = parameters_[found->second];
  if (parameter.slices == slices_) {
    throw ValueError("GradientReduction: a slice gives " + leaf.to_string() + " two gradients");
  }
  add_along_tree(parameter.tree, parameter.slices, std::move(gradient), add);
  if (++parameter.slices < slices_) return;
  parameter.sum = finish_tree(parameter.tree, add);
  if (--buckets_[parameter.bucket].incomplete == 0) send_complete();
}

void GradientReduction::send_complete() {
  if (communicator_.size() == 1) return;
  while (next_bucket_ < buckets_.size() && buckets_[next_bucket_].incomplete == 0) {
    send(buckets_[next_bucket_++]);
  }
}

void GradientReduction::send(Bucket& bucket) {
  const MemoryTag tag("gradients");
  std::int64_t elements = 0;
  for (const std::size_t i : bucket.parameters) {
    if (!parameters_[i].sum.defined()) continue;
    bucket.sent.push_back(i);
    elements += parameters_[i].sum.numel();
  }
  if (elements == 0) return;
  bucket.values = Tensor::empty({elements});
  auto* next = bucket.values.mutable_data<float>();
  for (const std::size_t i : bucket.sent) {
    const Tensor host = parameters_[i].sum.to(Device::cpu());
    std::memcpy(next, host.view().data, host.bytes());
    next += host.numel();
    parameters_[i].sum = Tensor();
  }
  bytes_sent_ += bucket.values.bytes();
  bucket.pending = communicator_.start_all_reduce(bucket.values.mutable_view());
}

void GradientReduction::finish() {
  if (communicator_.size() > 1) {
    for (; next_bucket_ < buckets_.size(); ++next_bucket_) send(buckets_[next_bucket_]);
    for (Bucket& bucket : buckets_) {
      if (!bucket.pending) continue;
      bucket.pending->wait();
      std::int64_t at = 0;
      for (const std::size_t i : bucket.sent) {
        Tensor& tensor = parameters_[i].tensor;
        parameters_[i].sum =
            Tensor::wrap(bucket.values.storage(), bucket.values.storage_offset() + at,
                         tensor.shape(), DType::F32)
                .to(tensor.device());
        at += tensor.numel();
      }
    }
  }
  for (Parameter& parameter : parameters_) {
    if (!parameter.sum.defined()) continue;
    const Tensor before = parameter.tensor.grad();
    if (before.defined()) {
      Tensor sum = before.detach();
      add(sum, parameter.sum);
    } else {
      parameter.tensor.set_grad(parameter.sum);
    }
    parameter.sum = Tensor();
  }
}

}  // namespace hanok::nn
