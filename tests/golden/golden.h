// Golden files: the formula's tensors (the same integers times powers of two as in formula.py), and
// the comparison of a tensor with its stored fingerprint.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hanok/engine/tensor.h"
#include "tests/support/paths.h"

namespace hanok::golden {

using Json = nlohmann::json;

/// A golden file of tests/golden. Throws if it is missing or has another format. Kept for good, so
/// that a loop may go through a part of what this returns.
inline const Json& load(const std::string& file) {
  static std::map<std::string, Json> kept;
  const auto found = kept.find(file);
  if (found != kept.end()) return found->second;
  const std::string path = hanok::test::source_dir() + "/tests/golden/" + file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path);
  Json json = Json::parse(stream);
  if (json.at("format") != 1) throw std::runtime_error(path + ": unknown format");
  return kept.emplace(file, std::move(json)).first->second;
}

/// FNV-1a, 32 bits.
inline std::uint32_t name_hash(const std::string& name) {
  std::uint32_t value = 0x811C9DC5U;
  for (const char c : name) value = (value ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return value;
}

/// Element `i` of the hash stream of a name's hash (murmur3's finaliser).
inline std::uint32_t element_hash(std::uint32_t name, std::uint32_t i) {
  std::uint32_t h = name + i * 0x9E3779B9U;
  h ^= h >> 16;
  h *= 0x85EBCA6BU;
  h ^= h >> 13;
  h *= 0xC2B2AE35U;
  h ^= h >> 16;
  return h;
}

/// The spread with (nearly) this standard deviation, in units of 2^-bits.
inline std::int64_t spread_of(double stddev, int bits) {
  return static_cast<std::int64_t>(
      std::floor(std::sqrt(3.0) * stddev * std::ldexp(1.0, bits) + 0.5));
}

/// The formula's distribution: (center - spread + hash mod (2 spread + 1)) * 2^-bits.
struct Spread {
  std::int64_t spread = 0;
  int bits = 0;
  std::int64_t center = 0;
};

/// Fills a tensor by the formula; element i counts in logical row-major order.
inline void fill(Tensor& target, const std::string& name, const Spread& s) {
  const std::uint32_t hash = name_hash(name);
  // Products and sums of these small integers and a power of two are exact in float.
  const float scale = std::ldexp(1.0F, -s.bits);
  // 32-bit arithmetic: a model has up to 138 million elements.
  const auto count = static_cast<std::uint32_t>(2 * s.spread + 1);
  const auto lowest = static_cast<std::int32_t>(s.center - s.spread);
  const auto value = [=](std::uint32_t i) {
    const auto draw = static_cast<std::int32_t>(element_hash(hash, i) % count);
    return static_cast<float>(draw + lowest) * scale;
  };
  float* out = target.mutable_data<float>();
  const Shape& shape = target.shape();
  if (shape.rank() != 4) {
    const auto total = static_cast<std::uint32_t>(shape.numel());
    for (std::uint32_t i = 0; i < total; ++i) out[i] = value(i);
    return;
  }
  std::uint32_t i = 0;  // rank 4 is stored in another order
  const Strides strides = dense_strides(shape);
  for (std::int64_t a = 0; a < shape[0]; ++a) {
    for (std::int64_t b = 0; b < shape[1]; ++b) {
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        for (std::int64_t d = 0; d < shape[3]; ++d) {
          out[a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]] = value(i++);
        }
      }
    }
  }
}

inline Tensor tensor(const std::string& name, const Shape& shape, std::int64_t spread, int bits,
                     std::int64_t center = 0) {
  Tensor result = Tensor::empty(shape);
  fill(result, name, {spread, bits, center});
  return result;
}

inline Shape shape_of(const Json& sizes) {
  Shape shape;
  for (const auto& size : sizes) shape.push_back(size.get<std::int64_t>());
  return shape;
}

/// The formula with its parameters from a golden: {"shape", "spread", "bits", "center"}.
inline Tensor tensor(const std::string& name, const Json& spec) {
  return tensor(name, shape_of(spec.at("shape")), spec.at("spread"), spec.at("bits"),
                spec.at("center"));
}

/// i64 [count] in 0..limit-1.
inline std::vector<std::int64_t> integers(const std::string& name, std::int64_t count,
                                          std::int64_t limit) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(element_hash(name_hash(name), static_cast<std::uint32_t>(i)) % limit);
  }
  return values;
}

