// Against PyTorch, torchvision and PyPI's safetensors, if a Python has them.
#include <cmath>
#include <filesystem>
#include <iostream>

#include "hanok/engine/autograd.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/name_maps.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

/// Pixel values computed by both sides: multiples of 1/16.
Tensor formula_images(std::int64_t count, std::int64_t size) {
  std::vector<float> values;
  for (std::int64_t k = 0; k < count * 3 * size * size; ++k) {
    values.push_back(static_cast<float>((k * 37 + k / size * 11) % 61 - 30) / 16);
  }
  return Tensor::from_vector(values, {count, 3, size, size});
}

std::vector<double> logits_of(nn::Module& model, std::int64_t image_size) {
  model.eval();
  const NoGrad no_grad;
  return logical_values(model(formula_images(2, image_size)));
}

double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_GT(norm, 0.01);
  return std::sqrt(difference / norm);
}

/// L2-relative difference between the logits of a model with these weights and torchvision's.
double logits_error(const std::string& name, const nn::StateDict& tensors,
                    const std::vector<double>& expected, std::int64_t image_size) {
  const nn::WithoutInit without_init;
  const auto model = nn::make_model(name, 1000, image_size);
  model->load_state_dict(tensors);
  return relative_error(logits_of(*model, image_size), expected);
}

// Shared by the scripts: images as formula_images() makes them, and weights that are neither
// initial values nor zero where it matters.
constexpr const char* kCommon = R"(
torch.set_num_threads(2)
def images(size):
    k = torch.arange(2 * 3 * size * size)
    return (((k * 37 + k // size * 11) % 61 - 30) / 16).double().reshape(2, 3, size, size)
def make(name):
    torch.manual_seed(20)
    model = getattr(torchvision.models, name)()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(17)
        if hasattr(module, 'layer_scale'):
            module.layer_scale.data.uniform_(0.1, 1)
    return model.eval()
@torch.no_grad()
def save_logits(model, size, path):
    save_file({'logits': model.double()(images(size)).contiguous()}, path)
)";

constexpr const char* kWriteResNet18 = R"(
folder = sys.argv[1]
model = make('resnet18')
state = model.state_dict()
torch.save(state, folder + '/full.pth')
torch.save(state, folder + '/legacy.pth', _use_new_zipfile_serialization=False)
torch.save({k: v for k, v in state.items() if 'num_batches' not in k}, folder + '/old.pth')
save_file(state, folder + '/python.safetensors', metadata={'x': 'y'})
wrapped = torch.nn.DataParallel(model.to(memory_format=torch.channels_last))
torch.save({'epoch': 1, 'state_dict': wrapped.state_dict(),
            'optimizer': torch.optim.SGD(model.parameters(), 0.1).state_dict()},
           folder + '/checkpoint.pth')
save_logits(model, 224, folder + '/logits.safetensors')
)";

TEST(TorchvisionResNet18, LoadsFromEveryLayoutAndGivesItsLogits) {
  const TemporaryFolder folder;
  const PythonResult python =
      run_python(folder, std::string(kCommon) + kWriteResNet18, {folder.path().string()});
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  ASSERT_EQ(python.exit_code, 0) << python.output;
  const std::vector<double> logits =
      logical_values(load(folder / "logits.safetensors").tensors.at("logits"));

  const WeightFile full = load(folder / "full.pth");
  EXPECT_EQ(full.tensors.size(), 122u);
  EXPECT_EQ(full.tensors.at("layer4.1.bn2.num_batches_tracked").item(), 17);
  const double error = logits_error("resnet18", full.tensors, logits, 224);
  std::cout << "L2-relative error of the logits: " << error << "\n";
  EXPECT_LT(error, 1e-4);

  const WeightFile old = load(folder / "old.pth");
  EXPECT_EQ(old.tensors.size(), 102u);
  EXPECT_EQ(logits_error("resnet18", old.tensors, logits, 224), error);

  for (const char* name : {"legacy.pth", "checkpoint.pth", "python.safetensors"}) {
    const WeightFile other = load(folder / name);
    ASSERT_EQ(other.tensors.size(), 122u) << name;
    for (const auto& [key, tensor] : full.tensors) {
      EXPECT_EQ(logical_values(other.tensors.at(key)), logical_values(tensor)) << name << key;
    }
  }
}

constexpr const char* kWriteOthers = R"(
folder, size, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
for name in names:
    if hasattr(torchvision.models, name):
        model = make(name)
        torch.save(model.state_dict(), folder + '/' + name + '.pth')
        save_logits(model, size, folder + '/' + name + '.safetensors')
)";

