// Parameter initialisation with random numbers from a Generator's Init stream.
#pragma once

#include "hanok/engine/generator.h"
#include "hanok/engine/tensor.h"

#pragma GCC visibility push(default)
namespace hanok::nn::init {

enum class Fan { In, Out };
/// Number of inputs or outputs connected to one element of `weight` ([O,I] or [O,I,R,S]). Throws
/// ShapeError for a rank below 2.
std::int64_t fan(const Tensor& weight, Fan mode);

/// Uniform in [low, high).
void uniform(Tensor& tensor, float low, float high, Generator& generator = Generator::global());
/// Normal with this mean and standard deviation.
void normal(Tensor& tensor, float mean, float stddev, Generator& generator = Generator::global());
void constant(Tensor& tensor, float value);
/// Kaiming uniform (He et al. 2015), bound sqrt(6 / ((1+a^2) fan)); a is the negative slope of the
/// leaky ReLU that follows.
void kaiming_uniform(Tensor& weight, float a = 0, Fan mode = Fan::In,
                     Generator& generator = Generator::global());
/// Kaiming normal, standard deviation sqrt(2 / ((1+a^2) fan)).
void kaiming_normal(Tensor& weight, float a = 0, Fan mode = Fan::In,
                    Generator& generator = Generator::global());
/// Xavier uniform (Glorot and Bengio 2010), bound gain * sqrt(6 / (fan_in + fan_out)).
void xavier_uniform(Tensor& weight, float gain = 1, Generator& generator = Generator::global());
/// Xavier normal, standard deviation gain * sqrt(2 / (fan_in + fan_out)).
void xavier_normal(Tensor& weight, float gain = 1, Generator& generator = Generator::global());

/// Weight and bias (if defined) uniform within 1/sqrt(fan in): PyTorch's default for Linear and
/// convolutions.
void uniform_by_fan_in(Tensor& weight, Tensor& bias);

}  // namespace hanok::nn::init
#pragma GCC visibility pop
