// How bytes get from one rank to another: what MPI, or threads of a test, offer to
// tree_communicator.h. Nothing here blocks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hanok::ranks {

/// Messages between two ranks on a channel arrive in the order in which they were sent.
enum class Channel { Steps, Background, Life };
constexpr int kChannels = 3;

class Transport {
 public:
  Transport() = default;
  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  using Transfer = std::uint64_t;  // 0: none
  /// The bytes must stay as they are, or be left alone, until finished().
  virtual Transfer start_send(const void* data, std::size_t bytes, int to, Channel channel) = 0;
  virtual Transfer start_receive(void* data, std::size_t bytes, int from, Channel channel) = 0;
  /// Whether it has ended; then `transfer` becomes 0. True for 0. Throws CommunicationError.
  virtual bool finished(Transfer& transfer) = 0;

  [[noreturn]] virtual void end_all(int exit_code) = 0;
};

}  // namespace hanok::ranks
