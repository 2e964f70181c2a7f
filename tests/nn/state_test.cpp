#include "hanok/nn/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

using testing::HasSubstr;

State example() {
  State state;
  state.numbers["rate"] = 0.1;
  state.integers["version"] = 1;
  state.texts["type"] = "SGD";
  state.tensors["a"] = Tensor::full({2}, 3);
  return state;
}

TEST(State, GivesBackWhatItHolds) {
  const State state = example();
  EXPECT_EQ(state.number("rate"), 0.1);
  EXPECT_EQ(state.integer("version"), 1);
  EXPECT_EQ(state.text("type"), "SGD");
  EXPECT_EQ(state.tensor("a").to_vector(), (std::vector<float>{3, 3}));
}

TEST(State, NamesTheKeyThatIsMissing) {
  const State state = example();
  for (const auto& read : std::vector<std::function<void()>>{
           [&] { state.number("absent"); }, [&] { state.integer("absent"); },
           [&] { state.text("absent"); }, [&] { state.tensor("absent"); }}) {
    try {
      read();
      FAIL() << "nothing thrown";
    } catch (const ValueError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'absent'"));
    }
  }
}

TEST(State, SubGivesBackWhatMergePutUnderAPrefix) {
  State all;
  all.integers["epoch"] = 3;
  all.merge("optimizer", example());
  State other;
  other.integers["version"] = 9;
  all.merge("optimizer2", other);
  EXPECT_EQ(all.integer("optimizer.version"), 1);
  const State sub = all.sub("optimizer");
  EXPECT_EQ(sub.numbers, example().numbers);
  EXPECT_EQ(sub.integers, example().integers);
  EXPECT_EQ(sub.texts, example().texts);
  ASSERT_EQ(sub.tensors.size(), 1U);
  EXPECT_EQ(sub.tensor("a").to_vector(), (std::vector<float>{3, 3}));
}

TEST(State, RefusesNoVersionAndNewerOnes) {
  State state = example();
  EXPECT_NO_THROW(state.check_version("sgd", 1));
  state.integers["version"] = 2;
  EXPECT_THROW(state.check_version("sgd", 1), ValueError);
  EXPECT_NO_THROW(state.check_version("sgd", 2));
  state.integers["version"] = 0;
  EXPECT_THROW(state.check_version("sgd", 2), ValueError);
  state.integers.erase("version");
  EXPECT_THROW(state.check_version("sgd", 2), ValueError);
}

}  // namespace
}  // namespace hanok::nn
