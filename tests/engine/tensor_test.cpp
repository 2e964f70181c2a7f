// Tensors, storage and the transfer between logical and memory order.
#include "hanok/engine/tensor.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "hanok/engine/storage.h"
#include "tests/engine/op_check.h"

namespace hanok::testing {
namespace {

std::vector<float> counted(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

TEST(Tensor, RankFourLiesInMemoryWithChannelsInnermost) {
  const Tensor x = Tensor::from_vector(counted(2 * 3 * 2 * 2), {2, 3, 2, 2});
  const float* memory = x.data<float>();
  // n=0: pixel (0,0) holds channels 0, 1, 2 of the logical values 0, 4, 8.
  EXPECT_EQ(std::vector<float>(memory, memory + 6), (std::vector<float>{0, 4, 8, 1, 5, 9}));
  EXPECT_EQ(x.to_vector(), counted(24));
  const Tensor flat = Tensor::from_vector(counted(24), {4, 6});
  EXPECT_EQ(std::vector<float>(flat.data<float>(), flat.data<float>() + 24), counted(24));
}

TEST(Tensor, SizesWhoseProductOverflowsAreAnError) {
  constexpr std::int64_t kLarge = std::int64_t{1} << 32;
  EXPECT_EQ(
      message_of<ShapeError>([] {
        Tensor::empty({kLarge, kLarge});
      }),
      "Tensor: shape [4294967296,4294967296] of f32 has more bytes than memory has addresses");
  EXPECT_THROW(Tensor::empty({kLarge / 2, kLarge / 4}), ShapeError);  // the elements would fit
  EXPECT_THROW(Tensor::zeros({kLarge, 0, kLarge}), ShapeError);
  EXPECT_THROW(Tensor::from_vector(std::vector<float>(), {kLarge, kLarge}), ShapeError);
  EXPECT_THROW(ops::reshape(Tensor::empty({0}), {kLarge, kLarge}), ShapeError);
  EXPECT_THROW(Tensor::empty({kLarge / 2, kLarge / 8}), OutOfMemory);  // 2^62 bytes
  EXPECT_EQ(Tensor::empty({kLarge, 0, 3}).bytes(), 0U);
}

TEST(Tensor, HandlesNameOneArray) {
  Tensor a = Tensor::zeros({3});
  Tensor b = a;
  b.mutable_data<float>()[1] = 5;
  EXPECT_EQ(a.to_vector(), (std::vector<float>{0, 5, 0}));
  EXPECT_EQ(a.id(), b.id());
  const Tensor copy = a.clone();
  a.mutable_data<float>()[1] = 6;
  EXPECT_EQ(copy.to_vector()[1], 5);
}

TEST(Tensor, OnlyWritingBumpsTheVersionOfAllViews) {
  Tensor a = Tensor::zeros({4});
  Tensor view = ops::slice(a, 0, 1, 3);
  const std::uint64_t version = a.version();
  a.data<float>();
  a.to_vector();
  EXPECT_EQ(a.version(), version);
  view.mutable_data<float>()[0] = 1;
  EXPECT_GT(a.version(), version);
  EXPECT_EQ(a.version(), view.version());
}

TEST(Tensor, SwapContentsKeepsTheIdentity) {
  Tensor a = Tensor::zeros({2});
  const Tensor handle = a;
  a.swap_contents(Tensor::ones({2}));
  EXPECT_EQ(handle.to_vector(), (std::vector<float>{1, 1}));
  EXPECT_EQ(handle.id(), a.id());
  EXPECT_EQ(message_of<ShapeError>([&] { a.swap_contents(Tensor::ones({3})); }),
            "swap_contents: cannot put Tensor f32 [3] cpu in place of Tensor f32 [2] cpu");
}

TEST(Tensor, ConvertsTypes) {
  const Tensor x = Tensor::from_vector(std::vector<float>{0, 1, 2.5F, 255}, {2, 2});
  EXPECT_EQ(x.to(DType::U8).to(DType::F32).to_vector(), (std::vector<float>{0, 1, 2, 255}));
  EXPECT_EQ(x.to(DType::I64).to_int_vector(), (std::vector<std::int64_t>{0, 1, 2, 255}));
  EXPECT_EQ(x.to(DType::F64).to(DType::F32).to_vector(), x.to_vector());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> odd{2.7F, -2.7F, NAN, kInfinity, -kInfinity, 300};
  const Tensor y = Tensor::from_vector(odd, {6});
  EXPECT_EQ(y.to(DType::I64).to_int_vector(),
            (std::vector<std::int64_t>{2, -2, 0, INT64_MAX, INT64_MIN, 300}));
  EXPECT_EQ(y.to(DType::U8).to_int_vector(), (std::vector<std::int64_t>{2, 0, 0, 255, 0, 255}));
  EXPECT_EQ(y.to(DType::I64).to(DType::U8).to_int_vector(),
            (std::vector<std::int64_t>{2, 0, 0, 255, 0, 255}));
  EXPECT_EQ(Tensor::full({}, 2.7, {DType::I64}).item(), 2);
  EXPECT_EQ(x.to(DType::F32).id(), x.id());
}

TEST(Tensor, BorrowedMemoryIsReadOnlyAndOutlivesItsMaker) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3});
  Tensor x = Tensor::borrow(owner->data(), {3}, DType::F32, owner);
  const std::weak_ptr<std::vector<float>> watched = owner;
  owner.reset();
  EXPECT_EQ(x.to_vector(), (std::vector<float>{1, 2, 3}));
  EXPECT_NE(message_of<ValueError>([&] { x.mutable_data<float>(); }).find("read-only"),
            std::string::npos);
  x = Tensor();
  EXPECT_TRUE(watched.expired());
}

