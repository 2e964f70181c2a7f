/* What libhanok_mpi offers to hanok. The MPI standard fixes the source and not the binary interface
   (MPI_COMM_WORLD is a number in one implementation and an address in another), so the little that
   calls MPI is a library of its own, compiled against one implementation and opened at run time:
   hanok itself needs none, and a run without ranks never loads it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HANOK_MPI_VERSION 1
#define HANOK_MPI_TEXT 512 /* characters of an error, its end included */

extern "C" {

struct hanok_mpi_table {
  int version;
  const char* implementation; /* "Open MPI v4.1.4, ..." */
  /* Functions that return int give 0, or anything else and a text in `error`. Any thread may call
     them. */
  int (*begin)(int* rank, int* size, char* error);
  int (*start_send)(const void* data, int bytes, int to, int channel, uint64_t* transfer,
                    char* error);
  int (*start_receive)(void* data, int bytes, int from, int channel, uint64_t* transfer,
                       char* error);
  int (*finished)(uint64_t transfer, int* done, char* error); /* once done, it is forgotten */
  void (*end_all)(int exit_code);
  void (*end)(); /* once every rank calls it */
};

typedef const struct hanok_mpi_table* (*hanok_mpi_entry)(int channels);
#define HANOK_MPI_ENTRY "hanok_mpi"

} /* extern "C" */
