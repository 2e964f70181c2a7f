// Messages by MPI, through libhanok_mpi (mpi/mpi_table.h), which is opened at run time.
#pragma once

#include <memory>

#include "hanok/engine/ranks/transport.h"

namespace hanok::ranks {

/// Begins MPI; to be called once in a process, which the launcher has started. The library is
/// searched for beside the program (../lib and its own folder), where the system finds libraries,
/// and in the file that HANOK_MPI_LIBRARY names. Throws Error saying what is missing.
std::unique_ptr<Transport> open_mpi_transport();

}  // namespace hanok::ranks
