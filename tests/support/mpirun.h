// Programs started several times by mpirun, for tests.
#pragma once

#include <string>
#include <vector>

namespace hanok::test {

/// The path of mpirun; empty where it, or libhanok_mpi, is not there: then tests skip.
std::string mpirun_path();
/// Why.
constexpr const char* kNoMpi =
    "mpirun or libhanok_mpi.so is not there (Debian: libopenmpi-dev), or a sanitizer would find "
    "what MPI keeps";

/// Lets mpirun start processes as root, and more of them than there are cores: in containers of
/// continuous integration.
void allow_mpirun();

/// Arguments of mpirun that start `program`, of the build's bin folder, `ranks` times.
std::vector<std::string> ranked(int ranks, const std::string& program,
                                const std::vector<std::string>& arguments);

}  // namespace hanok::test
