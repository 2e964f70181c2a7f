// Files of every layout written by PyTorch, against the formula of their values.
#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

struct Expected {
  const char* name;
  Shape shape;
  DType dtype;
  std::vector<double> values;
};

std::vector<Expected> expected_tensors(bool with_new_types) {
  const auto whole = [](const char* name, const Shape& shape, int t, DType dtype) {
    return Expected{name, shape, dtype, formula(shape, t, dtype)};
  };
  std::vector<Expected> all = {
      whole("contiguous", {3, 4}, 0, DType::F32),
      whole("conv.weight", {4, 3, 2, 2}, 1, DType::F32),
      whole("conv.channels_last", {4, 3, 2, 2}, 2, DType::F32),
      whole("transposed", {5, 3}, 3, DType::F32),
      whole("half", {2, 3}, 4, DType::F16),
      whole("double", {2, 3}, 5, DType::F64),
      whole("long", {7}, 6, DType::I64),
      whole("scalar", {}, 7, DType::I64),
      whole("byte", {5}, 8, DType::U8),
      whole("shared.whole", {4, 6}, 9, DType::F32),
      {"shared.rows", {2, 6}, DType::F32, {}},
      {"shared.columns", {4, 3}, DType::F32, {}},
      whole("parameter", {3}, 10, DType::F32),
      {"empty", {0, 3}, DType::F32, {}},
  };
  const std::vector<double> shared = formula({4, 6}, 9, DType::F32);
  for (std::size_t row = 0; row < 4; ++row) {
    for (std::size_t column = 0; column < 6; ++column) {
      const double value = shared[row * 6 + column];
      if (row >= 1 && row < 3) all[10].values.push_back(value);
      if (column >= 2 && column < 5) all[11].values.push_back(value);
    }
  }
  if (with_new_types) {
    all.push_back(whole("bfloat16", {3, 3}, 11, DType::BF16));
    Expected expanded{"expanded", {3, 4}, DType::F32, {}};
    for (const double value : formula({3, 1}, 12, DType::F32)) {
      expanded.values.insert(expanded.values.end(), 4, value);
    }
    all.push_back(expanded);
  }
  return all;
}

void expect_tensors(const nn::StateDict& found, const std::vector<Expected>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  for (const Expected& e : expected) {
    const Tensor* tensor = found.find(e.name);
    ASSERT_NE(tensor, nullptr) << e.name;
    EXPECT_EQ(tensor->shape(), e.shape) << e.name << " " << tensor->shape().to_string();
    EXPECT_EQ(tensor->dtype(), e.dtype) << e.name;
    EXPECT_EQ(logical_values(*tensor), e.values) << e.name;
  }
}

struct FileCase {
  const char* name;
  const char* format;
  bool new_types;
};
class CommittedFile : public testing::TestWithParam<FileCase> {};

TEST_P(CommittedFile, HoldsTheFormulasValues) {
  const WeightFile file = load(committed(GetParam().name));
  EXPECT_EQ(file.format, GetParam().format);
  EXPECT_THAT(file.notes, testing::IsEmpty());
  expect_tensors(file.tensors, expected_tensors(GetParam().new_types));
}

INSTANTIATE_TEST_SUITE_P(Pth, CommittedFile,
                         testing::Values(FileCase{"zip.pth", "pth-zip", true},
                                         FileCase{"legacy.pth", "pth-legacy", true},
                                         FileCase{"zip_1_6.pth", "pth-zip", false},
                                         FileCase{"legacy_1_0.pth", "pth-legacy", false},
                                         FileCase{"legacy_python2.pth", "pth-legacy", false},
                                         FileCase{"safetensors.safetensors", "safetensors", true}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           return name.substr(0, name.find('.'));
                         });

TEST(Pth, KeepsTheOrderOfTheStateDict) {
  const WeightFile file = load(committed("zip.pth"));
  std::vector<std::string> names, expected;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  for (const Expected& e : expected_tensors(/*with_new_types=*/true)) expected.emplace_back(e.name);
  EXPECT_EQ(names, expected);
}

TEST(Pth, ReadsTheTarLayout) {
  const WeightFile file = load(committed("tar.pth"));
  EXPECT_EQ(file.format, "pth-tar");
  std::vector<Expected> expected;
  for (const Expected& e : expected_tensors(/*with_new_types=*/true)) {
    const std::string name = e.name;
    if (name == "contiguous" || name == "conv.weight" || name == "double" || name == "long" ||
        name == "byte") {
      expected.push_back(e);
    }
  }
  expect_tensors(file.tensors, expected);
}

