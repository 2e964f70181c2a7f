// What libFuzzer calls: fuzz TARGET [libFuzzer's options] [corpus folders]. The target is kept in
// the environment for the processes that libFuzzer starts (-merge=1, -fork).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/targets.h"

namespace {

constexpr const char* kVariable = "HANOK_FUZZ_TARGET";
const hanok::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc > 1 && hanok::fuzz::find_target((*argv)[1]) != nullptr) {
    setenv(kVariable, (*argv)[1], /*overwrite=*/1);
    for (int i = 1; i < *argc; ++i) (*argv)[i] = (*argv)[i + 1];  // the last one is null
    --*argc;
  }
  const char* name = std::getenv(kVariable);
  if (name != nullptr) chosen = hanok::fuzz::find_target(name);
  if (chosen == nullptr) {
    std::fprintf(stderr, "usage: fuzz TARGET [options of libFuzzer] [folders]\ntargets:");
    for (const auto& target : hanok::fuzz::targets()) std::fprintf(stderr, " %s", target.name);
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({data, size});
  return 0;
}
