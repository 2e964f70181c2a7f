// Shapes, errors and the workspace.
#include <cstdint>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/shape.h"
#include "hanok/kernels/exec_context.h"

namespace hanok {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Shape, KnowsSizesAndText) {
  const Shape shape{8, 64, 56, 57};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape.numel(), 8 * 64 * 56 * 57);
  EXPECT_EQ(shape.to_string(), "[8,64,56,57]");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(Shape{}.to_string(), "[]");
  EXPECT_EQ((Shape{3, 0}).numel(), 0);
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
}

TEST(Shape, RefusesNegativeSizesAndTooManyDimensions) {
  EXPECT_THROW((Shape{2, -1}), ShapeError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), ShapeError);
  Shape full{1, 1, 1, 1, 1, 1};
  EXPECT_THROW(full.push_back(1), ShapeError);
}

TEST(Shape, RefusesToCountWhatOverflows) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 30;
  EXPECT_EQ((Shape{kHuge, kHuge / 2}).numel(), kHuge / 2 * kHuge);
  EXPECT_EQ((Shape{kHuge, kHuge, kHuge, 0}).numel(), 0);
  for (const Shape& shape : {Shape{kHuge, kHuge}, Shape{4 * kHuge, 4 * kHuge},
                             Shape{kHuge, kHuge, kHuge}, Shape{3, kHuge, 4 * kHuge, 5}}) {
    EXPECT_THAT([&] { shape.numel(); }, ThrowsMessage<ShapeError>(HasSubstr(shape.to_string())));
  }
}

TEST(Shape, RankFourLiesChannelsLast) {
  const Shape logical{2, 3, 5, 7};
  EXPECT_EQ(physical_shape(logical), (Shape{2, 5, 7, 3}));
  EXPECT_EQ(dense_strides(logical), (Strides{105, 1, 21, 3}));
  for (int dim = 0; dim < 4; ++dim) {
    EXPECT_EQ(physical_shape(logical)[physical_dim(4, dim)], logical[dim]);
  }
  EXPECT_EQ(dense_strides(Shape{2, 3, 5}), (Strides{15, 5, 1}));
  EXPECT_EQ(physical_dim(3, 1), 1);
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast_shapes("add", {2, 1, 4}, {3, 1}), (Shape{2, 3, 4}));
  EXPECT_EQ(broadcast_shapes("add", {}, {3, 2}), (Shape{3, 2}));
  EXPECT_EQ(broadcast_shapes("add", {1}, {0}), (Shape{0}));
  EXPECT_THAT(
      [] {
        broadcast_shapes("add", {2, 3}, {2, 4});
      },
      ThrowsMessage<ShapeError>(HasSubstr("add: shapes [2,3] and [2,4]")));
}

TEST(Error, OutOfMemoryCarriesItsNumbers) {
  const OutOfMemory error(1 << 20, 3 << 20, 4 << 20);
  EXPECT_EQ(error.requested(), 1U << 20);
  EXPECT_EQ(error.in_use(), 3U << 20);
  EXPECT_EQ(error.budget(), 4U << 20);
  EXPECT_THAT(error.what(), HasSubstr("1.0 MiB requested with 3.0 MiB in use of a budget of 4.0"));
}

/// Counts what a workspace holds.
struct Source {
  explicit Source(std::size_t kept_bytes = Workspace::kKeepsAll) : kept(kept_bytes) {}
  std::set<void*> held;
  std::size_t limit = SIZE_MAX;
  std::size_t kept;
  Workspace workspace{[this](std::size_t bytes) {
                        if (bytes > limit) {
                          throw OutOfMemory(bytes, 0, limit);
                        }
                        void* p = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
                        held.insert(p);
                        return p;
                      },
                      [this](void* p, std::size_t) {
                        EXPECT_EQ(held.erase(p), 1U);
                        std::free(p);
                      },
                      kept};
};

TEST(Workspace, ReusesMemoryAfterAScope) {
  Source source;
  void* first = nullptr;
  {
    Workspace::Scope scope(source.workspace);
    first = scope.take(1000);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 64, 0U);
    EXPECT_NE(scope.take(1000), first);
  }
  {
    Workspace::Scope scope(source.workspace);
    EXPECT_EQ(scope.take(2000), first);
  }
  EXPECT_EQ(source.held.size(), 1U);
}

TEST(Workspace, NestedScopesKeepTheOuterOnesMemory) {
  Source source;
  Workspace::Scope outer(source.workspace);
  auto* kept = outer.take_array<int>(1000);
  kept[999] = 42;
  for (int round = 0; round < 3; ++round) {
    Workspace::Scope inner(source.workspace);
    auto* large = inner.take_array<int>(10'000'000);
    large[0] = large[9'999'999] = 7;
  }
  EXPECT_EQ(kept[999], 42);
  EXPECT_LE(source.held.size(), 2U);
}

TEST(Workspace, GrowsToTheLargestNeedAndReleasesAll) {
  Source source;
  for (const std::size_t bytes : {1'000'000U, 2'000'000U, 3'000'000U, 2'500'000U}) {
    Workspace::Scope scope(source.workspace);
    scope.take(bytes);
  }
  EXPECT_EQ(source.held.size(), 1U);
  EXPECT_GE(source.workspace.bytes(), 3'000'000U);
  EXPECT_LT(source.workspace.bytes(), 3'100'000U);
  source.workspace.release_all();
  EXPECT_TRUE(source.held.empty());
  EXPECT_EQ(source.workspace.bytes(), 0U);
}

TEST(Workspace, HoldsOneChunkOfTheLargestNeedOnceItWasMet) {
  Source source;
  for (int round = 0; round < 2; ++round) {
    for (const std::size_t last : {3'000'000U, 4'000'000U, 1'000U}) {
      Workspace::Scope scope(source.workspace);
      scope.take(1'000'000);
      Workspace::Scope inner(source.workspace);
      inner.take(last);
    }
  }
  EXPECT_EQ(source.held.size(), 1U);
  EXPECT_LT(source.workspace.bytes(), 5'100'000U);
}

TEST(Workspace, GivesBackWhatIsMoreThanItKeeps) {
  Source source(/*kept_bytes=*/1'000'000);
  for (const std::size_t bytes : {3'000'000U, 1'000U, 600'000U}) {
    Workspace::Scope scope(source.workspace);
    scope.take(bytes);
    Workspace::Scope inner(source.workspace);
    inner.take(bytes);
    EXPECT_GE(source.workspace.bytes(), 2 * bytes);
  }
  EXPECT_EQ(source.workspace.bytes(), 0U) << "1.2 MB in two pieces";
  { Workspace::Scope(source.workspace).take(900'000); }
  EXPECT_EQ(source.workspace.bytes(), 900'032U) << "the same for the next call";
  { Workspace::Scope(source.workspace).take(5'000'000); }
  EXPECT_TRUE(source.held.empty());
}

TEST(Workspace, StaysUsableAfterARefusedRequest) {
  Source source;
  source.limit = 1'000'000;
  {
    Workspace::Scope scope(source.workspace);
    EXPECT_THROW(scope.take(2'000'000), OutOfMemory);
    EXPECT_NE(scope.take(500'000), nullptr);
  }
  Workspace::Scope scope(source.workspace);
  EXPECT_NE(scope.take(900'000), nullptr);
}

}  // namespace
}  // namespace hanok
