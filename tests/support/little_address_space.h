// Makes the system fail to start a thread.
#pragma once

#include <cstddef>
#include <fstream>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace hanok::test {

/// While alive, a new thread needs 1 GiB of address space, and only `room` is left.
class LittleAddressSpace {
 public:
  explicit LittleAddressSpace(rlim_t room) {
    pthread_attr_t attributes;
    pthread_getattr_default_np(&saved_attributes_);
    pthread_getattr_default_np(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{1} << 30);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    getrlimit(RLIMIT_AS, &saved_limit_);
    rlimit limit = saved_limit_;
    limit.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + room;
    setrlimit(RLIMIT_AS, &limit);
  }
  ~LittleAddressSpace() {
    setrlimit(RLIMIT_AS, &saved_limit_);
    pthread_setattr_default_np(&saved_attributes_);
    pthread_attr_destroy(&saved_attributes_);
  }
  LittleAddressSpace(const LittleAddressSpace&) = delete;
  LittleAddressSpace& operator=(const LittleAddressSpace&) = delete;

 private:
  rlimit saved_limit_{};
  pthread_attr_t saved_attributes_{};
};

}  // namespace hanok::test
