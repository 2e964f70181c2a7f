#include "hanok/nn/models/vgg.h"

#include "hanok/nn/models/convolution.h"

namespace hanok::nn {
namespace {

constexpr std::int64_t kPooledSide = 7, kHidden = 4096;

std::unique_ptr<Sequential> make_features() {
  auto features = std::make_unique<Sequential>();
  std::int64_t in_channels = 3;
  const auto block = [&](std::int64_t channels, int convolutions) {
    for (int i = 0; i < convolutions; ++i) {
      features->append(kaiming_conv(
          {.in_channels = in_channels, .out_channels = channels, .kernel = 3, .bias = true}));
      features->append(std::make_unique<BatchNorm2d>(channels));
      features->append(std::make_unique<ReLU>());
      in_channels = channels;
    }
    features->append(std::make_unique<MaxPool2d>(2, 2));
  };
  block(64, 2);
  block(128, 2);
  block(256, 3);
  block(512, 3);
  block(512, 3);
  return features;
}

std::unique_ptr<Sequential> make_classifier(std::int64_t classes) {
  auto classifier = std::make_unique<Sequential>();
  classifier->append(normal_linear(512 * kPooledSide * kPooledSide, kHidden));
  classifier->append(std::make_unique<ReLU>());
  classifier->append(std::make_unique<Dropout>(0.5F));
  classifier->append(normal_linear(kHidden, kHidden));
  classifier->append(std::make_unique<ReLU>());
  classifier->append(std::make_unique<Dropout>(0.5F));
  classifier->append(normal_linear(kHidden, classes));
  return classifier;
}

}  // namespace

Vgg::Vgg(std::int64_t classes)
    : classes(classes),
      features(this, "features", make_features()),
      avgpool(this, "avgpool", kPooledSide, kPooledSide),
      classifier(this, "classifier", make_classifier(classes)) {}

std::vector<Stage> Vgg::stages() {
  return {followed_by(stage_of(features),
                      [this](const Tensor& x) { return ops::flatten(avgpool(x), 1); }),
          {{&classifier}, [this](const Tensor& x) { return classifier(x); }}};
}

std::unique_ptr<Module> Vgg::clone() const { return clone_as<Vgg>(classes); }

std::unique_ptr<Vgg> vgg16_bn(std::int64_t classes) { return std::make_unique<Vgg>(classes); }

}  // namespace hanok::nn
