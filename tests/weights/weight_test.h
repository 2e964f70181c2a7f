// Shared by the tests of weight files: temporary folders, the formula of the committed files, and
// hand-built archives and pickles, which can be invalid in any way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "hanok/engine/storage.h"
#include "hanok/engine/tensor.h"
#include "hanok/nn/state_dict.h"

namespace hanok::weights::test {

/// A temporary folder, removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// tests/weights/files/NAME, written by make_pth.py.
std::string committed(const std::string& name);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

/// Element k (logical, row-major) of tensor number t, as in make_pth.py.
std::vector<double> formula(const Shape& shape, int t, DType dtype);
/// A tensor of these values; f32 or i64.
Tensor formula_tensor(const Shape& shape, int t, DType dtype = DType::F32);
/// All elements in logical row-major order, of any type.
std::vector<double> logical_values(const Tensor& tensor);

/// Expects load(path) to throw a FormatError that starts with the path and contains all `parts`.
void expect_format_error(const std::string& path, const std::vector<std::string>& parts);

std::string little_endian(std::uint64_t value, int bytes);
std::uint32_t crc32_of(const std::string& data);

/// Builds a zip archive of stored entries as PyTorch writes it, with optional deviations.
class ZipBuilder {
 public:
  struct Entry {
    std::string name, data;
    std::string local_name;    // in the local header
    std::uint64_t size;        // in the directory
    std::uint64_t compressed;  // in the directory
    std::uint32_t crc;         // in the directory
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    std::int64_t local_offset = -1;  // >= 0: replaces the true one
    bool zip64 = false;              // sizes and offset in the extra field
  };
  /// The entry can be changed until build().
  Entry& add(const std::string& name, const std::string& data);
  Entry& operator[](std::size_t i) { return entries_[i]; }
  std::string build(bool zip64_end = false) const;

 private:
  std::vector<Entry> entries_;
};

/// A state_dict of one tensor `weight` of `count` f32 zeros, as a zip of data.pkl and data/0.
/// `pickle` replaces the pickle.
ZipBuilder pth_builder(int count = 4, const std::string& pickle = "");
/// The pickle of that state_dict with the given sizes and strides.
std::string state_dict_pickle(const std::vector<int>& sizes, const std::vector<int>& strides,
                              int offset = 0, int storage_numel = 4,
                              const std::string& storage_class = "FloatStorage");

struct CommandResult {
  int exit_code = -1;
  std::string output;  // of both streams
};
CommandResult run(const std::string& command);

/// Runs a script after importing torch, torchvision and safetensors, with $HANOK_TEST_PYTHON or
/// else python3. If these cannot be imported, `skip` is the reason, for GTEST_SKIP.
struct PythonResult : CommandResult {
  std::string skip;
};
PythonResult run_python(const TemporaryFolder& folder, const std::string& script,
                        const std::vector<std::string>& arguments);

}  // namespace hanok::weights::test
