// Cross entropy as PyTorch defines it. With log p = log_softmax(logits), class weights w, smoothing
// e and C classes, every form is a weighted sum  loss = -sum_c coefficient_c log p_c:
//   target t:               coefficient_c = (1-e) w_t [c = t] + e/C w_c;      weight w_t
//   soft targets q:         coefficient_c = ((1-e) q_c + e/C) w_c;           weight 1
//   t = ignore_index:       all 0;                                           weight 0
// and so  d loss / d logits_j = p_j sum_c coefficient_c - coefficient_j.
// Focal loss has  loss = -sum_c coefficient_c (1-p_c)^gamma log p_c,  whose gradient has the same
// form with  coefficient_c ((1-p_c)^gamma - gamma (1-p_c)^(gamma-1) p_c log p_c)  instead.

#include "hanok/kernels/primitives/softmax_cross_entropy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/vector_math.h"
#include "hanok/kernels/cpu/call.h"
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
float coefficients_of(const CrossEntropyLoss& loss, std::int64_t row, std::int64_t classes,
                      double* coefficients) {
  const float* class_weights = loss.class_weights.defined() ? loss.class_weights.f32() : nullptr;
  const auto weight_of = [&](std::int64_t c) {
    return class_weights == nullptr ? 1.0F : class_weights[c];
  };
  const double smoothing = loss.label_smoothing;
  const double share = smoothing / static_cast<double>(classes);
  if (loss.targets.dtype == DType::F32) {
    const float* q = loss.targets.f32() + row * classes;
    for (std::int64_t c = 0; c < classes; ++c) {
      coefficients[c] = ((1.0 - smoothing) * q[c] + share) * weight_of(c);
    }
    return 1.0F;
  }
  const std::int64_t target = loss.targets.as<std::int64_t>()[row];
  if (target == loss.ignore_index) {
    std::fill(coefficients, coefficients + classes, 0.0);
    return 0.0F;
  }
  if (target < 0 || target >= classes) {
    throw ValueError("cross_entropy: target " + std::to_string(target) + " of sample " +
                     std::to_string(row) + " is not one of the " + std::to_string(classes) +
                     " classes (logits " + loss.logits.shape.to_string() + ")");
  }
  for (std::int64_t c = 0; c < classes; ++c) {
    coefficients[c] = share * weight_of(c);
  }
  coefficients[target] += (1.0 - smoothing) * weight_of(target);
  return loss.count_targets ? 1.0F : weight_of(target);
}

/// x^exponent for x in [0,1], in double; 0 for x = 0, the limit wherever it is used here.
double power(double x, double exponent) {
  return x <= 0.0 ? 0.0 : math::exp_double(exponent * math::log_double(x));
}

/// (1-p)^gamma
double focal_factor(double gamma, double log_p) {
  return power(1.0 - math::exp_double(log_p), gamma);
}

/// (1-p)^gamma - gamma (1-p)^(gamma-1) p log p; 0 for p = 1 and 1 for p = 0.
double focal_slope(double gamma, double log_p) {
  const double p = math::exp_double(log_p);
  const double p_log_p = log_p < -700.0 ? 0.0 : p * log_p;
  return power(1.0 - p, gamma) - gamma * power(1.0 - p, gamma - 1.0) * p_log_p;
}

/// Multiplies each coefficient by what focal loss makes of its class.
void modulate(double gamma, double (*by)(double gamma, double log_p), double* coefficients,
              const float* log_p, std::int64_t classes) {
  if (gamma == 0.0) return;  // cross entropy
  for (std::int64_t c = 0; c < classes; ++c) {
    if (coefficients[c] != 0.0) coefficients[c] *= by(gamma, log_p[c]);
  }
}

