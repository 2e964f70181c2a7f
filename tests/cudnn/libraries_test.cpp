// Libraries loaded at run time: messages for missing ones, and the table of cuBLAS functions
// compared with its header, if that is installed.

#include <cstdlib>
#include <gtest/gtest.h>

#include "hanok/kernels/cuda/libraries/cublas.h"
#include "hanok/kernels/cuda/libraries/dynamic_library.h"

#if __has_include(<cublas_v2.h>)
#include <cublas_v2.h>
#define HANOK_TEST_CUBLAS_HEADER 1
#endif

namespace hanok::cuda {
namespace {

TEST(OpenLibrary, SaysWhatIsMissingWhatIsNeededAndHowToGetIt) {
  std::string missing;
  EXPECT_EQ(open_library({"cuNothing",
                          {"libcunothing.so.7"},
                          "cuNothing 7 or newer",
                          "it comes with `apt-get install cunothing`"},
                         &missing),
            nullptr);
  EXPECT_EQ(missing,
            "cuNothing: libcunothing.so.7 was not found; needed: cuNothing 7 or newer; it comes "
            "with `apt-get install cunothing`; or set HANOK_CUDA_LIBRARIES to its folder");
}

TEST(OpenLibrary, SaysWhyAFileThatIsThereCannotBeLoaded) {
  const std::string folder = testing::TempDir();
  std::string missing;
  FILE* file = std::fopen((folder + "/libcubroken.so.1").c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("not a library, but long enough to be read as one: its header is all wrong ", file);
  std::fclose(file);
  setenv("HANOK_CUDA_LIBRARIES", folder.c_str(), 1);
  EXPECT_EQ(open_library({"cuBroken", {"libcubroken.so.1"}, "any", "get it"}, &missing), nullptr);
  unsetenv("HANOK_CUDA_LIBRARIES");
  EXPECT_NE(missing.find("cuBroken: it cannot be loaded ("), std::string::npos) << missing;
  EXPECT_NE(missing.find("libcubroken.so.1"), std::string::npos) << missing;
}

TEST(OpenLibrary, FindsOneOfTheSystemAndItsFunctions) {
  std::string missing;
  void* library = open_library({"libm", {"libm.so.6"}, "", ""}, &missing);
  ASSERT_NE(library, nullptr) << missing;
  EXPECT_NE(find_function(library, "cos"), nullptr);
  EXPECT_EQ(find_function(library, "no_such_function"), nullptr);
}

TEST(Cublas, TableIsFilledWhereTheLibraryIsHere) {
  std::string missing;
  const CublasFunctions* functions = open_cublas(&missing);
  if (functions == nullptr) {
    EXPECT_NE(missing.find("cuBLAS"), std::string::npos) << missing;
    EXPECT_EQ(cublas_version(), "");
    GTEST_SKIP() << missing;
  }
  EXPECT_NE(functions->gemm_strided_batched, nullptr);
  EXPECT_STREQ(functions->status_name(kCublasAllocFailed), "CUBLAS_STATUS_ALLOC_FAILED");
  EXPECT_EQ(cublas_version().rfind(std::to_string(CUDART_VERSION / 1000) + ".", 0), 0U)
      << cublas_version();
}

#ifdef HANOK_TEST_CUBLAS_HEADER
// A C enum has int's size, so functions differ only in the names of their types.
template <typename T>
struct AsInt {
  using type = std::conditional_t<std::is_enum_v<T>, int, T>;
};
template <typename T>
struct Plain;
template <typename Result, typename... Arguments>
struct Plain<Result (*)(Arguments...)> {
  using type = typename AsInt<Result>::type (*)(typename AsInt<Arguments>::type...);
};
template <typename Theirs, typename Ours>
constexpr bool same_call = std::is_same_v<typename Plain<Theirs>::type, Ours>;

TEST(Cublas, TableAgreesWithTheHeader) {
  static_assert(same_call<decltype(&cublasGemmStridedBatchedEx_64),
                          decltype(CublasFunctions::gemm_strided_batched)>);
  static_assert(same_call<decltype(&cublasSetStream_v2), decltype(CublasFunctions::set_stream)>);
  static_assert(same_call<decltype(&cublasSetMathMode), decltype(CublasFunctions::set_math_mode)>);
  static_assert(
      same_call<decltype(&cublasSetWorkspace_v2), decltype(CublasFunctions::set_workspace)>);
  static_assert(same_call<decltype(&cublasCreate_v2), decltype(CublasFunctions::create)>);
  static_assert(same_call<decltype(&cublasDestroy_v2), decltype(CublasFunctions::destroy)>);
  static_assert(same_call<decltype(&cublasGetStatusName), decltype(CublasFunctions::status_name)>);
  EXPECT_EQ(kCublasOpN, CUBLAS_OP_N);
  EXPECT_EQ(kCublasOpT, CUBLAS_OP_T);
  EXPECT_EQ(kCudaR32F, CUDA_R_32F);
  EXPECT_EQ(kCudaR16F, CUDA_R_16F);
  EXPECT_EQ(kCudaR16BF, CUDA_R_16BF);
  EXPECT_EQ(kCublasCompute32F, CUBLAS_COMPUTE_32F);
  EXPECT_EQ(kCublasCompute32FPedantic, CUBLAS_COMPUTE_32F_PEDANTIC);
  EXPECT_EQ(kCublasCompute32FFastTF32, CUBLAS_COMPUTE_32F_FAST_TF32);
  EXPECT_EQ(kCublasGemmDefault, CUBLAS_GEMM_DEFAULT);
  EXPECT_EQ(kCublasNoReducedPrecisionReduction, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  EXPECT_EQ(kCublasAllocFailed, CUBLAS_STATUS_ALLOC_FAILED);
}
#endif

}  // namespace
}  // namespace hanok::cuda
