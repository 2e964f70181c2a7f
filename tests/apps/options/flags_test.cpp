// Every option with two values: config.toml and the result must differ, or the case says why not.
#include "tests/apps/flags.h"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>

#include "hanok/weights/weights.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

TEST_F(Flags, TheSameCommandGivesTheSameWeights) {
  const FinishedRun a = run({});
  const FinishedRun b = run({});
  EXPECT_EQ(a.config, b.config);
  EXPECT_EQ(a.last_hash(), b.last_hash());
  EXPECT_EQ(a.summary.at("weights_hash"), b.summary.at("weights_hash"));
  EXPECT_EQ(read_text(a.folder + "/fold_0/best.safetensors"),
            read_text(b.folder + "/fold_0/best.safetensors"));
}

TEST_F(Flags, DataChangesTheWeights) {
  PhotoOptions other;
  other.seed = 2;
  draw_photos(folder_ / "others", other);
  expect_other_weights({}, {"--data", folder_ / "others"});
}

TEST_F(Flags, LayoutAutoFindsTheFolderLayout) {
  // The result is the same because auto decides for "folder"; the wrong layout is an error.
  expect_same_weights({"--layout", "auto"}, {"--layout", "folder"});
  EXPECT_EQ(
      finetune(base_ + Arguments{"--layout", "competition", "--out", folder_ / "x"}).exit_code, 1);
}

TEST_F(Flags, LayoutCsvReadsATable) {
  std::string table = "path,label,group\n";
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 12; ++i) {
      const std::string name = "photo" + std::string(i < 10 ? "0" : "") + std::to_string(i);
      table += "class" + std::to_string(c) + "/" + name + ".png,kind" + std::to_string(c) + ",g" +
               std::to_string(c) + std::to_string(i / 2) + "\n";
    }
  }
  write_text(folder_ / "photos/labels.csv", table);
  const FinishedRun a = run({"--layout", "csv"});
  const FinishedRun b = run({"--layout", "folder"});
  EXPECT_NE(a.config, b.config);
  EXPECT_THAT(a.folds, ::testing::HasSubstr(",kind0,g00,"));
  EXPECT_THAT(b.folds, ::testing::HasSubstr(",class0,"));
  // --data may name the table itself.
  EXPECT_EQ(run({"--data", folder_ / "photos/labels.csv"}).last_hash(), a.last_hash());
}

TEST_F(Flags, GroupKeepsPhotographsOfOneGroupTogether) {
  PhotoOptions grouped;
  grouped.groups = true;
  draw_photos(folder_ / "grouped", grouped);
  const FinishedRun together = run({"--data", folder_ / "grouped", "--group", "auto"});
  const FinishedRun apart = run({"--data", folder_ / "grouped", "--group", "none"});
  EXPECT_NE(together.config, apart.config);
  EXPECT_NE(together.folds, apart.folds);
  std::set<std::pair<std::string, std::string>> group_and_fold;
  std::set<std::string> groups;
  for (const auto& row : read_plain_csv(together.folder + "/folds.csv")) {
    if (row[0] == "path") continue;
    groups.insert(row[2]);
    group_and_fold.insert({row[2], row[3]});
  }
  EXPECT_EQ(groups.size(), 18U);
  EXPECT_EQ(group_and_fold.size(), groups.size());
}

TEST_F(Flags, GroupTakesATable) {
  // Photographs 0 and 11, 1 and 10, ... of all classes belong together.
  std::string table = "path,group\n";
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 12; ++i) {
      table += fmt::format("class{}/photo{:02},p{}\n", c, i, std::min(i, 11 - i));
    }
  }
  table = std::regex_replace(table, std::regex(",p"), ".png,p");
  write_text(folder_ / "groups.csv", table);
  const FinishedRun grouped = run({"--group", folder_ / "groups.csv"});
  EXPECT_THAT(grouped.config, ::testing::HasSubstr("groups.csv"));
  std::set<std::pair<std::string, std::string>> group_and_fold;
  for (const auto& row : read_plain_csv(grouped.folder + "/folds.csv")) {
    if (row[0] != "path") group_and_fold.insert({row[2], row[3]});
  }
  EXPECT_EQ(group_and_fold.size(), 6U);
  EXPECT_THAT(finetune({"--data", folder_ / "photos", "--group", "file", "--dry-run"}).output,
              ::testing::HasSubstr("--group: expects one of auto, none, or a table"));
}

