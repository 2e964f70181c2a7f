// How images become a network's input: what its published weights expect, in training and in
// prediction alike.
#include "hanok/apps/run/network.h"

#include <gtest/gtest.h>

#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

void expect_lite_input(const data::Preprocessing& preprocessing) {
  for (std::size_t c = 0; c < 3; ++c) {  // (x - 127) / 128
    EXPECT_FLOAT_EQ(preprocessing.mean[c] * 255, 127);
    EXPECT_FLOAT_EQ(preprocessing.stddev[c] * 255, 128);
  }
  EXPECT_EQ(preprocessing.filter, data::Filter::Bicubic);
}

TEST(PretrainedPreprocessing, IsThatOfTheModelsWeights) {
  const data::Preprocessing lite = pretrained_preprocessing("efficientnet_lite0");
  expect_lite_input(lite);
  EXPECT_EQ(lite.resize, 256);
  EXPECT_EQ(lite.image_size, 224);
  const data::Preprocessing resnet = pretrained_preprocessing("resnet18");
  const data::Preprocessing torchvisions = data::Preprocessing::imagenet();
  EXPECT_EQ(resnet.mean, torchvisions.mean);
  EXPECT_EQ(resnet.stddev, torchvisions.stddev);
  EXPECT_EQ(resnet.filter, torchvisions.filter);
  EXPECT_THROW(pretrained_preprocessing("resnet19"), ValueError);
}

TEST(PretrainedPreprocessing, IsTrainedWithAndRecorded) {
  Options options;
  options.model = "efficientnet_lite0";
  options.image_size = 96;
  const data::Preprocessing stretched = preprocessing(options);
  expect_lite_input(stretched);
  EXPECT_EQ(stretched.resize, 0);
  EXPECT_EQ(stretched.image_size, 96);
  const ModelCard card{
      .model = options.model, .class_names = {"a", "b"}, .preprocessing = stretched};
  expect_lite_input(card_from_metadata("file", to_metadata(card)).preprocessing);
  options.model = "mobilenet_v2";
  EXPECT_EQ(preprocessing(options).filter, data::Filter::Bilinear);
}

}  // namespace
}  // namespace hanok::training
