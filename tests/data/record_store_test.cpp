#include "hanok/data/record_store.h"

#include <cstring>
#include <filesystem>
#include <gmock/gmock.h>
#include <vector>

#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using testing::HasSubstr;

std::vector<std::uint8_t> record(int i) {
  return {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(2 * i), 255};
}

void expect_record(const RecordStore& store, std::int64_t key, int i) {
  ASSERT_TRUE(store.holds(key));
  EXPECT_EQ(std::memcmp(store.get(key), record(i).data(), 3), 0) << key;
}

TEST(RecordStore, KeepsRecordsInMemoryAndFile) {
  const test::TempFolder folder;
  // Space for ten records, four of them in memory.
  RecordStore store({.keys = 100,
                     .capacity = 10,
                     .bytes = 3,
                     .budget = 4 * 3 + 2,
                     .folder = folder.path(),
                     .tag = "records"});
  EXPECT_EQ(store.memory_bytes(), 12U);
  EXPECT_EQ(store.file_bytes(), 18U);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));  // the file has no name
  for (int i = 0; i < 12; ++i) store.put(7 * i, record(i).data());
  for (int i = 0; i < 10; ++i) expect_record(store, 7 * i, i);
  EXPECT_FALSE(store.holds(70));
  EXPECT_FALSE(store.holds(1));
  store.put(7, record(9).data());
  expect_record(store, 7, 1);  // the first value is kept
}

TEST(RecordStore, WithoutAFolderKeepsWhatTheBudgetHolds) {
  RecordStore store(
      {.keys = 5, .capacity = 5, .bytes = 3, .budget = 6, .folder = "", .tag = "records"});
  EXPECT_EQ(store.file_bytes(), 0U);
  for (int i = 0; i < 5; ++i) store.put(4 - i, record(i).data());
  expect_record(store, 4, 0);
  expect_record(store, 3, 1);
  EXPECT_FALSE(store.holds(2));
}

TEST(RecordStore, TellsWhenTheDiskHasNoRoom) {
  const test::TempFolder folder;
  EXPECT_THAT(message_of<IoError>([&] {
                RecordStore({.keys = 1,
                             .capacity = std::int64_t{1} << 40,
                             .bytes = 1 << 10,
                             .folder = folder.path(),
                             .tag = "pictures"});
              }),
              HasSubstr("bytes for pictures"));
  EXPECT_THROW(RecordStore({.keys = 1,
                            .capacity = 10,
                            .bytes = 3,
                            .folder = folder.path() + "/absent",
                            .tag = "records"}),
               IoError);
}

}  // namespace
}  // namespace hanok::data
