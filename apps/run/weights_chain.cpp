#include "hanok/apps/run/weights_chain.h"

#include <fmt/format.h>

#include "hanok/kernels/base/content_hash.h"

namespace hanok::training {
namespace {

std::uint64_t hash_of(const std::string& name, const Tensor& tensor) {
  const std::string title = name + tensor.shape().to_string();
  const Tensor on_cpu = tensor.to(Device::cpu());
  return content_hash(on_cpu.view().data, on_cpu.bytes(), content_hash(title.data(), title.size()));
}

}  // namespace

std::string WeightsChain::link(nn::Module& model, const std::string& before) {
  std::uint64_t hash = content_hash(before.data(), before.size());
  std::size_t i = 0;
  for (const auto& [name, tensor] : model.state_dict()) {
    if (i == hashed_.size()) hashed_.emplace_back();
    Hashed& hashed = hashed_[i++];
    const void* data = tensor.view().data;
    if (hashed.data != data || hashed.version != tensor.version()) {
      hashed = {.data = data, .version = tensor.version(), .hash = hash_of(name, tensor)};
    }
    hash = content_hash(&hashed.hash, sizeof(hashed.hash), hash);
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace hanok::training
