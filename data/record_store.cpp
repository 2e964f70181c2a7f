#include "hanok/data/record_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// Maps an unnamed file of `bytes` bytes for reading and writing.
std::uint8_t* map_unnamed_file(const std::string& folder, std::size_t bytes, const char* what) {
  std::string path = folder + "/records.XXXXXX";
  const auto fail = [&](const char* verb, int error) {
    throw IoError(path + ": cannot " + verb + " " + std::to_string(bytes) + " bytes for " + what +
                  ": " + std::strerror(error));
  };
  const int file = mkstemp(path.data());
  if (file < 0) fail("create a file of", errno);
  unlink(path.c_str());
  // Reserve the space now: a later write to a mapped page without disk space would raise SIGBUS.
  const int error = posix_fallocate(file, 0, static_cast<off_t>(bytes));
  void* data =
      error == 0 ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  const int map_error = errno;
  close(file);
  if (error != 0) fail("reserve", error);
  if (data == MAP_FAILED) fail("map", map_error);
  return static_cast<std::uint8_t*>(data);
}

}  // namespace

RecordStore::RecordStore(const RecordStoreOptions& options)
    : capacity_(options.capacity),
      bytes_(options.bytes),
      slots_(static_cast<std::size_t>(options.keys), -1) {
  in_memory_ = std::clamp<std::int64_t>(options.budget / bytes_, 0, capacity_);
  if (options.folder.empty()) capacity_ = in_memory_;
  file_bytes_ = static_cast<std::size_t>((capacity_ - in_memory_) * bytes_);
  if (in_memory_ > 0) {
    const MemoryTag memory_tag(options.tag);
    memory_ = Tensor::empty({in_memory_ * bytes_}, {DType::U8});
    memory_data_ = memory_.mutable_data<std::uint8_t>();
  }
  if (file_bytes_ > 0) file_data_ = map_unnamed_file(options.folder, file_bytes_, options.tag);
}

RecordStore::~RecordStore() {
  if (file_data_ != nullptr) munmap(file_data_, file_bytes_);
}

std::uint8_t* RecordStore::at(std::int64_t slot) const {
  return slot < in_memory_ ? memory_data_ + slot * bytes_
                           : file_data_ + (slot - in_memory_) * bytes_;
}

void RecordStore::put(std::int64_t key, const void* record) {
  if (holds(key) || used_ == capacity_) return;
  std::memcpy(at(used_), record, static_cast<std::size_t>(bytes_));
  slots_[static_cast<std::size_t>(key)] = used_++;
}

}  // namespace hanok::data
