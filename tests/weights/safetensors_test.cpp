// safetensors: written files can be read, and headers with one error are rejected.
#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  return little_endian(header.size(), 8) + header + data;
}

class Safetensors : public testing::Test {
 protected:
  void expect_fails(const std::string& header, std::size_t data_size,
                    const std::vector<std::string>& parts) {
    write_file(path_, safetensors(header, std::string(data_size, '\0')));
    expect_format_error(path_, parts);
  }
  nn::StateDict example() {
    nn::StateDict tensors;
    tensors.insert("conv.weight", formula_tensor({4, 3, 2, 2}, 1));
    tensors.insert("steps", formula_tensor({}, 2, DType::I64));
    tensors.insert("bias", formula_tensor({3}, 3));
    tensors.insert("empty", Tensor::zeros({0, 3}));
    tensors.insert("volume", formula_tensor({2, 1, 2, 1, 2}, 4));
    return tensors;
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.safetensors";
};

TEST_F(Safetensors, ReadsWhatItWrote) {
  const nn::StateDict tensors = example();
  save_safetensors(path_, tensors, {{"classes", "mask,none"}, {"quote", "\"\n\xC3\xA4"}});
  const WeightFile file = load(path_);
  EXPECT_EQ(file.format, "safetensors");
  EXPECT_EQ(file.metadata.at("classes"), "mask,none");
  EXPECT_EQ(file.metadata.at("quote"), "\"\n\xC3\xA4");
  ASSERT_EQ(file.tensors.size(), tensors.size());
  auto original = tensors.begin();
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(name, original->first);
    EXPECT_EQ(tensor.shape(), original->second.shape());
    EXPECT_EQ(tensor.dtype(), original->second.dtype());
    EXPECT_EQ(logical_values(tensor), logical_values(original->second)) << name;
    ++original;
  }
}

TEST_F(Safetensors, KeepsHalfTypes) {
  const nn::StateDict tensors = load(committed("zip.pth")).tensors;
  save_safetensors(path_, tensors);
  const nn::StateDict again = load(path_).tensors;
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(again.at(name).dtype(), tensor.dtype());
    EXPECT_EQ(logical_values(again.at(name)), logical_values(tensor)) << name;
  }
}

TEST_F(Safetensors, WritesLogicalOrderAndAlignsItsData) {
  save_safetensors(path_, example());
  const std::string file = read_file(path_);
  const std::size_t header_size =
      static_cast<unsigned char>(file[0]) + 256u * static_cast<unsigned char>(file[1]);
  EXPECT_EQ(header_size % 8, 0u);
  const auto header = nlohmann::json::parse(file.substr(8, header_size));
  EXPECT_EQ(header["conv.weight"]["shape"], (std::vector<int>{4, 3, 2, 2}));
  const std::size_t begin = header["conv.weight"]["data_offsets"][0];
  EXPECT_EQ(begin % 4, 0u);
  std::vector<float> values(48);
  std::memcpy(values.data(), file.data() + 8 + header_size + begin, 48 * 4);
  EXPECT_EQ(std::vector<double>(values.begin(), values.end()),
            formula({4, 3, 2, 2}, 1, DType::F32));
  for (const auto& [name, entry] : header.items()) {
    const std::size_t at = entry["data_offsets"][0];
    EXPECT_EQ(at % (entry["dtype"] == "I64" ? 8 : 4), 0u) << name;
  }
}

TEST_F(Safetensors, BorrowsTheFileButForImages) {
  save_safetensors(path_, example());
  const WeightFile file = load(path_);
  EXPECT_TRUE(file.tensors.at("bias").storage()->read_only());
  EXPECT_TRUE(file.tensors.at("steps").storage()->read_only());
  EXPECT_FALSE(file.tensors.at("conv.weight").storage()->read_only());
}

TEST_F(Safetensors, BorrowedTensorsOutliveTheirFile) {
  save_safetensors(path_, example());
  Tensor bias;
  {
    const WeightFile file = load(path_);
    bias = file.tensors.at("bias");
  }
  std::filesystem::remove(path_);
  EXPECT_EQ(logical_values(bias), formula({3}, 3, DType::F32));
}

TEST_F(Safetensors, CopiesTensorsThatLieUnaligned) {
  const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  write_file(path_, safetensors(header, std::string("\x07\x00\x00\xC0\x3F", 5)));
  const WeightFile file = load(path_);
  EXPECT_EQ(file.tensors.at("f").item(), 1.5);
  EXPECT_EQ(file.tensors.at("b").item(), 7);
}

TEST_F(Safetensors, RefusesBadHeaderLengths) {
  write_file(path_, little_endian(1000, 8) + "{}");
  expect_format_error(path_, {"header claims 1000 bytes, but the file has 10"});
  write_file(path_, little_endian(~std::uint64_t{0}, 8) + "{}");
  expect_format_error(path_, {"header claims 18446744073709551615 bytes"});
}

TEST_F(Safetensors, RefusesEveryTruncation) {
  save_safetensors(path_, example());
  const std::string whole = read_file(path_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(path_, whole.substr(0, size));
    EXPECT_THROW(load(path_), FormatError) << size;
  }
  write_file(path_, whole + "x");
  expect_format_error(path_, {"1 bytes after its last tensor"});
}

