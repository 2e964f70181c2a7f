// Layers: modules over the ops of engine/ops.h, with PyTorch's names, arguments and initialisation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/ops.h"
#include "hanok/nn/activations.h"
#include "hanok/nn/containers.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// x [...,in] -> [...,out]. Weight and bias are initialised uniformly within 1/sqrt(in). Every
/// constructor here throws ValueError for sizes below one.
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Linear"; }
  std::string extra_repr() const override;

  const std::int64_t in_features, out_features;
  Parameter weight;  // [out,in]
  Parameter bias;    // [out] or undefined
};

struct Conv2dOptions {
  std::int64_t in_channels = 0, out_channels = 0;
  std::int64_t kernel_h = -1, kernel_w = -1;  // -1: as the other one; both: 1
  Window2d window{};
  std::int64_t groups = 1;
  bool bias = true;
  ops::Padding padding = ops::Padding::Window;
};

/// x [N,C,H,W] -> [N,K,P,Q]. Throws ValueError for channels not divisible by the groups, and for a
/// window with padding beside Padding::Same.
class Conv2d : public Module {
 public:
  explicit Conv2d(const Conv2dOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Conv2d"; }
  std::string extra_repr() const override;
  /// For ops::conv_bn_act.
  ops::Conv2dArguments arguments() const;

  const Conv2dOptions options;
  Parameter weight;  // [K,C/groups,R,S]
  Parameter bias;    // [K] or undefined
};

/// Batch norm over the channels of x [N,C], [N,C,L] or [N,C,H,W].
class BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t features, double epsilon = 1e-5, double momentum = 0.1);
  Tensor forward(const Tensor& x) override;
  std::string extra_repr() const override;
  /// Arguments for ops::batch_norm and ops::conv_bn_act; in training mode unless eval() or frozen.
  ops::BatchNormState state() const;

  const std::int64_t features;
  const double epsilon, momentum;
  Parameter weight, bias;                                 // [C]
  Buffer running_mean, running_var, num_batches_tracked;  // [C], [C], i64 []
};
class BatchNorm2d : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "BatchNorm2d"; }
};
class BatchNorm1d : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "BatchNorm1d"; }
};

/// ops::conv_bn_act over the two layers (a function, so that published parameter names are kept).
/// If either layer has forward hooks, the two run separately, so that the hooks are called: the
/// same values up to rounding.
Tensor conv_bn_act(const Tensor& x, Conv2d& conv, BatchNorm2d& bn, const Tensor& residual = {},
                   Activation activation = Activation::Relu);

/// Maxima over kernel x kernel windows of x [N,C,H,W].
class MaxPool2d : public Module {
 public:
  MaxPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding = 0,
            PoolSize rounding = PoolSize::Floor);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "MaxPool2d"; }
  std::string extra_repr() const override;
  const std::int64_t kernel, stride, padding;
  const PoolSize rounding;
};

/// conv_bn_act followed by max-pooling as one op, as in a network's stem; run separately if one of
/// the three has forward hooks or the pooling rounds up.
Tensor conv_bn_relu_max_pool(const Tensor& x, Conv2d& conv, BatchNorm2d& bn, MaxPool2d& pool);

/// Means over kernel x kernel windows of x [N,C,H,W]; padding counts as zeros.
class AvgPool2d : public Module {
 public:
  AvgPool2d(std::int64_t kernel, std::int64_t stride, std::int64_t padding = 0,
            PoolSize rounding = PoolSize::Floor);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "AvgPool2d"; }
  std::string extra_repr() const override;
  const std::int64_t kernel, stride, padding;
  const PoolSize rounding;
};

/// Means of x [N,C,H,W] over out_h x out_w windows -> [N,C,out_h,out_w].
class AdaptiveAvgPool2d : public Module {
 public:
  AdaptiveAvgPool2d(std::int64_t out_h, std::int64_t out_w);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "AdaptiveAvgPool2d"; }
  std::string extra_repr() const override;
  const std::int64_t out_h, out_w;
};

class Dropout : public Module {
 public:
  explicit Dropout(float p = 0.5F);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Dropout"; }
  std::string extra_repr() const override;
  const float p;
};

class Flatten : public Module {
 public:
  explicit Flatten(int start_dim = 1, int end_dim = -1);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Flatten"; }
  std::string extra_repr() const override;
  const int start_dim, end_dim;
};

/// Returns x: replaces a module that is to be removed.
class Identity : public Module {
 public:
  Tensor forward(const Tensor& x) override { return x; }
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Identity"; }
};

/// Permutes the dimensions of x: result dimension i is x's dimension order[i].
class Permute : public Module {
 public:
  explicit Permute(std::vector<int> order) : order(std::move(order)) {}
  Tensor forward(const Tensor& x) override { return ops::permute(x, order); }
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Permute"; }
  const std::vector<int> order;
};

/// Training: each sample of x [N,...] is zeroed with probability p, else divided by 1-p; for
/// residual branches (Huang et al., Deep Networks with Stochastic Depth, 2016). Otherwise x itself.
/// Throws ValueError unless 0 <= p <= 1.
class StochasticDepth : public Module {
 public:
  explicit StochasticDepth(float p);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "StochasticDepth"; }
  std::string extra_repr() const override;
  const float p;
};

/// indices i64 of any shape -> that shape + [dimension]: rows of the table, initialised
/// normal(0,1). The row `padding_index` (-1: none) is initialised to zeros and gets no gradient.
class Embedding : public Module {
 public:
  /// Throws ValueError for sizes below one and a padding index out of range.
  Embedding(std::int64_t rows, std::int64_t dimension, std::int64_t padding_index = -1);
  Tensor forward(const Tensor& indices) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Embedding"; }
  std::string extra_repr() const override;
  const std::int64_t rows, dimension, padding_index;
  Parameter weight;  // [rows,dimension]
};

struct UpsampleOptions {
  std::int64_t out_h = 0, out_w = out_h;  // either these,
  double scale_factor = 0;                // or this: out_h = floor(scale_factor * H)
  enum class Mode { Nearest, Bilinear } mode = Mode::Nearest;
  bool align_corners = false;  // bilinear only
};

/// x [N,C,H,W] -> [N,C,out_h,out_w]. Throws ValueError unless exactly one of size and scale factor
/// is given, and for align_corners with nearest mode.
class Upsample : public Module {
 public:
  explicit Upsample(const UpsampleOptions& options);
  Tensor forward(const Tensor& x) override;
  std::unique_ptr<Module> clone() const override;
  std::string type_name() const override { return "Upsample"; }
  std::string extra_repr() const override;
  const UpsampleOptions options;
};

}  // namespace hanok::nn
#pragma GCC visibility pop
