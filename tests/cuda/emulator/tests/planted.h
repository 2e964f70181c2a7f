// Kernels with one bug each, and their right twins. The lines that matter carry a mark in
// planted.cu, e.g. `// at: missing-barrier read`.
#pragma once

namespace hanok::emulator::planted {

/// Reverses 64 floats in each block.
void reverse(float* data, int blocks, bool barrier);
/// Reverses 32 floats by one warp, through shared memory.
void reverse_warp(float* data, bool barrier);
/// y[i] = 2 x[i] for i < n, with as many threads as blocks of 64 have.
void twice(const float* x, float* y, int n, bool check);
/// Block 0's threads meet, its upper half only if `all`.
void meet(bool all);
/// Threads wait at two different lines.
void meet_apart();
/// *sum = total of n floats: right by an atomic.
void sum(const float* x, float* sum, int n, bool atomically);
/// *sum = total of n floats; the last block to finish adds the blocks' parts, if `fence` they are
/// there for it to see.
void sum_by_last_block(const float* x, float* parts, unsigned* ticket, float* sum, int blocks,
                       bool fence);
/// Sums 32 floats by shuffles, with all lanes or (wrongly) the lower 16 only.
void sum_by_shuffles(const float* x, float* sum, bool all);
/// Adds lane 31's value to each of 16 threads.
void reads_beyond_block(float* x);
/// Copies through `n` floats of dynamic shared memory, of which the launch provides `have`.
void through_shared(const float* x, float* y, int n, int have);
/// Sums a table in shared memory that is filled, or not.
void sum_table(float* sum, bool fill);
/// Counts values below 8 into 8 bytes by threads that each own one.
void neighbouring_bytes(unsigned char* bytes);
/// Neighbours exchange values within segments of 8 lanes by a mask of their own.
void exchange_in_segments(float* x, bool sync);
/// A struct larger than a register travels through shared memory.
void move_structs(int* data, bool barrier);

}  // namespace hanok::emulator::planted
