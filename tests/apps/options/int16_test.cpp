// finetune, evaluate and predict with --precision int16: other results than in f32, the same for
// any number of threads and after an interruption.
#include <csignal>

#include "tests/apps/flags.h"

namespace hanok::test {
namespace {

class Int16 : public Flags {
 protected:
  // lenet has no convolution that integers would compute.
  Int16() { base_ = replaced({"--model", "resnet18", "--epochs", "3"}); }
};

TEST_F(Int16, ChangesTheWeightsALittle) {
  const FinishedRun floats = run({});
  const FinishedRun integers = run({"--precision", "int16"});
  EXPECT_NE(integers.last_hash(), floats.last_hash());
  EXPECT_THAT(integers.config, ::testing::HasSubstr("precision = \"int16\""));
  const auto first_loss = [](const FinishedRun& run) {
    return nlohmann::json::parse(lines_of(read_text(run.folder + "/metrics.jsonl"))[0])
        .at("loss")
        .get<double>();
  };
  EXPECT_NEAR(first_loss(integers), first_loss(floats), 0.05);
}

TEST_F(Int16, GivesTheSameBitsForAnyThreadCount) {
  expect_same_weights({"--precision", "int16"}, {"--precision", "int16", "--threads", "3"});
}

TEST_F(Int16, GoesOnAfterAKillAsIfThereHadBeenNone) {
  const Arguments integers = {"--precision", "int16", "--patience", "0", "--epochs", "6"};
  const FinishedRun whole = run(integers);
  const std::string broken = folder_ / "broken";
  Process process("finetune", replaced(integers) + Arguments{"--out", broken});
  ASSERT_TRUE(process.wait_for_output("val loss", 2));
  process.send(SIGKILL);
  process.wait();
  ASSERT_EQ(finetune({"--resume", broken}).exit_code, 0);
  EXPECT_EQ(read_json(broken + "/summary.json").at("last_weights_hash"), whole.last_hash());
  EXPECT_EQ(read_text(broken + "/predictions.csv"), read_text(whole.folder + "/predictions.csv"));
}

TEST_F(Int16, ServesEvaluateAndPredict) {
  const FinishedRun trained = run({});
  const auto scores = [&](const char* precision, const std::string& out) {
    const Outcome outcome =
        run_program("evaluate", {"--run", trained.folder, "--data", folder_ / "photos",
                                 "--precision", precision, "--out", folder_ / out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return read_json(folder_ / out).at("loss").get<double>();
  };
  const double floats = scores("f32", "a.json");
  const double integers = scores("int16", "b.json");
  EXPECT_NE(integers, floats);
  EXPECT_NEAR(integers, floats, 1e-2);
  const Outcome predicted =
      run_program("predict", {"--run", trained.folder, "--images", folder_ / "photos",
                              "--precision", "int16", "--out", folder_ / "p.csv"});
  EXPECT_EQ(predicted.exit_code, 0) << predicted.output;
}

}  // namespace
}  // namespace hanok::test