TEST(Torchvision, EveryOtherModelOfItsLoadsAndGivesItsLogits) {
  constexpr std::int64_t kImageSize = 64;
  const TemporaryFolder folder;
  std::vector<std::string> arguments = {folder.path().string(), std::to_string(kImageSize)};
  for (const std::string& name : nn::model_names()) {
    if (name != "resnet18") arguments.push_back(name);
  }
  const PythonResult python = run_python(folder, std::string(kCommon) + kWriteOthers, arguments);
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  ASSERT_EQ(python.exit_code, 0) << python.output;
  int compared = 0;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (!std::filesystem::exists(folder / name + ".pth")) continue;  // hanok's own
    const double error = logits_error(
        name, load(folder / name + ".pth").tensors,
        logical_values(load(folder / name + ".safetensors").tensors.at("logits")), kImageSize);
    std::cout << name << ": L2-relative error of the logits: " << error << "\n";
    EXPECT_LT(error, 1e-4) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// Networks of other packages, whose names are not torchvision's. timm's MobileNetV3 has another
// epsilon than torchvision's, which is set here; nothing else may differ.
constexpr const char* kWriteOtherCodeBases = R"(
try:
    import timm
    from efficientnet_pytorch import EfficientNet
    from efficientnet_lite_pytorch import EfficientNet as EfficientNetLite
except ImportError as error:
    print(error)
    sys.exit(77)
folder, names = sys.argv[1], sys.argv[2:]
MAKERS = {
    'mobilenet_v2': lambda: timm.create_model('mobilenetv2_100'),
    'mobilenet_v3_small': lambda: timm.create_model('mobilenetv3_small_100'),
    'efficientnet_b0': lambda: timm.create_model('efficientnet_b0'),
    'convnext_tiny': lambda: timm.create_model('convnext_tiny'),
    'vgg16_bn': lambda: timm.create_model('vgg16_bn'),
    'tf_efficientnet_b0': lambda: EfficientNet.from_name('efficientnet-b0'),
    'efficientnet_lite0': lambda: EfficientNetLite.from_name('efficientnet-lite0'),
}
for name, maker in MAKERS.items():
    if name not in names:
        continue
    torch.manual_seed(20)
    model = maker()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            if name == 'mobilenet_v3_small':
                module.eps = 0.001
        if getattr(module, 'gamma', None) is not None:
            module.gamma.data.uniform_(0.1, 1)
    torch.save(model.state_dict(), folder + '/' + name + '.pth')
    size = 224 if name == 'vgg16_bn' else 64
    save_logits(model.eval(), size, folder + '/' + name + '.safetensors')
)";

TEST(OtherCodeBases, NetworksGiveTheirLogitsOnceTheNamesAreMapped) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = {folder.path().string()};
  for (const std::string& name : nn::model_names()) arguments.push_back(name);
  const PythonResult python =
      run_python(folder, std::string(kCommon) + kWriteOtherCodeBases, arguments);
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  ASSERT_EQ(python.exit_code, 0) << python.output;
  int compared = 0;
  for (const std::string& name : nn::model_names()) {
    const std::int64_t image_size = name == "vgg16_bn" ? 224 : 64;  // timm's VGG needs it
    if (!std::filesystem::exists(folder / name + ".pth")) continue;
    nn::StateDict tensors = load(folder / name + ".pth").tensors;
    EXPECT_TRUE(rename_to_torchvision(tensors, name).has_value()) << name;
    const double error = logits_error(
        name, tensors, logical_values(load(folder / name + ".safetensors").tensors.at("logits")),
        image_size);
    std::cout << name << ": L2-relative error of the logits: " << error << "\n";
    EXPECT_LT(error, 1e-4) << name;
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

// Reads two files written by hanok: the state_dict of a resnet18, and one with every type.
constexpr const char* kOpenSafetensors = R"(
folder, committed = sys.argv[1:]
assert safe_open(folder + '/resnet18.safetensors', 'pt').metadata() == {'a': 'b'}
model = torchvision.models.resnet18()
model.load_state_dict(load_file(folder + '/resnet18.safetensors'))
save_logits(model.eval(), 64, folder + '/logits.safetensors')
found, expected = load_file(folder + '/all.safetensors'), torch.load(committed, weights_only=True)
assert len(found) == len(expected)
for name, tensor in expected.items():
    assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
)";

TEST(PyPiSafetensors, OpensWhatHanokWroteWithEqualValuesAndLogits) {
  const TemporaryFolder folder;
  const auto model = nn::make_model("resnet18", 1000, 64);
  save_safetensors(folder / "resnet18.safetensors", model->state_dict(), {{"a", "b"}});
  save_safetensors(folder / "all.safetensors", load(committed("zip.pth")).tensors);
  const PythonResult python = run_python(folder, std::string(kCommon) + kOpenSafetensors,
                                         {folder.path().string(), committed("zip.pth")});
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  ASSERT_EQ(python.exit_code, 0) << python.output;
  const std::vector<double> expected =
      logical_values(load(folder / "logits.safetensors").tensors.at("logits"));
  EXPECT_LT(relative_error(logits_of(*model, 64), expected), 1e-4);
}

}  // namespace
}  // namespace hanok::weights::test
