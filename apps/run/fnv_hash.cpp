#include "hanok/apps/run/fnv_hash.h"

#include <fmt/format.h>

namespace hanok::training {

void FnvHash::add(const void* bytes, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) hash_ = (hash_ ^ p[i]) * 0x100000001B3U;
}

std::string FnvHash::hex() const { return fmt::format("{:016x}", hash_); }

}  // namespace hanok::training
