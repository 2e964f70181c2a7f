// Files made to take all memory or time, or to be read elsewhere: a few kilobytes that claim,
// repeat or nest a lot. Each is refused or read within the limits of tests/support/bounded.h.
#include <functional>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "hanok/weights/zip_reader.h"
#include "tests/fuzz/archives.h"
#include "tests/fuzz/pickle_writer.h"
#include "tests/support/bounded.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using fuzz::pickle_global;
using fuzz::pickle_number;
using fuzz::pickle_tensor;
using fuzz::pickle_text;
using hanok::test::expect_bounded;
using testing::HasSubstr;

constexpr const char* kStart = "\x80\x02";

std::string repeated(const std::string& text, int count) {
  std::string result;
  result.reserve(text.size() * static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

class HostileWeights : public testing::Test {
 protected:
  /// As a .pth file with a storage "0" of four floats.
  void write(const std::string& pickle) {
    write_file(path_, fuzz::zip_of(
                          {{"a/data.pkl", kStart + pickle}, {"a/data/0", std::string(16, '\0')}}));
  }
  WeightFile read() {
    WeightFile file;
    expect_bounded([&] { file = load(path_); });
    return file;
  }
  void expect_refused(const std::string& part) {
    expect_bounded([&] { expect_format_error(path_, {part}); });
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "hostile.pth";
  const std::string tensor_ = pickle_tensor("FloatStorage", "0", 4);
};

// A list that holds the same list twice, which holds the same list twice, ... : 2^100000 items to
// whoever follows every reference.
TEST_F(HostileWeights, SharedListsAreVisitedOnce) {
  write("}" + pickle_text("w") + tensor_ + "s" + pickle_text("x") + "]" +
        repeated("q\x01"
                 "0](h\x01h\x01"
                 "e",
                 100'000) +
        "s.");
  EXPECT_TRUE(read().tensors.contains("w"));
}

TEST_F(HostileWeights, NestedAHundredThousandDeep) {
  write("}" + pickle_text("w") + tensor_ + "s" + pickle_text("x") + repeated("]", 100'000) +
        repeated("a", 99'999) + "s.");
  EXPECT_TRUE(read().tensors.contains("w"));
  // Dictionaries under the same key, each of which may be the state_dict.
  const std::string key = pickle_text("model") +
                          "q\x01"
                          "0";
  write(key + repeated("}h\x01", 100'000) + tensor_ + repeated("s", 100'000) + ".");
  expect_refused("contains no state_dict");
}

TEST_F(HostileWeights, ALongNameOfAGlobalIsNotCopiedAgainAndAgain) {
  const std::string name(400'000, 'x');
  write(pickle_text(name) + "q\x01" +
        repeated("h\x01h\x01\x93"
                 "0",
                 100'000) +
        ".");
  expect_refused("names a global of more than 500 bytes");
  write(pickle_global("torch", name + "Storage") + ".");
  expect_refused("names a global of more than 500 bytes");
}

TEST_F(HostileWeights, ALongKeyOfAStorageIsNotCopiedAgainAndAgain) {
  const std::string id = "(" + pickle_text("storage") + pickle_global("torch", "FloatStorage") +
                         pickle_text(std::string(400'000, 'x')) + pickle_text("cpu") +
                         pickle_number(4) + "t";
  write(id + "q\x01" +
        repeated("Qh\x01"
                 "0h\x01",
                 100'000) +
        ".");
  expect_refused("items as arguments");
}

TEST_F(HostileWeights, ALongNameOfATensorIsNotCopiedAgainAndAgain) {
  write("}" + pickle_text(repeated("module.", 50'000) + "w") + tensor_ + "s.");
  expect_refused("at most 1000 are allowed");
  const std::string header = R"({")" + repeated("module.", 50'000) +
                             R"(":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})";
  write_file(path_, little_endian(header.size(), 8) + header + std::string(4, '\0'));
  expect_refused("at most 1000 are allowed");
}

TEST_F(HostileWeights, ManyDictionariesOfTensors) {
  const std::string key(200, 'k');
  std::string pickle;
  for (int depth = 0; depth < 6; ++depth) pickle += "}" + pickle_text(key + std::to_string(depth));
  pickle += "]" + tensor_ +
            "q\x01"
            "0" +
            pickle_text("w") +
            "q\x02"
            "0";
  pickle += repeated("}h\x02h\x01sa", 90'000);
  write(pickle + repeated("s", 6) + ".");
  expect_refused("more than 10000 dictionaries of tensors");
}

TEST_F(HostileWeights, ACounterInAStorageOfUnknownElementsIsLeftOut) {
  const std::string counter = pickle_tensor("unknown.IntStorage", "0", 1);
  write("}" + pickle_text("w") + tensor_ + "s" + pickle_text("num_batches_tracked") + counter +
        "s.");
  EXPECT_EQ(read().unsupported.at("num_batches_tracked"), "torch.unknown.IntStorage");
}

TEST_F(HostileWeights, TensorsThatRepeatTheirStorageAreLimited) {
  // 2^40 elements of stride 0.
  const std::string sizes = "(" + pickle_number(1 << 20) + pickle_number(1 << 20) + "t";
  const std::string strides = "(" + pickle_number(0) + pickle_number(0) + "t";
  write("}" + pickle_text("w") + pickle_global("torch._utils", "_rebuild_tensor_v2") + "(" +
        fuzz::pickle_storage("FloatStorage", "0", 4) + pickle_number(0) + sizes + strides +
        "\x89)tRs.");
  expect_refused("times the file's");
}

TEST_F(HostileWeights, NothingIsUnpackedOntoTheDisk) {
  // Names that leave the folder are names of entries and nothing else.
  for (const char* name : {"../out/data.pkl", "/tmp/out/data.pkl"}) {
    write_file(path_,
               fuzz::zip_of({{name, kStart + ("}" + pickle_text("w") + tensor_ + "s.")},
                             {std::string(name).substr(0, std::string(name).size() - 8) + "data/0",
                              std::string(16, '\0')}}));
    EXPECT_TRUE(read().tensors.contains("w"));
  }
  write_file(path_, fuzz::tar_of({{"../storages", "x"}, {"/tensors", "x"}, {"pickle", "x"}}));
  expect_refused("without the member 'storages'");
  std::vector<std::string> there;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    there.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(there, testing::ElementsAre("hostile.pth"));
}

TEST_F(HostileWeights, AnIndexOfSeveralFilesIsNotFollowed) {
  write_file(path_, R"({"metadata":{},"weight_map":{"w":"../../etc/passwd"}})");
  expect_refused("index of weights that are divided into several files");
}

TEST_F(HostileWeights, BombsInAWheelAreRefused) {
  // 100 MB of zeros in 100 kB.
  write_file(path_,
             fuzz::zip_of({{"weights.pt", std::string(100 << 20, '\0'), /*deflated=*/true}}));
  const ZipReader zip(MappedFile::open(path_), ZipReader::Compression::Allowed);
  expect_bounded([&] {
    try {
      zip.read(*zip.find("weights.pt"));
      ADD_FAILURE();
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("more than 64 times as many"));
    }
  });
}

TEST_F(HostileWeights, DeepJson) {
  const std::string header =
      R"({"w":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  write_file(path_, little_endian(header.size(), 8) + header);
  expect_refused("an unexpected array");
}

}  // namespace
}  // namespace hanok::weights::test
