// Options are parsed into values once, and their texts give the same values again.
#include "hanok/apps/options/option_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/options/options.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename Enum>
void expect_names_give_their_values() {
  for (const NamedValue<Enum>& entry : ChoiceNames<Enum>::table) {
    EXPECT_EQ(value_named<Enum>(entry.name), entry.value) << entry.name;
    EXPECT_STREQ(name_of(entry.value), entry.name);
  }
  EXPECT_EQ(value_named<Enum>("nonsense"), std::nullopt);
}

TEST(Choices, NamesGiveTheirValues) {
  expect_names_give_their_values<Layout>();
  expect_names_give_their_values<FreezingMode>();
  expect_names_give_their_values<data::Sampling>();
  expect_names_give_their_values<Precision>();
  EXPECT_THAT(names_of<Caching>(), ElementsAre("auto", "yes", "no"));
}

TEST(OptionTable, EveryDefaultSurvivesTheWayThroughItsText) {
  Options options;
  for (const OptionEntry& entry : option_table()) {
    const std::vector<std::string> texts = entry.get(Options());
    entry.set(options, texts);
    EXPECT_EQ(entry.get(options), texts) << entry.name;
  }
  EXPECT_EQ(to_toml(options), to_toml(Options()));
}

TEST(OptionTable, EveryNameOfAChoiceIsAccepted) {
  int tried = 0;
  for (const OptionEntry& entry : option_table()) {
    for (const std::string& choice : entry.choices) {
      if (choice == "FILE") continue;  // stands for any file
      Options options;
      entry.set(options, {choice});
      EXPECT_THAT(entry.get(options), ElementsAre(choice)) << entry.name;
      ++tried;
    }
  }
  EXPECT_GT(tried, 40);
}

TEST(OptionTable, AnIndexMayBeANumberInToml) {
  Options options;
  apply_toml(options, "fold = 1\n", "text");
  EXPECT_EQ(options.fold, 1);
  apply_toml(options, "fold = \"all\"\n", "text");
  EXPECT_EQ(options.fold, std::nullopt);
  EXPECT_THROW(apply_toml(options, "fold = 1.5\n", "text"), UsageError);
}

TEST(OptionValues, PairsAreTakenApart) {
  const EpochGlob pair = parse_unfreeze_at("3=layer4.*=x");
  EXPECT_EQ(pair.epoch, 3);
  EXPECT_EQ(pair.glob, "layer4.*=x");
  EXPECT_EQ(text_of(pair), "3=layer4.*=x");
  const GlobRate rate = parse_lr_group("a=b=1e-4");
  EXPECT_EQ(rate.glob, "a=b");
  EXPECT_EQ(rate.rate, 1e-4);
  EXPECT_EQ(text_of(rate), "a=b=0.0001");
  for (const char* wrong : {"layer4", "=layer4", "0=layer4", "3=", "x=layer4"}) {
    EXPECT_THROW(parse_unfreeze_at(wrong), UsageError) << wrong;
  }
  for (const char* wrong : {"layer4", "=1", "layer4=0", "layer4=-1", "layer4=inf", "layer4="}) {
    EXPECT_THROW(parse_lr_group(wrong), UsageError) << wrong;
  }
}

TEST(OptionValues, AFoldIsANumberOrAll) {
  EXPECT_EQ(parse_fold("all"), std::nullopt);
  EXPECT_EQ(parse_fold("2"), 2);
  for (const char* wrong : {"-1", "", "both", "1x"}) {
    EXPECT_THROW(parse_fold(wrong), UsageError) << wrong;
  }
}

TEST(OptionValues, WeightsAreImageNetsRandomOrAFile) {
  EXPECT_EQ(parse_start_weights("imagenet").source, StartWeights::Source::ImageNet);
  EXPECT_EQ(parse_start_weights("none").source, StartWeights::Source::Random);
  const StartWeights file = parse_start_weights("own.pth");
  EXPECT_EQ(file.source, StartWeights::Source::File);
  EXPECT_EQ(file.file, "own.pth");
  for (const char* text : {"imagenet", "none", "own.pth"}) {
    EXPECT_EQ(text_of(parse_start_weights(text)), text);
  }
}

TEST(OptionValues, DevicesHaveAKindAndAnIndex) {
  EXPECT_EQ(parse_device("cuda:3").index, 3);
  EXPECT_EQ(parse_device("cuda").index, std::nullopt);
  for (const char* text : {"auto", "cpu", "cuda", "cuda:0", "cuda:12"}) {
    EXPECT_EQ(text_of(parse_device(text)), text);
  }
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "CPU"}) {
    EXPECT_THROW(parse_device(wrong), UsageError) << wrong;
  }
}

TEST(OptionValues, AugmentationsHaveANameOrAFile) {
  EXPECT_THAT(parse_augment("none").transforms, IsEmpty());
  EXPECT_FALSE(parse_augment("strong").from_file);
  EXPECT_THROW(parse_augment("no/such/file.toml"), UsageError);
}

}  // namespace
}  // namespace hanok::training
