// A library to be preloaded into a program (LD_PRELOAD): it counts the program's operations on the
// files of one folder and makes one of them, or all from one on, fail or kill the process.
//
//   HANOK_FAULT_BELOW=DIR     the folder; files elsewhere are left alone
//   HANOK_FAULT=KIND:K        what happens to the K-th operation (1 is the first):
//     enospc, eio, erofs   it fails with that error; with "+" (enospc+) so do all after it
//     short                        a write takes only half of its bytes; other operations succeed
//     kill, killed                 SIGKILL before it, or right after it
//   HANOK_FAULT_COUNT=FILE    at the end the number of operations is written there
//
// Operations: opening or making a file, write, fsync, close (of what was opened for writing),
// rename, unlink, mkdir, ftruncate, posix_fallocate. One that fails does nothing, but a failing
// close closes.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr std::size_t kDescriptors = 65536;

struct Plan {
  std::string below;
  int error = 0;
  bool lasting = false, shortened = false, kill_before = false, kill_after = false;
  long operation = 0;
};

Plan read_plan() {
  Plan plan;
  const char* below = std::getenv("HANOK_FAULT_BELOW");
  if (below != nullptr) plan.below = below;
  const char* fault = std::getenv("HANOK_FAULT");
  if (fault == nullptr) return plan;
  std::string kind = fault;
  const std::size_t colon = kind.find(':');
  if (colon == std::string::npos) return plan;
  plan.operation = std::atol(kind.c_str() + colon + 1);
  kind.resize(colon);
  if (!kind.empty() && kind.back() == '+') {
    plan.lasting = true;
    kind.pop_back();
  }
  plan.error = kind == "enospc" ? ENOSPC : kind == "eio" ? EIO : kind == "erofs" ? EROFS : 0;
  plan.shortened = kind == "short";
  plan.kill_before = kind == "kill";
  plan.kill_after = kind == "killed";
  return plan;
}

const Plan& plan() {
  static const Plan kept = read_plan();
  return kept;
}

std::atomic<long> operations{0};
std::array<std::atomic<bool>, kDescriptors> written{};  // descriptors opened for writing, below

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

bool below(const char* path) {
  const std::string& folder = plan().below;
  if (folder.empty() || path == nullptr) return false;
  if (path[0] == '/') return std::strncmp(path, folder.c_str(), folder.size()) == 0;
  std::array<char, 4096> current{};
  if (::getcwd(current.data(), current.size()) == nullptr) return false;
  const std::string whole = std::string(current.data()) + "/" + path;
  return whole.compare(0, folder.size(), folder) == 0;
}

bool below(int descriptor) {
  return descriptor >= 0 && static_cast<std::size_t>(descriptor) < kDescriptors &&
         written[static_cast<std::size_t>(descriptor)];
}

void mark(int descriptor, bool is_written) {
  if (descriptor >= 0 && static_cast<std::size_t>(descriptor) < kDescriptors) {
    written[static_cast<std::size_t>(descriptor)] = is_written;
  }
}

enum class Fate { Done, Fails, Shortened };

/// Counts an operation. Fails: errno is set.
Fate begin() {
  const long number = ++operations;
  const bool hit = plan().lasting ? number >= plan().operation && plan().operation > 0
                                  : number == plan().operation;
  if (!hit) return Fate::Done;
  if (plan().kill_before) ::raise(SIGKILL);
  if (plan().error != 0) {
    errno = plan().error;
    return Fate::Fails;
  }
  return plan().shortened ? Fate::Shortened : Fate::Done;
}

template <typename T>
T end(T result) {
  if (plan().kill_after && operations == plan().operation) ::raise(SIGKILL);
  return result;
}

bool opens_for_writing(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
}

__attribute__((destructor)) void write_count() {
  const char* file = std::getenv("HANOK_FAULT_COUNT");
  if (file == nullptr) return;
  if (std::FILE* out = std::fopen(file, "w")) {
    std::fprintf(out, "%ld\n", operations.load());
    std::fclose(out);
  }
}

