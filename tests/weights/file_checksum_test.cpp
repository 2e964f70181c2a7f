// The checksum of a safetensors file.
#include "hanok/weights/file_checksum.h"

#include <cstddef>
#include <gmock/gmock.h>
#include <string>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

const std::vector<float> kValues = {1, 2, 3, 4, 5, 6};

class FileChecksum : public ::testing::Test {
 protected:
  FileChecksum() {
    nn::StateDict tensors;
    tensors.insert("fc.weight", Tensor::from_vector(kValues, {2, 3}));
    save_safetensors(path_, tensors, {{"note", "\"hanok.crc32\":\"12345678\""}}, Checksum::Yes);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "w.safetensors";
};

TEST(Crc32, IsThatOfTheReferences) {
  Crc32 sum;
  sum.add("1234", 4);
  sum.add("56789", 5);
  EXPECT_EQ(sum.hex(), "cbf43926");  // the check value of CRC-32/ISO-HDLC
}

TEST_F(FileChecksum, IsKeptInTheMetadata) {
  EXPECT_NO_THROW(verify_checksum(path_));
  const WeightFile file = load(path_);
  ASSERT_EQ(file.metadata.count("hanok.crc32"), 1U);
  EXPECT_EQ(file.metadata.at("hanok.crc32").size(), 8U);
  EXPECT_EQ(file.tensors.at("fc.weight").to_vector(), kValues);
}

// Damage to the checksum's own name is not seen: it does no harm.
TEST_F(FileChecksum, FindsEverySingleDamagedBitOfWhatIsRead) {
  const std::string whole = read_file(path_);
  int unseen = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    write_file(path_, damaged);
    try {
      verify_checksum(path_);
      EXPECT_EQ(load(path_).tensors.at("fc.weight").to_vector(), kValues);
      ++unseen;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path_));
    }
  }
  EXPECT_LE(unseen, static_cast<int>(8 * kChecksumKey.size()));
}

TEST_F(FileChecksum, IsComputedAnewWhereMetadataAreCopied) {
  const WeightFile file = load(path_);
  nn::StateDict other;
  other.insert("fc.bias", Tensor::from_vector(kValues, {6}));
  save_safetensors(path_, other, file.metadata);
  EXPECT_NO_THROW(verify_checksum(path_));
  EXPECT_NE(load(path_).metadata.at("hanok.crc32"), file.metadata.at("hanok.crc32"));
}

TEST_F(FileChecksum, FilesWithoutOneAreTaken) {
  save_safetensors(path_, {}, {{"note", "none"}});
  EXPECT_NO_THROW(verify_checksum(path_));
}

}  // namespace
}  // namespace hanok::weights::test
