// Names of kernels and lines of instructions. Kernels are in anonymous namespaces, which dladdr
// does not see, so the program's symbol table is read; lines come from addr2line.
#include <algorithm>
#include <array>
#include <cstring>
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <memory>
#include <mutex>
#include <stdio.h>  // popen
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cuda/emulator/executor.h"

namespace hanok::emulator {
namespace {

struct Function {
  std::uintptr_t begin, end;
  const char *symbol, *file;  // the file is known only for local symbols
};

/// The program's file, mapped: only pages with symbols are read.
struct Image {
  const char* bytes = nullptr;
  std::size_t size = 0;
  Image() {
    const int file = open(program_path().c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (file >= 0 && fstat(file, &status) == 0) {
      size = static_cast<std::size_t>(status.st_size);
      void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
      if (memory != MAP_FAILED) bytes = static_cast<const char*>(memory);
    }
    if (file >= 0) close(file);
  }
};

std::vector<Function> read_functions() {
  static const auto& image = *new Image;  // kept: symbols point into it
  std::vector<Function> functions;
  if (image.bytes == nullptr || image.size < sizeof(Elf64_Ehdr)) return functions;
  Elf64_Ehdr header;
  std::memcpy(&header, image.bytes, sizeof(header));
  const auto section = [&](unsigned index) {
    Elf64_Shdr result;
    std::memcpy(&result, image.bytes + header.e_shoff + index * sizeof(result), sizeof(result));
    return result;
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr table = section(i);
    if (table.sh_type != SHT_SYMTAB) continue;
    const char* names = image.bytes + section(table.sh_link).sh_offset;
    const char* file = "";
    for (std::size_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, image.bytes + table.sh_offset + at, sizeof(symbol));
      const unsigned type = ELF64_ST_TYPE(symbol.st_info);
      if (type == STT_FILE) file = names + symbol.st_name;
      if (type != STT_FUNC || symbol.st_size == 0) continue;
      const bool local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL;
      functions.push_back({symbol.st_value, symbol.st_value + symbol.st_size,
                           names + symbol.st_name, local ? file : ""});
    }
  }
  std::sort(functions.begin(), functions.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
  return functions;
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : symbol;
}

/// "void hanok::cuda::(anonymous namespace)::sum_kernel<float>(float const*, int)" -> "sum_kernel"
std::string base_name(std::string text) {
  static const std::string anonymous = "(anonymous namespace)::";
  for (auto at = text.find(anonymous); at != std::string::npos; at = text.find(anonymous)) {
    text.erase(at, anonymous.size());
  }
  text = text.substr(0, text.find_first_of("<("));
  return text.substr(text.find_last_of(" :") + 1);
}

}  // namespace

std::string program_path() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "";
}

std::uintptr_t load_address() {
  std::uintptr_t address = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        *static_cast<std::uintptr_t*>(result) = info->dlpi_addr;
        return 1;  // the program itself comes first
      },
      &address);
  return address;
}

std::string function_name(const void* address) {
  // Never destroyed: the counters are written at exit.
  static auto& mutex = *new std::mutex;
  static auto& functions = *new std::vector<Function>;
  static auto& known = *new std::map<const void*, std::string>;
  const std::lock_guard lock(mutex);
  if (const auto it = known.find(address); it != known.end()) return it->second;
  if (functions.empty()) functions = read_functions();
  const std::uintptr_t value = reinterpret_cast<std::uintptr_t>(address) - load_address();
  auto it = std::upper_bound(functions.begin(), functions.end(), value,
                             [](std::uintptr_t v, const Function& f) { return v < f.begin; });
  std::string name = "unknown kernel";
  if (it != functions.begin() && value < (--it)->end) {
    name = base_name(demangled(it->symbol));
    const std::string file = it->file;
    if (!file.empty()) name = file.substr(file.rfind('/') + 1) + ":" + name;
  }
  return known[address] = name;
}

std::vector<std::string> lines_of(const std::vector<std::uintptr_t>& addresses) {
  static auto& known = *new std::map<std::uintptr_t, std::string>;
  std::string command = "addr2line -a -i -e '" + program_path() + "'";
  bool ask = false;
  for (const std::uintptr_t address : addresses) {
    if (known.count(address) > 0) continue;
    known[address] = "?";
    char text[32];
    snprintf(text, sizeof(text), " 0x%lx", static_cast<unsigned long>(address - load_address()));
    command += text;
    ask = true;
  }
  if (ask) {
    if (FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r"); pipe != nullptr) {
      std::array<char, 4096> buffer{};
      std::uintptr_t current = 0;
      bool inside = false;  // in one of the emulator's headers
      while (fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
        std::string line = buffer.data();
        if (line.rfind("0x", 0) == 0) {
          current = std::stoul(line, nullptr, 16) + load_address();
          inside = false;
          continue;
        }
        // Inlined calls come innermost first; code of the emulator's headers was called from a line
        // of the kernel.
        std::string& place = known[current];
        if (line.rfind("??", 0) == 0 || (place != "?" && !inside)) continue;
        inside = line.find("/emulator/include/") != std::string::npos;
        line = line.substr(line.rfind('/') + 1);
        place = line.substr(0, line.find_first_of(" \n"));
      }
      pclose(pipe);
    }
  }
  std::vector<std::string> lines;
  lines.reserve(addresses.size());
  for (const std::uintptr_t address : addresses) lines.push_back(known[address]);
  return lines;
}

}  // namespace hanok::emulator