TEST(Tensor, ItemAndPrinting) {
  EXPECT_EQ(Tensor::full({1, 1}, 2.5).item(), 2.5);
  EXPECT_EQ(Tensor::full({}, 7, {DType::I64}).item(), 7);
  EXPECT_EQ(message_of<ShapeError>([] { Tensor::zeros({2}).item(); }),
            "item: expected one element, got shape [2]");
  EXPECT_EQ(Tensor::zeros({2, 3}).to_string(), "Tensor f32 [2,3] cpu");
  std::ostringstream out;
  out << Tensor::from_vector(std::vector<float>{1, 2, 3, 4}, {2, 2});
  EXPECT_NE(out.str().find("[[1, 2],\n [3, 4]]"), std::string::npos) << out.str();
  const auto printed = [](const Tensor& tensor) {
    std::ostringstream text;
    text << tensor;
    return text.str();
  };
  const Tensor integers =
      Tensor::from_vector(std::vector<std::int64_t>{16777217, -9007199254740993, 255}, {3});
  EXPECT_EQ(printed(integers), "[16777217, -9007199254740993, 255]  (Tensor i64 [3] cpu)");
  EXPECT_EQ(printed(integers.to(DType::U8)), "[255, 0, 255]  (Tensor u8 [3] cpu)");
  EXPECT_EQ(printed(Tensor::full({1}, 16777217, {DType::F64})),
            "[1.67772e+07]  (Tensor f64 [1] cpu)");
  EXPECT_EQ(printed(Tensor::full({2}, -INFINITY)), "[-inf, -inf]  (Tensor f32 [2] cpu)");
}

TEST(Tensor, ErrorsSayWhatIsWrong) {
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_EQ(message_of<DTypeError>([&] { x.data<std::int64_t>(); }),
            "data: requested i64, but this is Tensor f32 [2,3] cpu");
  EXPECT_EQ(message_of<ShapeError>([&] { x.size(2); }),
            "size: dimension 2 is out of range for shape [2,3]");
  EXPECT_EQ(message_of<ShapeError>([] { Tensor::from_vector(std::vector<float>{1}, {2}); }),
            "from_vector: 1 values do not fill shape [2]");
  EXPECT_EQ(message_of<ValueError>([] { Tensor().shape(); }), "shape: the tensor is undefined");
  EXPECT_THROW(Tensor::zeros({2}, {DType::F32, Device::cuda(0)}), DeviceError);
}

}  // namespace
}  // namespace hanok::testing