TEST_F(Flags, FoldsChangesTheSplit) {
  const FinishedRun two = run({"--folds", "2"});
  const FinishedRun three = run({"--folds", "3"});
  EXPECT_NE(two.config, three.config);
  EXPECT_EQ(two.summary.at("pooled").at("images"), 18);
  EXPECT_EQ(three.summary.at("pooled").at("images"), 12);
}

TEST_F(Flags, FoldPicksOneOrAll) {
  expect_other_weights({"--fold", "0"}, {"--fold", "1"});
  const FinishedRun all = run({"--fold", "all"});
  EXPECT_EQ(all.summary.at("folds").size(), 2U);
  EXPECT_EQ(all.summary.at("pooled").at("images"), 36);
  EXPECT_EQ(lines_of(read_text(all.folder + "/predictions.csv")).size(), 37U);
}

TEST_F(Flags, ValFractionSetsTheHoldOut) {
  const FinishedRun third = run({"--val-fraction", "0.34"}, {"--folds", "--fold"});
  const FinishedRun half = run({"--val-fraction", "0.5"}, {"--folds", "--fold"});
  EXPECT_NE(third.config, half.config);
  EXPECT_EQ(half.summary.at("pooled").at("images"), 18);
  EXPECT_LT(third.summary.at("pooled").at("images").get<int>(), 18);
  EXPECT_TRUE(std::filesystem::exists(half.folder + "/fold_0/best.safetensors"));
}

TEST_F(Flags, AllowBadGoesOnWithManyUnreadableImages) {
  for (int i = 0; i < 4; ++i) {
    write_text(folder_ / ("photos/class0/photo0" + std::to_string(i) + ".png"), "no image");
  }
  const Arguments stop = base_ + Arguments{"--out", folder_ / "stopped"};
  const Outcome stopped = finetune(stop);
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_THAT(stopped.output, ::testing::HasSubstr("4 of 36 images (11.1%) cannot be read"));
  EXPECT_THAT(stopped.output, ::testing::HasSubstr("photo03.png"));
  const FinishedRun allowed = run({"--allow-bad"});
  EXPECT_EQ(allowed.summary.at("unreadable_images").size(), 4U);
  EXPECT_EQ(lines_of(allowed.folds).size(), 1U + 32U);
}

TEST_F(Flags, ModelChangesTheNetwork) {
  expect_other_weights({"--model", "lenet"}, {"--model", "mlp"});
}

TEST_F(Flags, WeightsStartFromAFile) {
  const FinishedRun first = run({});
  expect_other_weights({"--weights", "none"},
                       {"--weights", first.folder + "/fold_0/best.safetensors"});
}

TEST_F(Flags, ModeDecidesWhatLearns) {
  const FinishedRun head = run({"--mode", "feature-extraction"});
  const FinishedRun all = run({"--mode", "finetune"});
  const FinishedRun gradual = run({"--mode", "gradual", "--epochs", "5"});
  EXPECT_NE(head.config, all.config);
  EXPECT_NE(head.last_hash(), all.last_hash());

  // Feature extraction leaves everything but the head as it was made.
  const auto start = weights::load(run({"--mode", "feature-extraction", "--lr", "1e-12"}).folder +
                                   "/fold_0/best.safetensors");
  const auto trained = weights::load(head.folder + "/fold_0/best.safetensors");
  for (const auto& [name, tensor] : trained.tensors) {
    const bool in_head = name.rfind("fc3.", 0) == 0;
    if (in_head) continue;
    EXPECT_EQ(tensor.to_vector(), start.tensors.at(name).to_vector()) << name;
  }
  // Gradual: more parameters learn from stage to stage.
  std::vector<std::int64_t> trainable;
  for (const std::string& line : lines_of(read_text(gradual.folder + "/metrics.jsonl"))) {
    trainable.push_back(nlohmann::json::parse(line).at("trainable_parameters"));
  }
  ASSERT_EQ(trainable.size(), 5U);  // lenet has five parts: one stage an epoch
  EXPECT_TRUE(std::is_sorted(trainable.begin(), trainable.end()));
  EXPECT_EQ(std::set<std::int64_t>(trainable.begin(), trainable.end()).size(), 5U);
}

