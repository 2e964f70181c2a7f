#include "apps/training/feature_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/allocator.h"
#include "kernels/base/error.h"

namespace hanok::training {
namespace {

/// A file without a name, `bytes` long, mapped for reading and writing.
float* map_unnamed_file(const std::string& folder, std::size_t bytes) {
  std::string path = folder + "/features.XXXXXX";
  const auto fail = [&](const char* what, int error) {
    throw IoError(fmt::format("{}: cannot {} {} bytes for cached features: {}", path, what, bytes,
                              std::strerror(error)));
  };
  const int file = mkstemp(path.data());
  if (file < 0) fail("make a file of", errno);
  unlink(path.c_str());
  // Room is taken now: a write to a mapped page without room behind it would end the process.
  const int error = posix_fallocate(file, 0, static_cast<off_t>(bytes));
  void* data =
      error == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  const int map_error = errno;
  close(file);
  if (error != 0) fail("reserve", error);
  if (data == MAP_FAILED) fail("map", map_error);
  return static_cast<float*>(data);
}

}  // namespace

FeatureStore::FeatureStore(std::int64_t keys, std::int64_t capacity, std::int64_t floats,
                           std::int64_t budget, const std::string& folder)
    : capacity_(capacity), floats_(floats), slots_(static_cast<std::size_t>(keys), -1) {
  const auto bytes_each = floats * static_cast<std::int64_t>(sizeof(float));
  in_memory_ = std::clamp<std::int64_t>(budget / bytes_each, 0, capacity);
  file_bytes_ = static_cast<std::size_t>((capacity - in_memory_) * bytes_each);
  if (file_bytes_ > 0) file_data_ = map_unnamed_file(folder, file_bytes_);
  if (in_memory_ == 0) return;
  const MemoryTag tag("cached features");
  memory_ = Tensor::empty({in_memory_, floats});
  memory_data_ = memory_.mutable_data<float>();
}

FeatureStore::~FeatureStore() {
  if (file_data_ != nullptr) munmap(file_data_, file_bytes_);
}

float* FeatureStore::at(std::int64_t slot) const {
  return slot < in_memory_ ? memory_data_ + slot * floats_
                           : file_data_ + (slot - in_memory_) * floats_;
}

void FeatureStore::put(std::int64_t key, const float* values) {
  if (holds(key) || used_ == capacity_) return;
  std::copy(values, values + floats_, at(used_));
  slots_[static_cast<std::size_t>(key)] = used_++;
}

std::size_t FeatureStore::memory_bytes() const {
  return static_cast<std::size_t>(in_memory_ * floats_) * sizeof(float);
}

}  // namespace hanok::training
