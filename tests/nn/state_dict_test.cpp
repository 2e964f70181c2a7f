#include "hanok/nn/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"

namespace hanok::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_of(const StateDict& dict) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : dict) names.push_back(name);
  return names;
}

StateDict dict_of(const std::vector<std::string>& names) {
  StateDict dict;
  for (std::size_t i = 0; i < names.size(); ++i) {
    dict.insert(names[i], Tensor::full({1}, static_cast<double>(i)));
  }
  return dict;
}

template <typename F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(StateDict, KeepsTheOrderOfInsertion) {
  EXPECT_THAT(names_of(dict_of({"z", "a", "m"})), ElementsAre("z", "a", "m"));
}

TEST(StateDict, FindsWhatIsThere) {
  const StateDict dict = dict_of({"a", "b"});
  EXPECT_EQ(dict.at("b").item(), 1);
  EXPECT_NE(dict.find("a"), nullptr);
  EXPECT_EQ(dict.find("c"), nullptr);
  EXPECT_TRUE(dict.contains("a"));
  EXPECT_FALSE(dict.contains(""));
  EXPECT_EQ(dict.size(), 2U);
}

TEST(StateDict, AtSuggestsNearNames) {
  const StateDict dict = dict_of({"layer1.0.conv1.weight", "fc.bias"});
  EXPECT_THAT(message_of([&] { dict.at("layer1.0.conv2.weight"); }),
              HasSubstr("layer1.0.conv1.weight"));
}

TEST(StateDict, RefusesANameTwice) {
  StateDict dict = dict_of({"a"});
  EXPECT_THAT(message_of([&] { dict.insert("a", Tensor()); }), HasSubstr("'a' already exists"));
}

TEST(StateDict, EraseKeepsTheOthersFindable) {
  StateDict dict = dict_of({"a", "b", "c", "d"});
  EXPECT_TRUE(dict.erase("b"));
  EXPECT_FALSE(dict.erase("b"));
  EXPECT_THAT(names_of(dict), ElementsAre("a", "c", "d"));
  EXPECT_EQ(dict.at("c").item(), 2);
  EXPECT_EQ(dict.at("d").item(), 3);
  dict.insert("b", Tensor::full({1}, 7));
  EXPECT_EQ(dict.at("b").item(), 7);
}

TEST(StateDict, RenamesPrefixes) {
  StateDict dict = dict_of({"module.fc.weight", "module.fc.bias", "epoch"});
  EXPECT_EQ(dict.rename_prefix("module.", ""), 2);
  EXPECT_THAT(names_of(dict), ElementsAre("fc.weight", "fc.bias", "epoch"));
  EXPECT_EQ(dict.at("fc.bias").item(), 1);
}

TEST(StateDict, RenamingOntoATakenNameChangesNothing) {
  StateDict dict = dict_of({"a.x", "x"});
  EXPECT_THROW(dict.rename_prefix("a.", ""), ValueError);
  EXPECT_THAT(names_of(dict), ElementsAre("a.x", "x"));
}

TEST(StateDict, MergeIsAllOrNothing) {
  StateDict dict = dict_of({"a", "b"});
  EXPECT_THROW(dict.merge(dict_of({"c", "b"})), ValueError);
  EXPECT_THAT(names_of(dict), ElementsAre("a", "b"));
  dict.merge(dict_of({"c"}));
  EXPECT_THAT(names_of(dict), ElementsAre("a", "b", "c"));
}

TEST(NearNames, AreSortedByDistanceAndFarOnesLeftOut) {
  EXPECT_THAT(near_names("conv1", {"bn1", "conv2", "conv10", "something.else", "conv1"}),
              ElementsAre("conv1", "conv2", "conv10"));
  EXPECT_TRUE(near_names("fc", {"layer4.1.bn2.running_mean"}).empty());
  EXPECT_EQ(near_names("abc", {"abd", "abe", "abf"}, 2).size(), 2U);
}

struct GlobCase {
  const char *glob, *text;
  bool matches;
};
class Glob : public testing::TestWithParam<GlobCase> {};
TEST_P(Glob, Matches) {
  const GlobCase& c = GetParam();
  EXPECT_EQ(glob_matches(c.glob, c.text), c.matches) << c.glob << " on " << c.text;
}
INSTANTIATE_TEST_SUITE_P(
    All, Glob,
    testing::Values(GlobCase{"*", "", true}, GlobCase{"*", "layer1.0.conv1.weight", true},
                    GlobCase{"", "", true}, GlobCase{"", "a", false}, GlobCase{"a", "", false},
                    GlobCase{"layer1.*", "layer1.0.conv1.weight", true},
                    GlobCase{"layer1.*", "layer10.conv", false},
                    GlobCase{"layer[12].*", "layer2.1.bn1.bias", true},
                    GlobCase{"layer[12].*", "layer3.1.bn1.bias", false},
                    GlobCase{"layer[1-3].*", "layer3.x", true},
                    GlobCase{"layer[!1-3].*", "layer3.x", false},
                    GlobCase{"layer[!1-3].*", "layer4.x", true},
                    GlobCase{"*.bias", "fc.bias", true}, GlobCase{"*.bias", "fc.bias.x", false},
                    GlobCase{"*bn?*", "l.bn2.weight", true}, GlobCase{"a*b*c", "aXbXbYc", true},
                    GlobCase{"a*b*c", "aXbXbY", false}, GlobCase{"[]]", "]", true},
                    GlobCase{"[a", "[a", true}, GlobCase{"a.c", "abc", false},
                    GlobCase{"??", "ab", true}, GlobCase{"??", "a", false}));

}  // namespace
}  // namespace hanok::nn
