// Options of the recipe with two values each: what they change, and what they must leave alone.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "hanok/weights/weights.h"
#include "tests/apps/flags.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;

std::vector<std::vector<std::string>> steps_of(const FinishedRun& run) {
  std::vector<std::vector<std::string>> rows = read_plain_csv(run.folder + "/fold_0/steps.csv");
  rows.erase(rows.begin());
  return rows;
}

weights::WeightFile best_of(const FinishedRun& run) {
  return weights::load(run.folder + "/fold_0/best.safetensors");
}

TEST_F(Flags, RepeatsGiveFurtherShuffledFolds) {
  const FinishedRun once = run({"--fold", "all"});
  const FinishedRun twice = run({"--fold", "all", "--repeats", "2"});
  EXPECT_NE(once.config, twice.config);
  EXPECT_EQ(twice.summary.at("folds").size(), 4U);
  const auto rows = read_plain_csv(twice.folder + "/folds.csv");
  EXPECT_EQ(rows[0], (Arguments{"path", "label", "group", "fold", "fold_2", "bytes"}));
  int other = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) other += rows[i][3] != rows[i][4] ? 1 : 0;
  EXPECT_GT(other, 0);
  EXPECT_EQ(run({"--fold", "3", "--repeats", "2"}).summary.at("pooled").at("images"), 18);
  EXPECT_EQ(finetune({"--resume", twice.folder}).exit_code, 0);
}

TEST_F(Flags, FoldsFileGivesTheFolds) {
  const FinishedRun first = run({"--folds", "3"});
  const FinishedRun given =
      run({"--folds-file", first.folder + "/folds.csv", "--fold", "2"}, {"--folds"});
  EXPECT_EQ(given.folds, first.folds);
  const FinishedRun own = run({"--folds", "3", "--fold", "2"});
  EXPECT_NE(given.config, own.config);
  EXPECT_EQ(given.last_hash(), own.last_hash());
  const Outcome beyond =
      finetune(replaced({"--folds-file", first.folder + "/folds.csv", "--fold", "99999999999"},
                        {"--folds"}) +
               Arguments{"--dry-run"});
  EXPECT_EQ(beyond.exit_code, 2);
  EXPECT_THAT(beyond.output, ::testing::HasSubstr("--fold: must be below 3"));
}

TEST_F(Flags, CorrectionsChangeWhatIsTrainedOn) {
  const FinishedRun before = run({"--folds", "3"});
  std::string table = "path,label,action,new_label\n";
  int dropped = 0;
  for (const Arguments& row : read_plain_csv(before.folder + "/folds.csv")) {
    // One photograph of each class, in a fold that is trained on.
    if (row[0] == "path" || row[3] == "0" || dropped == 2) continue;
    table += row[0] + "," + row[1] + ",drop,\n";
    ++dropped;
  }
  std::ofstream(folder_ / "corrections.csv") << table;
  const FinishedRun after = run({"--folds", "3", "--corrections", folder_ / "corrections.csv"});
  EXPECT_NE(after.last_hash(), before.last_hash());
  EXPECT_EQ(read_text(after.folder + "/corrections.csv"), table);
  EXPECT_EQ(after.summary.at("pooled").at("images"), before.summary.at("pooled").at("images"));
  EXPECT_TRUE(after.summary.contains("corrected"));
  EXPECT_FALSE(before.summary.contains("corrected"));
  // A resumed run goes by its own copy.
  std::filesystem::remove(folder_ / "corrections.csv");
  EXPECT_EQ(finetune({"--resume", after.folder}).exit_code, 0);
}

TEST_F(Flags, CorrectionsMustLeaveEveryClassToTrainOn) {
  std::string table = "path,label,action,new_label\n";
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "photos/class1")) {
    table += "class1/" + entry.path().filename().string() + ",class1,drop,\n";
  }
  std::ofstream(folder_ / "corrections.csv") << table;
  const Outcome outcome = finetune(replaced({"--corrections", folder_ / "corrections.csv"}) +
                                   Arguments{"--out", folder_ / "none"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("corrections.csv: leaves fold 0 without a "
                                                   "photograph of class 'class1' to train on"));
}

