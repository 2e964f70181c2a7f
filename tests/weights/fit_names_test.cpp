// Files of other people against a model: prefixes, heads, and what must be refused.
#include "hanok/weights/fit_names.h"

#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class FitNames : public testing::Test {
 protected:
  static nn::StateDict state_of(const std::string& model, std::int64_t classes) {
    const nn::WithoutInit without_init;
    return nn::make_model(model, classes, 64)->state_dict();
  }
  /// A file with these tensors, each name behind `prefix`.
  static WeightFile file_with(const nn::StateDict& tensors, const std::string& prefix = "") {
    WeightFile file;
    for (const auto& [name, tensor] : tensors) file.tensors.insert(prefix + name, tensor);
    return file;
  }
  static FitTarget target_for(const std::string& model, std::int64_t classes = 3) {
    return {.model = model, .head = nn::head_name(model), .tensors = state_of(model, classes)};
  }
  static nn::StateDict without(const nn::StateDict& tensors, const std::string& start) {
    nn::StateDict result;
    for (const auto& [name, tensor] : tensors) {
      if (!name.starts_with(start)) result.insert(name, tensor);
    }
    return result;
  }
  static void expect_refused(const WeightFile& file, const FitTarget& target,
                             const std::vector<std::string>& parts) {
    try {
      fit_to_model(file, target);
      ADD_FAILURE() << "was accepted: " << parts[0];
    } catch (const ValueError& error) {
      for (const std::string& part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
  static bool borrows(const Fit& fit, const std::string& name, const WeightFile& file,
                      const std::string& file_name) {
    return fit.tensors.at(name).view().data == file.tensors.at(file_name).view().data;
  }
};

TEST_F(FitNames, RemovesAnyPrefixThatTheNamesShare) {
  const FitTarget target = target_for("resnet18");
  for (const std::string prefix :
       {"", "model.", "_orig_mod.model.", "net.", "backbone.body.", "student.", "x.y.z."}) {
    WeightFile file = file_with(state_of("resnet18", 3), prefix);
    file.tensors.insert("criterion.weight", Tensor::zeros({3}));
    const Fit fit = fit_to_model(file, target);
    EXPECT_FALSE(fit.head_is_new) << prefix;
    EXPECT_EQ(fit.tensors.size(), target.tensors.size());
    EXPECT_TRUE(borrows(fit, "conv1.weight", file, prefix + "conv1.weight"));
    EXPECT_THAT(fit.notes, Contains(HasSubstr("1 of 'criterion'")));
    if (!prefix.empty()) {
      EXPECT_THAT(fit.notes, Contains(HasSubstr("'" + prefix + "' was removed from 122 names")));
    }
  }
}

TEST_F(FitNames, AddsAPrefixThatTheFileLacks) {
  WeightFile file;
  for (const auto& [name, tensor] : state_of("mobilenet_v2", 3)) {
    const std::string features = "features.";
    if (name.starts_with(features)) file.tensors.insert(name.substr(features.size()), tensor);
  }
  const Fit fit = fit_to_model(file, target_for("mobilenet_v2"));
  EXPECT_TRUE(fit.head_is_new);
  EXPECT_THAT(fit.notes, Contains(HasSubstr("'features.' was put in front")));
}

TEST_F(FitNames, AsksWhichOfTwoNetworksIsMeant) {
  const nn::StateDict own = state_of("resnet18", 3);
  WeightFile file = file_with(own, "student.backbone.");
  file.tensors.merge(file_with(own, "teacher.backbone.").tensors);
  expect_refused(file, target_for("resnet18"),
                 {"--rename student.backbone.=", "--rename teacher.backbone.="});
  rename_tensors(file.tensors, {parse_rename("teacher.backbone=")});
  const Fit fit = fit_to_model(file, target_for("resnet18"));
  EXPECT_TRUE(borrows(fit, "conv1.weight", file, "conv1.weight"));
}

TEST_F(FitNames, TakesTheTrainedNetworkOfMoCoAndNotItsAverage) {
  const nn::StateDict own = without(state_of("resnet18", 3), "fc.");
  WeightFile file = file_with(own, "module.encoder_k.");
  file.tensors.merge(file_with(own, "module.encoder_q.").tensors);
  file.tensors.insert("module.encoder_q.fc.0.weight", Tensor::zeros({512, 512}));
  file.tensors.insert("module.queue", Tensor::zeros({4, 8}));
  const Fit fit = fit_to_model(file, target_for("resnet18"));
  EXPECT_TRUE(borrows(fit, "conv1.weight", file, "module.encoder_q.conv1.weight"));
  EXPECT_TRUE(fit.head_is_new);
  EXPECT_THAT(fit.notes, Contains(AllOf(HasSubstr("encoder_k"), HasSubstr("averaged"))));
}

TEST_F(FitNames, PrefersTheNetworkWhoseShapesFit) {
  WeightFile file = file_with(state_of("resnet50", 3), "teacher.");
  file.tensors.merge(file_with(state_of("resnet18", 3), "student.").tensors);
  const Fit fit = fit_to_model(file, target_for("resnet18"));
  EXPECT_TRUE(borrows(fit, "conv1.weight", file, "student.conv1.weight"));
}

TEST_F(FitNames, GivesABackboneANewHead) {
  for (const std::string model : {"resnet18", "mobilenet_v2", "efficientnet_b0", "lenet"}) {
    const FitTarget target = target_for(model);
    const std::string head = target.head + ".";
    const nn::StateDict backbone = without(state_of(model, 3), head);
    const WeightFile bare = file_with(backbone);
    EXPECT_TRUE(fit_to_model(bare, target).head_is_new) << model;
    EXPECT_THAT(fit_to_model(bare, target).notes, IsEmpty()) << model;

    WeightFile named = file_with(backbone);
    named.tensors.insert("last_linear.weight", Tensor::zeros({1000, 8}));
    EXPECT_TRUE(fit_to_model(named, target).head_is_new) << model;
    EXPECT_THAT(fit_to_model(named, target).notes, Contains(HasSubstr("1 of 'last_linear'")));

    const Fit other_size = fit_to_model(file_with(state_of(model, 7)), target);
    EXPECT_TRUE(other_size.head_is_new) << model;
    EXPECT_EQ(other_size.tensors.at(head + "weight").size(0), 3) << model;
    EXPECT_FALSE(fit_to_model(file_with(state_of(model, 3)), target).head_is_new) << model;
  }
}

TEST_F(FitNames, SaysWhereLayersBeforeTheHeadAreNewToo) {
  for (const std::string model : {"vgg16_bn", "mobilenet_v3_small", "convnext_tiny"}) {
    const FitTarget target = target_for(model);
    const Fit fit = fit_to_model(file_with(without(state_of(model, 3), "classifier.")), target);
    EXPECT_TRUE(fit.head_is_new) << model;
    EXPECT_THAT(fit.notes, Contains(HasSubstr("before the head are new"))) << model;
    // Half a classifier is damage.
    if (model == "vgg16_bn") {
      expect_refused(file_with(without(state_of(model, 3), "classifier.3.")), target,
                     {"missing: classifier.3.weight"});
    }
  }
}

TEST_F(FitNames, RefusesOtherNetworksInFewLines) {
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  const FitTarget target = target_for("resnet18");
  expect_refused(file_with(state_of("resnet34", 3)), target,
                 {"does not fit resnet18", "left over: 'layer1.2.conv1.weight'"});
  expect_refused(file_with(state_of("resnet50", 3)), target, {"mismatch: "});
  expect_refused(file_with(state_of("mobilenet_v2", 3)), target,
                 {"missing: conv1.weight [64,3,7,7]", "--rename"});
  expect_refused(file_with(without(state_of("resnet18", 3), "layer4.1.bn2.weight")), target,
                 {"missing: layer4.1.bn2.weight"});
  try {
    fit_to_model(file_with(state_of("mobilenet_v2", 3)), target);
  } catch (const ValueError& error) {
    EXPECT_LT(lines(error.what()), 36) << error.what();
  }
}

TEST_F(FitNames, NamesTheTensorThatTheModelNeedsAndHanokCannotRead) {
  WeightFile file = file_with(without(state_of("resnet18", 3), "conv1.weight"), "net.");
  file.unsupported["net.conv1.weight"] = "a quantized tensor";
  expect_refused(file, target_for("resnet18"),
                 {"conv1.weight", "'net.conv1.weight' is a quantized tensor"});
  // One that no model needs does no harm.
  WeightFile beside = file_with(state_of("resnet18", 3));
  beside.unsupported["mask"] = "a sparse tensor";
  EXPECT_FALSE(fit_to_model(beside, target_for("resnet18")).head_is_new);
}

TEST_F(FitNames, TakesAFewEqualNamesForNoPrefix) {
  expect_refused(file_with(state_of("resnet18", 3)), target_for("lenet"),
                 {"missing: conv2.weight", "left over: 'layer1.0.conv1.weight'"});
}

TEST_F(FitNames, NamesANearMissByItsShape) {
  WeightFile file = file_with(without(state_of("resnet18", 3), "conv1.weight"));
  file.tensors.insert("stem.weight", Tensor::zeros({64, 3, 7, 7}));
  expect_refused(file, target_for("resnet18"),
                 {"missing: conv1.weight [64,3,7,7]; of this shape is 'stem.weight'"});
}

TEST_F(FitNames, AcceptsCountersOfAnyTypeOrNone) {
  WeightFile file;
  for (const auto& [name, tensor] : state_of("resnet18", 3)) {
    if (!name.ends_with("num_batches_tracked")) {
      file.tensors.insert(name, tensor);
    } else if (name.starts_with("layer")) {
      file.tensors.insert(name, Tensor::zeros({1}));
    }
  }
  const Fit fit = fit_to_model(file, target_for("resnet18"));
  EXPECT_EQ(fit.tensors.at("layer1.0.bn1.num_batches_tracked").dtype(), DType::I64);
  EXPECT_FALSE(fit.tensors.contains("bn1.num_batches_tracked"));
}

TEST_F(FitNames, TakesAHeadThatLiesOutsideTheBackbonesPrefix) {
  WeightFile file;
  for (const auto& [name, tensor] : state_of("resnet18", 3)) {
    file.tensors.insert(name.starts_with("fc.") ? name : "module." + name, tensor);
  }
  const Fit fit = fit_to_model(file, target_for("resnet18"));
  EXPECT_FALSE(fit.head_is_new);
  EXPECT_TRUE(borrows(fit, "fc.weight", file, "fc.weight"));
}

}  // namespace
}  // namespace hanok::weights::test
