// Marks functions that device code calls too; empty without a CUDA compiler.
#pragma once

#ifdef __CUDACC__
#define HANOK_HOST_DEVICE __host__ __device__
#else
#define HANOK_HOST_DEVICE
#endif
