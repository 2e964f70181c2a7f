// Layer norm and group norm.
#include <cmath>

#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

using Index = std::vector<std::int64_t>;

/// Standardises x over the elements that share group(index); then scales and shifts element by
/// element with channel(index).
Array reference_norm(const std::vector<Array>& in, double epsilon,
                     const std::function<std::size_t(const Index&)>& group,
                     const std::function<std::size_t(const Index&)>& channel) {
  const Array& x = in[0];
  std::vector<double> sum(x.values.size()), square(x.values.size()), count(x.values.size());
  std::vector<std::size_t> groups, channels;
  for_each_index(x.shape, [&](const Index& index) {
    groups.push_back(group(index));
    channels.push_back(channel(index));
  });
  for (std::size_t i = 0; i < groups.size(); ++i) {
    sum[groups[i]] += x.values[i];
    count[groups[i]] += 1;
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const double centred = x.values[i] - sum[groups[i]] / count[groups[i]];
    square[groups[i]] += centred * centred;
  }
  Array y = x;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t g = groups[i];
    const double xhat =
        (x.values[i] - sum[g] / count[g]) / std::sqrt(square[g] / count[g] + epsilon);
    y.values[i] =
        in.size() == 1 ? xhat : xhat * in[1].values[channels[i]] + in[2].values[channels[i]];
  }
  return y;
}

constexpr Tolerance kTolerance{3e-6, 2e-5};

TEST(LayerNorm, MatchesReference) {
  const std::pair<Shape, int> cases[] = {
      {{7}, 1},          {{3, 5}, 1},       {{3, 5}, 2},       {{2, 3, 17}, 1},     {{2, 3, 17}, 2},
      {{2, 3, 4, 5}, 1}, {{2, 3, 4, 5}, 3}, {{2, 3, 4, 5}, 4}, {{2, 1, 3, 2, 3}, 2}};
  std::uint32_t seed = 0;
  for (const auto& c : cases) {
    const Shape& shape = c.first;
    const int first = shape.rank() - c.second;
    Shape scale;
    for (int d = first; d < shape.rank(); ++d) scale.push_back(shape[d]);
    const auto flat = [&](const Index& index, int from, int to) {
      std::int64_t offset = 0;
      for (int d = from; d < to; ++d)
        offset = offset * shape[d] + index[static_cast<std::size_t>(d)];
      return static_cast<std::size_t>(offset);
    };
    const Array x = random_array(shape, ++seed, -1, 2);
    const auto reference = [&](const std::vector<Array>& in) {
      return reference_norm(
          in, 1e-5, [&](const Index& i) { return flat(i, 0, first); },
          [&](const Index& i) { return flat(i, first, shape.rank()); });
    };
    check_op(
        "layer_norm " + shape.to_string(),
        [&](const auto& in) { return ops::layer_norm(in[0], c.second, in[1], in[2]); }, reference,
        {x, random_array(scale, ++seed), random_array(scale, ++seed)}, kTolerance);
    check_op(
        "layer_norm without scale " + shape.to_string(),
        [&](const auto& in) { return ops::layer_norm(in[0], c.second); }, reference, {x},
        kTolerance);
  }
}

TEST(LayerNorm, OverChannelsMatchesReference) {
  std::uint32_t seed = 50;
  for (const Shape& shape : {Shape{2, 5, 3, 4}, Shape{1, 17, 1, 1}, Shape{3, 4, 2, 1}}) {
    check_op(
        "layer_norm_channels " + shape.to_string(),
        [&](const auto& in) { return ops::layer_norm_channels(in[0], in[1], in[2]); },
        [&](const std::vector<Array>& in) {
          return reference_norm(
              in, 1e-6,
              [&](const Index& i) {
                return static_cast<std::size_t>((i[0] * shape[2] + i[2]) * shape[3] + i[3]);
              },
              [](const Index& i) { return static_cast<std::size_t>(i[1]); });
        },
        {random_array(shape, ++seed, -1, 2), random_array({shape[1]}, ++seed),
         random_array({shape[1]}, ++seed)},
        kTolerance);
  }
}

TEST(GroupNorm, MatchesReference) {
  const std::pair<Shape, std::int64_t> cases[] = {{{3, 6}, 2},        {{2, 6, 5}, 3},
                                                  {{2, 6, 3, 4}, 1},  {{2, 6, 3, 4}, 2},
                                                  {{2, 6, 3, 4}, 6},  // instance norm
                                                  {{1, 34, 2, 1}, 17}};
  std::uint32_t seed = 90;
  for (const auto& c : cases) {
    const Shape& shape = c.first;
    const std::int64_t groups = c.second;
    const std::int64_t each = shape[1] / groups;
    const Array x = random_array(shape, ++seed, -1, 2);
    const auto reference = [&](const std::vector<Array>& in) {
      return reference_norm(
          in, 1e-5,
          [&](const Index& i) { return static_cast<std::size_t>(i[0] * groups + i[1] / each); },
          [](const Index& i) { return static_cast<std::size_t>(i[1]); });
    };
    check_op(
        "group_norm " + shape.to_string(),
        [&](const auto& in) { return ops::group_norm(in[0], groups, in[1], in[2]); }, reference,
        {x, random_array({shape[1]}, ++seed), random_array({shape[1]}, ++seed)}, kTolerance);
    check_op(
        "group_norm without scale " + shape.to_string(),
        [&](const auto& in) { return ops::group_norm(in[0], groups); }, reference, {x}, kTolerance);
  }
}

TEST(LayerNorm, ErrorsNameTheOpAndTheShapes) {
  const Tensor x = new_zeros({2, 3, 4});
  EXPECT_EQ(message_of<ValueError>([&] { ops::layer_norm(x, 4); }),
            "layer_norm: cannot normalise the last 4 dimensions (input [2,3,4])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::layer_norm(x, 2, new_ones({4})); }),
            "layer_norm: weight must be [3,4] (input [2,3,4], weight [4])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::group_norm(x, 2); }),
            "group_norm: 3 channels do not divide into 2 groups (input [2,3,4])");
  EXPECT_EQ(message_of<ShapeError>([&] { ops::layer_norm_channels(x); }),
            "layer_norm_channels: expected an input [N,C,H,W] (input [2,3,4])");
}

}  // namespace
}  // namespace hanok::testing
