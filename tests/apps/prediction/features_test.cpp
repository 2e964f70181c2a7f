// Features of photographs before a network's head, and nearest rows among them.
#include "hanok/apps/prediction/features.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "hanok/apps/run/network.h"
#include "hanok/data/dataset.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"
#include "tests/apps/program.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

using training::Features;
using training::LoadedModel;
using training::Neighbour;

constexpr int kSide = 32;

LoadedModel untrained(const std::string& model, const std::vector<std::int64_t>& hidden = {}) {
  LoadedModel loaded;
  loaded.card = {
      .model = model, .class_names = {"class0", "class1", "class2"}, .preprocessing = {}};
  loaded.card.preprocessing.image_size = kSide;
  loaded.card.hidden = hidden;
  loaded.model = training::make_network(model, 3, kSide, hidden);
  return loaded;
}

class PhotographFeatures : public ::testing::Test {
 protected:
  PhotographFeatures()
      : dataset_(data::load_image_folder(draw_photos(folder_ / "photos", {.members = 3}))) {}

  Features features(LoadedModel& model, const std::vector<std::int64_t>& samples,
                    std::int64_t batch_size = 4) {
    data::Loader loader(dataset_,
                        {.preprocessing = model.card.preprocessing, .batch_size = batch_size});
    return training::compute_features(model, loader, dataset_, samples, {.reporter = reporter_})
        .value();
  }

  TemporaryFolder folder_;
  data::Dataset dataset_;
  RecordingReporter reporter_;
};

class FeaturesOfEveryModel : public PhotographFeatures,
                             public ::testing::WithParamInterface<std::string> {};

