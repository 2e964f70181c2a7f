#include "hanok/apps/training/training_step.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/apps/training/rank_share.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/recompute.h"
#include "hanok/engine/recording.h"
#include "hanok/engine/sliced_batch.h"
#include "hanok/nn/gradient_reduction.h"
#include "hanok/nn/gradients.h"
#include "hanok/nn/virtual_batch.h"

namespace hanok::training {
namespace {

/// The classes of all images of a part, in their order: those of rank 0 first.
Tensor gather_over_ranks(const std::vector<std::int64_t>& classes) {
  const std::string bytes(reinterpret_cast<const char*>(classes.data()),
                          classes.size() * sizeof(std::int64_t));
  std::string all;
  for (const std::string& of_rank : all_gather(ranks(), bytes)) all += of_rank;
  std::vector<std::int64_t> values(all.size() / sizeof(std::int64_t));
  std::memcpy(values.data(), all.data(), all.size());
  return Tensor::from_vector(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

StepResults TrainingStep::operator()(const StepInputs& inputs, const StepRequest& request) const {
  StepTransaction transaction;
  StepResults results;
  context_.optimizer.zero_grad();
  const std::int64_t images = inputs.targets.size(0);
  const std::int64_t parts = request.cut.parts;
  const bool sliced = context_.options != nullptr && is_sliced(*context_.options);
  if (sliced) {
    std::int64_t part = 0;
    std::int64_t offset = 0;
    for (const ImageRange& share : training_share(*context_.options, images, parts)) {
      compute_slices(inputs, images * part / parts, images * (part + 1) / parts, offset, request,
                     results);
      ++part;
      offset += share.images();
    }
  } else if (request.cut.is_virtual()) {
    compute_virtual_batch(inputs, request, results);
  } else {
    for (std::int64_t part = 0; part < parts; ++part) {
      compute_part(inputs, images * part / parts, images * (part + 1) / parts, request, results);
    }
  }
  results.gradient_norm = finish_gradients(request.with_gradient_norm);
  update(transaction);
  if (sliced && context_.options->local_batch_norm) average_statistics();
  return results;
}

void TrainingStep::compute_part(const StepInputs& inputs, std::int64_t begin, std::int64_t end,
                                const StepRequest& request, StepResults& results) const {
  const Tensor images = ops::slice(inputs.images, 0, begin, end);
  learn(forward(images, request.cut.recomputed), inputs, begin, end, request, results);
}

void TrainingStep::compute_slices(const StepInputs& inputs, std::int64_t begin, std::int64_t end,
                                  std::int64_t offset, const StepRequest& request,
                                  StepResults& results) const {
  const Options& options = *context_.options;
  SlicedBatch batch(ranks(), slices_of(options), end - begin,
                    options.local_batch_norm ? NormsOver::Slice : NormsOver::Batch);
  nn::GradientReduction reduction(context_.model.parameters(), ranks(), batch);
  const std::int64_t first =
      SlicedBatch::slice(batch.first(), slices_of(options), end - begin).begin;
  std::vector<std::int64_t> predicted;
  double total = 0;
  batch.run([&](const SlicedBatch::Slice& slice) {
    const LeafGradients::Scope gradients(reduction);
    const std::int64_t place = offset - first;
    const Tensor images = ops::slice(inputs.images, 0, place + slice.begin, place + slice.end);
    const Tensor logits = forward(images, request.cut.recomputed);
    const Tensor targets = ops::slice(inputs.targets, 0, begin + slice.begin, begin + slice.end);
    const Tensor loss = context_.loss(logits, targets,
                                      {.denominator = inputs.denominator,
                                       .denominator_tensor = inputs.denominator_tensor,
                                       .phase = inputs.phase});
    std::vector<double> sum{loss.item()};
    batch.sum(sum);
    total = sum[0];
    if (request.on_loss) {
      double so_far = total;
      for (const Tensor& part : results.losses) so_far += part.item();
      request.on_loss(so_far);
    }
    loss.backward(context_.scaler != nullptr ? context_.scaler->scale() : Tensor());
    const std::vector<std::int64_t> classes = ops::argmax(logits.detach(), 1).to_int_vector();
    predicted.insert(predicted.end(), classes.begin(), classes.end());
  });
  reduction.finish();
  results.losses.push_back(Tensor::full({}, total, {DType::F64}));
  results.predicted.push_back(gather_over_ranks(predicted));
}

void TrainingStep::average_statistics() const {
  if (!has_other_ranks()) return;
  std::vector<float> all;
  const std::vector<nn::NamedTensor> buffers = context_.model.named_buffers();
  for (const nn::NamedTensor& buffer : buffers) {
    if (buffer.tensor.dtype() != DType::F32) continue;
    const std::vector<float> values = buffer.tensor.to_vector();
    all.insert(all.end(), values.begin(), values.end());
  }
  const auto count = static_cast<std::int64_t>(all.size());
  ranks().all_reduce({all.data(), DType::F32, {count}});
  const auto divisor = static_cast<float>(ranks().size());
  for (float& value : all) value /= divisor;
  std::int64_t at = 0;
  for (const nn::NamedTensor& buffer : buffers) {
    if (buffer.tensor.dtype() != DType::F32) continue;
    Tensor tensor = buffer.tensor;
    const std::int64_t next = at + tensor.numel();
    tensor.copy_from(Tensor::from_vector(std::vector<float>(all.begin() + at, all.begin() + next),
                                         tensor.shape())
                         .to(tensor.device()));
    at = next;
  }
}

Tensor TrainingStep::forward(const Tensor& images, std::int64_t recomputed) const {
  if (recomputed == 0) return context_.batches.forward(images);
  const std::vector<nn::Block> blocks = context_.batches.blocks();
  const std::int64_t body = static_cast<std::int64_t>(blocks.size()) - 1;
  Tensor y = images;
  for (std::int64_t i = 0; i <= body; ++i) {
    const nn::Block& block = blocks[static_cast<std::size_t>(i)];
    y = i < std::min(recomputed, body) ? recompute(y, block) : block(y);
  }
  return y;
}

/// The last block, which is small and may draw random numbers, and the loss see the whole batch.
void TrainingStep::compute_virtual_batch(const StepInputs& inputs, const StepRequest& request,
                                         StepResults& results) const {
  std::vector<nn::Block> blocks = context_.batches.blocks();
  const nn::Block last = std::move(blocks.back());
  blocks.pop_back();
  nn::VirtualBatch body(blocks);
  const Tensor features = body.forward(inputs.images, request.cut.parts);
  const std::int64_t images = inputs.targets.size(0);
  if (!body.learns()) {
    learn(last(features), inputs, 0, images, request, results);
    return;
  }
  GraphInput input(features);
  learn(last(input.tensor()), inputs, 0, images, request, results);
  const MemoryTag tag("gradients");
  body.backward(input.take_gradient());
}

void TrainingStep::learn(const Tensor& logits, const StepInputs& inputs, std::int64_t begin,
                         std::int64_t end, const StepRequest& request, StepResults& results) const {
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