TEST_F(Flags, FreezeKeepsWhatMatches) {
  const FinishedRun two = run({"--freeze", "conv1", "--freeze", "fc1*"});
  const FinishedRun none = run({});
  EXPECT_NE(two.config, none.config);
  EXPECT_NE(two.last_hash(), none.last_hash());
  const auto frozen = weights::load(two.folder + "/fold_0/best.safetensors");
  const auto still = weights::load(run({"--lr", "1e-12"}).folder + "/fold_0/best.safetensors");
  EXPECT_EQ(frozen.tensors.at("conv1.weight").to_vector(),
            still.tensors.at("conv1.weight").to_vector());
  EXPECT_EQ(frozen.tensors.at("fc1.bias").to_vector(), still.tensors.at("fc1.bias").to_vector());
  EXPECT_NE(frozen.tensors.at("conv2.weight").to_vector(),
            still.tensors.at("conv2.weight").to_vector());
}

TEST_F(Flags, EpochsAndMaxStepsSetTheLength) {
  const FinishedRun one = run({"--epochs", "1"});
  const FinishedRun three = run({"--epochs", "3"});
  EXPECT_NE(one.config, three.config);
  EXPECT_EQ(one.epochs(), 1U);
  EXPECT_EQ(three.epochs(), 3U);
  const FinishedRun steps = run({"--epochs", "3", "--max-steps", "4"});
  EXPECT_NE(steps.config, three.config);
  EXPECT_EQ(three.summary.at("folds")[0].at("steps"), 9);  // 18 images: 8 + 8 + 2
  EXPECT_EQ(steps.summary.at("folds")[0].at("steps"), 4);
}

TEST_F(Flags, BatchSizeChangesTheSteps) {
  const FinishedRun small = run({"--batch-size", "6"});
  const FinishedRun large = run({"--batch-size", "9"});
  EXPECT_NE(small.config, large.config);
  EXPECT_EQ(small.summary.at("folds")[0].at("steps"), 6);
  EXPECT_EQ(large.summary.at("folds")[0].at("steps"), 4);
  EXPECT_NE(small.last_hash(), large.last_hash());
}

TEST_F(Flags, OptimizerChangesTheWeights) {
  expect_other_weights({"--optimizer", "adamw"}, {"--optimizer", "adam"});
  expect_other_weights({"--optimizer", "sgd"}, {"--optimizer", "rmsprop"});
}

TEST_F(Flags, LearningRateChangesTheWeights) {
  expect_other_weights({"--lr", "0.001"}, {"--lr", "0.002"});
}

TEST_F(Flags, WeightDecayChangesTheWeights) {
  expect_other_weights({"--weight-decay", "0"}, {"--weight-decay", "0.5"});
}

TEST_F(Flags, SchedulerChangesTheWeights) {
  expect_other_weights({"--scheduler", "one-cycle"}, {"--scheduler", "cosine"});
  expect_other_weights({"--scheduler", "constant"}, {"--scheduler", "cosine"});
}

TEST_F(Flags, ClassWeightsChangeTheWeights) {
  std::filesystem::remove(folder_ / "photos/class2/photo00.png");
  std::filesystem::remove(folder_ / "photos/class2/photo01.png");
  expect_other_weights({"--class-weights", "none"}, {"--class-weights", "balanced"});
}

TEST_F(Flags, ImageSizeIsWhatTheCheckpointCarries) {
  expect_other_weights({"--image-size", "32"}, {"--image-size", "24"});
  const FinishedRun run24 = run({"--image-size", "24"});
  const auto file = weights::load(run24.folder + "/fold_0/best.safetensors");
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("hanok.preprocessing")).at("image_size"), 24);
}

TEST_F(Flags, AugmentChangesTheWeights) {
  expect_other_weights({"--augment", "none"}, {"--augment", "light"});
  expect_other_weights({"--augment", "strong"}, {"--augment", "randaugment"});
}

TEST_F(Flags, AugmentReadsAFileAndRecordsWhatItHeld) {
  const std::string file = folder_ / "mine.toml";
  write_text(file, "[[transform]]\nname = \"rotate\"\ndegrees = 40\n");
  const FinishedRun mine = run({"--augment", file});
  write_text(file, "[[transform]]\nname = \"rotate\"\ndegrees = 5\n");
  const FinishedRun other = run({"--augment", file});
  EXPECT_NE(mine.last_hash(), other.last_hash());
  EXPECT_THAT(mine.config, ::testing::HasSubstr("augment = \"" + file + "\""));
  EXPECT_THAT(
      mine.config,
      ::testing::EndsWith("[[transform]]\nname = \"rotate\"\nprobability = 1\ndegrees = 40\n"));
  // The record repeats the run, whatever has become of the file.
  std::filesystem::remove(file);
  const std::string again = folder_ / "again";
  const Outcome outcome = finetune({"--config", mine.folder + "/config.toml", "--out", again});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(read_json(again + "/summary.json").at("last_weights_hash"), mine.last_hash());
  EXPECT_EQ(read_text(again + "/config.toml"), mine.config);
  // A name on the command line takes its place.
  const Outcome light =
      finetune({"--config", mine.folder + "/config.toml", "--augment", "light", "--print-config"});
  EXPECT_THAT(light.output, ::testing::Not(::testing::HasSubstr("[[transform]]")));
}

