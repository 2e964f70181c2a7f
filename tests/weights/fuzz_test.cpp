// Valid files with flipped bits, overwritten bytes and truncated ends: reading them gives tensors
// or a FormatError, never a crash or another exception. Reproducible: the changes come from Philox.
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/philox.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

constexpr std::uint32_t kRounds = 1500;

class Fuzz : public testing::TestWithParam<const char*> {};

/// One to four changes of one kind each.
std::string damage(std::string file, std::uint32_t round) {
  const PhiloxKey key = philox_key(1, RandomStream::Test);
  const auto kind = philox(key, {round, 0, 0, 0});
  for (std::uint32_t change = 0; change <= kind[0] % 4; ++change) {
    const auto random = philox(key, {round, change + 1, 0, 0});
    const std::size_t at = random[0] % file.size();
    switch (random[1] % 5) {
      case 0:
        file[at] = static_cast<char>(file[at] ^ (1 << (random[2] % 8)));
        break;
      case 1:
        file[at] = static_cast<char>(random[2]);
        break;
      case 2:
        file[at] = static_cast<char>(random[2] % 2 == 0 ? 0xFF : 0x00);
        break;
      case 3:  // an inserted byte shifts everything after it
        file.erase(at, 1);
        break;
      default:
        if (random[2] % 8 == 0) file.resize(at + 1);
    }
  }
  return file;
}

TEST_P(Fuzz, DamagedFilesGiveTensorsOrAFormatError) {
  const TemporaryFolder folder;
  const std::string path = folder / "damaged";
  const std::string original = read_file(committed(GetParam()));
  std::uint32_t read = 0, refused = 0;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    write_file(path, damage(original, round));
    try {
      const WeightFile file = load(path);
      for (const auto& [name, tensor] : file.tensors) logical_values(tensor);
      EXPECT_LE(file.objects.size(), 101u);
      ++read;
    } catch (const FormatError& error) {
      ASSERT_EQ(std::string(error.what()).rfind(path, 0), 0u) << error.what();
      ++refused;
    } catch (const std::exception& error) {
      FAIL() << "round " << round << ": " << error.what();
    }
  }
  EXPECT_EQ(read + refused, kRounds);
  EXPECT_GT(refused, kRounds / 10);
}

TEST_P(Fuzz, FilesCutAnywhereGiveTensorsOrAFormatError) {
  const TemporaryFolder folder;
  const std::string path = folder / "cut";
  const std::string original = read_file(committed(GetParam()));
  for (std::size_t size = 0; size < original.size(); size += 1 + size / 300) {
    write_file(path, original.substr(0, size));
    try {
      load(path);
    } catch (const FormatError&) {
      continue;
    }
    // Only a tar archive may lose its end, which is padding.
    EXPECT_NE(std::string(GetParam()).find("tar.pth"), std::string::npos) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Weights, Fuzz,
                         testing::Values("zip.pth", "legacy.pth", "tar.pth", "checkpoint.pth",
                                         "legacy_python2.pth", "safetensors.safetensors",
                                         "objects.pth", "objects_legacy.pth", "objects_tar.pth",
                                         "odd_tensors.pth", "odd_tensors_legacy.pth", "twins.pth"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace hanok::weights::test
