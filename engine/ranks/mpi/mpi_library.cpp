// libhanok_mpi: mpi_table.h over an MPI implementation.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <cstring>
#include <memory>
#include <mpi.h>
#include <mutex>
#include <string>
#include <vector>

#include "hanok/engine/ranks/mpi/mpi_table.h"

namespace {

struct State {
  std::mutex slots;                   // of the vectors of transfers
  std::vector<MPI_Request> requests;  // transfer i + 1
  std::vector<std::uint64_t> free;
  std::mutex calls;  // where MPI allows one thread at a time
  bool serial = true;
  std::vector<MPI_Comm> channels;
  std::string implementation;
};

State& state() {
  static State of_process;
  return of_process;
}

int failed(int code, char* error) {
  if (code == MPI_SUCCESS) return 0;
  char text[MPI_MAX_ERROR_STRING + 1] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  std::strncpy(error, text, HANOK_MPI_TEXT - 1);
  error[HANOK_MPI_TEXT - 1] = '\0';
  return 1;
}

std::unique_lock<std::mutex> turn() {
  std::unique_lock<std::mutex> lock(state().calls, std::defer_lock);
  if (state().serial) lock.lock();
  return lock;
}

std::uint64_t keep(MPI_Request request) {
  const std::lock_guard lock(state().slots);
  if (state().free.empty()) {
    state().requests.push_back(request);
    return state().requests.size();
  }
  const std::uint64_t transfer = state().free.back();
  state().free.pop_back();
  state().requests[transfer - 1] = request;
  return transfer;
}

int begin(int* rank, int* size, char* error) {
  int provided = MPI_THREAD_SINGLE;
  if (failed(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), error)) return 1;
  if (provided < MPI_THREAD_SERIALIZED) {
    std::strcpy(error, "this MPI does not allow calls from several threads");
    return 1;
  }
  state().serial = provided < MPI_THREAD_MULTIPLE;
  for (MPI_Comm& channel : state().channels) {
    if (failed(MPI_Comm_dup(MPI_COMM_WORLD, &channel), error)) return 1;
    MPI_Comm_set_errhandler(channel, MPI_ERRORS_RETURN);
  }
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return 0;
}

int start_send(const void* data, int bytes, int to, int channel, std::uint64_t* transfer,
               char* error) {
  MPI_Request request = MPI_REQUEST_NULL;
  {
    const auto lock = turn();
    if (failed(MPI_Isend(data, bytes, MPI_BYTE, to, 0,
                         state().channels[static_cast<std::size_t>(channel)], &request),
               error)) {
      return 1;
    }
  }
  *transfer = keep(request);
  return 0;
}

int start_receive(void* data, int bytes, int from, int channel, std::uint64_t* transfer,
                  char* error) {
  MPI_Request request = MPI_REQUEST_NULL;
  {
    const auto lock = turn();
    if (failed(MPI_Irecv(data, bytes, MPI_BYTE, from, 0,
                         state().channels[static_cast<std::size_t>(channel)], &request),
               error)) {
      return 1;
    }
  }
  *transfer = keep(request);
  return 0;
}

int finished(std::uint64_t transfer, int* done, char* error) {
  MPI_Request request = MPI_REQUEST_NULL;
  {
    const std::lock_guard lock(state().slots);
    request = state().requests[transfer - 1];
  }
  {
    const auto lock = turn();
    if (failed(MPI_Test(&request, done, MPI_STATUS_IGNORE), error)) return 1;
  }
  if (*done != 0) {
    const std::lock_guard lock(state().slots);
    state().free.push_back(transfer);
  }
  return 0;
}

void end_all(int exit_code) { MPI_Abort(MPI_COMM_WORLD, exit_code); }

void end() {
  for (MPI_Comm& channel : state().channels) MPI_Comm_free(&channel);
  MPI_Finalize();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const hanok_mpi_table* hanok_mpi(int channels) {
  state().channels.resize(static_cast<std::size_t>(channels), MPI_COMM_NULL);
  char text[MPI_MAX_LIBRARY_VERSION_STRING + 1] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  state().implementation = text;
  static hanok_mpi_table table = {HANOK_MPI_VERSION, nullptr,  begin,   start_send,
                                  start_receive,     finished, end_all, end};
  table.implementation = state().implementation.c_str();
  return &table;
}