TEST_F(Flags, TheDocumentedAugmentationIsStrong) {
  const FinishedRun strong = run({"--augment", "strong"});
  const FinishedRun file = run({"--augment", source_dir() + "/docs/augment.toml"});
  EXPECT_EQ(strong.last_hash(), file.last_hash());
}

TEST_F(Flags, AugmentFilesAreReadStrictly) {
  const auto expect = [this](const std::string& text, const std::string& message) {
    const std::string file = folder_ / "bad.toml";
    write_text(file, text);
    const Outcome outcome = finetune(replaced({"--augment", file, "--out", folder_ / "bad"}));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, ::testing::HasSubstr("bad.toml: " + message));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "bad"));
  };
  const std::string blur = "[[transform]]\nname = \"blur\"\n";
  expect("", "no [[transform]] in it");
  expect("[[transform]\n", "line 1: ");
  expect("transforms = 1\n", "line 1: transforms: unknown key");
  expect("\ntransform = 1\n", "line 2: transform: expects tables");
  expect("[[transform]]\nkernel = 3\n", "line 1: transform: name is missing");
  expect("[[transform]]\nname = 3\n", "line 1: transform: name is missing, a text");
  expect("[[transform]]\nname = \"twist\"\n", "line 2: name: unknown transform 'twist' (known: ");
  expect("[[transform]]\nname = \"mixup\"\n", "line 2: name: mixup mixes the images of a batch");
  expect(blur + "size = 3\n", "line 3: blur: unknown parameter 'size' (blur has: kernel, sigma");
  expect(blur + "\nkernel = 4\n", "line 4: blur: kernel: expects an odd number");
  expect(blur + "kernel = \"5\"\n", "line 3: blur: kernel: expects a number");
  expect(blur + "sigma = 2\n", "line 3: blur: sigma: expects a range");
  expect(blur + "sigma = [2, 1]\n", "line 3: blur: sigma: the range begins at 2 and ends at 1");
  expect(blur + "probability = 2\n", "line 3: blur: probability: must lie between 0 and 1, got 2");
  expect(blur + "probability = [0, 1]\n", "line 3: blur: probability: expects one number");
  // In a configuration the same, and no contradiction.
  write_text(folder_ / "run.toml", "augment = \"light\"\n" + blur);
  const Outcome both = finetune(replaced({"--config", folder_ / "run.toml", "--print-config"}));
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.output, ::testing::HasSubstr("\"light\" has its own transforms"));
  write_text(folder_ / "run.toml", "epochs = 3\n" + blur + "kernel = 0\n");
  const Outcome bad = finetune(replaced({"--config", folder_ / "run.toml", "--print-config"}));
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_THAT(bad.output, ::testing::HasSubstr("run.toml: line 4: blur: kernel: expects an odd"));
}

TEST_F(Flags, PatienceEndsEarly) {
  // No gain reaches min-delta, so only the first epoch counts as an improvement.
  const Arguments never_better = {"--epochs", "6", "--min-delta", "100"};
  const FinishedRun one = run(never_better + Arguments{"--patience", "1"});
  const FinishedRun three = run(never_better + Arguments{"--patience", "3"});
  EXPECT_NE(one.config, three.config);
  EXPECT_EQ(one.epochs(), 2U);
  EXPECT_EQ(three.epochs(), 4U);
  EXPECT_EQ(run(never_better + Arguments{"--patience", "0"}).epochs(), 6U);
}

TEST_F(Flags, MinDeltaDecidesWhatCounts) {
  const FinishedRun any = run({"--epochs", "4", "--patience", "1", "--min-delta", "0"});
  const FinishedRun large = run({"--epochs", "4", "--patience", "1", "--min-delta", "100"});
  EXPECT_NE(any.config, large.config);
  EXPECT_EQ(large.summary.at("best_epoch"), 1);
  EXPECT_GT(any.summary.at("best_epoch"), 1);
}

