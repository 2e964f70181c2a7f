#include "hanok/apps/training/step_outcome.h"

#include <fmt/format.h>

namespace hanok::training {

std::string describe(const StepPosition& position) {
  return fmt::format("fold {}, epoch {}, step {}", position.fold, position.epoch + 1,
                     position.step_in_epoch + 1);
}

double StepOutcome::loss() const {
  double sum = 0;
  for (const Tensor& part : results.losses) sum += part.item();
  return sum;
}

std::int64_t StepOutcome::correct() const {
  std::int64_t count = 0;
  std::size_t i = 0;
  for (const Tensor& part : results.predicted) {
    for (const std::int64_t predicted : part.to_int_vector()) {
      count += predicted == labels[i++] ? 1 : 0;
    }
  }
  return count;
}

}  // namespace hanok::training
