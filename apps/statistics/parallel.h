// Work that is shared among the engine's threads, with a count of what is done.
#pragma once

#include <cstdint>
#include <functional>

#pragma GCC visibility push(default)
namespace hanok::statistics {

/// Called after each tree, draw or photograph, from one thread at a time; may be empty.
using OnDone = std::function<void()>;

/// Calls task(i) once for each i in [0, count), in any order, from several threads at once, and
/// on_done() after each. Tasks that write to places of their own give the same for any number of
/// threads.
void for_each_index(std::size_t count, const std::function<void(std::size_t)>& task,
                    const OnDone& on_done = {});

}  // namespace hanok::statistics
#pragma GCC visibility pop