TEST_F(Flags, MonitorChoosesTheValue) {
  const auto monitored = [this](const char* monitor) {
    const FinishedRun r = run({"--monitor", monitor});
    const auto file = weights::load(r.folder + "/fold_0/best.safetensors");
    const double value = std::stod(file.metadata.at("hanok.monitor_value"));
    const auto best = r.summary.at("folds")[0];
    return std::make_tuple(r.config, value, best.at("val_loss").get<double>(),
                           best.at("macro_f1").get<double>());
  };
  const auto [loss_config, loss_value, loss, ignored_f1] = monitored("val_loss");
  const auto [f1_config, f1_value, ignored_loss, f1] = monitored("val_f1");
  EXPECT_NE(loss_config, f1_config);
  EXPECT_DOUBLE_EQ(loss_value, loss);
  EXPECT_DOUBLE_EQ(f1_value, f1);
}

TEST_F(Flags, ReportSubsetAddsItsMacroF1) {
  const FinishedRun a = run({"--report-subset", "photo0*"});
  const FinishedRun b = run({"--report-subset", "class1/*"});
  EXPECT_NE(a.config, b.config);
  EXPECT_EQ(a.summary.at("subsets").at("photo0*").at("images"), 18);
  EXPECT_EQ(b.summary.at("subsets").at("class1/*").at("images"), 6);
  EXPECT_EQ(a.last_hash(), b.last_hash());  // a report changes no weights
}

TEST_F(Flags, BaselinesAddTheShuffledLabels) {
  const FinishedRun without = run({});
  const FinishedRun with = run({"--baselines"});
  EXPECT_NE(without.config, with.config);
  EXPECT_FALSE(without.summary.contains("shuffled_labels_macro_f1"));
  EXPECT_TRUE(with.summary.contains("shuffled_labels_macro_f1"));
  EXPECT_EQ(without.last_hash(), with.last_hash());  // the baseline is trained apart
}

TEST_F(Flags, AugmentRepeatsBringsTheSameAugmentationsAgain) {
  expect_other_weights({"--augment-repeats", "0"}, {"--augment-repeats", "1"});
  // As many as there are epochs: each epoch has its own, as without the option.
  expect_same_weights({"--augment-repeats", "0"}, {"--augment-repeats", "2"});
}

TEST_F(Flags, SeedChangesTheWeights) { expect_other_weights({"--seed", "1"}, {"--seed", "2"}); }

TEST_F(Flags, MachineOptionsLeaveTheWeightsAlone) {
  // By design: work is cut by problem size, and batches do not depend on who reads them.
  expect_same_weights({"--threads", "1"}, {"--threads", "2"});
  expect_same_weights({"--workers", "1"}, {"--workers", "3"});
  // The CPU is the only device of this build, so auto takes it.
  expect_same_weights({"--device", "auto"}, {"--device", "cpu"});
  expect_same_weights({}, {"--profile"});
  expect_same_weights({}, {"--detect-anomaly"});
  expect_same_weights({}, {"--tensorboard"});
  // tests/apps/training/feature_cache_test.cpp has the cases in which features are cached.
  expect_same_weights({"--cache-features", "auto"}, {"--cache-features", "no"});
  expect_same_weights({"--cache-budget", "0"}, {"--cache-budget", "100"});
  expect_same_weights({"--memory", "auto"}, {"--memory", "900M"});
}

TEST_F(Flags, CachingImagesLeavesTheWeightsAlone) {
  expect_same_weights({"--cache-images", "no"}, {"--cache-images", "auto"});
  expect_same_weights({"--cache-images", "auto", "--image-budget", "1"},
                      {"--cache-images", "yes", "--image-budget", "0"});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    EXPECT_THAT(entry.path().filename().string(), ::testing::Not(::testing::HasSubstr("records")));
  }
}

TEST_F(Flags, OutNamesTheFolderAndIsNoPartOfTheConfiguration) {
  // config.toml repeats a run, and a repetition needs another folder.
  const FinishedRun a = run({});
  const FinishedRun b = run({});
  EXPECT_NE(a.folder, b.folder);
  EXPECT_EQ(a.config.find(a.folder), std::string::npos);
}

