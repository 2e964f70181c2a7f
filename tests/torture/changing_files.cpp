// A library to be preloaded into a program (LD_PRELOAD): files that it reads vanish, are cut off or
// come slowly, and the clock of the day jumps.
//
//   HANOK_READS_BELOW=DIR    the folder; files elsewhere are left alone
//   HANOK_READS=KIND:K       what happens to the K-th file that is opened for reading:
//     vanish   it is not there any more
//     cut      it ends after half of its bytes, as one that is just being written again
//     slow     this and every later one takes K milliseconds to open
//   HANOK_READS_COUNT=FILE   at the end the number of opened files is written there
//   HANOK_CLOCK_JUMPS=SEED   every look at the clock of the day finds another year of 1990 to 2060
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <string>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

constexpr std::size_t kDescriptors = 65536;

struct Plan {
  std::string below, kind;
  long number = 0;
};

Plan read_plan() {
  Plan plan;
  const char* below = std::getenv("HANOK_READS_BELOW");
  const char* reads = std::getenv("HANOK_READS");
  if (below != nullptr) plan.below = below;
  if (reads == nullptr) return plan;
  const std::string text = reads;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return plan;
  plan.kind = text.substr(0, colon);
  plan.number = std::atol(text.c_str() + colon + 1);
  return plan;
}

const Plan& plan() {
  static const Plan kept = read_plan();
  return kept;
}

std::atomic<long> opened{0};
std::array<std::atomic<long>, kDescriptors> bytes_left{};  // 0: not limited; else one more

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

__attribute__((destructor)) void write_count() {
  const char* path = std::getenv("HANOK_READS_COUNT");
  if (path == nullptr) return;
  if (std::FILE* out = std::fopen(path, "w")) {
    std::fprintf(out, "%ld\n", opened.load());
    std::fclose(out);
  }
}

void cut(std::FILE* file) {
  const int descriptor = ::fileno(file);
  struct stat status {};
  if (descriptor < 0 || static_cast<std::size_t>(descriptor) >= kDescriptors ||
      ::fstat(descriptor, &status) != 0) {
    return;
  }
  bytes_left[static_cast<std::size_t>(descriptor)] = status.st_size / 2 + 1;
}

template <typename Open>
std::FILE* open_file(const char* path, const char* mode, const Open& open) {
  const std::string& below = plan().below;
  if (mode[0] != 'r' || below.empty() || std::strncmp(path, below.c_str(), below.size()) != 0) {
    return open();
  }
  const long number = ++opened;
  if (plan().kind == "slow") ::usleep(static_cast<useconds_t>(plan().number * 1000));
  if (number != plan().number) return open();
  if (plan().kind == "vanish") {
    errno = ENOENT;
    return nullptr;
  }
  std::FILE* file = open();
  if (file != nullptr && plan().kind == "cut") cut(file);
  return file;
}

/// Of the clock of the day, in seconds, beside the true one.
long jump() {
  static const char* seed = std::getenv("HANOK_CLOCK_JUMPS");
  if (seed == nullptr) return 0;
  static std::atomic<unsigned long> state{std::strtoul(seed, nullptr, 10)};
  constexpr unsigned long kFactor = 6364136223846793005UL;  // of Knuth's MMIX generator
  constexpr unsigned long kStep = 1442695040888963407UL;
  const unsigned long drawn = (state = state * kFactor + kStep) >> 33;
  constexpr long kYear = 31556952;
  return (static_cast<long>(drawn % 70) - 36) * kYear;
}

}  // namespace

extern "C" {

std::FILE* fopen(const char* path, const char* mode) {
  static const auto real = next<std::FILE* (*)(const char*, const char*)>("fopen");
  return open_file(path, mode, [&] { return real(path, mode); });
}

std::FILE* fopen64(const char* path, const char* mode) {
  static const auto real = next<std::FILE* (*)(const char*, const char*)>("fopen64");
  return open_file(path, mode, [&] { return real(path, mode); });
}

ssize_t read(int descriptor, void* data, std::size_t bytes) {
  static const auto real = next<ssize_t (*)(int, void*, std::size_t)>("read");
  if (descriptor < 0 || static_cast<std::size_t>(descriptor) >= kDescriptors) {
    return real(descriptor, data, bytes);
  }
  std::atomic<long>& left = bytes_left[static_cast<std::size_t>(descriptor)];
  if (left == 0) return real(descriptor, data, bytes);
  const ssize_t found = real(descriptor, data, std::min<std::size_t>(bytes, left - 1));
  if (found > 0) left -= found;
  return found;
}

int fclose(std::FILE* file) {
  static const auto real = next<int (*)(std::FILE*)>("fclose");
  const int descriptor = ::fileno(file);
  if (descriptor >= 0 && static_cast<std::size_t>(descriptor) < kDescriptors) {
    bytes_left[static_cast<std::size_t>(descriptor)] = 0;
  }
  return real(file);
}

int clock_gettime(clockid_t clock, timespec* time) {
  static const auto real = next<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, time);
  if (clock == CLOCK_REALTIME && result == 0) time->tv_sec += jump();
  return result;
}

time_t time(time_t* result) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* result, void* /*zone*/) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return 0;
}
}