TEST_P(FeaturesOfEveryModel, AreTheHeadsInputScaledToLengthOne) {
  LoadedModel model = untrained(GetParam());
  const Features found = features(model, {7, 2});
  ASSERT_EQ(found.rows, 2);
  ASSERT_EQ(found.columns, nn::model_info(GetParam()).head_features);

  // Without its head, the network returns the features.
  model.model->replace_submodule(nn::head_name(GetParam()), std::make_unique<nn::Identity>());
  data::Loader loader(dataset_, {.preprocessing = model.card.preprocessing, .batch_size = 2});
  loader.start_epoch(0, {7, 2});
  data::Batch batch;
  ASSERT_TRUE(loader.next(batch));
  const NoGrad no_grad;
  model.model->eval();
  const std::vector<float> expected = (*model.model)(batch.images).to_vector();
  for (std::int64_t r = 0; r < 2; ++r) {
    double squares = 0;
    const float* row = expected.data() + r * found.columns;
    for (std::int64_t c = 0; c < found.columns; ++c) squares += double{row[c]} * row[c];
    for (std::int64_t c = 0; c < found.columns; ++c) {
      ASSERT_NEAR(found.row(r)[c], row[c] / std::sqrt(squares), 1e-5) << r << " " << c;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, FeaturesOfEveryModel, ::testing::ValuesIn(nn::model_names()),
                         [](const auto& info) { return info.param; });

TEST_F(PhotographFeatures, LieBeforeAllLayersOfAHiddenHead) {
  LoadedModel model = untrained("resnet18", {24});
  EXPECT_EQ(features(model, {0}).columns, 512);
}

TEST_F(PhotographFeatures, HaveTheSameBitsForAnyBatchSizeAndNumberOfThreads) {
  const int threads = num_threads();
  for (const char* name : {"resnet18", "mobilenet_v3_small", "vgg16_bn"}) {
    LoadedModel model = untrained(name);
    const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    set_num_threads(1);
    const Features one_by_one = features(model, all, 1);
    set_num_threads(3);
    EXPECT_EQ(features(model, all, 9).values, one_by_one.values) << name;
    EXPECT_EQ(features(model, all, 4).values, one_by_one.values) << name;
    set_num_threads(threads);
  }
}

TEST_F(PhotographFeatures, LeaveTheNetworkWithoutHooksAndGradients) {
  LoadedModel model = untrained("lenet");
  features(model, {0, 1});
  for (nn::Module* module : model.model->modules()) EXPECT_FALSE(module->has_forward_hooks());
  for (const Tensor& parameter : model.model->parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_F(PhotographFeatures, ThatAreNotNumbersAreAnError) {
  LoadedModel model = untrained("lenet");
  model.model->parameters().front().mutable_data<float>()[0] = std::nanf("");
  EXPECT_THROW(features(model, {0}), ValueError);
}

// ---- nearest rows ----

Features random_features(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Features features{.rows = rows, .columns = columns};
  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<float> row(static_cast<std::size_t>(columns));
    double squares = 0;
    for (float& value : row) squares += std::pow(value = normal(random), 2);
    for (float& value : row) value /= static_cast<float>(std::sqrt(squares));
    features.values.insert(features.values.end(), row.begin(), row.end());
  }
  return features;
}

/// The nearest rows by a plain loop in double precision.
std::vector<Neighbour> nearest_of(const float* query, const Features& among, std::size_t most) {
  std::vector<Neighbour> all;
  for (std::int64_t r = 0; r < among.rows; ++r) {
    double product = 0;
    for (std::int64_t c = 0; c < among.columns; ++c) product += double{query[c]} * among.row(r)[c];
    all.push_back({r, static_cast<float>(product)});
  }
  std::stable_sort(all.begin(), all.end(), [](const Neighbour& a, const Neighbour& b) {
    return a.similarity > b.similarity;
  });
  all.resize(std::min(most, all.size()));
  return all;
}

TEST(NearestRows, AreThoseOfAPlainLoop) {
  const Features queries = random_features(300, 37, 1);  // more than one block
  const Features among = random_features(517, 37, 2);
  const auto nearest = training::nearest_rows(queries, among, 5);
  ASSERT_EQ(nearest.size(), 300U);
  for (std::int64_t q = 0; q < 300; ++q) {
    const auto& found = nearest[static_cast<std::size_t>(q)];
    const std::vector<Neighbour> expected = nearest_of(queries.row(q), among, 5);
    ASSERT_EQ(found.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(found[i].row, expected[i].row) << q << " " << i;
      EXPECT_NEAR(found[i].similarity, expected[i].similarity, 1e-5);
    }
  }
}

TEST(NearestRows, OnTiesTakeTheLowerNumber) {
  const Features few = random_features(7, 19, 3);
  Features among{.rows = 700, .columns = 19};  // every row a hundred times
  for (std::int64_t r = 0; r < 700; ++r) {
    among.values.insert(among.values.end(), few.row(r % 7), few.row(r % 7) + 19);
  }
  const auto nearest = training::nearest_rows(few, among, 4);
  for (std::int64_t q = 0; q < 7; ++q) {
    for (std::size_t i = 0; i < 4; ++i) {
      const Neighbour& found = nearest[static_cast<std::size_t>(q)][i];
      EXPECT_EQ(found.row, q + 7 * static_cast<std::int64_t>(i));
      EXPECT_NEAR(found.similarity, 1, 1e-6);
      EXPECT_LE(found.similarity, 1);
    }
  }
}

TEST(NearestRows, SkipWhatIsExcludedAndMayBeFewer) {
  const Features all = random_features(10, 8, 4);
  const auto nearest = training::nearest_rows(
      all, all, 20, [](std::int64_t query, std::int64_t row) { return query == row || row > 6; });
  EXPECT_EQ(nearest[0].size(), 6U);
  EXPECT_EQ(nearest[9].size(), 7U);
  for (std::size_t q = 0; q < 10; ++q) {
    for (const Neighbour& found : nearest[q]) {
      EXPECT_NE(found.row, static_cast<std::int64_t>(q));
      EXPECT_LE(found.row, 6);
    }
  }
}

TEST(NearestRows, OfNothingAreNone) {
  const Features some = random_features(2, 8, 5);
  EXPECT_TRUE(training::nearest_rows({}, some, 3).empty());
  EXPECT_TRUE(training::nearest_rows(some, {}, 3)[1].empty());
  EXPECT_TRUE(training::nearest_rows(some, some, 0)[1].empty());
  EXPECT_THROW(training::nearest_rows(some, random_features(2, 9, 6), 3), ValueError);
}

}  // namespace
}  // namespace hanok::test
