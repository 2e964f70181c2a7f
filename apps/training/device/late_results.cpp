#include "hanok/apps/training/device/late_results.h"

#include <utility>

namespace hanok::training {
namespace {

/// The tensors of a step's results in a fixed order, and back.
std::vector<Tensor> tensors_of(const StepResults& results) {
  std::vector<Tensor> tensors = results.losses;
  tensors.insert(tensors.end(), results.predicted.begin(), results.predicted.end());
  if (results.gradient_norm.defined()) tensors.push_back(results.gradient_norm);
  return tensors;
}

void replace_tensors(StepResults& results, const std::vector<Tensor>& tensors) {
  auto next = tensors.begin();
  for (Tensor& loss : results.losses) loss = *next++;
  for (Tensor& predicted : results.predicted) predicted = *next++;
  if (results.gradient_norm.defined()) results.gradient_norm = *next;
}

}  // namespace

LateResults::LateResults(std::unique_ptr<Readback> readback, Receiver receive)
    : readback_(std::move(readback)), receive_(std::move(receive)) {}

void LateResults::add(StepOutcome outcome) {
  if (readback_ == nullptr) {
    receive_(outcome);
    return;
  }
  const std::size_t copy = readback_->start(tensors_of(outcome.results));
  finish();
  pending_ = Pending{std::move(outcome), copy};
}

void LateResults::finish() {
  if (!pending_) return;
  Pending pending = *std::move(pending_);
  pending_.reset();
  replace_tensors(pending.outcome.results, readback_->finish(pending.copy));
  receive_(pending.outcome);
}

std::unique_ptr<Readback> readback_for(Device device) {
  return device.is_cpu() ? nullptr : std::make_unique<DeviceReadback>();
}

}  // namespace hanok::training
