#include "tests/support/device.h"

namespace hanok::testing {

Device test_device() { return Device::cuda(0); }

}  // namespace hanok::testing
