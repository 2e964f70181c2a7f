// Event files for TensorBoard, read back by protobuf and, where a Python ($HANOK_TEST_PYTHON, else
// python3) has it, by PyPI's tensorboard.
#include "hanok/apps/run_report/tensorboard.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <events.pb.h>  // made by CMake
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "hanok/apps/run/files.h"
#include "hanok/apps/run_report/record_file.h"
#include "tests/apps/program.h"
#include "tests/support/paths.h"
#include "tests/support/recording_reporter.h"

namespace hanok::run_report {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using training::EpochMetrics;

std::vector<EpochMetrics> epochs_of_folds() {
  return {{.fold = 0, .epoch = 1, .loss = 2, .val_loss = 1.5, .seconds = 3},
          {.fold = 1, .epoch = 1, .loss = 7, .seconds = 4},
          {.fold = 0, .epoch = 2, .loss = 1, .val_loss = NAN, .seconds = 5}};
}

std::vector<events::Event> events_of(const std::string& file) {
  const Records found = read_records(file);
  EXPECT_THAT(found.problem, IsEmpty());
  std::vector<events::Event> all;
  for (const std::string& record : found.records) {
    EXPECT_TRUE(all.emplace_back().ParseFromString(record));
  }
  return all;
}

TEST(EventFile, HoldsTheScalarsOfItsFoldByEpoch) {
  const EventFileStart start{.wall_time = 100, .graph = "graph", .picture = "jpeg", .width = 3};
  const std::vector<events::Event> all = events_of(event_file(start, epochs_of_folds(), 0));
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0].file_version(), "brain.Event:2");
  EXPECT_EQ(all[1].graph_def(), "graph");
  EXPECT_EQ(all[2].summary().value(0).image().encoded_image_string(), "jpeg");
  EXPECT_EQ(all[3].step(), 1);
  EXPECT_EQ(all[3].wall_time(), 103);
  EXPECT_EQ(all[3].summary().value(0).tag(), "loss/training");
  EXPECT_EQ(all[3].summary().value(0).simple_value(), 2);
  EXPECT_EQ(all[4].step(), 2);
  EXPECT_EQ(all[4].wall_time(), 108);
  EXPECT_TRUE(std::isnan(all[4].summary().value(1).simple_value()));
}

TEST(EventFile, OneEpochMoreOnlyAppends) {
  const EventFileStart start{.wall_time = 100};
  std::vector<EpochMetrics> epochs = epochs_of_folds();
  const std::string two = event_file(start, epochs, 0);
  epochs.pop_back();
  const std::string one = event_file(start, epochs, 0);
  EXPECT_LT(one.size(), two.size());
  EXPECT_EQ(two.substr(0, one.size()), one);
}

class NetworkGraph : public ::testing::TestWithParam<const char*> {};

TEST_P(NetworkGraph, IsWholeAndInOrder) {
  events::GraphDef graph;
  ASSERT_TRUE(graph.ParseFromString(
      graph_def({.model = GetParam(), .hidden = {5}, .image_size = 64}, /*classes=*/3)));
  std::set<std::string> before;
  for (const events::NodeDef& node : graph.node()) {
    EXPECT_EQ(node.input().empty(), before.empty()) << node.name();  // of the images alone
    for (const std::string& input : node.input()) EXPECT_EQ(before.count(input), 1U) << input;
    EXPECT_TRUE(before.insert(node.name()).second) << node.name();
    EXPECT_GE(node.attr().at("_output_shapes").list().shape(0).dim_size(), 2) << node.name();
  }
  EXPECT_EQ(graph.node(0).name(), "images");
  const events::NodeDef& last = graph.node(graph.node_size() - 1);
  EXPECT_EQ(last.attr().at("_output_shapes").list().shape(0).dim(1).size(), 3) << last.name();
}

INSTANTIATE_TEST_SUITE_P(OfKnownModels, NetworkGraph,
                         ::testing::Values("resnet18", "mobilenet_v2", "efficientnet_lite0"));

TEST(NetworkGraphNames, AreThePathsOfModules) {
  events::GraphDef graph;
  ASSERT_TRUE(graph.ParseFromString(graph_def({.model = "resnet18", .image_size = 64}, 3)));
  std::vector<std::string> names;
  for (const events::NodeDef& node : graph.node()) names.push_back(node.name());
  EXPECT_THAT(names, ::testing::Contains(::testing::StartsWith("layer1/0/conv1/")));
  EXPECT_THAT(names, ::testing::Contains(::testing::StartsWith("layer4/1/conv2/")));
  EXPECT_THAT(names, ::testing::Contains(::testing::StartsWith("fc/")));
}

class TensorBoard : public ::testing::Test {
 protected:
  training::Options options_of_run() const {
    training::Options options;
    options.data = test::draw_photos(folder_ / "photos");
    options.model = "resnet18";
    options.image_size = 32;
    options.folds = {.kind = training::FoldCount::Kind::Number, .number = 2};
    return options;
  }

  test::TemporaryFolder folder_;
  test::RecordingReporter reporter_;
};

