// --profile of finetune and predict: a trace in the format of Chrome's tracing, and a table.
#include "hanok/apps/profiling/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using Arguments = std::vector<std::string>;
using nlohmann::json;

/// What a viewer demands of every event.
void expect_well_formed(const json& trace) {
  ASSERT_TRUE(trace.at("traceEvents").is_array());
  for (const json& event : trace.at("traceEvents")) {
    const std::string phase = event.at("ph");
    EXPECT_TRUE(event.at("name").is_string());
    EXPECT_TRUE(event.at("pid").is_number_integer());
    if (phase == "M") continue;
    EXPECT_GE(event.at("ts").get<double>(), 0);
    if (phase == "X") {
      EXPECT_GE(event.at("dur").get<double>(), 0);
      EXPECT_TRUE(event.at("tid").is_number_integer());
    } else {
      ASSERT_EQ(phase, "C");
      for (const auto& [tag, bytes] : event.at("args").items()) EXPECT_TRUE(bytes.is_number());
    }
  }
}

std::vector<json> kernels(const json& trace) {
  std::vector<json> found;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") == "X" && event.contains("cat")) found.push_back(event);
  }
  return found;
}

int count_steps(const json& trace) {
  int steps = 0;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("name").get<std::string>().rfind("step ", 0) == 0) ++steps;
  }
  return steps;
}

class Profile : public ::testing::Test {
 protected:
  Profile() { draw_photos(folder_ / "photos"); }
  Outcome train(const Arguments& more, const std::string& out, const char* batch_size = "6") {
    return finetune(Arguments{"--data", folder_ / "photos", "--model", "lenet", "--weights", "none",
                              "--image-size", "32", "--folds", "2", "--batch-size", batch_size,
                              "--epochs", "3", "--out", out} +
                    more);
  }
  TemporaryFolder folder_;
};

TEST_F(Profile, OfFinetuneNamesLayersPassesAndMemory) {
  const Outcome outcome = train({"--profile"}, folder_ / "run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const json trace = read_json(folder_ / "run/profile.json");
  expect_well_formed(trace);
  // 18 images in batches of 6 for 3 epochs are 9 steps, two of them to warm up.
  EXPECT_EQ(count_steps(trace), 7);
  std::map<std::string, int> forward;
  std::map<std::string, int> backward;
  double flop = 0;
  for (const json& kernel : kernels(trace)) {
    const std::string layer = kernel.at("args").at("layer");
    if (kernel.at("cat") == "forward") ++forward[layer];
    if (kernel.at("cat") == "backward") ++backward[layer];
    if (kernel.at("args").at("kernel") == "conv2d_forward" && layer == "conv1") {
      flop = kernel.at("args").at("flop");
    }
  }
  for (const char* layer : {"conv1", "conv2", "fc1", "fc2", "fc3"}) {
    EXPECT_GE(forward[layer], 7) << layer;
    EXPECT_GE(backward[layer], 7) << layer;
  }
  // 6 images, 6 channels, 28x28 outputs, 3x5x5 taps, and the bias.
  EXPECT_DOUBLE_EQ(flop, 6.0 * 6 * 28 * 28 * (2 * 3 * 5 * 5 + 1));
  std::set<std::string> tags;
  for (const auto& [tag, bytes] : trace.at("otherData").at("peak_memory_by_tag").items()) {
    tags.insert(tag);
  }
  EXPECT_THAT(tags, IsSupersetOf({"activations", "gradients", "parameters", "optimizer",
                                  "workspace", "batches"}));
  const std::string table = read_text(folder_ / "run/profile.txt");
  EXPECT_THAT(outcome.output, HasSubstr(table));
  for (const char* text : {"conv1", "fc3", "(optimizer)", "backward", "%roofline", "gradients"}) {
    EXPECT_THAT(table, HasSubstr(text));
  }
}

TEST_F(Profile, ChangesNoWeights) {
  ASSERT_EQ(train({}, folder_ / "plain").exit_code, 0);
  ASSERT_EQ(train({"--profile"}, folder_ / "profiled").exit_code, 0);
  EXPECT_EQ(read_json(folder_ / "plain/summary.json").at("last_weights_hash"),
            read_json(folder_ / "profiled/summary.json").at("last_weights_hash"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "plain/profile.json"));
}

TEST_F(Profile, RecordsAtMostTwentySteps) {
  ASSERT_EQ(train({"--profile", "--fold", "0"}, folder_ / "run", "2").exit_code, 0);
  EXPECT_EQ(count_steps(read_json(folder_ / "run/profile.json")), 20);
}

TEST_F(Profile, OfPredictLiesBesideTheAnswers) {
  ASSERT_EQ(train({"--fold", "0"}, folder_ / "run").exit_code, 0);
  const Arguments base = {"--run", folder_ / "run", "--images", folder_ / "photos", "--batch-size",
                          "8"};
  ASSERT_EQ(predict(base + Arguments{"--out", folder_ / "plain.csv"}).exit_code, 0);
  const Outcome outcome = predict(base + Arguments{"--profile", "--out", folder_ / "answers.csv"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(read_text(folder_ / "answers.csv"), read_text(folder_ / "plain.csv"));
  const json trace = read_json(folder_ / "answers.csv.profile.json");
  expect_well_formed(trace);
  EXPECT_EQ(count_steps(trace), 3);  // 36 images are 5 batches, two of them to warm up
  for (const json& kernel : kernels(trace)) EXPECT_EQ(kernel.at("cat"), "forward");
  EXPECT_THAT(read_text(folder_ / "answers.csv.profile.txt"), HasSubstr("conv1"));
}

TEST(Profile, TellsWhatCommunicationTakesAndHides) {
  training::ProfileData data;
  data.steps = {{0, 1}};
  EXPECT_EQ(communication_text(data), "");
  KernelCall call;
  call.kernel = "conv2d_backward_data";
  call.start = 0.2;
  call.seconds = 0.4;
  data.calls = {call};
  data.ceilings = {1, 1};
  data.sendings = {{.operation = "all_reduce", .start = 0.1, .end = 0.15, .bytes = 800},
                   {.operation = "all_reduce",
                    .start = 0.5,
                    .end = 0.7,
                    .bytes = 4'000'000,
                    .in_background = true}};
  EXPECT_EQ(communication_text(data),
            "communication a step: 4.00 MB of gradients in 200.00 ms, of which 50% beside kernels; "
            "50.00 ms of waiting for batch norm, loss and predictions\n");
  EXPECT_THAT(trace_json(data), HasSubstr("gradients, beside the backward pass"));
}

}  // namespace
}  // namespace hanok::test