template <typename Open>
int open_file(const char* path, int flags, const Open& open) {
  if (!opens_for_writing(flags) || !below(path)) return open();
  if (begin() == Fate::Fails) return -1;
  const int descriptor = open();
  mark(descriptor, true);
  return end(descriptor);
}

mode_t mode_of(int flags, std::va_list arguments) {
  return (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

template <typename Call>
int simple(bool counted, const Call& call) {
  if (!counted) return call();
  return begin() == Fate::Fails ? -1 : end(call());
}

template <typename Write>
ssize_t write_bytes(int descriptor, std::size_t bytes, const Write& write) {
  if (!below(descriptor)) return write(bytes);
  const Fate fate = begin();
  if (fate == Fate::Fails) return -1;
  return end(write(fate == Fate::Shortened && bytes > 1 ? bytes / 2 : bytes));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  static const auto real = next<int (*)(const char*, int, ...)>("open");
  return open_file(path, flags, [&] { return real(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  static const auto real = next<int (*)(const char*, int, ...)>("open64");
  return open_file(path, flags, [&] { return real(path, flags, mode); });
}

int openat(int folder, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  static const auto real = next<int (*)(int, const char*, int, ...)>("openat");
  return open_file(path, flags, [&] { return real(folder, path, flags, mode); });
}

int mkstemp(char* name) {
  static const auto real = next<int (*)(char*)>("mkstemp");
  return open_file(name, O_CREAT, [&] { return real(name); });
}

int mkstemp64(char* name) {
  static const auto real = next<int (*)(char*)>("mkstemp64");
  return open_file(name, O_CREAT, [&] { return real(name); });
}

std::FILE* fopen(const char* path, const char* mode) {
  static const auto real = next<std::FILE* (*)(const char*, const char*)>("fopen");
  if (mode[0] == 'r' || !below(path)) return real(path, mode);
  return begin() == Fate::Fails ? nullptr : end(real(path, mode));
}

ssize_t write(int descriptor, const void* data, std::size_t bytes) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t)>("write");
  return write_bytes(descriptor, bytes,
                     [&](std::size_t count) { return real(descriptor, data, count); });
}

ssize_t pwrite(int descriptor, const void* data, std::size_t bytes, off_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t, off_t)>("pwrite");
  return write_bytes(descriptor, bytes,
                     [&](std::size_t count) { return real(descriptor, data, count, at); });
}

ssize_t pwrite64(int descriptor, const void* data, std::size_t bytes, off64_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t, off64_t)>("pwrite64");
  return write_bytes(descriptor, bytes,
                     [&](std::size_t count) { return real(descriptor, data, count, at); });
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  return simple(below(descriptor), [&] { return real(descriptor); });
}

int ftruncate(int descriptor, off_t length) {
  static const auto real = next<int (*)(int, off_t)>("ftruncate");
  return simple(below(descriptor), [&] { return real(descriptor, length); });
}

int posix_fallocate(int descriptor, off_t at, off_t length) {
  static const auto real = next<int (*)(int, off_t, off_t)>("posix_fallocate");
  if (!below(descriptor)) return real(descriptor, at, length);
  return begin() == Fate::Fails ? errno : end(real(descriptor, at, length));
}

int close(int descriptor) {
  static const auto real = next<int (*)(int)>("close");
  if (!below(descriptor)) return real(descriptor);
  mark(descriptor, false);
  const bool fails = begin() == Fate::Fails;
  const int error = errno;
  const int result = real(descriptor);
  if (fails) errno = error;
  return end(fails ? -1 : result);
}

int rename(const char* from, const char* to) {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return simple(below(to) || below(from), [&] { return real(from, to); });
}

int unlink(const char* path) {
  static const auto real = next<int (*)(const char*)>("unlink");
  return simple(below(path), [&] { return real(path); });
}

int remove(const char* path) {
  static const auto real = next<int (*)(const char*)>("remove");
  return simple(below(path), [&] { return real(path); });
}

int mkdir(const char* path, mode_t mode) {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return simple(below(path), [&] { return real(path, mode); });
}
}