TEST_F(TensorBoard, TheFileIsRightAfterEveryInterruption) {
  const training::Options options = options_of_run();
  const training::ExperimentData data = training::prepare_data(options);
  const auto folder = training::RunFolder::create(folder_ / "run");
  const std::string file = folder.events(0);
  std::vector<EpochMetrics> epochs = epochs_of_folds();
  const std::vector<EpochMetrics> first(epochs.begin(), epochs.begin() + 1);

  TensorBoardLog log(folder, options, data, reporter_);
  log.write(0, first);
  const std::string one = training::read_file(file);
  log.write(0, epochs);
  const std::string two = training::read_file(file);
  EXPECT_EQ(two.substr(0, one.size()), one);
  EXPECT_EQ(events_of(two).size(), 5U);

  // Another process, as after --resume, finds the file in any state.
  const auto after_resume = [&](const std::string& left, const std::vector<EpochMetrics>& known) {
    training::write_file(file, left);
    TensorBoardLog resumed(folder, options, data, reporter_);
    resumed.write(0, known);
    return training::read_file(file);
  };
  EXPECT_EQ(after_resume(two, epochs), two);
  EXPECT_EQ(after_resume(one, epochs), two);
  EXPECT_EQ(after_resume(two, first), one);  // epochs after the last checkpoint were dropped
  EXPECT_EQ(after_resume(two.substr(0, two.size() - 3), epochs), two);  // killed while appending
  EXPECT_EQ(events_of(after_resume("", epochs)).size(), 5U);
  EXPECT_EQ(events_of(after_resume("no records", epochs)).size(), 5U);
  EXPECT_THAT(reporter_.text, IsEmpty());
}

TEST_F(TensorBoard, AFileThatCannotBeWrittenIsOneWarning) {
  const training::Options options = options_of_run();
  const training::ExperimentData data = training::prepare_data(options);
  const auto folder = training::RunFolder::create(folder_ / "run");
  training::write_file(folder.path() + "/tensorboard", "no folder");
  TensorBoardLog log(folder, options, data, reporter_);
  log.write(0, epochs_of_folds());
  const std::string once = reporter_.text;
  EXPECT_THAT(once, HasSubstr("no more is written for TensorBoard"));
  log.write(0, epochs_of_folds());
  EXPECT_EQ(reporter_.text, once);
}

/// What a command prints, and its status.
struct Printed {
  int status = -1;
  std::string output;
};
Printed output_of(const std::string& command) {
  Printed printed;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return printed;
  char part[4096];
  while (const std::size_t count = std::fread(part, 1, sizeof part, pipe)) {
    printed.output.append(part, count);
  }
  printed.status = ::pclose(pipe);
  return printed;
}

/// Empty if it can import tensorboard.
std::string why_python_cannot(const std::string& python) {
  const auto result = output_of(python + " -c 'import tensorboard' 2>&1");
  return result.status == 0 ? "" : python + " has no tensorboard: " + result.output;
}

TEST_F(TensorBoard, PyPIsTensorBoardReadsARun) {
  const char* chosen = std::getenv("HANOK_TEST_PYTHON");
  const std::string python = chosen == nullptr || *chosen == '\0' ? "python3" : chosen;
  const std::string run = folder_ / "run";
  const test::Outcome outcome =
      test::finetune({"--data", test::draw_photos(folder_ / "photos"), "--weights", "none",
                      "--image-size", "32", "--folds", "2", "--epochs", "2", "--batch-size", "8",
                      "--patience", "0", "--out", run, "--tensorboard"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_TRUE(training::exists(run + "/tensorboard/fold_1/events.out.tfevents.hanok"));
  if (const std::string reason = why_python_cannot(python); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  const auto result =
      output_of(python + " '" + test::source_dir() + "/tests/apps/run_report/read_events.py' '" +
                run + "/tensorboard/fold_0' 2>/dev/null");
  ASSERT_EQ(result.status, 0) << result.output;
  const auto read = nlohmann::json::parse(result.output);
  EXPECT_EQ(read.at("scalars").size(), 8U);
  for (const std::string& line : test::lines_of(test::read_text(run + "/metrics.jsonl"))) {
    const auto metrics = nlohmann::json::parse(line);
    if (metrics.at("fold") != 0) continue;
    const std::size_t epoch = metrics.at("epoch");
    const auto& event = read.at("scalars").at("loss/validation").at(epoch - 1);
    EXPECT_EQ(event.at(0), epoch);
    EXPECT_FLOAT_EQ(event.at(1).get<float>(), metrics.at("val_loss").get<float>());
  }
  EXPECT_EQ(read.at("scalars").at("loss/validation").size(), 2U);
  // Three classes, and seven pictures of each, 32 + 4 pixels apart.
  EXPECT_EQ(read.at("images").at("augmented photographs"), nlohmann::json::parse("[[256, 112]]"));
  EXPECT_THAT(read.at("nodes").at("images"), IsEmpty());
  EXPECT_EQ(read.at("shapes").at("images"), nlohmann::json::parse("[1, 3, 32, 32]"));
}

}  // namespace
}  // namespace hanok::run_report