TEST_F(Flags, UnfreezeAtKeepsWhatMatchesUntilThen) {
  const FinishedRun second = run({"--unfreeze-at", "2=conv1"});
  const FinishedRun third = run({"--unfreeze-at", "3=conv1"});  // beyond the end
  EXPECT_NE(second.config, third.config);
  EXPECT_NE(second.last_hash(), third.last_hash());
  const auto start = best_of(run({"--lr", "1e-12"}));
  EXPECT_EQ(best_of(third).tensors.at("conv1.weight").to_vector(),
            start.tensors.at("conv1.weight").to_vector());
  std::vector<std::int64_t> trainable;
  for (const std::string& line : lines_of(read_text(second.folder + "/metrics.jsonl"))) {
    trainable.push_back(nlohmann::json::parse(line).at("trainable_parameters"));
  }
  EXPECT_EQ(trainable[1] - trainable[0], 6 * 3 * 5 * 5 + 6);
  // It rules over the mode.
  const FinishedRun head = run({"--mode", "feature-extraction", "--unfreeze-at", "2=fc2"});
  EXPECT_NE(best_of(head).tensors.at("fc2.weight").to_vector(),
            start.tensors.at("fc2.weight").to_vector());
}

TEST_F(Flags, HiddenPutsLayersInFrontOfTheHead) {
  const FinishedRun one = run({"--hidden", "24"});
  const FinishedRun two = run({"--hidden", "24", "--hidden", "10"});
  EXPECT_NE(one.config, two.config);
  EXPECT_EQ(best_of(one).tensors.at("fc3.0.weight").shape(), (Shape{24, 84}));
  EXPECT_EQ(best_of(one).tensors.at("fc3.2.weight").shape(), (Shape{3, 24}));
  EXPECT_EQ(best_of(two).tensors.at("fc3.4.weight").shape(), (Shape{3, 10}));
  // predict reads them from the checkpoint.
  const Outcome answers =
      predict({"--run", two.folder, "--images", folder_ / "photos", "--out", folder_ / "a.csv"});
  EXPECT_EQ(answers.exit_code, 0) << answers.output;
  // A plain network starts from it, with a head of its own; and the configuration repeats it.
  EXPECT_THAT(run({"--weights", two.folder + "/fold_0/best.safetensors"}).outcome.output,
              HasSubstr("new head"));
  const std::string again = folder_ / "again";
  ASSERT_EQ(finetune({"--config", two.folder + "/config.toml", "--out", again}).exit_code, 0);
  EXPECT_EQ(read_json(again + "/summary.json").at("last_weights_hash"), two.last_hash());
}

TEST_F(Flags, HeadLrAndLrGroupSetRates) {
  expect_other_weights({"--head-lr", "0"}, {"--head-lr", "0.01"});
  const FinishedRun still = run({"--lr-group", "conv*=1e-12", "--lr-group", "fc1=0.002"});
  const FinishedRun moves = run({"--lr-group", "conv2=0.002"});
  EXPECT_NE(still.config, moves.config);
  const auto start = best_of(run({"--lr", "1e-12"})).tensors.at("conv1.weight").to_vector();
  const auto kept = best_of(still).tensors.at("conv1.weight").to_vector();
  const auto moved = best_of(moves).tensors.at("conv1.weight").to_vector();
  for (std::size_t i = 0; i < start.size(); ++i) EXPECT_NEAR(kept[i], start[i], 1e-9);
  EXPECT_NE(moved, kept);
  EXPECT_THAT(still.outcome.output, HasSubstr("learning rate 0.002 for 48120 parameters of fc1"));
}

TEST_F(Flags, WarmupRaisesTheRateFirst) {
  const Arguments base = {"--scheduler", "constant", "--lr", "0.01", "--log-steps", "1"};
  const FinishedRun none = run(base);
  const FinishedRun four = run(base + Arguments{"--warmup", "4"});
  EXPECT_NE(none.config, four.config);
  EXPECT_NE(none.last_hash(), four.last_hash());
  const auto rows = steps_of(four);
  ASSERT_EQ(rows.size(), 6U);
  const double expected[] = {0.002, 0.004, 0.006, 0.008, 0.01, 0.01};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(std::stod(rows[i][3]), expected[i], 1e-12);
}