TEST(Pth, TakesTheStateDictOutOfACheckpointAndRemovesDataParallelsPrefix) {
  const WeightFile file = load(committed("checkpoint.pth"));
  const std::vector<std::string> names = {"conv.weight",
                                          "conv.bias",
                                          "bn.weight",
                                          "bn.bias",
                                          "bn.running_mean",
                                          "bn.running_var",
                                          "bn.num_batches_tracked"};
  std::vector<std::string> found;
  int t = 0;
  for (const auto& [name, tensor] : file.tensors) {
    found.push_back(name);
    EXPECT_EQ(logical_values(tensor), formula(tensor.shape(), t++, tensor.dtype())) << name;
  }
  EXPECT_EQ(found, names);
  ASSERT_EQ(file.notes.size(), 2u);
  EXPECT_THAT(file.notes[0], HasSubstr("[state_dict] of a checkpoint with the keys 'epoch'"));
  EXPECT_THAT(file.notes[1], HasSubstr("'module.' was removed from 7 names"));
}

TEST(Pth, BorrowsTheFileWhereElementsLieAsHanokWantsThem) {
  const WeightFile file = load(committed("zip.pth"));
  for (const char* name : {"contiguous", "double", "long", "conv.channels_last", "shared.rows"}) {
    EXPECT_TRUE(file.tensors.at(name).storage()->read_only()) << name;
  }
  for (const char* name : {"conv.weight", "transposed", "shared.columns", "expanded"}) {
    EXPECT_FALSE(file.tensors.at(name).storage()->read_only()) << name;
  }
}

TEST(Pth, RefusesCodeByName) {
  expect_format_error(committed("evil_system.pth"), {"data.pkl", "rejected", "'posix.system'"});
  expect_format_error(committed("evil_eval.pth"), {"data.pkl", "rejected", "'__builtin__.eval'"});
}

TEST(Pth, RefusesDamagedLegacyFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / "file.pth";
  const std::string whole = read_file(committed("legacy.pth"));
  const auto expect = [&](const std::string& content, const std::vector<std::string>& parts) {
    write_file(path, content);
    expect_format_error(path, parts);
  };
  expect(whole + "x", {"1 bytes after its last storage"});
  expect(whole.substr(0, whole.size() - 1), {"storage '", "truncated"});
  expect(whole.substr(0, whole.size() / 4), {"at byte ", "the pickle is truncated"});
  std::string other = whole;
  other[4] = static_cast<char>(other[4] ^ 1);
  expect(other, {"not written by torch.save"});
  const std::string version = "M\xE9\x03.";
  other = whole;
  other.replace(other.find(version), 3, "M\xEA\x03");
  expect(other, {"protocol version 1002, only 1001"});
  const std::string order = "little_endian";
  other = whole;
  const std::size_t flag = other.find('\x88', other.find(order));
  other[flag] = '\x89';
  expect(other, {"big-endian"});
}

TEST(Pth, RefusesDamagedTarFiles) {
  const TemporaryFolder folder;
  const std::string path = folder / "file.pth";
  const std::string whole = read_file(committed("tar.pth"));
  const auto expect = [&](const std::string& content, const std::vector<std::string>& parts) {
    write_file(path, content);
    expect_format_error(path, parts);
  };
  std::string other = whole;
  other[126] = '7';  // a digit of the first member's size
  expect(other, {"the tar header of 'storages' has a wrong checksum"});
  expect(whole.substr(0, 600), {"member 'storages'", "is truncated"});
  const std::size_t second = whole.find(std::string("tensors\0", 8));
  expect(whole.substr(0, second), {"without the member 'tensors'"});
}

TEST(Pth, ConvertsHalfTypesToF32OnRequest) {
  const nn::StateDict tensors = with_f32_values(load(committed("zip.pth")).tensors);
  for (const char* name : {"half", "bfloat16", "double"}) {
    EXPECT_EQ(tensors.at(name).dtype(), DType::F32) << name;
  }
  EXPECT_EQ(logical_values(tensors.at("half")), formula({2, 3}, 4, DType::F32));
  EXPECT_EQ(tensors.at("long").dtype(), DType::I64);
  EXPECT_EQ(tensors.at("byte").dtype(), DType::U8);
}

TEST(Load, SaysWhatAFileIsNot) {
  const TemporaryFolder folder;
  const auto expect = [&](const std::string& content, const std::string& part) {
    write_file(folder / "file", content);
    expect_format_error(folder / "file", {"neither a safetensors nor a PyTorch file", part});
  };
  expect("", "empty");
  expect("<!DOCTYPE html>", "web page");
  expect("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
  expect("\x89PNG\r\n\x1a\n", "\\x0d\\x0a");
  EXPECT_THROW(load(folder / "absent"), IoError);
  EXPECT_THROW(load(folder.path().string()), IoError);
}

}  // namespace
}  // namespace hanok::weights::test
