// What a backend call needs besides its operands: threads, scratch memory and (on CUDA) a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "hanok/kernels/base/thread_pool.h"

#pragma GCC visibility push(default)
namespace hanok {

/// Scratch memory that is reused from call to call. Kernels take from it within a Scope and never
/// free.
class Workspace {
 public:
  static constexpr std::size_t kKeepsAll = SIZE_MAX;

  /// `acquire(bytes)` returns memory aligned to 64 bytes or throws OutOfMemory; `release(p, bytes)`
  /// gives it back. More than `kept` bytes are given back whenever no scope is left: for a source
  /// that lends what one call needs to other users between calls.
  Workspace(std::function<void*(std::size_t)> acquire,
            std::function<void(void*, std::size_t)> release, std::size_t kept = kKeepsAll);
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// Returns everything taken during its lifetime to the workspace.
  class Scope {
   public:
    explicit Scope(Workspace& workspace);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// Uninitialised memory, aligned to 64 bytes, valid until the scope ends.
    void* take(std::size_t bytes);
    template <typename T>
    T* take_array(std::int64_t count) {
      return static_cast<T*>(take(sizeof(T) * static_cast<std::size_t>(count)));
    }

   private:
    Workspace& workspace_;
    std::size_t saved_chunk_;
    std::size_t saved_offset_;
    std::size_t saved_in_use_;
  };

  /// Releases all memory. Only outside scopes.
  void release_all();
  /// Bytes held at present.
  std::size_t bytes() const;

 private:
  friend class Scope;
  struct Chunk {
    char* data;
    std::size_t bytes;
  };
  std::function<void*(std::size_t)> acquire_;
  std::function<void(void*, std::size_t)> release_;
  std::size_t kept_;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0;   // index of the chunk in use
  std::size_t offset_ = 0;  // bytes used of it
  std::size_t in_use_ = 0;  // bytes taken by the scopes that live
  std::size_t most_ = 0;    // the largest in_use_ so far
};

struct ExecContext {
  ThreadPool& pool;
  Workspace& workspace;
  void* stream = nullptr;  // cudaStream_t on CUDA, unused on the CPU
};

}  // namespace hanok
#pragma GCC visibility pop
