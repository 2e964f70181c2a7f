// Against PyTorch, torchvision and PyPI's safetensors, where a Python has them.
#include <cmath>

#include "engine/autograd.h"
#include "nn/models/resnet.h"
#include "tests/weights/weight_test.h"
#include "weights/weights.h"

namespace hanok::weights::test {
namespace {

/// Pixel values that both sides compute: multiples of 1/16.
Tensor formula_images(std::int64_t count, std::int64_t size) {
  std::vector<float> values;
  for (std::int64_t k = 0; k < count * 3 * size * size; ++k) {
    values.push_back(static_cast<float>((k * 37 + k / size * 11) % 61 - 30) / 16);
  }
  return Tensor::from_vector(values, {count, 3, size, size});
}

/// L2-relative difference of the model's logits from torchvision's in double precision.
double logits_error(const nn::StateDict& tensors, const std::vector<double>& expected) {
  const nn::WithoutInit without_init;
  auto model = nn::resnet18();
  model->load_state_dict(tensors);
  model->eval();
  const NoGrad no_grad;
  const std::vector<double> found = logical_values((*model)(formula_images(2, 224)));
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  EXPECT_GT(norm, 1);
  return std::sqrt(difference / norm);
}

// Seeded weights, and batch norm statistics and scales that are not the initial 0 and 1.
constexpr const char* kWriteResNet18 = R"(
folder = sys.argv[1]
torch.set_num_threads(2)
torch.manual_seed(20)
model = torchvision.models.resnet18()
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.weight.data.uniform_(0.5, 1.5)
        module.bias.data.normal_(0, 0.2)
        module.running_mean.normal_(0, 0.2)
        module.running_var.uniform_(0.5, 2)
        module.num_batches_tracked.fill_(17)
model.eval()
state = model.state_dict()
torch.save(state, folder + '/full.pth')
torch.save(state, folder + '/legacy.pth', _use_new_zipfile_serialization=False)
torch.save({k: v for k, v in state.items() if 'num_batches' not in k}, folder + '/old.pth')
save_file(state, folder + '/python.safetensors', metadata={'x': 'y'})
k = torch.arange(2 * 3 * 224 * 224)
images = (((k * 37 + k // 224 * 11) % 61 - 30) / 16).double().reshape(2, 3, 224, 224)
wrapped = torch.nn.DataParallel(model.to(memory_format=torch.channels_last))
torch.save({'epoch': 1, 'state_dict': wrapped.state_dict(),
            'optimizer': torch.optim.SGD(model.parameters(), 0.1).state_dict()},
           folder + '/checkpoint.pth')
with torch.no_grad():
    save_file({'logits': model.double()(images).contiguous()}, folder + '/logits.safetensors')
)";

TEST(TorchvisionResNet18, LoadsFromEveryLayoutAndGivesItsLogits) {
  const TemporaryFolder folder;
  const PythonResult python = run_python(folder, kWriteResNet18, {folder.path().string()});
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  ASSERT_EQ(python.exit_code, 0) << python.output;
  const std::vector<double> logits =
      logical_values(load(folder / "logits.safetensors").tensors.at("logits"));

  const WeightFile full = load(folder / "full.pth");
  EXPECT_EQ(full.tensors.size(), 122u);
  EXPECT_EQ(full.tensors.at("layer4.1.bn2.num_batches_tracked").item(), 17);
  const double error = logits_error(full.tensors, logits);
  std::cout << "L2-relative error of the logits: " << error << "\n";
  EXPECT_LT(error, 1e-4);

  const WeightFile old = load(folder / "old.pth");
  EXPECT_EQ(old.tensors.size(), 102u);
  EXPECT_EQ(logits_error(old.tensors, logits), error);

  for (const char* name : {"legacy.pth", "checkpoint.pth", "python.safetensors"}) {
    const WeightFile other = load(folder / name);
    ASSERT_EQ(other.tensors.size(), 122u) << name;
    for (const auto& [key, tensor] : full.tensors) {
      EXPECT_EQ(logical_values(other.tensors.at(key)), logical_values(tensor)) << name << key;
    }
  }
}

// Opens two files that hanok wrote: the state_dict of a resnet18, and one of every type.
constexpr const char* kOpenSafetensors = R"(
folder, committed = sys.argv[1:]
found = load_file(folder + '/resnet18.safetensors')
model = torchvision.models.resnet18()
model.load_state_dict(found)
assert found['conv1.weight'].flatten()[:49].tolist() == [k / 64 for k in range(49)]
assert safe_open(folder + '/resnet18.safetensors', 'pt').metadata() == {'a': 'b'}
found, expected = load_file(folder + '/all.safetensors'), torch.load(committed, weights_only=True)
assert len(found) == len(expected)
for name, tensor in expected.items():
    assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
)";

TEST(PyPiSafetensors, OpensWhatHanokWroteWithEqualValues) {
  const TemporaryFolder folder;
  auto model = nn::resnet18();
  std::vector<float> counted(64 * 3 * 7 * 7);
  for (std::size_t k = 0; k < counted.size(); ++k) counted[k] = static_cast<float>(k) / 64;
  model->conv1->weight.data().copy_from(Tensor::from_vector(counted, {64, 3, 7, 7}));
  save_safetensors(folder / "resnet18.safetensors", model->state_dict(), {{"a", "b"}});
  save_safetensors(folder / "all.safetensors", load(committed("zip.pth")).tensors);
  const PythonResult python =
      run_python(folder, kOpenSafetensors, {folder.path().string(), committed("zip.pth")});
  if (!python.skip.empty()) GTEST_SKIP() << python.skip;
  EXPECT_EQ(python.exit_code, 0) << python.output;
}

}  // namespace
}  // namespace hanok::weights::test
