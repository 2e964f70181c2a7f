// Names of other code bases, as their packages write them (tests/golden/make_names.py), against the
// names and shapes of hanok's models.
#include "hanok/weights/name_maps.h"

#include <algorithm>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/fit_names.h"
#include "tests/golden/golden.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

/// Tensors of these names and shapes; batch norm's counters are integers.
nn::StateDict tensors_from(const golden::Json& names, const std::string& prefix = "") {
  nn::StateDict tensors;
  for (const auto& [name, sizes] : names.items()) {
    const auto shape = sizes.get<std::vector<std::int64_t>>();
    const bool counter = name.ends_with("num_batches_tracked");
    tensors.insert(prefix + name,
                   Tensor::empty(Shape::from(shape.data(), static_cast<int>(shape.size())),
                                 TensorOptions{counter ? DType::I64 : DType::F32, Device::cpu()}));
  }
  return tensors;
}

nn::StateDict expected_tensors(const std::string& model) {
  const nn::WithoutInit without_init;
  return nn::make_model(model, 1000, 224)->state_dict();
}

bool is_known(const std::string& model) {
  const std::vector<std::string> models = nn::model_names();
  return std::find(models.begin(), models.end(), model) != models.end();
}

void expect_same_names(const nn::StateDict& found, const nn::StateDict& expected) {
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const Tensor* mapped = found.find(name);
    ASSERT_NE(mapped, nullptr) << name;
    EXPECT_EQ(mapped->shape(), tensor.shape()) << name << mapped->shape().to_string();
  }
}

TEST(NameMaps, GiveTorchvisionsNamesAndShapesToWhatThePackagesWrite) {
  int mapped = 0;
  const golden::Json names = golden::load("weights_names.json");
  for (const golden::Json& network : names.at("networks")) {
    const auto model = network.at("model").get<std::string>();
    if (!is_known(model)) continue;
    SCOPED_TRACE(network.at("network").get<std::string>() + " -> " + model);
    const nn::StateDict expected = expected_tensors(model);
    for (const std::string prefix : {"", "module.encoder."}) {
      nn::StateDict tensors = tensors_from(network.at("tensors"), prefix);
      const bool same_names = std::all_of(expected.begin(), expected.end(), [&](const auto& entry) {
        return tensors.contains(prefix + entry.first);
      });
      const std::optional<std::string> code_base = rename_to_torchvision(tensors, model);
      EXPECT_EQ(code_base.has_value(), !same_names);
      if (code_base) {
        EXPECT_EQ(*code_base, network.at("code_base").get<std::string>());
        ++mapped;
      }
      if (!prefix.empty()) tensors.rename_prefix(prefix, "");
      expect_same_names(tensors, expected);
    }
  }
  EXPECT_GE(mapped, 14);
}

TEST(NameMaps, DoNotMakeOneNetworkOfAnother) {
  // B0's blocks hold squeeze-and-excitation, which no row of the tables for Lite0 names.
  const golden::Json names = golden::load("weights_names.json");
  const FitTarget lite0{.model = "efficientnet_lite0",
                        .head = "classifier.1",
                        .tensors = expected_tensors("efficientnet_lite0")};
  int refused = 0;
  for (const golden::Json& network : names.at("networks")) {
    if (network.at("model").get<std::string>() != "tf_efficientnet_b0") continue;
    WeightFile file;
    file.tensors = tensors_from(network.at("tensors"), "");
    EXPECT_THROW(fit_to_model(file, lite0), ValueError) << network.at("code_base");
    ++refused;
  }
  EXPECT_EQ(refused, 2);
}

TEST(NameMaps, LeaveTorchvisionsNamesAlone) {
  for (const std::string& model : nn::model_names()) {
    nn::StateDict tensors = expected_tensors(model);
    EXPECT_FALSE(rename_to_torchvision(tensors, model).has_value()) << model;
    expect_same_names(tensors, expected_tensors(model));
  }
}

TEST(NameMaps, FlattenAConvolutionInTheLogicalOrderOfItsWeights) {
  nn::StateDict tensors;
  tensors.insert("pre_logits.fc1.weight", formula_tensor({2, 3, 2, 2}, 1));
  ASSERT_EQ(rename_to_torchvision(tensors, "vgg16_bn"), "timm");
  const Tensor& weight = tensors.at("classifier.0.weight");
  EXPECT_EQ(weight.shape(), (Shape{2, 12}));
  EXPECT_EQ(logical_values(weight), formula({2, 3, 2, 2}, 1, DType::F32));
}

TEST(NameMaps, SayWhatWeightsExpectOtherwise) {
  EXPECT_THAT(difference_in_computation("EfficientNet-PyTorch", "efficientnet_b0"),
              HasSubstr("--model tf_efficientnet_b0"));
  EXPECT_EQ(difference_in_computation("EfficientNet-PyTorch", "tf_efficientnet_b0"), "");
  EXPECT_EQ(difference_in_computation("timm", "mobilenet_v2"), "");
}

}  // namespace
}  // namespace hanok::weights::test
