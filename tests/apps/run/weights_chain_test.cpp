// The hash chain of a fold's weights: every value and every link before counts.
#include "hanok/apps/run/weights_chain.h"

#include <gtest/gtest.h>

#include "hanok/nn/models/registry.h"

namespace hanok::test {
namespace {

using training::WeightsChain;

/// Flips the lowest bit of one value.
void change(nn::Module& model, std::size_t which) {
  std::size_t i = 0;
  for (const auto& [name, tensor] : model.state_dict()) {
    if (i++ != which) continue;
    Tensor changed = tensor;
    auto* bits = static_cast<unsigned char*>(changed.mutable_view().data);
    bits[0] ^= 1U;
  }
}

TEST(WeightsChain, DependsOnEveryTensorAndOnTheLinkBefore) {
  const auto model = nn::make_model("resnet18", 3, 32);
  WeightsChain chain;
  const std::string first = chain.link(*model, "");
  EXPECT_EQ(first.size(), 16U);
  EXPECT_EQ(chain.link(*model, ""), first);
  EXPECT_NE(chain.link(*model, first), first);
  const std::size_t tensors = model->state_dict().size();
  for (std::size_t i = 0; i < tensors; i += 7) {
    change(*model, i);
    EXPECT_NE(chain.link(*model, ""), first) << i;
    EXPECT_EQ(chain.link(*model, ""), WeightsChain().link(*model, "")) << i;
    change(*model, i);
    EXPECT_EQ(chain.link(*model, ""), first) << i;
  }
}

}  // namespace
}  // namespace hanok::test