/// Calls sample(row, coefficients, weight, log_p) for all samples.
template <typename Sample>
void for_samples(ExecContext& ctx, Isa isa, const CrossEntropyLoss& loss, const Sample& sample) {
  const std::int64_t samples = loss.logits.shape[0];
  const std::int64_t classes = loss.logits.shape[1];
  ctx.pool.run_blocks(samples, rows_per_task(classes), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> coefficients(static_cast<std::size_t>(classes));
    std::vector<float> log_p(static_cast<std::size_t>(classes));
    for (std::int64_t row = begin; row < end; ++row) {
      const float weight = coefficients_of(loss, row, classes, coefficients.data());
      kernels_of(isa).softmax.forward(true, loss.logits.f32() + row * classes, log_p.data(),
                                      classes);
      sample(row, coefficients.data(), weight, log_p.data());
    }
  });
}

}  // namespace

void run(const Call& call, const Softmax& op) {
  const std::int64_t length = op.lanes.length;
  const std::int64_t inner = op.lanes.inner;
  if (length == 0) return;  // nothing to add offsets to
  call.ctx.pool.run_blocks(
      op.lanes.outer * inner, rows_per_task(length), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(inner > 1 ? length : 0));
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = i / inner * length * inner + i % inner;
          if (inner == 1) {
            kernels_of(call.isa).softmax.forward(op.log, op.x.f32() + at, op.y.f32() + at, length);
          } else {
            gather(op.x.f32() + at, inner, row.data(), length);
            kernels_of(call.isa).softmax.forward(op.log, row.data(), row.data(), length);
            scatter(row.data(), op.y.f32() + at, inner, length);
          }
        }
      });
}

void run(const Call& call, const SoftmaxBackward& op) {
  const std::int64_t length = op.lanes.length;
  const std::int64_t inner = op.lanes.inner;
  if (length == 0) return;  // nothing to add offsets to
  call.ctx.pool.run_blocks(
      op.lanes.outer * inner, rows_per_task(length), [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> rows(static_cast<std::size_t>(inner > 1 ? 2 * length : 0));
        float* row_y = rows.data();
        float* row_dy = rows.data() + rows.size() / 2;
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t at = i / inner * length * inner + i % inner;
          if (inner == 1) {
            kernels_of(call.isa).softmax.backward(op.log, op.y.f32() + at, op.dy.f32() + at,
                                                  op.dx.f32() + at, length);
          } else {
            gather(op.y.f32() + at, inner, row_y, length);
            gather(op.dy.f32() + at, inner, row_dy, length);
            kernels_of(call.isa).softmax.backward(op.log, row_y, row_dy, row_dy, length);
            scatter(row_dy, op.dx.f32() + at, inner, length);
          }
        }
      });
}

void run(const Call& call, const CrossEntropy& op) {
  const std::int64_t classes = op.loss.logits.shape[1];
  const double gamma = op.loss.focal_gamma;
  for_samples(call.ctx, call.isa, op.loss,
              [&](std::int64_t row, double* coefficients, float weight, const float* log_p) {
                modulate(gamma, focal_factor, coefficients, log_p, classes);
                double loss = 0;
                for (std::int64_t c = 0; c < classes; ++c) {
                  if (coefficients[c] != 0.0) {  // 0 times an infinite logarithm is 0
                    loss -= coefficients[c] * log_p[c];
                  }
                }
                op.losses.f32()[row] = static_cast<float>(loss);
                op.weights.f32()[row] = weight;
              });
}

void run(const Call& call, const CrossEntropyBackward& op) {
  const std::int64_t classes = op.loss.logits.shape[1];
  const double gamma = op.loss.focal_gamma;
  for_samples(call.ctx, call.isa, op.loss,
              [&](std::int64_t row, double* coefficients, float, const float* log_p) {
                modulate(gamma, focal_slope, coefficients, log_p, classes);
                double sum = 0;
                for (std::int64_t c = 0; c < classes; ++c) {
                  sum += coefficients[c];
                }
                const double factor = op.scale.f32()[row];
                float* d = op.dlogits.f32() + row * classes;
                for (std::int64_t c = 0; c < classes; ++c) {
                  const double p = math::exp_double(log_p[c]);
                  d[c] = sum == 0.0 && coefficients[c] == 0.0
                             ? 0.0F
                             : static_cast<float>(factor * (p * sum - coefficients[c]));
                }
              });
}

}  // namespace hanok::cpu
