#include "hanok/nn/virtual_batch.h"

#include <cstddef>
#include <string>
#include <utility>

#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/transaction.h"
#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

std::vector<Tensor> cut(const Tensor& x, std::int64_t parts) {
  const std::int64_t images = x.size(0);
  if (parts < 1 || parts > images) {
    throw ValueError("VirtualBatch: " + std::to_string(parts) + " parts of " +
                     std::to_string(images) + " images");
  }
  std::vector<Tensor> cut;
  for (std::int64_t part = 0; part < parts; ++part) {
    cut.push_back(ops::slice(x, 0, images * part / parts, images * (part + 1) / parts));
  }
  return cut;
}

}  // namespace

VirtualBatch::VirtualBatch(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) steps_.push_back({.block = block});
}

Tensor VirtualBatch::forward(const Tensor& x, std::int64_t parts) {
  std::vector<Tensor> values = cut(x.detach(), parts);
  const Generator::Draws draws = Generator::global().draws();
  bool learns = false;
  for (Step& step : steps_) {
    step.norms = VirtualBatchNorms();
    step.inputs = std::move(values);
    values = forward(step, learns);
    learns = step.learns;
  }
  if (parts > 1 && Generator::global().draws() != draws) {
    throw ValueError(
        "VirtualBatch: a block draws random numbers, of which each part would draw "
        "those of the first");
  }
  const NoGrad no_grad;
  return ops::concat(values, 0);
}

/// As in a pass that is recorded, which may round differently; the graph is dropped.
std::vector<Tensor> VirtualBatch::forward(Step& step, bool needs_gradient) {
  for (;;) {
    std::vector<Tensor> outputs;
    for (const Tensor& input : step.inputs) {
      const VirtualBatchNorms::Part part(step.norms);
      try {
        const Tensor output = step.block(needs_gradient ? GraphInput(input).tensor() : input);
        step.learns = output.requires_grad();
        outputs.push_back(output.detach());
      } catch (const VirtualBatchNorms::PartEnds&) {  // as all other parts will
      }
    }
    if (!outputs.empty()) return outputs;
    step.norms.combine();
  }
}

bool VirtualBatch::learns() const { return !steps_.empty() && steps_.back().learns; }

void VirtualBatch::backward(const Tensor& gradient) {
  std::vector<Tensor> gradients =
      cut(gradient, static_cast<std::int64_t>(steps_.back().inputs.size()));
  for (std::size_t i = steps_.size(); i-- > 0 && steps_[i].learns;) {
    gradients = backward(steps_[i], gradients, i > 0 && steps_[i - 1].learns);
    steps_[i].inputs.clear();
  }
}

/// The parameters' gradients are made in the last attempt alone, when all sums are known.
std::vector<Tensor> VirtualBatch::backward(Step& step, std::vector<Tensor>& gradients,
                                           bool needs_gradient) {
  const StepTransaction::Discard written_before;
  const auto output_of = [&](const Tensor& input) {
    const VirtualBatchNorms::Part part(step.norms);
    return step.block(input);
  };
  bool missing = step.norms.lacks_sums();
  while (missing) {
    missing = false;  // where no gradient comes to a batch norm
    const WithoutLeafGradients sums_alone;
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const GraphInput input(step.inputs[i]);
      try {
        output_of(needs_gradient ? input.tensor() : step.inputs[i]).backward(gradients[i]);
      } catch (const VirtualBatchNorms::PartEnds&) {
        missing = true;
      }
    }
    step.norms.combine();
    missing = missing && step.norms.lacks_sums();
  }
  std::vector<Tensor> input_gradients;
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    GraphInput input(step.inputs[i]);
    output_of(needs_gradient ? input.tensor() : step.inputs[i]).backward(gradients[i]);
    gradients[i] = Tensor();
    input_gradients.push_back(input.take_gradient());
  }
  return input_gradients;
}

}  // namespace hanok::nn
