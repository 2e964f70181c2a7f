// Kernels with one bug each, and their correct versions. The relevant lines are marked in
// planted.cu, e.g. `// at: missing-barrier read`.
#pragma once

namespace hanok::emulator::planted {

/// Reverses 64 floats in each block.
void reverse(float* data, int blocks, bool barrier);
/// Reverses 32 floats by one warp, through shared memory.
void reverse_warp(float* data, bool barrier);
/// y[i] = 2 x[i] for i < n, in whole blocks of 64 threads.
void twice(const float* x, float* y, int n, bool check);
/// A barrier in block 0, which the upper half of its threads reaches only if `all`.
void meet(bool all);
/// Threads wait at two different barriers.
void meet_apart();
/// *sum = sum of n floats; correct with an atomic.
void sum(const float* x, float* sum, int n, bool atomically);
/// *sum = sum of n floats; the last block to finish adds the blocks' partial sums, which are
/// visible to it only if `fence`.
void sum_by_last_block(const float* x, float* parts, unsigned* ticket, float* sum, int blocks,
                       bool fence);
/// Sums 32 floats by shuffles, with all lanes or (incorrectly) only the lower 16.
void sum_by_shuffles(const float* x, float* sum, bool all);
/// Adds lane 31's value to each of 16 threads.
void reads_beyond_block(float* x);
/// Copies through `n` floats of dynamic shared memory; the launch provides `have`.
void through_shared(const float* x, float* y, int n, int have);
/// Sums a table in shared memory, initialised or not.
void sum_table(float* sum, bool fill);
/// Counts values below 8 into 8 bytes; each thread owns one byte.
void neighbouring_bytes(unsigned char* bytes);
/// Neighbours exchange values within segments of 8 lanes, each with its own mask.
void exchange_in_segments(float* x, bool sync);
/// A struct larger than a register is exchanged through shared memory.
void move_structs(int* data, bool barrier);

}  // namespace hanok::emulator::planted