TEST_F(Flags, EveryOptionOfTheTableHasACase) {
  const std::set<std::string> covered = {
      "data", "layout", "group", "folds", "fold", "val-fraction", "allow-bad", "model", "weights",
      "mode", "freeze", "epochs", "batch-size", "optimizer", "lr", "scheduler", "augment",
      "weight-decay", "max-steps", "image-size", "patience", "min-delta", "monitor",
      "class-weights", "baselines", "seed", "threads", "workers", "device", "report-subset",
      "memory",      // in tests/apps/run/memory_limit_test.cpp
      "cuda-graph",  // in tests/cuda/apps/cuda_graph_test.cpp
      "precision",   // in int16_test.cpp and tests/cuda/apps/finetune_test.cpp
      // in tests/apps/training/experiment_split_test.cpp
      "path-column", "label-column",
      // in tests/apps/run/start_from_test.cpp
      "rename",
      "shuffle-buffer",  // in tests/apps/experiment/shards_test.cpp
      "face-margin",     // in tests/apps/faces/face_crop_test.cpp
      "tensorboard",     // in tests/apps/run_report/tensorboard_test.cpp
      "find-labels",     // in tests/apps/label_errors/planted_errors_test.cpp
      // in test_flags_training.cpp
      "repeats", "folds-file", "corrections", "unfreeze-at", "hidden", "head-lr", "lr-group",
      "warmup", "loss", "focal-gamma", "noise-robust", "gce-q", "bootstrap-beta", "trim-share",
      "label-smoothing", "sampler", "clip-norm", "ema", "accumulate", "virtual-batch", "crop",
      "grayscale", "mixup", "cutmix", "log-steps", "slices",
      "local-batch-norm",  // in tests/apps/programs/ranks_test.cpp
      // in test_feature_cache.cpp, test_profile.cpp and test_autotune.cpp
      "augment-repeats", "cache-features", "cache-budget", "cache-images", "image-budget",
      "profile", "autotune", "detect-anomaly"};  // also in tests/apps/training/step_runner_test.cpp
  std::set<std::string> keys;
  for (const std::string& line : lines_of(finetune({"--print-config"}).output)) {
    const std::size_t equals = line.find(" = ");
    if (!line.empty() && line[0] != '#' && equals != std::string::npos) {
      keys.insert(line.substr(0, equals));
    }
  }
  EXPECT_EQ(keys, covered);
}

TEST_F(Flags, TheCommandLineWinsOverTheFile) {
  write_text(folder_ / "some.toml", "epochs = 7\nlr = 0.5\nfreeze = [\"conv1\"]\n");
  const Outcome outcome =
      finetune({"--config", folder_ / "some.toml", "--lr", "0.25", "--print-config"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("\nepochs = 7\n"));
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("\nlr = 0.25\n"));
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("\nfreeze = [\"conv1\"]\n"));
}

TEST_F(Flags, APrintedConfigurationRepeatsTheRun) {
  const FinishedRun first = run({"--seed", "5", "--lr", "0.0021"});
  const std::string again = folder_ / "again";
  ASSERT_EQ(finetune({"--config", first.folder + "/config.toml", "--out", again}).exit_code, 0);
  EXPECT_EQ(read_text(again + "/config.toml"), first.config);
  EXPECT_EQ(read_json(again + "/summary.json").at("last_weights_hash"), first.last_hash());
}

TEST_F(Flags, DryRunShowsThePlanAndWritesNothing) {
  const std::string out = folder_ / "dry";
  const Outcome outcome = finetune(base_ + Arguments{"--dry-run", "--out", out});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("class0"));
  EXPECT_THAT(outcome.output, ::testing::HasSubstr("trainable"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Flags, HelpNamesEveryOption) {
  const Outcome outcome = finetune({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* flag : {"--data",          "--layout",     "--model",        "--weights",
                           "--mode",          "--freeze",     "--folds",        "--fold",
                           "--val-fraction",  "--group",      "--epochs",       "--batch-size",
                           "--optimizer",     "--lr",         "--weight-decay", "--scheduler",
                           "--class-weights", "--image-size", "--augment",      "--patience",
                           "--min-delta",     "--monitor",    "--seed",         "--threads",
                           "--device",        "--precision",  "--config",       "--print-config",
                           "--dry-run",       "--max-steps",  "--resume",       "--out"}) {
    EXPECT_THAT(outcome.output, ::testing::HasSubstr(flag));
  }
}

}  // namespace
}  // namespace hanok::test
