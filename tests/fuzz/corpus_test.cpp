// Every committed file of tests/fuzz/corpus through its target: what a fault was found with stays
// here and is tried in every build.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

#include "tests/fuzz/targets.h"
#include "tests/support/paths.h"

namespace hanok::fuzz {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLongest{5};

fs::path corpus() { return fs::path(test::source_dir()) / "tests" / "fuzz" / "corpus"; }

std::vector<unsigned char> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, EveryFileIsReadOrRefusedInTime) {
  const Target& target = GetParam();
  const fs::path folder = corpus() / target.name;
  ASSERT_TRUE(fs::is_directory(folder)) << folder;
  target.run({});
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::vector<unsigned char> bytes = read(entry.path());
    const auto begin = Clock::now();
    EXPECT_NO_THROW(target.run(bytes)) << entry.path();
    EXPECT_LT(Clock::now() - begin, kLongest) << entry.path();
  }
}

INSTANTIATE_TEST_SUITE_P(All, Corpus, testing::ValuesIn(targets()),
                         [](const auto& info) { return info.param.name; });

TEST(CorpusFolders, BelongToATarget) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    if (entry.is_regular_file()) bytes += entry.file_size();
    if (!entry.is_directory()) continue;
    EXPECT_NE(find_target(entry.path().filename().string()), nullptr) << entry.path();
  }
  EXPECT_LT(bytes, 400'000u);
}

}  // namespace
}  // namespace hanok::fuzz
