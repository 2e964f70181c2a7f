#include "hanok/engine/ranks/mpi_transport.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "hanok/engine/communicator.h"
#include "hanok/engine/ranks/mpi/mpi_table.h"

namespace hanok::ranks {
namespace {

constexpr const char* kFile = "libhanok_mpi.so";

std::vector<std::string> places() {
  if (const char* named = std::getenv("HANOK_MPI_LIBRARY")) return {named};
  std::vector<std::string> files;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const std::filesystem::path folder = program.parent_path();
    for (const char* relative : {"../lib/", "", HANOK_LIBDIR_FROM_BINDIR "/"}) {
      files.push_back((folder / relative / kFile).string());
    }
  }
  files.emplace_back(kFile);
  return files;
}

const hanok_mpi_table& open_table() {
  std::string found_wrong;
  for (const std::string& file : places()) {
    dlerror();
    // MPI implementations load parts of their own, which look for MPI's symbols in the process.
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) {
      const char* text = dlerror();
      const std::string message = text != nullptr ? text : "";
      if (message.find("No such file") == std::string::npos) found_wrong += "; " + message;
      continue;
    }
    const auto entry = reinterpret_cast<hanok_mpi_entry>(dlsym(library, HANOK_MPI_ENTRY));
    const hanok_mpi_table* table = entry != nullptr ? entry(kChannels) : nullptr;
    if (table != nullptr && table->version == HANOK_MPI_VERSION) return *table;
    found_wrong += "; " + file + " belongs to another version of hanok";
  }
  throw Error(std::string("several ranks were started, and ") + kFile +
              ", which connects them by MPI, is not there" + found_wrong +
              ". It is built where MPI is installed (Debian: libopenmpi-dev); HANOK_MPI_LIBRARY "
              "names another place of it");
}

class MpiTransport final : public Transport {
 public:
  MpiTransport() : table_(open_table()) {
    char error[HANOK_MPI_TEXT] = "";
    if (table_.begin(&rank_, &size_, error) != 0) throw CommunicationError(error);
  }
  ~MpiTransport() override { table_.end(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  Transfer start_send(const void* data, std::size_t bytes, int to, Channel channel) override {
    Transfer transfer = 0;
    char error[HANOK_MPI_TEXT] = "";
    check(table_.start_send(data, static_cast<int>(bytes), to, static_cast<int>(channel), &transfer,
                            error),
          to, error);
    return transfer;
  }
  Transfer start_receive(void* data, std::size_t bytes, int from, Channel channel) override {
    Transfer transfer = 0;
    char error[HANOK_MPI_TEXT] = "";
    check(table_.start_receive(data, static_cast<int>(bytes), from, static_cast<int>(channel),
                               &transfer, error),
          from, error);
    return transfer;
  }
  bool finished(Transfer& transfer) override {
    if (transfer == 0) return true;
    int done = 0;
    char error[HANOK_MPI_TEXT] = "";
    check(table_.finished(transfer, &done, error), -1, error);
    if (done != 0) transfer = 0;
    return done != 0;
  }
  [[noreturn]] void end_all(int exit_code) override {
    table_.end_all(exit_code);
    std::_Exit(exit_code);  // some implementations return
  }

 private:
  static void check(int failed, int other, const char* error) {
    if (failed == 0) return;
    throw CommunicationError(
        "MPI: " + (other >= 0 ? "rank " + std::to_string(other) + ": " : std::string()) + error);
  }

  const hanok_mpi_table& table_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::unique_ptr<Transport> open_mpi_transport() { return std::make_unique<MpiTransport>(); }

}  // namespace hanok::ranks
