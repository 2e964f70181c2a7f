#include "hanok/apps/run_report/record_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hanok::run_report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(RecordFile, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(masked_crc32c("123456789"), 0xC78AB0E5U);
}

TEST(RecordFile, RecordsAreReadBack) {
  const std::string file = to_record("one") + to_record("") + to_record(std::string("\0\xFF", 2));
  EXPECT_EQ(file.size(), 3 * 16U + 5U);
  const Records found = read_records(file);
  EXPECT_THAT(found.records, ElementsAre("one", "", std::string("\0\xFF", 2)));
  EXPECT_THAT(found.problem, IsEmpty());
  EXPECT_THAT(read_records("").records, IsEmpty());
}

TEST(RecordFile, ReadsUpToWhatIsDamaged) {
  const std::string whole = to_record("first") + to_record("second");
  for (std::size_t size = to_record("first").size() + 1; size < whole.size(); ++size) {
    const Records found = read_records(whole.substr(0, size));
    EXPECT_THAT(found.records, ElementsAre("first")) << size;
    EXPECT_THAT(found.problem, HasSubstr("record 1 is truncated")) << size;
  }
  for (std::size_t i = to_record("first").size(); i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    const Records found = read_records(damaged);
    EXPECT_THAT(found.records, ElementsAre("first")) << i;
    EXPECT_THAT(found.problem, HasSubstr("record 1 has a wrong checksum")) << i;
  }
}

}  // namespace
}  // namespace hanok::run_report
