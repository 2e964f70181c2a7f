#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/libraries/cudnn_plans.h"

namespace hanok::cuda {
namespace {

namespace fs = std::filesystem;

class StoredPlans : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/plans-" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string only_file() const { return fs::directory_iterator(folder_)->path().string(); }

  std::string folder_;
  StoredPlan plan_{"forward n1", "some GPU, sm_90", "9.19.0", true, "eng7_k2=1", 4096, "{\"a\":1}"};
};

TEST_F(StoredPlans, ComeBackAsTheyWere) {
  write_plan(folder_, plan_);
  const auto read = read_plan(folder_, plan_.problem, plan_.device, plan_.cudnn, /*tuned=*/true);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->engine, plan_.engine);
  EXPECT_EQ(read->workspace_bytes, plan_.workspace_bytes);
  EXPECT_EQ(read->tuned, plan_.tuned);
  EXPECT_EQ(read->plan, plan_.plan);
}

TEST_F(StoredPlans, AreReplacedWhole) {
  write_plan(folder_, plan_);
  plan_.engine = "eng8";
  write_plan(folder_, plan_);
  EXPECT_EQ(read_plan(folder_, plan_.problem, plan_.device, plan_.cudnn, /*tuned=*/true)->engine,
            "eng8");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(StoredPlans, AreForOneProblemDeviceAndVersion) {
  write_plan(folder_, plan_);
  EXPECT_FALSE(read_plan(folder_, "forward n2", plan_.device, plan_.cudnn, /*tuned=*/true));
  EXPECT_FALSE(read_plan(folder_, plan_.problem, "other GPU, sm_80", plan_.cudnn, /*tuned=*/true));
  EXPECT_FALSE(read_plan(folder_, plan_.problem, plan_.device, "9.20.0", /*tuned=*/true));
  EXPECT_FALSE(read_plan(folder_, plan_.problem, plan_.device, plan_.cudnn, /*tuned=*/false));
  EXPECT_FALSE(
      read_plan(folder_ + "/nowhere", plan_.problem, plan_.device, plan_.cudnn, /*tuned=*/true));
}

TEST_F(StoredPlans, BrokenFilesAreNamed) {
  write_plan(folder_, plan_);
  const std::string file = only_file();
  for (const char* content : {"", "{", "[]", R"({"format": 1})", R"({"format": 2})"}) {
    std::ofstream(file) << content;
    try {
      read_plan(folder_, plan_.problem, plan_.device, plan_.cudnn, /*tuned=*/true);
      FAIL() << "read: " << content;
    } catch (const FormatError& error) {
      EXPECT_EQ(std::string(error.what()).rfind(file, 0), 0U) << error.what();
    }
  }
}

TEST_F(StoredPlans, AFolderThatCannotBeMadeIsAnIoError) {
  std::ofstream(folder_) << "a file in its place";
  EXPECT_THROW(write_plan(folder_, plan_), IoError);
}

}  // namespace
}  // namespace hanok::cuda
