#include "hanok/kernels/exec_context.h"

#include <algorithm>
#include <utility>

namespace hanok {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestChunk = 256 * 1024;

}  // namespace

Workspace::Workspace(std::function<void*(std::size_t)> acquire,
                     std::function<void(void*, std::size_t)> release, std::size_t kept)
    : acquire_(std::move(acquire)), release_(std::move(release)), kept_(kept) {}

Workspace::~Workspace() { release_all(); }

void Workspace::release_all() {
  while (!chunks_.empty()) {
    release_(chunks_.back().data, chunks_.back().bytes);
    chunks_.pop_back();
  }
  chunk_ = 0;
  offset_ = 0;
}

std::size_t Workspace::bytes() const {
  std::size_t sum = 0;
  for (const Chunk& chunk : chunks_) {
    sum += chunk.bytes;
  }
  return sum;
}

Workspace::Scope::Scope(Workspace& workspace)
    : workspace_(workspace),
      saved_chunk_(workspace.chunk_),
      saved_offset_(workspace.offset_),
      saved_in_use_(workspace.in_use_) {}

Workspace::Scope::~Scope() {
  workspace_.chunk_ = saved_chunk_;
  workspace_.offset_ = saved_offset_;
  workspace_.in_use_ = saved_in_use_;
  // A need that grew piece by piece left several chunks, the rest of each unused: the next one gets
  // one chunk for all of it.
  const bool in_pieces = workspace_.chunks_.size() > 1;
  if (saved_in_use_ == 0 && (in_pieces || workspace_.bytes() > workspace_.kept_)) {
    workspace_.release_all();
  }
}

void* Workspace::Scope::take(std::size_t bytes) {
  Workspace& w = workspace_;
  bytes = std::max<std::size_t>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  const auto fits = [&] {
    return w.chunk_ < w.chunks_.size() && w.offset_ + bytes <= w.chunks_[w.chunk_].bytes;
  };
  if (!fits() && w.offset_ > 0) {  // the rest of a chunk in use is left alone
    ++w.chunk_;
    w.offset_ = 0;
  }
  if (!fits()) {
    // Chunks from here on are free: give them back, so that the workspace grows to the largest
    // need rather than to the sum of all needs.
    while (w.chunks_.size() > w.chunk_) {
      w.release_(w.chunks_.back().data, w.chunks_.back().bytes);
      w.chunks_.pop_back();
    }
    const bool for_all = w.chunk_ == 0 && w.most_ <= w.kept_;
    const std::size_t size = std::max({bytes, kSmallestChunk, for_all ? w.most_ : 0});
    w.chunks_.reserve(w.chunks_.size() + 1);
    w.chunks_.push_back({static_cast<char*>(w.acquire_(size)), size});
  }
  void* result = w.chunks_[w.chunk_].data + w.offset_;
  w.offset_ += bytes;
  w.in_use_ += bytes;
  w.most_ = std::max(w.most_, w.in_use_);
  return result;
}

}  // namespace hanok