/// The rule for a model's parameter or buffer, by its role: weights spread as in He initialisation,
/// batch norm weights and variances near 1, the rest near 0.
inline void fill_parameter(Tensor& target, const std::string& name, const std::string& full_name) {
  constexpr int kBits = 14;
  constexpr std::int64_t kOne = std::int64_t{1} << kBits;
  const std::int64_t tenth = spread_of(0.1, kBits);
  const Shape& shape = target.shape();
  if (name.ends_with("running_var")) return fill(target, full_name, {tenth, kBits, kOne});
  if (name.ends_with("running_mean") || name.ends_with("bias")) {
    return fill(target, full_name, {tenth, kBits, 0});
  }
  if (shape.rank() == 1) return fill(target, full_name, {tenth, kBits, kOne});
  const double fan_in = static_cast<double>(shape.numel() / shape[0]);
  fill(target, full_name, {spread_of(std::sqrt(2.0 / fan_in), kBits), kBits, 0});
}

inline Tensor parameter(const std::string& name, const std::string& full_name, const Shape& shape) {
  Tensor result = Tensor::empty(shape);
  fill_parameter(result, name, full_name);
  return result;
}

/// Distance of `actual` from a fingerprint, relative to the tensor's L2 norm: the largest of the
/// norm's difference, the samples' L2 distance (scaled up to the whole tensor) and a quarter of the
/// dot product's difference (an error vector e changes it by about |e|, rarely by more than four
/// times that).
struct Distance {
  double norm = 0, samples = 0, dot = 0;
  double worst() const { return std::max({norm, samples, dot / 4}); }
};

inline Distance distance(const std::string& name, const Tensor& actual, const Json& expected) {
  const std::vector<float> values = actual.to_vector();
  const std::uint32_t sign_hash = name_hash(name + "#sign");
  const std::uint32_t sample_hash = name_hash(name + "#sample");
  double squares = 0, dot = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    squares += value * value;
    const bool negative = (element_hash(sign_hash, static_cast<std::uint32_t>(i)) & 1U) != 0;
    dot += negative ? -value : value;
  }
  const auto& samples = expected.at("samples");
  const bool all = values.size() == samples.size() && values.size() <= 32;
  double sample_error = 0;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const std::size_t position =
        all ? k : element_hash(sample_hash, static_cast<std::uint32_t>(k)) % values.size();
    const double difference = values[position] - samples[k].get<double>();
    sample_error += difference * difference;
  }
  const double norm = expected.at("norm");
  // A tensor that should be zero has no relative error: use the absolute one.
  const double scale = norm > 0 ? norm : 1;
  const double share =
      samples.empty() ? 1
                      : static_cast<double>(values.size()) / static_cast<double>(samples.size());
  Distance result;
  result.norm = std::abs(std::sqrt(squares) - norm) / scale;
  result.dot = std::abs(dot - expected.at("dot").get<double>()) / scale;
  result.samples = std::sqrt(sample_error * share) / scale;
  return result;
}

/// A number of a golden. Those that JSON does not have are the strings "nan", "inf" and "-inf".
inline double number(const Json& json) {
  if (!json.is_string()) return json.get<double>();
  const auto text = json.get<std::string>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  return text == "inf" ? infinity : -infinity;
}

/// The numbers of a golden that writes all of them out: {"shape", "values"}.
inline std::vector<double> numbers(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json.at("values")) values.push_back(number(value));
  return values;
}

/// Both NaN, the same infinity, or within `tolerance` of each other, relative where above 1.
inline bool is_same_or_near(double actual, double expected, double tolerance) {
  if (std::isnan(expected) || std::isinf(expected)) {
    return std::isnan(expected) ? std::isnan(actual) : actual == expected;
  }
  return std::abs(actual - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

/// True if `actual` has the golden's shape and is within `tolerance` of it (L2-relative). NaN is
/// never within the tolerance.
inline testing::AssertionResult is_near(const std::string& name, const Tensor& actual,
                                        const Json& expected, double tolerance) {
  if (!actual.defined()) return testing::AssertionFailure() << name << " is undefined";
  if (!(actual.shape() == shape_of(expected.at("shape")))) {
    return testing::AssertionFailure() << name << " has shape " << actual.shape().to_string()
                                       << ", expected " << expected.at("shape").dump();
  }
  const Distance d = distance(name, actual, expected);
  if (d.norm + d.samples + d.dot >= 0 && d.worst() <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << name << ": L2-relative error above " << tolerance << ": norm " << d.norm << ", samples "
         << d.samples << ", dot " << d.dot;
}

}  // namespace hanok::golden
