#include "tests/support/device.h"

namespace hanok::testing {

Device test_device() { return Device::cpu(); }

}  // namespace hanok::testing
