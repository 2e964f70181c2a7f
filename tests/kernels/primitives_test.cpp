// What descriptions of primitives say of a call, and how one template becomes a backend.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "hanok/kernels/backend.h"

namespace hanok {
namespace {

using ::testing::ElementsAre;

/// A backend that computes nothing.
class Names final : public EachPrimitive<Names> {
 public:
  template <Primitive Op>
  void each(ExecContext& /*context*/, const Op& /*op*/) {
    names.emplace_back(Op::kName);
  }
  Device device() const override { return Device::cpu(); }
  const char* name() const override { return "names"; }
  std::size_t conv2d_workspace_bytes(Conv2dPass, const Conv2dShape&) const override { return 0; }
  const char* conv2d_algorithm(Conv2dPass, const Conv2dShape&) const override { return "none"; }
  std::size_t conv2d_packed_bytes(Conv2dPass, const Conv2dShape&) const override { return 0; }
  Conv2dPackKey conv2d_pack_key(Conv2dPass, const Conv2dShape&) const override { return {}; }

  std::vector<std::string> names;
};

TEST(EachPrimitive, MakesABackendOfOneTemplate) {
  Names names;
  Backend& backend = names;
  ThreadPool pool(1);
  Workspace workspace([](std::size_t) { return nullptr; }, [](void*, std::size_t) {});
  ExecContext context{pool, workspace};
  backend.run(context, TopK{});
  backend.run(context, Fill{});
  backend.run(context, UpdateLossScale{});
  EXPECT_THAT(names.names, ElementsAre("topk", "fill", "update_loss_scale"));
}

TEST(Descriptions, NameEachDefinedOperandOnce) {
  float x[6] = {};
  std::int64_t indices[2] = {};
  TopK op;
  op.x = {x, DType::F32, {6}};
  op.indices = {indices, DType::I64, {2}};  // values stay undefined
  std::vector<std::string> seen;
  for_each_operand(op, [&](auto& view, Access access, Elements elements) {
    seen.push_back((access == Access::Read ? "reads " : "writes ") + view.shape.to_string() +
                   (elements == Elements::I64 ? " i64" : ""));
    view.data = nullptr;  // a visitor may replace the views of a copy
  });
  EXPECT_THAT(seen, ElementsAre("reads [6]", "writes [2] i64"));
  EXPECT_FALSE(op.x.defined());
}

TEST(Descriptions, CountTrafficOfUpdatesTwiceAndOfBroadcastsOnce) {
  const Names backend;
  float x[12] = {};
  const View y{x, DType::F32, {12}};
  EXPECT_EQ(traffic_of(AddScaled{1, y, y}, backend), 3 * 12 * 4);
  const StridedConstView row{x, DType::F32, {3, 4}, {0, 1}};
  const StridedConstView all{x, DType::F32, {3, 4}, {4, 1}};
  EXPECT_EQ(traffic_of(Binary{BinaryOp::Add, row, all, y}, backend), (4 + 12 + 12) * 4);
  EXPECT_EQ(variant_of(Binary{BinaryOp::Maximum, row, all, y}, backend), "maximum");
  EXPECT_EQ(variant_of(AddScaled{1, y, y}, backend), "");
}

}  // namespace
}  // namespace hanok