TEST_F(Flags, LossGammaAndSmoothingChangeTheWeights) {
  expect_other_weights({"--loss", "cross-entropy"}, {"--loss", "focal"});
  expect_other_weights({"--loss", "focal", "--focal-gamma", "1"},
                       {"--loss", "focal", "--focal-gamma", "3"});
  expect_other_weights({"--label-smoothing", "0"}, {"--label-smoothing", "0.2"});
  // It goes with everything that makes soft targets.
  for (const Arguments& soft :
       {Arguments{"--label-smoothing", "0.2"}, {"--mixup", "0.4"}, {"--cutmix", "1"}}) {
    expect_other_weights({"--loss", "focal"}, Arguments{"--loss", "focal"} + soft);
    expect_other_weights(soft, Arguments{"--loss", "focal"} + soft);
  }
  // With exponent 0 focal loss is the cross-entropy.
  const Arguments logged = {"--log-steps", "1"};
  const auto focal = steps_of(run(logged + Arguments{"--loss", "focal", "--focal-gamma", "0"}));
  const auto plain = steps_of(run(logged));
  EXPECT_NEAR(std::stod(focal[0][2]), std::stod(plain[0][2]), 1e-5);
}

TEST_F(Flags, NoiseRobustLossesChangeTheWeights) {
  const Arguments gce = {"--noise-robust", "gce"};
  const Arguments bootstrap = {"--noise-robust", "bootstrap"};
  const Arguments trim = {"--noise-robust", "trim"};
  for (const Arguments& robust : {gce, bootstrap, trim}) {
    expect_other_weights({"--noise-robust", "none"}, robust + Arguments{"--trim-share", "0.3"});
  }
  expect_other_weights(gce, gce + Arguments{"--gce-q", "0.3"});
  expect_other_weights(bootstrap, bootstrap + Arguments{"--bootstrap-beta", "0.5"});
  expect_other_weights(trim + Arguments{"--trim-share", "0.3"},
                       trim + Arguments{"--trim-share", "0.6"});
  expect_same_weights({"--noise-robust", "none"}, {"--gce-q", "0.3"});
  // Nothing is left out in the first epoch.
  const FinishedRun first = run({"--log-steps", "1"});
  const FinishedRun trimmed = run(trim + Arguments{"--log-steps", "1", "--trim-share", "0.5"});
  EXPECT_EQ(steps_of(first)[0][2], steps_of(trimmed)[0][2]);
  // They go with everything that changes targets and weights.
  for (const Arguments& robust : {gce, bootstrap, trim}) {
    for (const Arguments& other : {Arguments{"--label-smoothing", "0.2"},
                                   {"--mixup", "0.4"},
                                   {"--class-weights", "balanced", "--sampler", "over"}}) {
      expect_other_weights(other, robust + other + Arguments{"--trim-share", "0.3"});
    }
  }
}

TEST_F(Flags, SamplerChoosesTheImagesOfAnEpoch) {
  for (int i = 0; i < 6; ++i) {
    std::filesystem::remove(folder_ / ("photos/class2/photo0" + std::to_string(i) + ".png"));
  }
  // 15 images in training: 6 + 6 + 3.
  std::map<std::string, int> steps;
  std::set<std::string> hashes;
  for (const char* sampler : {"shuffled", "over", "under", "class-balanced"}) {
    const FinishedRun r = run({"--sampler", sampler, "--epochs", "1", "--batch-size", "3"});
    steps[sampler] = r.summary.at("folds")[0].at("steps");
    hashes.insert(r.last_hash());
    EXPECT_THAT(r.config, HasSubstr(std::string("sampler = \"") + sampler));
    const bool reported = r.outcome.output.find("never seen") != std::string::npos;
    EXPECT_EQ(reported, std::string(sampler) != "shuffled");
  }
  EXPECT_EQ(steps, (std::map<std::string, int>{
                       {"shuffled", 5}, {"over", 6}, {"under", 3}, {"class-balanced", 5}}));
  EXPECT_EQ(hashes.size(), 4U);
}

TEST_F(Flags, ClipNormBoundsTheStep) {
  expect_other_weights({"--optimizer", "sgd", "--clip-norm", "0"},
                       {"--optimizer", "sgd", "--clip-norm", "0.001"});
  expect_same_weights({"--clip-norm", "0"}, {"--clip-norm", "1e30"});
}

TEST_F(Flags, EmaKeepsTheAveragedWeights) {
  const FinishedRun without = run({"--ema", "0"});
  const FinishedRun with = run({"--ema", "0.9"});
  EXPECT_NE(without.config, with.config);
  EXPECT_EQ(without.last_hash(), with.last_hash());  // training itself goes on without them
  EXPECT_NE(without.summary.at("weights_hash"), with.summary.at("weights_hash"));
}

