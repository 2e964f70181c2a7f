#include "tests/weights/weight_test.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fmt/core.h>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/element_values.h"
#include "hanok/weights/weights.h"
#include "tests/support/paths.h"

namespace hanok::weights::test {

TemporaryFolder::TemporaryFolder() {
  static std::atomic<int> count{0};
  path_ = std::filesystem::temp_directory_path() /
          fmt::format("hanok-weights-{}-{}", ::getpid(), count++);
  std::filesystem::create_directories(path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string committed(const std::string& name) {
  return hanok::test::source_dir() + "/tests/weights/files/" + name;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

void write_file(const std::string& path, const std::string& content) {
  std::filesystem::remove(path);  // some file systems sync when a file is overwritten
  std::ofstream out(path, std::ios::binary);
  out << content;
  out.close();
  EXPECT_TRUE(out.good()) << path;
}

std::vector<double> formula(const Shape& shape, int t, DType dtype) {
  std::vector<double> values;
  for (std::int64_t k = 0; k < shape.numel(); ++k) {
    const auto integer = static_cast<double>((7 * k + 5 * t) % 23);
    const bool is_integer = dtype == DType::I64 || dtype == DType::U8;
    values.push_back(is_integer ? integer : (integer - 11) / 4);
  }
  return values;
}

Tensor formula_tensor(const Shape& shape, int t, DType dtype) {
  const std::vector<double> values = formula(shape, t, dtype);
  if (dtype == DType::I64) {
    return Tensor::from_vector(std::vector<std::int64_t>(values.begin(), values.end()), shape);
  }
  return Tensor::from_vector(std::vector<float>(values.begin(), values.end()), shape);
}

std::vector<double> logical_values(const Tensor& tensor) {
  std::vector<double> memory;
  for_each_element(tensor, [&](auto value) { memory.push_back(static_cast<double>(value)); });
  const Shape& shape = tensor.shape();
  if (shape.rank() != 4) return memory;
  std::vector<double> logical;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      for (std::int64_t h = 0; h < shape[2]; ++h) {
        for (std::int64_t w = 0; w < shape[3]; ++w) {
          const std::int64_t at = ((n * shape[2] + h) * shape[3] + w) * shape[1] + c;
          logical.push_back(memory[static_cast<std::size_t>(at)]);
        }
      }
    }
  }
  return logical;
}

void expect_format_error(const std::string& path, const std::vector<std::string>& parts) {
  try {
    load(path);
    ADD_FAILURE() << path << " was read";
  } catch (const FormatError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind(path, 0), 0u) << message;
    for (const std::string& part : parts) EXPECT_THAT(message, testing::HasSubstr(part));
  } catch (const std::exception& error) {
    ADD_FAILURE() << path << " gave an unexpected error: " << error.what();
  }
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = 0; i < bytes; ++i) result += static_cast<char>(i < 8 ? value >> (8 * i) : 0);
  return result;
}

std::uint32_t crc32_of(const std::string& data) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : data) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

ZipBuilder::Entry& ZipBuilder::add(const std::string& name, const std::string& data) {
  Entry entry;
  entry.name = entry.local_name = name;
  entry.data = data;
  entry.size = entry.compressed = data.size();
  entry.crc = crc32_of(data);
  entries_.push_back(entry);
  return entries_.back();
}

