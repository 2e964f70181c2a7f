// The order in which results are copied and handed on, with a readback that only notes it.
#include "hanok/apps/training/device/late_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace hanok::training {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Events = std::vector<std::string>;

/// "Copies" by handing back the same tensors when it is asked to finish.
class FakeReadback final : public Readback {
 public:
  explicit FakeReadback(Events& events) : events_(events) {}

  std::size_t start(const std::vector<Tensor>& results) override {
    copies_.push_back(results);
    events_.push_back("start " + std::to_string(copies_.size()));
    return copies_.size() - 1;
  }
  std::vector<Tensor> finish(std::size_t copy) override {
    events_.push_back("finish " + std::to_string(copy + 1));
    std::vector<Tensor> host;
    for (const Tensor& tensor : copies_[copy]) host.push_back(tensor.clone());
    return host;
  }

 private:
  Events& events_;
  std::vector<std::vector<Tensor>> copies_;
};

/// Two parts with losses step and step / 10; one of three images is right.
StepOutcome outcome_of(int step) {
  StepOutcome outcome;
  outcome.position.step = step;
  outcome.labels = {0, 1, 2};
  outcome.results.losses = {Tensor::full({}, step), Tensor::full({}, 0.1 * step)};
  outcome.results.predicted = {Tensor::from_vector(std::vector<std::int64_t>{0, 2}, {2}),
                               Tensor::from_vector(std::vector<std::int64_t>{0}, {1})};
  return outcome;
}

class LateResultsTest : public ::testing::Test {
 protected:
  LateResults late_results() {
    return {std::make_unique<FakeReadback>(events_), [this](const StepOutcome& outcome) {
              events_.push_back("receive " + std::to_string(outcome.position.step));
              received_.push_back(outcome);
            }};
  }
  Events events_;
  std::vector<StepOutcome> received_;
};

TEST_F(LateResultsTest, ArriveAStepLateOnADevice) {
  LateResults results = late_results();
  results.add(outcome_of(1));
  EXPECT_THAT(received_, IsEmpty());
  results.add(outcome_of(2));
  results.add(outcome_of(3));
  results.finish();
  results.finish();  // nothing is left
  EXPECT_THAT(events_, ElementsAre("start 1", "start 2", "finish 1", "receive 1", "start 3",
                                   "finish 2", "receive 2", "finish 3", "receive 3"));
}

TEST_F(LateResultsTest, HandOnLossesClassesAndNormInTheirPlaces) {
  LateResults results = late_results();
  StepOutcome with_norm = outcome_of(1);
  with_norm.results.gradient_norm = Tensor::full({}, 7);
  results.add(with_norm);
  results.add(outcome_of(2));
  results.finish();
  ASSERT_EQ(received_.size(), 2U);
  EXPECT_NEAR(received_[0].loss(), 1.1, 1e-6);
  EXPECT_EQ(received_[0].correct(), 1);
  EXPECT_EQ(received_[0].results.gradient_norm.item(), 7);
  EXPECT_NEAR(received_[1].loss(), 2.2, 1e-6);
  EXPECT_FALSE(received_[1].results.gradient_norm.defined());
}

TEST_F(LateResultsTest, AreHandedOnAtOnceWithoutAReadback) {
  LateResults results(readback_for(Device::cpu()), [this](const StepOutcome& outcome) {
    events_.push_back("receive " + std::to_string(outcome.position.step));
  });
  results.add(outcome_of(1));
  EXPECT_THAT(events_, ElementsAre("receive 1"));
  results.finish();
  EXPECT_THAT(events_, ElementsAre("receive 1"));
}

TEST_F(LateResultsTest, AReceiverThatThrowsSeesItsStepOnce) {
  int calls = 0;
  LateResults results(std::make_unique<FakeReadback>(events_), [&](const StepOutcome&) {
    ++calls;
    throw std::runtime_error("not finite");
  });
  results.add(outcome_of(1));
  EXPECT_THROW(results.finish(), std::runtime_error);
  results.finish();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace hanok::training
