// The program `convert`, run like a user does.
#include <fmt/core.h>

#include "hanok/weights/weights.h"
#include "tests/support/paths.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

class Convert : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(std::filesystem::exists(program_)) << program_; }
  CommandResult convert(const std::string& arguments) {
    return run(fmt::format("HANOK_HOME='{}' '{}' {}", folder_ / "home", program_, arguments));
  }
  const std::string program_ = hanok::test::binary_dir() + "/bin/convert";
  TemporaryFolder folder_;
};

TEST_F(Convert, WritesSafetensorsFromACheckpoint) {
  const std::string out = folder_ / "out.safetensors";
  const CommandResult result =
      convert(fmt::format("'{}' '{}' --metadata classes=a,b", committed("checkpoint.pth"), out));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("7 tensors, 70 values"));
  EXPECT_THAT(result.output, HasSubstr("'module.' was removed"));
  const WeightFile file = load(out);
  EXPECT_EQ(file.tensors.size(), 7u);
  EXPECT_EQ(file.metadata.at("format"), "pt");
  EXPECT_EQ(file.metadata.at("classes"), "a,b");
  EXPECT_EQ(logical_values(file.tensors.at("conv.weight")), formula({3, 2, 3, 3}, 0, DType::F32));
}

TEST_F(Convert, KeepsMetadata) {
  const std::string out = folder_ / "out.safetensors";
  EXPECT_EQ(convert(fmt::format("'{}' '{}' --metadata a=b=c --metadata format=x",
                                committed("safetensors.safetensors"), out))
                .exit_code,
            0);
  const std::map<std::string, std::string> expected = {
      {"a", "b=c"}, {"classes", "mask,none"}, {"format", "x"}};
  EXPECT_EQ(load(out).metadata, expected);
}

TEST_F(Convert, InspectsAFile) {
  const CommandResult result = convert(fmt::format("--inspect '{}'", committed("zip.pth")));
  EXPECT_EQ(result.exit_code, 0);
  // long: 7k + 30 mod 23 for k = 0..6 is 7 14 21 5 12 19 3
  EXPECT_THAT(result.output, testing::ContainsRegex("long +\\[7\\] +i64 +3 +21 +11\\.571"));
  EXPECT_THAT(result.output, HasSubstr("total: 16 tensors, 220 values"));
  EXPECT_THAT(result.output, HasSubstr("(pth-zip)"));
}

TEST_F(Convert, ListsTheCatalogue) {
  const CommandResult result = convert("--list");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("resnet18-f37072fd.pth"));
  EXPECT_THAT(result.output, HasSubstr("licence: BSD-3-Clause"));
  EXPECT_THAT(result.output, HasSubstr(folder_ / "home/weights"));
}

TEST_F(Convert, FailsWithOneForBadFiles) {
  const auto expect = [&](const std::string& arguments, const std::string& part) {
    const CommandResult result = convert(arguments);
    EXPECT_EQ(result.exit_code, 1) << arguments;
    EXPECT_THAT(result.output, HasSubstr(part));
  };
  const std::string out = folder_ / "out.safetensors";
  expect(fmt::format("'{}' '{}'", committed("evil_eval.pth"), out), "'__builtin__.eval'");
  EXPECT_FALSE(std::filesystem::exists(out));
  expect(fmt::format("'{}' '{}'", folder_ / "absent.pth", out), "No such file");
  expect(fmt::format("--inspect '{}'", folder_.path().string()), "it is a folder");
  expect(fmt::format("'{}' '{}'", committed("zip.pth"), folder_ / "absent/o.safetensors"),
         "cannot be written: there is no folder");
}

TEST_F(Convert, FailsWithTwoForWrongUsage) {
  const auto expect = [&](const std::string& arguments, const std::string& part) {
    const CommandResult result = convert(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_THAT(result.output, HasSubstr(part));
  };
  expect("", "IN and OUT are needed");
  expect("a.pth", "IN and OUT are needed");
  expect("a.pth b.pth", "end in .safetensors");
  expect("a.pth b.safetensors --metadata x", "is not KEY=VALUE");
  expect("a.pth --list", "take no other option");
  expect("--unknown", "--unknown");
  EXPECT_EQ(convert("--help").exit_code, 0);
  EXPECT_THAT(convert("--help").output, HasSubstr("--inspect FILE"));
}

}  // namespace
}  // namespace hanok::weights::test
