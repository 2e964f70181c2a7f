// Device memory is host memory that only enqueued work may access. Its pages are protected; the
// first access to each piece is a fault, which is handled here: for work the piece is opened, for
// any other code the program is terminated. After the work the opened pieces are closed again. So
// unused memory costs nothing.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/cuda/standin/machine.h"

namespace hanok::standin {
namespace {

constexpr std::uint32_t kPoison = 0x7fcadbad;  // a NaN; as an index, far out of range
constexpr unsigned char kGuard = 0xa7;
/// The unit of opening.
constexpr std::size_t kPiece = std::size_t{64} << 10;

/// The handler's own stack, since a kernel's (a fiber's) may be too small.
class SignalStack {
 public:
  SignalStack() {
    stack_t present{};
    sigaltstack(nullptr, &present);
    if ((present.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer's
    memory_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = memory_;
    stack.ss_size = kBytes;
    sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    if (memory_ == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    munmap(memory_, kBytes);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  static constexpr std::size_t kBytes = std::size_t{256} << 10;
  void* memory_ = MAP_FAILED;
};

/// Fills a piece at its first access.
void poison(char* base, const Mapping& mapping, std::size_t begin, std::size_t end) {
  const std::size_t used = std::clamp(mapping.bytes, begin, end);
  auto* words = reinterpret_cast<std::uint32_t*>(base + begin);
  std::fill(words, words + (end - begin) / sizeof(std::uint32_t), kPoison);
  std::memset(base + used, kGuard, end - used);
}

/// Opens the piece that contains the address; false if there is no closed piece there.
bool open_piece(char* address) {
  Machine& m = machine();
  auto next = m.memory.upper_bound(address);
  if (next == m.memory.begin()) return false;
  auto& [base, mapping] = *std::prev(next);
  const std::size_t begin = static_cast<std::size_t>(address - base) / kPiece * kPiece;
  if (begin >= mapping.mapped) return false;
  Mapping::Piece& piece = mapping.pieces[begin / kPiece];
  if (piece == Mapping::Piece::Open) return false;
  const std::size_t end = std::min(begin + kPiece, mapping.mapped);
  if (mprotect(base + begin, end - begin, PROT_READ | PROT_WRITE) != 0) return false;
  if (piece == Mapping::Piece::Untouched) poison(base, mapping, begin, end);
  piece = Mapping::Piece::Open;
  m.opened.push_back(base + begin);
  m.opened_bytes += end - begin;
  return true;
}

struct sigaction previous_handler;

void say(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;  // nothing more can be done
}

void on_fault(int signal, siginfo_t* info, void*) {
  Machine& m = machine();
  auto* address = static_cast<char*>(info->si_addr);
  const bool working = m.memory_open && pthread_equal(m.worker, pthread_self()) != 0;
  if (working && open_piece(address)) return;
  if (working) {
    char text[160];
    std::snprintf(text, sizeof text, "stand-in: work accessed unallocated memory, at %p\n",
                  static_cast<void*>(address));
    say(text);
  } else if (is_device(address)) {
    say("stand-in: the host accessed device memory while no work was running\n");
  }
  // The instruction runs again and faults for the previous handler.
  sigaction(signal, &previous_handler, nullptr);
}

void close_pieces() {
  Machine& m = machine();
  // Protecting much memory costs more than the work itself. Then it is done only at intervals, and
  // a host that accesses device memory is detected a little later.
  constexpr std::size_t kMuch = std::size_t{16} << 20;
  constexpr std::uint64_t kNowAndThen = 61;  // odd, so that it has no period in common with others
  if (m.opened_bytes > kMuch && ++m.left_open % kNowAndThen != 0) return;
  std::sort(m.opened.begin(), m.opened.end());
  for (std::size_t first = 0; first < m.opened.size();) {
    // Merges neighbours within one mapping.
    auto& [base, mapping] = *std::prev(m.memory.upper_bound(m.opened[first]));
    std::size_t last = first;
    const auto piece_of = [&, origin = base](std::size_t i) {
      return static_cast<std::size_t>(m.opened[i] - origin) / kPiece;
    };
    mapping.pieces[piece_of(first)] = Mapping::Piece::Closed;
    while (last + 1 < m.opened.size() && m.opened[last + 1] == m.opened[last] + kPiece &&
           m.opened[last + 1] < base + mapping.mapped) {
      mapping.pieces[piece_of(++last)] = Mapping::Piece::Closed;
    }
    const std::size_t end = std::min((piece_of(last) + 1) * kPiece, mapping.mapped);
    mprotect(m.opened[first], end - piece_of(first) * kPiece, PROT_NONE);
    first = last + 1;
  }
  m.opened.clear();
  m.opened_bytes = 0;
}

}  // namespace

void handle_faults() {
  static const bool handled = [] {
    struct sigaction handler {};
    handler.sa_sigaction = on_fault;
    handler.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    return sigaction(SIGSEGV, &handler, &previous_handler) == 0;
  }();
  static_cast<void>(handled);
}

void open_memory(bool open) {
  Machine& m = machine();
  if (m.memory_open == open) return;
  if (open) {
    thread_local const SignalStack stack;
    m.worker = pthread_self();
  }
  m.memory_open = open;
  if (!open) close_pieces();
}

std::size_t pieces_of(std::size_t bytes) { return (bytes + kPiece - 1) / kPiece; }

void forget_pieces(char* base, const Mapping& mapping) {
  Machine& m = machine();
  for (char* piece : m.opened) {
    if (piece < base || piece >= base + mapping.mapped) continue;
    m.opened_bytes -= std::min(kPiece, static_cast<std::size_t>(base + mapping.mapped - piece));
  }
  std::erase_if(m.opened,
                [&](char* piece) { return piece >= base && piece < base + mapping.mapped; });
}

bool guard_is_whole(const char* base, const Mapping& mapping) {
  if (mapping.pieces.back() == Mapping::Piece::Untouched) return true;
  return std::all_of(base + mapping.bytes, base + mapping.mapped,
                     [](char byte) { return static_cast<unsigned char>(byte) == kGuard; });
}

}  // namespace hanok::standin