TEST_F(Flags, AccumulateAddsUpToTheWholeBatch) {
  // Balanced weights and smoothing: a mean over each part would come out otherwise.
  std::filesystem::remove(folder_ / "photos/class2/photo00.png");
  std::filesystem::remove(folder_ / "photos/class2/photo01.png");
  const Arguments base = {"--class-weights",
                          "balanced",
                          "--label-smoothing",
                          "0.1",
                          "--optimizer",
                          "sgd",
                          "--lr",
                          "0.01",
                          "--log-steps",
                          "1"};
  const FinishedRun whole = run(base + Arguments{"--accumulate", "1"});
  const FinishedRun parts = run(base + Arguments{"--accumulate", "3"});
  EXPECT_NE(whole.config, parts.config);
  const auto a = steps_of(whole);
  const auto b = steps_of(parts);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(std::stod(a[i][2]), std::stod(b[i][2]), 2e-5) << "loss of step " << i;
    EXPECT_NEAR(std::stod(a[i][4]), std::stod(b[i][4]), 1e-4) << "gradient of step " << i;
  }
}

TEST_F(Flags, AVirtualBatchGivesTheResultOfTheWholeOne) {
  const Arguments base = {"--model",     "resnet18", "--image-size", "64", "--lr", "0.0003",
                          "--max-steps", "3",        "--log-steps",  "1"};
  const auto losses = [&](const Arguments& more) {
    std::vector<double> losses;
    for (const auto& row : steps_of(run(base + more))) losses.push_back(std::stod(row[2]));
    return losses;
  };
  const std::vector<double> whole = losses({});
  const std::vector<double> parts = losses({"--accumulate", "3"});
  const std::vector<double> virtual_batch = losses({"--accumulate", "3", "--virtual-batch"});
  ASSERT_EQ(whole.size(), 3U);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(virtual_batch.at(i), whole[i], 1e-4 * std::pow(10, i)) << "step " << i;
  }
  EXPECT_GT(std::abs(parts.at(0) - whole[0]), 1e-3);  // batch norm by the images of each part
}

