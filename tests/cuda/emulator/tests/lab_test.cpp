// `./dev cuda-lab` on the two transposes of its documentation, and on files with other bugs.
#include <array>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>  // popen
#include <sys/wait.h>

#include "tests/support/paths.h"

namespace hanok::emulator {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

struct Result {
  std::string output;
  int status = 0;
};
Result lab(const std::string& file) {
  const std::string command = "HANOK_LAB_DIR='" + test::binary_dir() + "/cuda-lab' CXX='" +
                              HANOK_CXX + "' '" + test::source_dir() +
                              "/tests/cuda/emulator/lab/lab.sh' '" + file + "' 2>&1";
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const std::size_t bytes = fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), bytes);
  }
  result.status = WEXITSTATUS(pclose(pipe));
  return result;
}

std::string file_of(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

TEST(Lab, ShowsWhatIsWrongWithTheBadTranspose) {
  const Result result = lab(test::source_dir() + "/docs/cuda-lab/transpose_bad.cu");
  EXPECT_EQ(result.status, 1) << result.output;
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("32-way bank conflict"), HasSubstr("8.0 times the sectors needed"),
                    ContainsRegex("race on shared memory: .*transpose_bad.cu:28"),
                    HasSubstr("transpose_bad.svg")));
  std::ifstream svg(test::binary_dir() + "/cuda-lab/transpose_bad.svg");
  std::string first;
  std::getline(svg, first);
  EXPECT_THAT(first, HasSubstr("<svg"));
}

TEST(Lab, FindsNothingInTheGoodTranspose) {
  const Result result = lab(test::source_dir() + "/docs/cuda-lab/transpose_good.cu");
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_THAT(result.output, AllOf(HasSubstr("out[1][0] = 1 (in[0][1] = 1)"),
                                   HasSubstr("0 findings"), HasSubstr("no bank conflict"),
                                   HasSubstr("coalesced"), Not(HasSubstr("times"))));
}

TEST(Lab, TakesALabFunctionTemplatesAndDynamicSharedMemory) {
  const Result result = lab(file_of("lab_function.cu", R"(
template <typename T>
__global__ void reverse(T* x, int n) {
  extern __shared__ T tile[];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = tile[n - 1 - threadIdx.x];
}
__global__ void beyond(float* x, int n) { x[threadIdx.x + 1] = n; }
void lab() {
  float* x = nullptr;
  cudaMalloc(&x, 64 * sizeof(float));
  cudaMemset(x, 0, 64 * sizeof(float));
  reverse<float><<<1, 64, 64 * sizeof(float)>>>(x, 64);
  beyond<<<dim3(1), dim3(64)>>>(x, 7);
}
)"));
  EXPECT_EQ(result.status, 1) << result.output;
  EXPECT_THAT(result.output,
              AllOf(ContainsRegex("reverse\n"), HasSubstr("1 finding\n"),
                    ContainsRegex("beyond: out of bounds: .* at lab_function.cu:9, 4 bytes beyond"),
                    HasSubstr("   9 | __global__ void beyond")));
}

TEST(Lab, TellsADivergentBarrier) {
  const Result result = lab(file_of("divergent.cu", R"(
__global__ void odd() {
  if (threadIdx.x % 2 == 1) __syncthreads();
}
int main() { odd<<<1, 64>>>(); }
)"));
  EXPECT_EQ(result.status, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr("32 threads wait in __syncthreads at divergent.cu:3"));
}

}  // namespace
}  // namespace hanok::emulator
