// Cross entropy as PyTorch defines it. With log p = log_softmax(logits), class weights w, smoothing
// e and C classes, every form is a weighted sum  loss = -sum_c coefficient_c log p_c:
//   target t:               coefficient_c = (1-e) w_t [c = t] + e/C w_c;      weight w_t
//   soft targets q:         coefficient_c = ((1-e) q_c + e/C) w_c;           weight 1
//   t < 0 (ignored):        all 0;                                           weight 0
// and so  d loss / d logits_j = p_j sum_c coefficient_c - coefficient_j.
#include "hanok/kernels/cpu/softmax_cross_entropy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cpu/isa/isa_kernels.h"
#include "hanok/kernels/cpu/isa/softmax.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 8192;  // elements a task

std::int64_t rows_per_task(std::int64_t length) {
  return std::max<std::int64_t>(kGrain / std::max<std::int64_t>(length, 1), 1);
}

void gather(const float* from, std::int64_t step, float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = from[i * step];
  }
}

void scatter(const float* from, float* to, std::int64_t step, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i * step] = from[i];
  }
}

/// The coefficients of sample `row`; returns its weight.
float coefficients_of(const CrossEntropy& op, std::int64_t row, std::int64_t classes,
                      double* coefficients) {
  const float* class_weights = op.class_weights.defined() ? op.class_weights.f32() : nullptr;
  const auto weight_of = [&](std::int64_t c) {
    return class_weights == nullptr ? 1.0F : class_weights[c];
  };
  const double smoothing = op.label_smoothing;
  const double share = smoothing / static_cast<double>(classes);
  if (op.targets.dtype == DType::F32) {
    const float* q = op.targets.f32() + row * classes;
    for (std::int64_t c = 0; c < classes; ++c) {
      coefficients[c] = ((1.0 - smoothing) * q[c] + share) * weight_of(c);
    }
    return 1.0F;
  }
  const std::int64_t target = op.targets.as<std::int64_t>()[row];
  if (target >= classes) {
    throw ValueError("cross_entropy: target " + std::to_string(target) + " of sample " +
                     std::to_string(row) + " is not below the " + std::to_string(classes) +
                     " classes (logits " + op.logits.shape.to_string() + ")");
  }
  if (target < 0) {
    std::fill(coefficients, coefficients + classes, 0.0);
    return 0.0F;
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    coefficients[c] = share * weight_of(c);
  }
  coefficients[target] += (1.0 - smoothing) * weight_of(target);
  return weight_of(target);
}

/// Calls sample(row, coefficients, weight, log_p) for all samples.
template <typename Sample>
void for_samples(ExecContext& ctx, Isa isa, const CrossEntropy& op, const Sample& sample) {
  const std::int64_t samples = op.logits.shape[0];
  const std::int64_t classes = op.logits.shape[1];
  ctx.pool.run_blocks(samples, rows_per_task(classes), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> coefficients(static_cast<std::size_t>(classes));
    std::vector<float> log_p(static_cast<std::size_t>(classes));
    for (std::int64_t row = begin; row < end; ++row) {
      const float weight = coefficients_of(op, row, classes, coefficients.data());
      kernels_of(isa).softmax.forward(true, op.logits.f32() + row * classes, log_p.data(), classes);
      sample(row, coefficients.data(), weight, log_p.data());
    }
  });
}

}  // namespace

void softmax(ExecContext& ctx, Isa isa, bool log, ConstView x, std::int64_t outer,
             std::int64_t length, std::int64_t inner, View y) {
  ctx.pool.run_blocks(
      outer * inner, rows_per_task(length), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(inner > 1 ? length : 0));
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = i / inner * length * inner + i % inner;
          if (inner == 1) {
            kernels_of(isa).softmax.forward(log, x.f32() + at, y.f32() + at, length);
          } else {
            gather(x.f32() + at, inner, row.data(), length);
            kernels_of(isa).softmax.forward(log, row.data(), row.data(), length);
            scatter(row.data(), y.f32() + at, inner, length);
          }
        }
      });
}

void softmax_backward(ExecContext& ctx, Isa isa, bool log, ConstView y, ConstView dy,
                      std::int64_t outer, std::int64_t length, std::int64_t inner, View dx) {
  ctx.pool.run_blocks(
      outer * inner, rows_per_task(length), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> rows(static_cast<std::size_t>(inner > 1 ? 2 * length : 0));
        float* row_y = rows.data();
        float* row_dy = rows.data() + length;
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = i / inner * length * inner + i % inner;
          if (inner == 1) {
            kernels_of(isa).softmax.backward(log, y.f32() + at, dy.f32() + at, dx.f32() + at,
                                             length);
          } else {
            gather(y.f32() + at, inner, row_y, length);
            gather(dy.f32() + at, inner, row_dy, length);
            kernels_of(isa).softmax.backward(log, row_y, row_dy, row_dy, length);
            scatter(row_dy, dx.f32() + at, inner, length);
          }
        }
      });
}

void cross_entropy(ExecContext& ctx, Isa isa, const CrossEntropy& op, View losses, View weights) {
  const std::int64_t classes = op.logits.shape[1];
  for_samples(ctx, isa, op,
              [&](std::int64_t row, const double* coefficients, float weight, const float* log_p) {
                double loss = 0;
                for (std::int64_t c = 0; c < classes; ++c) {
                  if (coefficients[c] != 0.0) {  // 0 times an infinite logarithm is 0
                    loss -= coefficients[c] * log_p[c];
                  }
                }
                losses.f32()[row] = static_cast<float>(loss);
                weights.f32()[row] = weight;
              });
}

void cross_entropy_backward(ExecContext& ctx, Isa isa, const CrossEntropy& op, ConstView scale,
                            View dlogits) {
  const std::int64_t classes = op.logits.shape[1];
  for_samples(ctx, isa, op,
              [&](std::int64_t row, const double* coefficients, float, const float* log_p) {
                double sum = 0;
                for (std::int64_t c = 0; c < classes; ++c) {
                  sum += coefficients[c];
                }
                const double factor = scale.f32()[row];
                float* d = dlogits.f32() + row * classes;
                for (std::int64_t c = 0; c < classes; ++c) {
                  const double p = math::exp_double(log_p[c]);
                  d[c] = sum == 0.0 && coefficients[c] == 0.0
                             ? 0.0F
                             : static_cast<float>(factor * (p * sum - coefficients[c]));
                }
              });
}

}  // namespace hanok::cpu
