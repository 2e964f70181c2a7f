// finetune --plan: what it foresees is what a run then measures.
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

/// The numbers of the line that begins with `name`.
std::vector<double> numbers_of(const std::string& text, const std::string& name) {
  std::vector<double> numbers;
  for (const std::string& line : lines_of(text)) {
    if (line.rfind(name + " ", 0) != 0) continue;
    const std::string rest = line.substr(name.size());
    const std::regex number("-?[0-9]+(\\.[0-9]+)?");
    for (std::sregex_iterator i(rest.begin(), rest.end(), number), end; i != end; ++i) {
      numbers.push_back(std::stod(i->str()));
    }
    return numbers;
  }
  ADD_FAILURE() << "no line \"" << name << "\" in\n" << text;
  return {};
}

class Plan : public ::testing::TestWithParam<const char*> {
 protected:
  Plan() {
    PhotoOptions photos;
    photos.members = 40;
    draw_photos(folder_ / "photos", photos);
  }

  Arguments command() const {
    return {"--data",       folder_ / "photos",
            "--model",      "resnet18",
            "--weights",    "none",
            "--folds",      "2",
            "--fold",       "0",
            "--epochs",     "2",
            "--mode",       GetParam(),
            "--image-size", "48",
            "--augment",    "none",
            "--batch-size", "8",
            "--threads",    "2"};
  }

  TemporaryFolder folder_;
};

TEST_P(Plan, ForeseesMemoryAndTimeAndWritesNothing) {
  const Outcome plan = finetune(command() + Arguments{"--plan", "--out", folder_ / "run"});
  ASSERT_EQ(plan.exit_code, 0) << plan.output;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));

  const Outcome run = finetune(command() + Arguments{"--out", folder_ / "run"});
  ASSERT_EQ(run.exit_code, 0) << run.output;
  const std::vector<double> measured = numbers_of(run.output, "tensors took");
  ASSERT_FALSE(measured.empty());
  const std::vector<double> own = numbers_of(plan.output, "as configured");
  ASSERT_EQ(own.size(), 4U);  // seconds, saved, MiB, saved
  const std::vector<double> tensors = numbers_of(plan.output, "all tensors");
  EXPECT_NEAR(tensors[0], measured[0], 0.05 * measured[0]) << plan.output << run.output;
  // The process holds more than its tensors: the program, what decoders and threads need, gaps.
  const auto peak = read_json(folder_ / "run" + "/summary.json")["peak_memory_bytes"].get<double>();
  EXPECT_NEAR(own[2], peak / (1 << 20), 0.1 * own[2]) << plan.output << run.output;
  EXPECT_GT(own[2], tensors[0]);
  EXPECT_NEAR(numbers_of(plan.output, "the process")[0], own[2], 0.1);

  // Freezing saves gradients and moments of the frozen.
  const std::vector<double> head = numbers_of(plan.output, "feature-extraction");
  const std::vector<double> everything = numbers_of(plan.output, "finetune");
  EXPECT_LT(head[2], everything[2]);
  EXPECT_GT(own[0], 0);  // how near seconds come is for the bench: they are the machine's mood
  const std::vector<double> optimizer = numbers_of(plan.output, "optimizer");
  EXPECT_LT(optimizer[1], 1);          // configured, feature-extraction, gradual, finetune
  EXPECT_NEAR(optimizer[3], 85.3, 1);  // two moments of 11.2 million parameters
}

INSTANTIATE_TEST_SUITE_P(Modes, Plan, ::testing::Values("finetune", "feature-extraction"));

TEST(PlanOfAShortRun, RehearsesMoreStepsThanItHas) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos");
  const Outcome plan =
      finetune({"--data", folder / "photos", "--model", "lenet", "--weights", "none",
                "--image-size", "32", "--folds", "2", "--fold", "0", "--max-steps", "1", "--plan"});
  EXPECT_EQ(plan.exit_code, 0) << plan.output;
  EXPECT_EQ(numbers_of(plan.output, "as configured").size(), 4U);
}

TEST(PlanOfRanks, SaysWhatAStepWouldTakeOnSeveral) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos");
  const Arguments run = {"--data",       folder / "photos",
                         "--model",      "resnet18",
                         "--weights",    "none",
                         "--image-size", "32",
                         "--batch-size", "8",
                         "--folds",      "2",
                         "--fold",       "0",
                         "--epochs",     "1"};
  const Outcome plan = finetune(run + Arguments{"--plan", "--ranks", "6"});
  ASSERT_EQ(plan.exit_code, 0) << plan.output;
  EXPECT_THAT(plan.output, HasSubstr("44.7 MB of gradients, 20 batch norms.\n"));
  EXPECT_THAT(plan.output, HasSubstr("A batch of 8 for each rank:\n"));
  for (const char* ranks : {"     1", "     2", "     4", "     6"}) {
    const std::vector<double> row = numbers_of(plan.output, ranks);
    ASSERT_EQ(row.size(), 11U) << plan.output;  // images; images/s and efficiency of five links
    EXPECT_EQ(row[0], 8);
    EXPECT_LE(row[2], 100);
    EXPECT_GE(row[10], row[4]) << "NVLink is slower than 1 Gbit/s";
  }
  EXPECT_THAT(plan.output, HasSubstr("1 Gbit/s: "));
  EXPECT_EQ(finetune(run + Arguments{"--plan"}).output.find("MB of gradients"), std::string::npos);

  const Outcome trained = finetune(run + Arguments{"--ranks", "6", "--out", folder / "run"});
  EXPECT_EQ(trained.exit_code, 2);
  EXPECT_THAT(trained.output, HasSubstr("--ranks: belongs to --plan; a run has as many ranks as "
                                        "mpirun starts: mpirun -n 6 finetune ..."));
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  for (const char* wrong : {"0", "-1", "1048577", "many"}) {
    EXPECT_EQ(finetune(run + Arguments{"--plan", "--ranks", wrong}).exit_code, 2) << wrong;
  }
}

TEST(PlanErrors, AreThoseOfARun) {
  EXPECT_EQ(finetune({"--plan"}).exit_code, 2);
  const TemporaryFolder folder;
  const Arguments absent = {"--data", folder / "absent", "--weights",
                            "none",   "--out",           folder / "run"};
  const Outcome run = finetune(absent);
  EXPECT_NE(run.exit_code, 0);
  const Outcome plan = finetune(absent + Arguments{"--plan"});
  EXPECT_EQ(plan.exit_code, run.exit_code);
  EXPECT_EQ(plan.output, run.output);
  EXPECT_THAT(finetune({"--help"}).output, HasSubstr("--plan"));
}

}  // namespace
}  // namespace hanok::test
