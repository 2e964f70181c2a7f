#include "hanok/apps/training/training_step.h"

#include <fmt/format.h>

#include "hanok/engine/ops.h"
#include "hanok/engine/recording.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/gradients.h"

namespace hanok::training {

StepResults TrainingStep::operator()(const StepInputs& inputs, std::int64_t parts, bool with_norm,
                                     const std::function<void(double)>& on_loss) const {
  nn::Optimizer& optimizer = means_.optimizer;
  nn::GradScaler* scaler = means_.scaler;
  StepTransaction transaction;
  StepResults results;
  optimizer.zero_grad();
  const std::int64_t images = inputs.targets.size(0);
  double sum = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t begin = images * part / parts;
    const std::int64_t end = images * (part + 1) / parts;
    const Tensor logits = means_.batches.forward(ops::slice(inputs.images, 0, begin, end));
    const Tensor loss = means_.loss(logits, ops::slice(inputs.targets, 0, begin, end),
                                    inputs.denominator, inputs.denominator_tensor);
    if (loss.device().is_cpu()) on_loss(sum += loss.item());
    loss.backward(scaler != nullptr ? scaler->scale() : Tensor());
    results.losses.push_back(loss.detach());
    results.predicted.push_back(ops::argmax(logits.detach(), 1));
  }
  if (scaler != nullptr) scaler->unscale(means_.model.parameters());
  if (means_.clip_norm > 0) {
    results.gradient_norm = nn::clip_gradient_norm(means_.model.parameters(), means_.clip_norm);
  } else if (with_norm) {
    results.gradient_norm = nn::gradient_norm(means_.model.parameters());
  }
  optimizer.prepare_step();
  if (!Recording::under_way()) optimizer.write_rates();
  try {
    optimizer.enqueue_step();
    if (scaler != nullptr) scaler->update();
    transaction.commit();
    if (means_.ema != nullptr) means_.ema->update();
  } catch (const OutOfMemory& error) {
    // Only an optimiser composed of ops takes memory here.
    if (Recording::under_way()) throw;
    throw ValueError(fmt::format(
        "{} while weights were being changed: the step cannot be done again. Try a smaller "
        "--batch-size",
        error.what()));
  }
  if (!Recording::under_way()) optimizer.count_step();
  return results;
}

}  // namespace hanok::training
