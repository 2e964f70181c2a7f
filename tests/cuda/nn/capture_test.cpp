// A captured graph of device work does again what the eager calls did, on what now lies at the
// addresses of its capture.
#include <gtest/gtest.h>
#include <memory>

#include "engine/allocator.h"
#include "engine/ops.h"
#include "engine/runtime.h"
#include "kernels/base/error.h"
#include "kernels/cuda_runtime.h"
#include "nn/models/small.h"
#include "tests/kernels/kernel_context.h"

namespace hanok::nn {
namespace {

const Device kDevice = Device::cuda(0);

struct Results {
  std::vector<float> loss;
  std::vector<std::vector<float>> gradients;
};

Tensor forward_and_backward(Module& model, const Tensor& images, const Tensor& targets) {
  const Tensor loss = ops::cross_entropy(model(images), targets);
  loss.backward();
  return loss.detach();
}

Results results_of(Module& model, const Tensor& loss) {
  Results results{loss.to_vector(), {}};
  for (const Tensor& p : model.parameters()) results.gradients.push_back(p.grad().to_vector());
  return results;
}

TEST(Capture, AReplayGivesTheBitsOfTheEagerCalls) {
  CudaRuntime* cuda = cuda_runtime();
  ASSERT_NE(cuda, nullptr);
  try {
    cuda->devices();
  } catch (const DeviceError& error) {
    GTEST_SKIP() << error.what();
  }
  LeNet model(10, 1, 28);
  model.to(kDevice);
  const auto images_of = [](std::uint64_t seed) {
    return Tensor::from_vector(test::test_data(4 * 28 * 28, seed), {4, 1, 28, 28}).to(kDevice);
  };
  const Tensor targets =
      Tensor::from_vector(std::vector<std::int64_t>{3, 1, 4, 1}, {4}).to(kDevice);
  const Tensor other_images = images_of(2);
  const Results expected = results_of(model, forward_and_backward(model, other_images, targets));

  Tensor images = images_of(1);
  MemoryPool pool(allocator_of(kDevice));
  std::unique_ptr<Workspace> workspace = make_workspace(kDevice);
  std::unique_ptr<CudaGraph> graph;
  Tensor loss;
  model.zero_grad();
  {
    const MemoryPool::Scope from_pool(pool);
    const OwnWorkspace own(kDevice, *workspace);
    cuda->begin_capture(kDevice.index);
    loss = forward_and_backward(model, images, targets);
    graph = cuda->end_capture(kDevice.index);
  }
  // What is asked for now may not lie where the graph writes, scratch memory included.
  context_of(kDevice).workspace.release_all();
  std::vector<Tensor> bystanders;
  for (int i = 0; i < 64; ++i) {
    bystanders.push_back(Tensor::full({1 << 14}, i, {DType::F32, kDevice}));
  }
  for (int replay = 0; replay < 2; ++replay) {
    images.copy_from(replay == 0 ? images_of(3) : other_images);
    graph->replay();
  }
  const Results found = results_of(model, loss);
  EXPECT_EQ(found.loss, expected.loss);
  EXPECT_EQ(found.gradients, expected.gradients);
  for (std::size_t i = 0; i < bystanders.size(); ++i) {
    EXPECT_EQ(bystanders[i].to_vector(), std::vector<float>(1 << 14, static_cast<float>(i)));
  }
}

}  // namespace
}  // namespace hanok::nn