std::string ZipBuilder::build(bool zip64_end) const {
  std::string file;
  std::vector<std::uint64_t> offsets;
  for (const Entry& entry : entries_) {
    offsets.push_back(file.size());
    // Sizes and checksum of zero, and data padded to 64 bytes, as PyTorch writes.
    file += "PK\x03\x04" + little_endian(0, 10) + little_endian(0, 12) +
            little_endian(entry.local_name.size(), 2);
    const std::size_t padding = (64 - (file.size() + 2 + entry.local_name.size() + 4) % 64) % 64;
    file += little_endian(padding + 4, 2) + entry.local_name + "FB" + little_endian(padding, 2) +
            std::string(padding, 'Z') + entry.data;
  }
  const std::uint64_t directory = file.size();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const std::uint64_t local =
        entry.local_offset >= 0 ? static_cast<std::uint64_t>(entry.local_offset) : offsets[i];
    const std::uint64_t saturated = 0xFFFFFFFF;
    const std::string extra =
        entry.zip64 ? little_endian(1, 2) + little_endian(24, 2) + little_endian(entry.size, 8) +
                          little_endian(entry.compressed, 8) + little_endian(local, 8)
                    : "";
    file += "PK\x01\x02" + little_endian(0, 4) + little_endian(entry.flags, 2) +
            little_endian(entry.method, 2) + little_endian(0, 4) + little_endian(entry.crc, 4) +
            little_endian(entry.zip64 ? saturated : entry.compressed, 4) +
            little_endian(entry.zip64 ? saturated : entry.size, 4) +
            little_endian(entry.name.size(), 2) + little_endian(extra.size(), 2) +
            little_endian(0, 10) + little_endian(entry.zip64 ? saturated : local, 4) + entry.name +
            extra;
  }
  const std::uint64_t size = file.size() - directory;
  const std::uint64_t count = entries_.size();
  if (zip64_end) {
    const std::uint64_t record = file.size();
    file += "PK\x06\x06" + little_endian(44, 8) + little_endian(0, 4) + little_endian(0, 8) +
            little_endian(count, 8) + little_endian(count, 8) + little_endian(size, 8) +
            little_endian(directory, 8);
    file += "PK\x06\x07" + little_endian(0, 4) + little_endian(record, 8) + little_endian(1, 4);
  }
  return file + "PK\x05\x06" + little_endian(0, 4) + little_endian(zip64_end ? 0xFFFF : count, 2) +
         little_endian(zip64_end ? 0xFFFF : count, 2) +
         little_endian(zip64_end ? 0xFFFFFFFF : size, 4) +
         little_endian(zip64_end ? 0xFFFFFFFF : directory, 4) + little_endian(0, 2);
}

std::string state_dict_pickle(const std::vector<int>& sizes, const std::vector<int>& strides,
                              int offset, int storage_numel, const std::string& storage_class) {
  const auto number = [](int value) {
    return "J" + little_endian(static_cast<std::uint32_t>(value), 4);
  };
  const auto tuple = [&](const std::vector<int>& values) {
    std::string text = "(";
    for (const int value : values) text += number(value);
    return text + "t";
  };
  const auto text = [](const std::string& value) {
    return "X" + little_endian(value.size(), 4) + value;
  };
  return "\x80\x02}" + text("weight") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
         "ctorch\n" + storage_class + "\n" + text("0") + text("cpu") + number(storage_numel) +
         "tQ" + number(offset) + tuple(sizes) + tuple(strides) +
         "\x89"
         "ccollections\nOrderedDict\n)RtRs.";
}

ZipBuilder pth_builder(int count, const std::string& pickle) {
  ZipBuilder zip;
  zip.add("a/data.pkl", pickle.empty() ? state_dict_pickle({count}, {1}, 0, count) : pickle);
  zip.add("a/data/0", std::string(static_cast<std::size_t>(count) * 4, '\0'));
  zip.add("a/version", "3\n");
  return zip;
}

CommandResult run(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

PythonResult run_python(const TemporaryFolder& folder, const std::string& script,
                        const std::vector<std::string>& arguments) {
  constexpr int kCannotImport = 77;
  const char* chosen = std::getenv("HANOK_TEST_PYTHON");
  const std::string python = chosen == nullptr || *chosen == '\0' ? "python3" : chosen;
  write_file(folder / "script.py", fmt::format(R"(
import sys
try:
    import torch, torchvision
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(error)
    sys.exit({})
)",
                                               kCannotImport) +
                                       script);
  std::string command = fmt::format("'{}' '{}'", python, folder / "script.py");
  for (const std::string& argument : arguments) command += fmt::format(" '{}'", argument);
  PythonResult result{run(command), ""};
  constexpr int kNoProgram = 127;
  if (result.exit_code == kCannotImport || result.exit_code == kNoProgram) {
    result.skip =
        fmt::format("no comparison with PyTorch: {} ({}; HANOK_TEST_PYTHON names another)",
                    result.output, python);
  }
  return result;
}

}  // namespace hanok::weights::test
