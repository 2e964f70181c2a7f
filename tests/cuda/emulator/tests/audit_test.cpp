// The audit parses sources and records correctly; otherwise a kernel without a test could go
// unnoticed.
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda/emulator/audit/record.h"

namespace hanok::emulator::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class Audit : public testing::Test {
 protected:
  Audit() : folder_(testing::TempDir() + "/audit-" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~Audit() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(Audit, FindsKernels) {
  write(
      "a.cu",
      "// __global__ void no(int);\n"
      "__global__ void plain_kernel(int n) {}\n"
      "template <int N>\n__global__ void\n__launch_bounds__(N * (2 + 1), 2) bounded(float* x) {}\n"
      "__global__ static void fixed() {}\n");
  write("b.h", "template <typename T> __global__ void shared_one(T* x) {}\n");
  EXPECT_THAT(kernels_in(folder_),
              ElementsAre("a.cu:bounded", "a.cu:fixed", "a.cu:plain_kernel", "b.h:shared_one"));
}

TEST_F(Audit, RefusesAKernelThatItDoesNotUnderstand) {
  write("a.cu", "__global__ auto odd(int n) -> void {}\n");
  EXPECT_THROW(kernels_in(folder_), std::runtime_error);
}

TEST_F(Audit, FindsBarriers) {
  write("a.cu",
        "/* __syncthreads(); */\n  __syncthreads();\n if (__syncthreads_or(x)) y();\n"
        "__shfl_sync(m, v, 0);\n  __syncwarp(mask);  // __syncwarp();\n");
  EXPECT_THAT(barriers_in(folder_),
              ElementsAre(Pair("a.cu:2", "__syncthreads();"),
                          Pair("a.cu:3", "if (__syncthreads_or(x)) y();"),
                          Pair("a.cu:5", testing::HasSubstr("__syncwarp(mask);"))));
}

TEST_F(Audit, LeavesOutWhatOlderProgramsWrote) {
  const std::string program = write("program", "x");
  const auto time = std::filesystem::last_write_time(program).time_since_epoch().count();
  const std::string record =
      write("record", "process 12 0.5 Old.Test " + program + "\nkernel a.cu:old 1\n" + "process " +
                          std::to_string(time) + " 0.25 New.Test/1 " + program +
                          "\nkernel a.cu:k 3\nbarrier a.cu:7 __syncthreads 9\n");
  for (int repeat = 0; repeat < 2; ++repeat) {  // reading rewrites the file
    const std::vector<Process> processes = read_record(record);
    ASSERT_EQ(processes.size(), 1U);
    EXPECT_EQ(processes[0].program, program);
    EXPECT_EQ(processes[0].filter, "New.Test/1");
    EXPECT_EQ(processes[0].seconds, 0.25);
    EXPECT_THAT(processes[0].kernels, ElementsAre(Pair("a.cu:k", 3U)));
    EXPECT_THAT(processes[0].barriers, ElementsAre(Pair("a.cu:7", "__syncthreads")));
  }
  EXPECT_THROW(read_record(folder_ + "/nothing"), std::runtime_error);
}

}  // namespace
}  // namespace hanok::emulator::audit
