// Reference-counted bytes on a device, with a version that counts writes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "hanok/kernels/base/device.h"

#pragma GCC visibility push(default)
namespace hanok {

class Storage {
 public:
  /// Uninitialised bytes from the device's allocator.
  Storage(std::size_t bytes, Device device);
  /// Borrows bytes that remain valid while `owner` lives (a mapped file). Never written.
  Storage(const void* data, std::size_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  /// True for borrowed bytes: writing them is an error.
  bool read_only() const { return owner_ != nullptr; }
  std::uint64_t version() const { return version_; }
  void bump_version() { ++version_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
  std::shared_ptr<const void> owner_;
  std::uint64_t version_ = 0;
};

}  // namespace hanok
#pragma GCC visibility pop
