// Every error that a caller can get is one of these. A message names the op, what was expected and
// what was found, e.g.
//   conv2d: input has 64 channels, weight expects 128 (input [8,64,56,56], weight [256,128,3,3])
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

#pragma GCC visibility push(default)
namespace hanok {

/// Base of all errors thrown by hanok.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Sizes that do not fit together.
class ShapeError : public Error {
  using Error::Error;
};
/// Element types that do not fit together or that an op does not support.
class DTypeError : public Error {
  using Error::Error;
};
/// Tensors on different devices, or a missing device.
class DeviceError : public Error {
  using Error::Error;
};
/// An argument outside its valid range.
class ValueError : public Error {
  using Error::Error;
};
/// Misuse of the graph: second derivatives, overwritten saved tensors, repeated backward.
class AutogradError : public Error {
  using Error::Error;
};
/// A file with invalid content. The message starts with the file's name.
class FormatError : public Error {
  using Error::Error;
};
/// Reading or writing a file failed. The message starts with the file's name.
class IoError : public Error {
  using Error::Error;
};

/// A request beyond the memory budget (all in bytes). The allocator remains usable.
class OutOfMemory : public Error {
 public:
  OutOfMemory(std::size_t requested, std::size_t in_use, std::size_t budget);
  std::size_t requested() const { return requested_; }
  std::size_t in_use() const { return in_use_; }
  std::size_t budget() const { return budget_; }

 private:
  std::size_t requested_;
  std::size_t in_use_;
  std::size_t budget_;
};

}  // namespace hanok
#pragma GCC visibility pop