TEST_F(Flags, AVirtualBatchNeedsBlocks) {
  const Outcome outcome =
      finetune({"--data", folder_ / "photos", "--model", "convnext_tiny", "--weights", "none",
                "--image-size", "32", "--virtual-batch", "--out", folder_ / "none"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("--virtual-batch: --model convnext_tiny has no blocks"));
}

TEST_F(Flags, CropAndGrayscaleTravelWithTheCheckpoint) {
  expect_other_weights({"--crop", "none"}, {"--crop", "center"});
  const FinishedRun gray = run({"--grayscale"});
  const FinishedRun colour = run({});
  EXPECT_NE(gray.config, colour.config);
  EXPECT_NE(gray.last_hash(), colour.last_hash());
  const auto record = [](const FinishedRun& r) {
    return nlohmann::json::parse(best_of(r).metadata.at("hanok.preprocessing"));
  };
  EXPECT_EQ(record(gray).at("grayscale"), true);
  EXPECT_EQ(record(colour).at("grayscale"), false);
  EXPECT_EQ(record(run({"--crop", "center"})).at("resize"), 37);  // 32 * 8 / 7, rounded
}

TEST_F(Flags, MixupAndCutmixChangeTheWeights) {
  expect_other_weights({"--mixup", "0"}, {"--mixup", "0.4"});
  expect_other_weights({"--cutmix", "0"}, {"--cutmix", "1"});
}

TEST_F(Flags, LogStepsKeepsEveryNthStep) {
  const FinishedRun two = run({"--log-steps", "2"});
  const FinishedRun three = run({"--log-steps", "3"});
  EXPECT_NE(two.config, three.config);
  EXPECT_EQ(two.last_hash(), three.last_hash());
  EXPECT_EQ(steps_of(two).size(), 3U);
  ASSERT_EQ(steps_of(three).size(), 2U);
  EXPECT_EQ(steps_of(three)[1][1], "6");
  const FinishedRun none = run({});
  EXPECT_FALSE(std::filesystem::exists(none.folder + "/fold_0/steps.csv"));

  const std::string& output = two.outcome.output;
  const std::string before = "first step ";
  const std::size_t at = output.find(before);
  ASSERT_NE(at, std::string::npos) << output;
  const double seconds = std::stod(output.substr(at + before.size()));
  EXPECT_GT(seconds, 0);
  EXPECT_LT(seconds, 60);
  EXPECT_EQ(none.outcome.output.find(before), std::string::npos);
}

TEST_F(Flags, EveryModelOfTheRegistryTrains) {
  // Of each family the smallest: one step.
  for (const char* model : {"resnet18", "mobilenet_v2", "mlp"}) {
    const FinishedRun r = run({"--model", model, "--max-steps", "1", "--hidden", "8", "--mode",
                               "gradual", "--head-lr", "0.01"});
    EXPECT_EQ(r.summary.at("folds")[0].at("steps"), 1) << model;
  }
}

struct Refusal {
  Arguments arguments;
  std::string text;
};

TEST_F(Flags, BadValuesAreRefusedBeforeAnythingIsWritten) {
  write_text(folder_ / "folds.csv", "path,fold\nclass0/photo00.png,0\n");
  const std::vector<Refusal> refusals = {
      {{"--repeats", "0"}, "--repeats"},
      {{"--repeats", "2", "--val-fraction", "0.2"}, "--repeats"},
      {{"--folds-file", folder_ / "nothing.csv"}, "nothing.csv"},
      {{"--folds-file", folder_ / "folds.csv"}, "have no fold"},
      {{"--folds-file", folder_ / "folds.csv", "--repeats", "2"}, "--folds-file"},
      {{"--unfreeze-at", "conv1"}, "EPOCH=GLOB"},
      {{"--unfreeze-at", "0=conv1"}, "EPOCH=GLOB"},
      {{"--unfreeze-at", "2=nobody"}, "--unfreeze-at"},
      {{"--hidden", "0"}, "--hidden"},
      {{"--hidden", "many"}, "--hidden"},
      {{"--head-lr", "-1"}, "--head-lr"},
      {{"--lr-group", "conv1"}, "GLOB=LR"},
      {{"--lr-group", "conv1=0"}, "GLOB=LR"},
      {{"--lr-group", "nobody=0.1"}, "--lr-group"},
      {{"--warmup", "-1"}, "--warmup"},
      {{"--warmup", "5"}, "one-cycle warms up by itself"},
      {{"--loss", "hinge"}, "--loss"},
      {{"--focal-gamma", "-1"}, "--focal-gamma"},
      {{"--noise-robust", "huber"}, "--noise-robust"},
      {{"--noise-robust", "gce", "--loss", "focal"}, "--noise-robust, --loss"},
      {{"--gce-q", "0"}, "--gce-q"},
      {{"--bootstrap-beta", "1.5"}, "--bootstrap-beta"},
      {{"--trim-share", "0.9"}, "--trim-share"},
      {{"--noise-robust", "trim", "--trim-share", "0.01"}, "images is none"},
      {{"--label-smoothing", "1"}, "--label-smoothing"},
      {{"--sampler", "lucky"}, "--sampler"},
      {{"--clip-norm", "-1"}, "--clip-norm"},
      {{"--ema", "1"}, "--ema"},
      {{"--accumulate", "0"}, "--accumulate"},
      {{"--accumulate", "4000"}, "--accumulate"},
      {{"--crop", "left"}, "--crop"},
      {{"--augment", "wild"}, "--augment: expects one of none, light"},
      {{"--cache-images", "always"}, "--cache-images"},
      {{"--image-budget", "-1"}, "--image-budget"},
      {{"--memory", "700"}, "--memory: expects auto or a size"},
      {{"--memory", "5M"}, "--memory: 5 MiB is too little"},
      {{"--mixup", "0.01"}, "--mixup"},
      {{"--mixup", "0.2", "--cutmix", "1"}, "give one of them"},
      {{"--cutmix", "-1"}, "--cutmix"},
      {{"--log-steps", "-1"}, "--log-steps"},
  };
  for (const Refusal& refusal : refusals) {
    const std::string out = folder_ / "refused";
    const Outcome outcome = finetune(base_ + refusal.arguments + Arguments{"--out", out});
    const std::string what = ::testing::PrintToString(refusal.arguments);
    EXPECT_GE(outcome.exit_code, 1) << what;
    EXPECT_LE(outcome.exit_code, 2) << what;
    EXPECT_THAT(outcome.output, HasSubstr(refusal.text)) << what;
    EXPECT_FALSE(std::filesystem::exists(out + "/config.toml")) << what;
  }
}

}  // namespace
}  // namespace hanok::test
