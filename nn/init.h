// Parameter initialisation, from a Generator's Init stream.
#pragma once

#include "hanok/engine/generator.h"
#include "hanok/engine/tensor.h"

namespace hanok::nn::init {

enum class Fan { In, Out };
/// Number of inputs or outputs that one element of `weight` ([O,I] or [O,I,R,S]) connects.
std::int64_t fan(const Tensor& weight, Fan mode);

void uniform(Tensor& tensor, float low, float high, Generator& generator = Generator::global());
void normal(Tensor& tensor, float mean, float stddev, Generator& generator = Generator::global());
void constant(Tensor& tensor, float value);
/// He et al. 2015. Bound sqrt(6 / ((1+a^2) fan)); a is the negative slope of the following leaky
/// ReLU.
void kaiming_uniform(Tensor& weight, float a = 0, Fan mode = Fan::In,
                     Generator& generator = Generator::global());
/// Standard deviation sqrt(2 / ((1+a^2) fan)).
void kaiming_normal(Tensor& weight, float a = 0, Fan mode = Fan::In,
                    Generator& generator = Generator::global());
/// Glorot and Bengio 2010. Bound gain * sqrt(6 / (fan_in + fan_out)).
void xavier_uniform(Tensor& weight, float gain = 1, Generator& generator = Generator::global());
void xavier_normal(Tensor& weight, float gain = 1, Generator& generator = Generator::global());

/// Weight and bias (if it is defined) uniform within 1/sqrt(fan in): what Linear and convolutions
/// of PyTorch start with.
void uniform_by_fan_in(Tensor& weight, Tensor& bias);

}  // namespace hanok::nn::init
