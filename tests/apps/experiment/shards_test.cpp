// Training from shards, from the command line on: what comes out is a run like any other.
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/data/dataset.h"
#include "tests/apps/program.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

/// photos/ has 20 photographs of each of three classes, two a group; shards/ holds them.
class TrainingFromShards : public ::testing::Test {
 protected:
  TrainingFromShards() {
    PhotoOptions photos;
    photos.members = 20;
    photos.groups = true;
    draw_photos(folder_ / "photos", photos);
    const Outcome outcome =
        run_program("convert", {folder_ / "photos", folder_ / "shards", "--shards", "4"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("4 shards, 60 images"));
  }

  Arguments command(const std::string& data, const std::string& out,
                    const std::string& epochs = "12") const {
    return {"--data",       folder_ / data, "--model",      "lenet", "--weights", "none",
            "--epochs",     epochs,         "--batch-size", "4",     "--folds",   "2",
            "--image-size", "32",           "--threads",    "1",     "--lr",      "0.003",
            "--augment",    "light",        "--patience",   "0",     "--out",     folder_ / out};
  }
  static void expect_same_end(const std::string& a, const std::string& b) {
    for (const char* key : {"weights_hash", "last_weights_hash", "macro_f1"}) {
      EXPECT_EQ(read_json(a + "/summary.json").at(key), read_json(b + "/summary.json").at(key));
    }
    EXPECT_EQ(read_text(a + "/predictions.csv"), read_text(b + "/predictions.csv"));
    EXPECT_EQ(read_text(a + "/folds.csv"), read_text(b + "/folds.csv"));
  }
  void flip_byte(const std::string& file, std::int64_t at) const {
    std::string bytes = read_text(file);
    bytes[static_cast<std::size_t>(at)] ^= 1;
    write_text(file, bytes);
  }

  TemporaryFolder folder_;
};

TEST_F(TrainingFromShards, GivesARunWithScoresAndGroups) {
  const Outcome outcome = finetune(command("shards", "run"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("shards layout, 60 images, 3 classes"),
                                    HasSubstr("groups kept together")));
  const nlohmann::json summary = read_json(folder_ / "run/summary.json");
  EXPECT_EQ(summary.at("class_names"), nlohmann::json({"class0", "class1", "class2"}));
  EXPECT_GT(summary.at("macro_f1").get<double>(), 0.9);  // colours of three kinds
  // The same groups are in the folds as from the folder.
  ASSERT_EQ(finetune(command("photos", "plain")).exit_code, 0);
  const auto counts = [](const std::string& run) {
    std::map<std::string, int> groups;  // of fold 0, by label
    for (const auto& row : read_plain_csv(run + "/folds.csv")) {
      if (row[3] == "0") ++groups[row[1]];
    }
    return groups;
  };
  EXPECT_EQ(counts(folder_ / "run"), counts(folder_ / "plain"));
  std::map<std::string, std::string> fold_of;
  for (const auto& row : read_plain_csv(folder_ / "run/folds.csv")) {
    if (row[0] == "path") continue;
    const auto [known, is_new] = fold_of.emplace(row[2], row[3]);
    EXPECT_EQ(known->second, row[3]) << row[2];
  }
  EXPECT_EQ(fold_of.size(), 30U);
  // The other programs find the photographs, too.
  const std::string run = folder_ / "run";
  const std::string page = folder_ / "page.html";
  EXPECT_EQ(run_program("report", {run}).exit_code, 0);
  EXPECT_THAT(read_text(run + "/report.html"), HasSubstr("data:image"));
  const Outcome score = run_program("evaluate", {"--run", run, "--data", folder_ / "shards"});
  EXPECT_EQ(score.exit_code, 0) << score.output;
  EXPECT_EQ(run_program("inspect", {"data", folder_ / "shards", "--report", page}).exit_code, 0);
  EXPECT_THAT(read_text(page), HasSubstr("data:image"));
  const std::string first = lines_of(read_text(run + "/folds.csv"))[1];
  const std::string photograph = folder_ / ("shards/" + first.substr(0, first.find(',')));
  const Outcome why =
      run_program("explain", {photograph, "--run", run, "--out", folder_ / "why.png"});
  EXPECT_EQ(why.exit_code, 0) << why.output;
}

TEST_F(TrainingFromShards, PredictionsOfShardsAreThoseOfTheirFiles) {
  ASSERT_EQ(finetune(command("photos", "run") + Arguments{"--max-steps", "20"}).exit_code, 0);
  const auto answers = [&](const std::string& images) {
    const std::string out = folder_ / "out.csv";
    const Outcome outcome =
        predict({"--run", folder_ / "run", "--images", folder_ / images, "--out", out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    std::map<std::string, std::string> rest_of;  // by the photograph's own path
    for (const std::string& line : lines_of(read_text(out))) {
      const std::size_t own = line.find("class");
      if (own != std::string::npos)
        rest_of[line.substr(own, line.find(',') - own)] = line.substr(line.find(','));
    }
    return rest_of;
  };
  const auto of_files = answers("photos");
  EXPECT_EQ(of_files.size(), 60U);
  auto of_shards = answers("shards");
  EXPECT_EQ(of_shards.size(), of_files.size());
  for (const auto& [path, rest] : of_files) {
    if (!path.ends_with(".png")) continue;
    EXPECT_EQ(of_shards[path], rest) << path;
  }
  EXPECT_LT(answers("shards/shard-000000.tar").size(), 20U);
}

TEST_F(TrainingFromShards, BrokenInTheMiddleOfAnEpochEndsBitwiseEqual) {
  const Arguments more = {"--shuffle-buffer", "16", "--log-steps", "1"};
  ASSERT_EQ(finetune(command("shards", "whole") + more).exit_code, 0);
  for (const int signal_number : {SIGINT, SIGKILL}) {
    const std::string name = "broken" + std::to_string(signal_number);
    Process process("finetune", command("shards", name) + more);
    ASSERT_TRUE(process.wait_for_output("val loss", 3));
    process.send(signal_number);
    EXPECT_NE(process.wait().exit_code, 0);
    const Outcome last = finetune({"--resume", folder_ / name});
    ASSERT_EQ(last.exit_code, 0) << last.output;
    expect_same_end(folder_ / "whole", folder_ / name);
  }
}

TEST_F(TrainingFromShards, ADamagedShardIsNamedAndLeftOutOnlyIfAllowed) {
  fs::resize_file(folder_ / "shards/shard-000002.tar", 3000);
  const Outcome refused = finetune(command("shards", "refused"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("shard-000002.tar: was cut off"),
                                    HasSubstr("--allow-bad"), HasSubstr("1 of 4 shards")));
  const Outcome allowed = finetune(command("shards", "allowed", "2") + Arguments{"--allow-bad"});
  ASSERT_EQ(allowed.exit_code, 0) << allowed.output;
  EXPECT_THAT(allowed.output,
              AllOf(HasSubstr("shard-000002.tar: was cut off"), HasSubstr("45 images")));
  EXPECT_THAT(read_text(folder_ / "allowed/folds.csv"), Not(HasSubstr("shard-000002")));
}

TEST_F(TrainingFromShards, ADamagedImageIsListedAsUnreadable) {
  const data::Dataset dataset = data::load_dataset(folder_ / "shards");
  flip_byte(dataset.file_of(5), dataset.samples[5].member->offset + 40);
  const Outcome outcome = finetune(command("shards", "run", "1"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(read_text(folder_ / "run/unreadable.csv"),
              AllOf(HasSubstr(dataset.samples[5].path), HasSubstr("checksum")));
}

TEST_F(TrainingFromShards, ResumeRefusesShardsThatWereWrittenAnew) {
  const std::string run = folder_ / "run";
  Process process("finetune", command("shards", "run"));
  ASSERT_TRUE(process.wait_for_output("val loss", 1));
  process.send(SIGINT);
  ASSERT_EQ(process.wait().exit_code, 3);
  const std::string index = folder_ / "shards/index.csv";
  fs::rename(folder_ / "shards/shard-000000.tar", folder_ / "away.tar");
  EXPECT_THAT(finetune({"--resume", run}).output, HasSubstr("images are missing"));
  fs::rename(folder_ / "away.tar", folder_ / "shards/shard-000000.tar");
  // One photograph changes, and the shards are written anew.
  fs::remove_all(folder_ / "shards");
  const std::string one = fs::directory_iterator(folder_ / "photos/class0")->path();
  const std::string other = fs::directory_iterator(folder_ / "photos/class1")->path();
  fs::copy_file(one, other, fs::copy_options::overwrite_existing);
  ASSERT_EQ(
      run_program("convert", {folder_ / "photos", folder_ / "shards", "--shards", "4"}).exit_code,
      0);
  const Outcome outcome = finetune({"--resume", run});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("another"));
}

TEST_F(TrainingFromShards, TheCheckBeforeARunReadsThem) {
  const Outcome outcome = finetune(command("shards", "none") + Arguments{"--check"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
}

TEST_F(TrainingFromShards, ShuffleBufferChangesTheOrderOfShardsOnly) {
  training::Options options;
  options.shuffle_buffer = 8;
  const data::Dataset dataset = data::load_dataset(folder_ / "shards");
  std::vector<std::int64_t> samples;
  for (std::int64_t i = 0; i < 60; i += 2) samples.push_back(i);
  const auto order = training::training_order(options, dataset, samples, 0);
  EXPECT_THAT(order, ::testing::UnorderedElementsAreArray(samples));
  EXPECT_EQ(training::training_order(options, dataset, samples, 0), order);
  EXPECT_NE(training::training_order(options, dataset, samples, 1), order);
  options.shuffle_buffer = 9;
  EXPECT_NE(training::training_order(options, dataset, samples, 0), order);
  data::Dataset folder = data::load_dataset(folder_ / "photos");
  const auto plain = training::training_order(options, folder, samples, 0);
  options.shuffle_buffer = 3;
  EXPECT_EQ(training::training_order(options, folder, samples, 0), plain);
}

TEST_F(TrainingFromShards, ConvertRefusesWhatDoesNotBelongTogether) {
  const auto refused = [](const Arguments& arguments, const char* what) {
    const Outcome outcome = run_program("convert", arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(what));
  };
  refused({folder_ / "photos", folder_ / "x", "--shards", "-1"}, "--shards -1");
  refused({folder_ / "photos", "--shards", "2"}, "--shards needs");
  refused({folder_ / "photos", folder_ / "x", "--shards", "2", "--list"}, "--shards converts data");
  refused({"a.pth", "b.safetensors", "--layout", "csv"}, "need --shards");
  EXPECT_THAT(
      run_program("convert", {folder_ / "photos", folder_ / "shards", "--shards", "2"}).output,
      HasSubstr("is there already"));
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

}  // namespace
}  // namespace hanok::test
