#include "hanok/apps/run/fnv_hash.h"

#include <gtest/gtest.h>

namespace hanok::training {
namespace {

TEST(FnvHash, GivesThePublishedValues) {
  FnvHash hash;
  EXPECT_EQ(hash.hex(), "cbf29ce484222325");
  hash.add("foobar");
  EXPECT_EQ(hash.value(), 0x85944171F73967E8U);
}

TEST(FnvHash, PartsAddUpToTheWhole) {
  FnvHash whole, parts;
  whole.add("foobar");
  parts.add("foo");
  parts.add("bar");
  EXPECT_EQ(whole.hex(), parts.hex());
}

}  // namespace
}  // namespace hanok::training
