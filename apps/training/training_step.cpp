#include "hanok/apps/training/training_step.h"

#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/recording.h"
#include "hanok/nn/gradients.h"

namespace hanok::training {

StepResults TrainingStep::operator()(const StepInputs& inputs, const StepRequest& request) const {
  StepTransaction transaction;
  StepResults results;
  context_.optimizer.zero_grad();
  const std::int64_t images = inputs.targets.size(0);
  for (std::int64_t part = 0; part < request.parts; ++part) {
    compute_part(inputs, images * part / request.parts, images * (part + 1) / request.parts,
                 request, results);
  }
  results.gradient_norm = finish_gradients(request.with_gradient_norm);
  update(transaction);
  return results;
}

void TrainingStep::compute_part(const StepInputs& inputs, std::int64_t begin, std::int64_t end,
                                const StepRequest& request, StepResults& results) const {
  const Tensor logits = context_.batches.forward(ops::slice(inputs.images, 0, begin, end));
  const Tensor loss = context_.loss(logits, ops::slice(inputs.targets, 0, begin, end),
                                    {.denominator = inputs.denominator,
                                     .denominator_tensor = inputs.denominator_tensor,
                                     .phase = inputs.phase});
  results.losses.push_back(loss.detach());
  if (request.on_loss && loss.device().is_cpu()) {
    double sum = 0;
    for (const Tensor& part : results.losses) sum += part.item();
    request.on_loss(sum);
  }
  loss.backward(context_.scaler != nullptr ? context_.scaler->scale() : Tensor());
  results.predicted.push_back(ops::argmax(logits.detach(), 1));
}

Tensor TrainingStep::finish_gradients(bool with_norm) const {
  const std::vector<Tensor> parameters = context_.model.parameters();
  if (context_.scaler != nullptr) context_.scaler->unscale(parameters);
  if (context_.clip_norm > 0) return nn::clip_gradient_norm(parameters, context_.clip_norm);
  return with_norm ? nn::gradient_norm(parameters) : Tensor();
}

void TrainingStep::update(StepTransaction& transaction) const {
  nn::Optimizer& optimizer = context_.optimizer;
  const bool recording = Recording::under_way();
  optimizer.prepare_step();
  if (!recording) optimizer.write_rates();
  try {
    optimizer.enqueue_step();
    if (context_.scaler != nullptr) context_.scaler->update();
    transaction.commit();
    if (context_.ema != nullptr) context_.ema->update();
  } catch (...) {
    // Tensors are taken only by an optimiser composed of ops, little else by any.
    if (recording) throw;
    throw ValueError(fmt::format(
        "{} while weights were being changed: the step cannot be repeated. Try a smaller "
        "--batch-size",
        lack_of_memory().message));
  }
  if (!recording) optimizer.count_step();
}

}  // namespace hanok::training