TEST_F(Safetensors, RefusesWrongJson) {
  expect_fails("{", 0, {"not valid JSON"});
  expect_fails("{}}", 0, {"not valid JSON"});
  expect_fails(R"({"a":1})", 0, {"tensor 'a'", "an unexpected number"});
  expect_fails(R"({"a":[]})", 0, {"tensor 'a'", "an unexpected array"});
  expect_fails(R"({"a":null})", 0, {"tensor 'a'", "an unexpected null"});
  expect_fails(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":0}})", 4,
               {"tensor 'a'", "unknown field 'x'"});
  expect_fails(R"({"a":{"dtype":{"b":{}},"shape":[1],"data_offsets":[0,4]}})", 4,
               {"tensor 'a'", "an unexpected object"});
  expect_fails(R"({"__metadata__":{"a":1}})", 0, {"the metadata"});
  expect_fails(R"({"a":)" + std::string(100'000, '['), 0, {"an unexpected array"});
}

TEST_F(Safetensors, RefusesIncompleteEntries) {
  expect_fails(R"({"a":{}})", 0, {"tensor 'a'", "has no dtype"});
  expect_fails(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, {"has no shape"});
  expect_fails(R"({"a":{"dtype":"F32","shape":[1]}})", 4, {"has no data_offsets"});
}

TEST_F(Safetensors, RefusesDuplicates) {
  const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_fails(fmt::format(R"({{"a":{},"a":{}}})", entry, entry), 4, {"'a' is a duplicate name"});
  expect_fails(R"({"a":{"dtype":"F32","dtype":"I64","shape":[1],"data_offsets":[0,4]}})", 4,
               {"tensor 'a'", "duplicate field 'dtype'"});
  expect_fails(R"({"__metadata__":{"k":"1","k":"2"}})", 0, {"metadata 'k' is a duplicate"});
}

TEST_F(Safetensors, RefusesWrongNumbers) {
  const auto header = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape,
                       offsets);
  };
  expect_fails(header("F32", "[2]", "[0,4]"), 4, {"tensor 'a'", "takes 8 bytes", "span 4"});
  expect_fails(header("F32", "[1]", "[0,8]"), 4, {"tensor 'a'", "are outside the 4 bytes"});
  expect_fails(header("F32", "[1]", "[4,0]"), 4, {"tensor 'a'", "are outside"});
  expect_fails(header("F32", "[1]", "[0]"), 4, {"tensor 'a'", "are outside"});
  expect_fails(header("F32", "[-1]", "[0,4]"), 4, {"tensor 'a'", "-1 is negative"});
  expect_fails(header("F32", "[1.5]", "[0,4]"), 4, {"tensor 'a'", "'1.5' is not a 64-bit integer"});
  expect_fails(header("F32", "[18446744073709551615]", "[0,4]"), 4,
               {"tensor 'a'", "negative or too large"});
  expect_fails(header("F32", "[4294967296,4294967296]", "[0,0]"), 0,
               {"tensor 'a'", "negative or too large"});
  expect_fails(header("F32", "[0,9223372036854775807,9]", "[0,0]"), 0,
               {"tensor 'a'", "negative or too large"});
  expect_fails(header("F32", "[1,1,1,1,1,1,1]", "[0,4]"), 4, {"tensor 'a'", "7 dimensions"});
  expect_fails(header("C64", "[1]", "[0,8]"), 8, {"tensor 'a'", "'C64'"});
}

TEST_F(Safetensors, RefusesOverlapsAndGaps) {
  const auto two = [](int begin) {
    return fmt::format(R"({{"a":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}},)"
                       R"("b":{{"dtype":"F32","shape":[1],"data_offsets":[{},{}]}}}})",
                       begin, begin + 4);
  };
  expect_fails(two(2), 8, {"tensor 'b'", "overlap those of tensor 'a'"});
  expect_fails(two(5), 9, {"tensor 'b'", "a gap of 1 bytes"});
  expect_fails(two(4), 9, {"1 bytes after its last tensor"});
}

TEST_F(Safetensors, RefusesNamesThatCannotBeWritten) {
  nn::StateDict tensors;
  tensors.insert("a\xFF", Tensor::zeros({1}));
  EXPECT_THROW(save_safetensors(path_, tensors), ValueError);
  nn::StateDict reserved;
  reserved.insert("__metadata__", Tensor::zeros({1}));
  EXPECT_THROW(save_safetensors(path_, reserved), ValueError);
  EXPECT_THROW(save_safetensors(path_, {}, {{"key", "\xFF"}}), ValueError);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Safetensors, LeavesTheOldFileWhenTheDiskIsFull) {
  save_safetensors(path_, example());
  const std::string old = read_file(path_);
  nn::StateDict large;
  large.insert("large", Tensor::zeros({100'000}));
  // A limit on file size simulates a full disk.
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = saved;
  small.rlim_cur = 10'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    save_safetensors(path_, large);
  } catch (const IoError& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &saved);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::StartsWith(path_ + ": cannot be written"));
  EXPECT_EQ(read_file(path_), old);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1u) << "a temporary file was left behind";
}

TEST_F(Safetensors, NamesTheFolderThatIsMissing) {
  try {
    save_safetensors(folder_ / "absent/file.safetensors", example());
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("absent/file.safetensors: cannot be created"));
  }
}

}  // namespace
}  // namespace hanok::weights::test
