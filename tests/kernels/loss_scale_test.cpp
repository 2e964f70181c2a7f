// Loss scaling: dividing gradients, finding what is not finite, following it with the scale, and
// steps of optimisers that are left out.
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/kernels/backend_runs.h"

namespace hanok {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Divides gradients of these sizes, with `planted` at `where` in the last one; returns all of them
/// and what was found.
std::vector<float> unscaled(Backend& backend, ExecContext& context,
                            const std::vector<std::int64_t>& sizes, float scale, float planted,
                            std::int64_t where) {
  std::vector<std::vector<float>> gradients;
  for (const std::int64_t size : sizes) {
    gradients.push_back(test::test_data(size, static_cast<std::uint64_t>(size), 0, 1000));
  }
  if (where >= 0) gradients.back()[static_cast<std::size_t>(where)] = planted;
  std::vector<View> views;
  for (std::vector<float>& g : gradients) {
    views.push_back(test::view_of(g, Shape{static_cast<std::int64_t>(g.size())}));
  }
  float found = -1;
  backend.run(context, Unscale{views, {&scale, DType::F32, {1}}, {&found, DType::F32, {1}}});
  std::vector<float> all;
  for (const std::vector<float>& g : gradients) all.insert(all.end(), g.begin(), g.end());
  all.push_back(found);
  return all;
}

TEST(Unscale, DividesByAPowerOfTwoExactly) {
  const std::vector<std::int64_t> sizes = {1, 7, 0, 1024, 4097, 9001};
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        return unscaled(backend, context, sizes, 65536, 0, -1);
      },
      [&](const std::vector<float>& got) {
        std::size_t i = 0;
        for (const std::int64_t size : sizes) {
          for (const float g : test::test_data(size, static_cast<std::uint64_t>(size), 0, 1000)) {
            ASSERT_EQ(got[i++], g / 65536);
          }
        }
        EXPECT_EQ(got[i], 0) << "all were finite";
      });
}

TEST(Unscale, FindsOneValueThatIsNotFiniteWhereverItStands) {
  for (const float planted : {kInfinity, -kInfinity, kNan}) {
    for (const std::int64_t where : {0, 3, 4096, 4099, 9000}) {
      test::on_every_path(
          [&](Backend& backend, ExecContext& context) {
            return unscaled(backend, context, {5, 9001}, 1024, planted, where);
          },
          [&](const std::vector<float>& got) {
            EXPECT_EQ(got.back(), 1) << planted << " at " << where;
          });
    }
  }
}

TEST(Unscale, TakesMoreTensorsThanALaunchHasRoomFor) {
  const std::vector<std::int64_t> sizes(500, 3);
  for (const bool plant : {false, true}) {
    test::on_every_path(
        [&](Backend& backend, ExecContext& context) {
          return unscaled(backend, context, sizes, 2, kNan, plant ? 1 : -1);
        },
        [&](const std::vector<float>& got) { EXPECT_EQ(got.back(), plant ? 1 : 0); });
  }
}

/// Scale and count after each of these findings.
std::vector<float> course(Backend& backend, ExecContext& context, float scale,
                          const std::vector<float>& findings) {
  std::vector<float> result;
  std::int64_t good_steps = 0;
  LossScaleRule rule;
  rule.interval = 3;
  for (const float found : findings) {
    backend.run(context, UpdateLossScale{rule,
                                         {&found, DType::F32, {1}},
                                         {&scale, DType::F32, {1}},
                                         {&good_steps, DType::I64, {1}}});
    result.push_back(scale);
    result.push_back(static_cast<float>(good_steps));
  }
  return result;
}

TEST(UpdateLossScale, HalvesAtOnceAndDoublesAfterGoodSteps) {
  test::on_every_path(
      [](Backend& backend, ExecContext& context) {
        return course(backend, context, 8, {0, 0, 1, 0, 0, 0, 0});
      },
      [](const std::vector<float>& got) {
        EXPECT_EQ(got, (std::vector<float>{8, 1, 8, 2, 4, 0, 4, 1, 4, 2, 8, 0, 8, 1}));
      });
}

TEST(UpdateLossScale, NeverGrowsToInfinity) {
  const float large = std::ldexp(1.0F, 127);
  test::on_every_path(
      [&](Backend& backend, ExecContext& context) {
        return course(backend, context, large, {0, 0, 0, 0});
      },
      [&](const std::vector<float>& got) {
        EXPECT_EQ(got, (std::vector<float>{large, 1, large, 2, large, 0, large, 1}));
      });
}

/// Parameter and moments after a step of SGD and one of Adam.
std::vector<float> stepped(Backend& backend, ExecContext& context, float skip) {
  const float rate = 0.5F;
  const std::int64_t step = 1;
  const std::vector<float> gradient = test::test_data(4099, 1);
  std::vector<float> all;
  for (const bool adam : {false, true}) {
    std::vector<float> p = test::test_data(4099, 2), a = test::test_data(4099, 3),
                       b = test::test_data(4099, 4, 1, 0.5F);
    const Shape shape{4099};
    const std::vector<OptimizerSlot> slots = {{test::view_of(p, shape),
                                               test::view_of(gradient, shape),
                                               test::view_of(a, shape), test::view_of(b, shape)}};
    const ConstView rate_view{&rate, DType::F32, {1}}, step_view{&step, DType::I64, {1}},
        skip_view{&skip, DType::F32, {1}};
    if (adam) {
      AdamStep call;
      call.learning_rate = rate_view;
      call.step = step_view;
      call.skip = skip_view;
      call.slots = slots;
      backend.run(context, call);
    } else {
      SgdStep call;
      call.learning_rate = rate_view;
      call.step = step_view;
      call.skip = skip_view;
      call.momentum = 0.9;
      call.slots = slots;
      backend.run(context, call);
    }
    for (const auto* values : {&p, &a, &b}) all.insert(all.end(), values->begin(), values->end());
  }
  return all;
}

TEST(OptimizerSteps, LeaveEverythingAsItIsWhereTheyAreSkipped) {
  std::vector<float> before;
  for (int i = 0; i < 2; ++i) {
    for (const auto& values :
         {test::test_data(4099, 2), test::test_data(4099, 3), test::test_data(4099, 4, 1, 0.5F)}) {
      before.insert(before.end(), values.begin(), values.end());
    }
  }
  test::on_every_path(
      [](Backend& backend, ExecContext& context) { return stepped(backend, context, 1); },
      [&](const std::vector<float>& got) { EXPECT_EQ(got, before); });
  test::on_every_path(
      [](Backend& backend, ExecContext& context) { return stepped(backend, context, 0); },
      [&](const std::vector<float>& got) { EXPECT_NE(got, before); });
}

}  // namespace
}  // namespace hanok
