// Elementary functions for f32, the same bits on every CPU, compiler and instruction-set path.
//
// Every function computes in double with additions, multiplications, divisions and bit operations
// only (no fused multiply-add, no library call) and rounds once at the end, so its error is little
// more than half a unit in the last place. exp, log, tanh, erf and the functions based on them have
// no branches, so a plain loop over them is vectorised.
//
// Polynomials are Taylor series, short because arguments are reduced first; erfc's is a Chebyshev
// fit. This file includes only C headers (and one macro), and everything is static, since the files
// of kernels/cpu/isa use it too.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "hanok/kernels/base/host_device.h"

#pragma GCC visibility push(default)
namespace hanok::math {

// ---- in double, for arguments that are floats; relative error about 1e-10 ----

HANOK_HOST_DEVICE static inline uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

HANOK_HOST_DEVICE static inline double double_of(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// x within [-700, 700], where neither e^x nor 1/e^x leaves the range of double. NaN stays.
static inline double within_exp(double x) {
  const double low = x < -700.0 ? -700.0 : x;
  return low > 700.0 ? 700.0 : low;
}

/// e^z = 2^n e^r with n = round(z / ln 2), |r| <= ln(2)/2, for z within [-700, 700].
static inline double exp_of_within(double z) {
  constexpr double kRound = 0x1.8p52;  // adding it leaves the rounded integer in the low bits
  const double shifted = z * 1.4426950408889634 + kRound;
  const double n = shifted - kRound;
  const double r = z - n * 0.6931471805599453;
  double p = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return double_of(bits_of(p) + (bits_of(shifted) << 52));
}

/// e^x. Arguments are clamped to [-700, 700].
static inline double exp_double(double x) {
  const double y = exp_of_within(within_exp(x));
  return x != x ? x : y;
}

/// ln x = e ln 2 + ln m, m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh(s) with s = (m-1)/(m+1).
HANOK_HOST_DEVICE static inline double log_double(double x) {
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdULL;
  constexpr uint64_t kOne = 0x3ff0000000000000ULL;
  const uint64_t offset = bits_of(x) - kSqrtHalf + kOne;
  // e = (exponent of the offset argument) - 1023, converted to double by placing it below 2^52.
  const double e = double_of((offset >> 52) | 0x4330000000000000ULL) - (0x1p52 + 1023.0);
  const double m = double_of((offset & 0x000fffffffffffffULL) + kSqrtHalf);
  const double s = (m - 1.0) / (m + 1.0);
  const double t = s * s;
  double p = 1.0 / 13;
  p = p * t + 1.0 / 11;
  p = p * t + 1.0 / 9;
  p = p * t + 1.0 / 7;
  p = p * t + 1.0 / 5;
  p = p * t + 1.0 / 3;
  p = p * t + 1.0;
  const double finite = e * 0.6931471805599453 + 2.0 * s * p;
  const double infinity = double_of(0x7ff0000000000000ULL);
  const double nan = double_of(0x7ff8000000000000ULL);
  const double above = x > 1.7976931348623157e308 ? infinity : finite;
  const double zero = x == 0.0 ? -infinity : above;
  const double negative = x < 0.0 ? nan : zero;
  return x != x ? x : negative;
}

static inline double sigmoid_double(double x) { return 1.0 / (1.0 + exp_double(-x)); }

/// tanh x = 1 - 2/(e^2x + 1); near 0, where this cancels, x - x^3/3 + 2x^5/15 - 17x^7/315.
static inline double tanh_double(double x) {
  const double t = x * x;
  const double small = x * (1.0 + t * (-1.0 / 3 + t * (2.0 / 15 - t * (17.0 / 315))));
  const double large = 1.0 - 2.0 / (exp_double(2.0 * x) + 1.0);
  const bool is_small = t < 1.0 / 1024;
  return is_small ? small : large;
}

/// erf: the Taylor series below 1; above, 1 - e^(-x^2) erfcx(x) with a polynomial in 1/(1+x/2).
static inline double erf_double(double x) {
  const double magnitude = x < 0.0 ? -x : x;
  const double t = x * x;
  double p = 9.422759064650411e-11;
  p = p * t - 1.2290555301717928e-09;
  p = p * t + 1.4807192815879218e-08;
  p = p * t - 1.6365844691234924e-07;
  p = p * t + 1.6462114365889248e-06;
  p = p * t - 1.492565035840625e-05;
  p = p * t + 0.00012055332981789664;
  p = p * t - 0.0008548327023450853;
  p = p * t + 0.005223977625442188;
  p = p * t - 0.026866170645131252;
  p = p * t + 0.11283791670955126;
  p = p * t - 0.37612638903183754;
  p = p * t + 1.1283791670955126;
  const double small = x * p;

  const double z = magnitude > 10.0 ? 10.0 : magnitude;
  const double u = 1.0 / (1.0 + 0.5 * z);
  double q = -0x1.657066a00e521p-5;
  q = q * u + 0x1.c7980048a4481p-4;
  q = q * u + 0x1.049696e6ed60ep-8;
  q = q * u - 0x1.e246d6c8709e3p-3;
  q = q * u + 0x1.2cf38aba254dfp-3;
  q = q * u + 0x1.74178738bf17fp-7;
  q = q * u + 0x1.96345fb581ac5p-3;
  q = q * u + 0x1.f0945babea35bp-3;
  q = q * u + 0x1.216c7a9d0a2c7p-2;
  q = q * u + 0x1.20d32f6dfd87ep-2;
  q = q * u + 0x1.4a9aa7c69a581p-20;
  const double upper = 1.0 - exp_double(-z * z) * q;
  const double large = x < 0.0 ? -upper : upper;
  const double either = magnitude < 1.0 ? small : large;
  return x != x ? x : either;
}

/// x = (pi/2) quadrant + r with |r| <= pi/4, for any finite float.
struct Quadrant {
  uint64_t number;  // only its value modulo 4 matters
  double r;
};

HANOK_HOST_DEVICE static inline Quadrant reduce_quadrant(float x) {
  const double wide = x;
  if (wide < 0x1p24 && wide > -0x1p24) {
    constexpr double kRound = 0x1.8p52;
    const double shifted = wide * 0.6366197723675814 + kRound;
    const double n = shifted - kRound;
    // pi/2 in two parts: n times the first (25 bits) is exact.
    const double r = (wide - n * 0x1.921fb5p+0) - n * 0x1.110b4611a6263p-26;
    return {bits_of(shifted), r};
  }
  // Payne and Hanek: x = m 2^e; only the 96 bits of 2/pi from weight 2^(1-e) on affect the result
  // modulo 4.
  constexpr uint32_t kTwoOverPi[8] = {0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                      0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int e = static_cast<int>((bits >> 23) & 0xff) - 150;  // >= 1
  const uint64_t m = (bits & 0x7fffff) | 0x800000;
  const int first = e - 2;  // index of the window's first bit; bit 0 of 2/pi weighs 2^-1
  uint32_t window[3];
  for (int i = 0; i < 3; ++i) {
    const int bit = first + 32 * i;
    if (bit < 0) {
      window[i] = kTwoOverPi[0] >> -bit;
      continue;
    }
    const int word = bit / 32;
    const int shift = bit % 32;
    const uint64_t pair = (static_cast<uint64_t>(kTwoOverPi[word]) << 32) | kTwoOverPi[word + 1];
    window[i] = static_cast<uint32_t>((pair << shift) >> 32);
  }
  // The upper 64 of the product's lower 96 bits: x 2/pi modulo 4 in units of 2^-62.
  const uint64_t product = ((m * window[0]) << 32) + m * window[1] + ((m * window[2]) >> 32);
  const uint64_t quadrant = (product + (1ULL << 61)) >> 62;
  const double r =
      static_cast<double>(static_cast<int64_t>(product - (quadrant << 62))) * 0x1.921fb54442d18p-62;
  return (bits >> 31) != 0 ? Quadrant{0 - quadrant, -r} : Quadrant{quadrant, r};
}

HANOK_HOST_DEVICE static inline double sin_kernel(double r) {
  const double t = r * r;
  double p = -1.0 / 39916800;
  p = p * t + 1.0 / 362880;
  p = p * t - 1.0 / 5040;
  p = p * t + 1.0 / 120;
  p = p * t - 1.0 / 6;
  return r + r * t * p;
}

HANOK_HOST_DEVICE static inline double cos_kernel(double r) {
  const double t = r * r;
  double p = 1.0 / 479001600;
  p = p * t - 1.0 / 3628800;
  p = p * t + 1.0 / 40320;
  p = p * t - 1.0 / 720;
  p = p * t + 1.0 / 24;
  p = p * t - 0.5;
  return 1.0 + t * p;
}

/// sin(r + quadrant pi/2)
HANOK_HOST_DEVICE static inline double sin_of_quadrant(uint64_t quadrant, double r) {
  const double value = (quadrant & 1) != 0 ? cos_kernel(r) : sin_kernel(r);
  return (quadrant & 2) != 0 ? -value : value;
}

// ---- the public functions ----

static inline float exp(float x) { return static_cast<float>(exp_double(x)); }
static inline float log(float x) { return static_cast<float>(log_double(x)); }
static inline float tanh(float x) { return static_cast<float>(tanh_double(x)); }
static inline float erf(float x) { return static_cast<float>(erf_double(x)); }
static inline float sigmoid(float x) { return static_cast<float>(sigmoid_double(x)); }

HANOK_HOST_DEVICE static inline float sin(float x) {
  if (!(x - x == 0.0F)) {  // infinite or not a number
    return x - x;
  }
  const Quadrant q = reduce_quadrant(x);
  return x == 0.0F ? x : static_cast<float>(sin_of_quadrant(q.number, q.r));
}

HANOK_HOST_DEVICE static inline float cos(float x) {
  if (!(x - x == 0.0F)) {
    return x - x;
  }
  const Quadrant q = reduce_quadrant(x);
  return static_cast<float>(sin_of_quadrant(q.number + 1, q.r));
}

}  // namespace hanok::math
#pragma GCC visibility pop
