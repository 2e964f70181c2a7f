// Evaluation with a model that only notes what it is asked.
#include "hanok/apps/training/evaluation.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <numeric>
#include <utility>

#include "hanok/data/synthetic.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/module.h"
#include "tests/support/recording_reporter.h"

namespace hanok::training {
namespace {

class Notes final : public nn::Module {
 public:
  Tensor forward(const Tensor& x) override {
    seen.emplace_back(x.size(0), nominal_batch());
    return Tensor::zeros({x.size(0), 18});
  }
  std::string type_name() const override { return "Notes"; }
  std::unique_ptr<Module> clone() const override { return clone_as<Notes>(); }
  std::vector<std::pair<std::int64_t, std::int64_t>> seen;  // images, nominal batch
};

TEST(Evaluation, AShortLastBatchCountsAsAFullOne) {
  const std::filesystem::path root =
      std::filesystem::path(::testing::TempDir()) / "hanok_evaluation_nominal_batch";
  std::filesystem::remove_all(root);
  data::SyntheticOptions synthetic;
  synthetic.people = 1;
  synthetic.width = 24;
  synthetic.height = 32;
  data::write_synthetic_competition(root.string(), synthetic);
  const data::Dataset dataset = data::load_dataset(root.string());
  ASSERT_EQ(dataset.samples.size(), 7U);
  data::LoaderOptions options;
  options.preprocessing.image_size = 16;
  options.batch_size = 4;
  data::Loader loader(dataset, options);
  std::vector<std::int64_t> order(7);
  std::iota(order.begin(), order.end(), 0);
  Notes model;
  test::RecordingReporter reporter;
  ImageBatches batches(model, loader, reporter);
  ASSERT_TRUE(evaluate(model, batches, order, 18, Tensor()).has_value());
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected = {{4, 4}, {3, 4}};
  EXPECT_EQ(model.seen, expected);
  EXPECT_EQ(nominal_batch(), 0);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace hanok::training
